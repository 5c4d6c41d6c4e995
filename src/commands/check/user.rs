//! The user of a kubeconfig that an administrator passes to `check`. This is the only
//! place where users are read: [`Kubeconfig`](provider::api_server::Kubeconfig), for the
//! node's kubeconfigs, does not read them.

use std::path::{Path, PathBuf};

use kubernetes_yaml::Node;
use provider::api_server::Identity;
use provider::api_server::kubeconfig::{Document, KubeconfigError, base64, error, text};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use secret::{ReadError, Secret, Wiped, read_file};

/// The largest file that is read: 4 MiB.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// A user's login.
#[derive(Debug)]
pub(super) struct User {
    /// Its bearer token.
    pub(super) token: Option<Secret>,
    /// Its certificate and key.
    pub(super) identity: Option<Identity>,
}

/// Why the user cannot be used. Never contains a value of the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum UserError {
    /// The file is not a kubeconfig.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// A file in its fields cannot be read.
    #[error("read {path:?}, which the kubeconfig names")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: ReadError,
    },
    /// The certificate or the key is not PEM.
    #[error("the client certificate and key in kubeconfig {0:?} are not PEM")]
    Identity(PathBuf),
    /// The user has a plugin, a password, or no login at all.
    #[error(
        "the current user of kubeconfig {0:?} has neither a token nor a client certificate: plugins are not run"
    )]
    None(PathBuf),
}

impl User {
    /// The user of a kubeconfig's current context.
    ///
    /// # Errors
    /// [`UserError`] if it has no user, or one whose login needs a plugin.
    pub(super) fn read(path: &Path) -> Result<Self, UserError> {
        let document = Document::read(path)?;
        let name = document
            .current_context()
            .and_then(|context| text(context, "user"))
            .map_err(|problem| error(path, problem))?;
        let users = document.field("users").map(Node::items).unwrap_or_default();
        let is_named = |user: &&Node| user.last("name").and_then(Node::as_str) == name;
        let user = users.iter().find(is_named).filter(|_| name.is_some());
        let file = File {
            path,
            user: user.and_then(|user| user.last("user")),
        };
        let token = file.token()?;
        let identity = file.identity()?;
        if token.is_none() && identity.is_none() {
            return Err(UserError::None(path.to_owned()));
        }
        Ok(Self { token, identity })
    }
}

/// A kubeconfig, to which the paths in it are relative, and its user.
struct File<'a> {
    path: &'a Path,
    user: Option<&'a Node>,
}

impl<'a> File<'a> {
    fn text(&self, field: &'static str) -> Result<Option<&'a str>, UserError> {
        text(self.user, field).map_err(|problem| error(self.path, problem).into())
    }

    /// `tokenFile` comes before `token`, as in client-go.
    fn token(&self) -> Result<Option<Secret>, UserError> {
        if let Some(path) = self.text("tokenFile")? {
            let text = self.named(path)?;
            return Ok(Some(Secret::from(text.trim_ascii().to_vec())));
        }
        Ok(self.text("token")?.map(Secret::from))
    }

    fn identity(&self) -> Result<Option<Identity>, UserError> {
        let certificate = self.pem("client-certificate-data", "client-certificate")?;
        let key = self.pem("client-key-data", "client-key")?;
        let (Some(certificate), Some(key)) = (certificate, key) else {
            return Ok(None);
        };
        let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>();
        match (chain, PrivateKeyDer::from_pem_slice(&key)) {
            (Ok(chain), Ok(key)) if !chain.is_empty() => Ok(Some(Identity { chain, key })),
            _ => Err(UserError::Identity(self.path.to_owned())),
        }
    }

    /// As in client-go, data takes precedence over a file.
    fn pem(
        &self,
        data: &'static str,
        path: &'static str,
    ) -> Result<Option<Wiped<Vec<u8>>>, UserError> {
        if let Some(data) = self.text(data)? {
            let decoded = base64(data.as_bytes());
            return decoded
                .map(Some)
                .ok_or_else(|| UserError::Identity(self.path.to_owned()));
        }
        self.text(path)?.map(|path| self.named(path)).transpose()
    }

    fn named(&self, path: &str) -> Result<Wiped<Vec<u8>>, UserError> {
        let path = self.path.parent().unwrap_or(self.path).join(path);
        read_file(&path, MAX_BYTES).map_err(|source| UserError::Read { path, source })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File as Created;
    use std::io::Write;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn read(user: &str) -> Result<User, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.conf");
        let text = format!(
            "kind: Config\ncurrent-context: a\ncontexts:\n- name: a\n  context: {{cluster: c, user: u}}\n\
             users:\n- name: other\n  user: {{token: other}}\n- name: u\n  user: {user}\n"
        );
        let mut file = Created::create(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        User::read(&path).map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    }

    #[test]
    fn a_token_or_a_certificate_is_used_and_a_plugin_is_not_run() {
        let user = read("{token: hunter2}").unwrap();
        assert_eq!(user.token, Some(Secret::from("hunter2")));
        assert!(user.identity.is_none());
        for (user, said) in [
            ("{exec: {command: reboot}}", "plugins are not run"),
            ("{username: a, password: hunter2}", "neither a token"),
            ("{token: ''}", "neither a token"),
            ("{token: [hunter2]}", "its token is not a string"),
            ("{tokenFile: missing}", "missing"),
            (
                "{client-certificate-data: hunter2, client-key-data: hunter2}",
                "not PEM",
            ),
            (
                "{client-certificate-data: 'LS0t', client-key-data: '*'}",
                "not PEM",
            ),
        ] {
            let error = read(user).unwrap_err();
            assert!(error.contains(said), "{user}: {error}");
            assert!(
                !error.contains("hunter2") && !error.contains('\n'),
                "{error}"
            );
        }
    }

    #[test]
    fn a_certificate_and_its_key_are_read_and_not_shown() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let encode = |pem: String| STANDARD.encode(pem);
        let der = key.serialize_der();
        let (certificate, key) = (encode(certificate.pem()), encode(key.serialize_pem()));
        let user = read(&format!(
            "{{client-certificate-data: {certificate}, client-key-data: {key}}}"
        ));
        let user = user.unwrap();
        assert!(user.token.is_none());
        let shown = format!("{user:?}");
        assert!(!shown.contains(&key), "{shown}");
        let identity = user.identity.unwrap();
        assert_eq!(identity.chain.len(), 1);
        assert_eq!(identity.key.secret_der(), der);
    }
}
