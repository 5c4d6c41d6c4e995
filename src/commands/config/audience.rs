//! The audience of the provider's tokens, which must be one of the API server's. Its
//! issuer is one. The issuer is in the discovery document, which can be read without a
//! login if anonymous requests are allowed to. The tokens of pods also have an audience
//! of the API server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use secret::{DecodeError, Object, Secret, read_file};
use serde::Deserialize;
use tracing::info;

use provider::api_server::{self, Client, Endpoint};
use provider::deadline::Deadline;
use provider::service_account::ServiceAccount;
use provider::settings::Settings;

use crate::commands::patience::announce;

const PATH: &str = "/.well-known/openid-configuration";
/// The largest response that is read: 64 KiB.
const MAX_BYTES: usize = 64 * 1024;
/// The longest time that the administrator waits for the response.
const LIMIT: Duration = Duration::from_secs(5);
/// Where kubelet mounts the volumes of pods, a directory for each pod.
const PODS: &str = "/var/lib/kubelet/pods";
/// The most pods that are inspected; each has a token.
const MAX_PODS: usize = 100;
/// The directory of volumes with tokens, in a pod's directory.
const PROJECTED: &str = "volumes/kubernetes.io~projected";
const UNKNOWN: &str = "give --audience \"$(kubectl get --raw /.well-known/openid-configuration | jq -r .issuer)\", \
    which the API server does not tell here; kubeadm's is https://kubernetes.default.svc.cluster.local, \
    OpenShift's https://kubernetes.default.svc";

/// The audience: the given one, else that of the entry, else the issuer that the API server
/// returns without a login, else that of the tokens of the node's pods.
///
/// # Errors
/// None of these is known; the message has the commands that find the audience.
pub(super) fn find(
    settings: &Settings,
    given: Option<&str>,
    said: Option<String>,
) -> anyhow::Result<String> {
    if let Some(audience) = given {
        return Ok(audience.to_owned());
    }
    if let Some(audience) = said.filter(|audience| !audience.is_empty()) {
        return Ok(audience);
    }
    let asked = api_server::discover(&settings.cluster)
        .map_err(anyhow::Error::new)
        .and_then(|endpoint| {
            let deadline = Deadline::new(LIMIT.min(settings.timeout));
            announce(&endpoint.to_string(), deadline);
            issuer(&endpoint, deadline)
        });
    match asked {
        Ok(audience) => Ok(audience),
        Err(error) => {
            let Some(audience) = of_projected_tokens(Path::new(PODS)) else {
                return Err(error.context(UNKNOWN));
            };
            info!(
                "use audience {audience:?}, which the tokens of this node's pods have: {error:#}"
            );
            Ok(audience)
        }
    }
}

/// The audience of the first token for the API server below kubelet's directory of pods.
/// The audience is not a secret; the token is only decoded. What cannot be read is passed
/// over, since any one token will do; without one, the caller's error is returned.
fn of_projected_tokens(pods: &Path) -> Option<String> {
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let pods = entries(pods).take(MAX_PODS);
    let volumes = pods.flat_map(|pod| entries(&pod.path().join(PROJECTED)));
    // The volume that every pod gets; its token is for the API server only.
    let mut tokens = volumes
        .filter(|volume| {
            volume
                .file_name()
                .as_encoded_bytes()
                .starts_with(b"kube-api-access-")
        })
        .filter_map(|volume| read_file(&volume.path().join("token"), MAX_BYTES).ok());
    tokens.find_map(|token| {
        let token = Secret::from(str::from_utf8(&token).ok()?);
        let audiences = ServiceAccount::from_token(&token).ok()?.audiences;
        let audience = audiences.into_iter().next()?;
        (!audience.chars().any(char::is_control)).then_some(audience)
    })
}

/// The issuer of an API server, which is also its audience unless it was started with
/// others. Requested once, without a login, and with a short limit.
///
/// # Errors
/// The API server does not return one.
pub(in crate::commands) fn issuer(
    endpoint: &Endpoint,
    deadline: Deadline,
) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Wire {
        issuer: String,
    }
    let deadline = Deadline::new(LIMIT.min(deadline.remaining()));
    let asked = || format!("ask {endpoint}");
    let client = Client::anonymous(endpoint, deadline)
        .with_context(asked)?
        .once();
    let answer = client.get(PATH, MAX_BYTES).with_context(asked)?;
    let Object(wire): Object<Wire> = serde_json::from_slice(&answer)
        .map_err(DecodeError::from)
        .with_context(asked)?;
    let is_odd = wire.issuer.is_empty() || wire.issuer.chars().any(char::is_control);
    anyhow::ensure!(!is_odd, "{}: its issuer is not a valid audience", asked());
    Ok(wire.issuer)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "lays out kubelet's directory")]

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn token(audience: &str) -> String {
        let claims = format!(r#"{{"aud":{audience},"kubernetes.io":{{"namespace":"a"}}}}"#);
        format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_audience_is_that_of_a_token_for_the_api_server() {
        for (name, volumes, expected) in [
            ("none", &[][..], None),
            (
                "a list",
                &[("kube-api-access-x", token(r#"["api","b"]"#))][..],
                Some("api"),
            ),
            (
                "a string",
                &[("kube-api-access-x", token(r#""api""#))][..],
                Some("api"),
            ),
            (
                "another volume",
                &[("vault", token(r#"["vault"]"#))][..],
                None,
            ),
            (
                "not a token",
                &[("kube-api-access-x", "x".to_owned())][..],
                None,
            ),
            (
                "no audience",
                &[("kube-api-access-x", token("[]"))][..],
                None,
            ),
            (
                "a control character",
                &[("kube-api-access-x", token(r#""a\nb""#))][..],
                None,
            ),
            (
                "the second",
                &[
                    ("kube-api-access-x", "x".to_owned()),
                    ("kube-api-access-y", token(r#""api""#)),
                ][..],
                Some("api"),
            ),
        ] {
            let pods = tempfile::tempdir().unwrap();
            for (volume, token) in volumes {
                let volume = pods.path().join("uid").join(PROJECTED).join(volume);
                fs::create_dir_all(&volume).unwrap();
                fs::write(volume.join("token"), token).unwrap();
            }
            assert_eq!(
                of_projected_tokens(pods.path()).as_deref(),
                expected,
                "{name}"
            );
        }
        assert_eq!(of_projected_tokens(Path::new("/nonexistent")), None);
    }
}
