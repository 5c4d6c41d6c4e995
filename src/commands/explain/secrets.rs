//! Secrets from files, selected and sorted as by the API server: those of the namespace
//! with one of the two types, by type and name, or the named ones.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use anyhow::Context;
use containers_auth::Text;
use secret::{Object, Wiped};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::findings::Findings;
use super::manifest::{Expected, as_json};
use provider::api_server::{
    Listed, SecretDoc, SecretProblem, SecretType, UnusableSecret, data_key, read_secret,
    secret_type,
};
use provider::deadline::Deadline;
use provider::logins::{LoginSource, Observer, Origin, Selection, offer_secret, secret_origin};
use provider::secret_names::{SecretNames, SharedSecret};
use provider::service_account::Namespace;

const SECRETS: Expected = Expected {
    what: "Secrets",
    one: "Secret",
    command: "kubectl get secrets -o yaml",
};

/// The Secrets of a namespace, each name once, and the shared ones by position.
pub(super) struct Given {
    own: Vec<One>,
    shared: Vec<(usize, Listed)>,
}

/// A Secret, usable or not.
struct One {
    name: String,
    /// Whether it names its namespace.
    has_namespace: bool,
    listed: Listed,
}

/// The fields that are read before a Secret is decoded.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow, rename = "type")]
    kind_of_secret: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: &'a RawValue,
    #[serde(default, borrow, rename = "stringData")]
    string_data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    namespace: Option<Cow<'a, str>>,
}

/// Reads the Secrets of a namespace; the others are recorded as skipped.
///
/// # Errors
/// A file cannot be read, or is not kubectl's output. The content is never quoted.
pub(super) fn read(
    files: &[PathBuf],
    namespace: &Namespace,
    shared: &[SharedSecret],
    stdin: &mut (impl Read + IsTerminal),
    findings: &mut Findings,
) -> anyhow::Result<Given> {
    let read = files.iter().map(|file| SECRETS.read(file, stdin));
    let read = read.collect::<anyhow::Result<Vec<_>>>()?;
    let called = |file: &PathBuf| SECRETS.called(file);
    let texts = files
        .iter()
        .zip(&read)
        .map(|(file, bytes)| as_json(bytes).with_context(|| called(file)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut items = Vec::new();
    for (file, text) in files.iter().zip(&texts) {
        items.extend(SECRETS.items(text).with_context(|| called(file))?);
    }
    let items = items.into_iter().map(|item| item.json).collect();
    Ok(given(items, namespace, shared, findings))
}

/// The shared Secrets of files as logins, in their order.
pub(super) struct SharedManifestSecrets {
    secrets: Vec<(Origin, Listed)>,
    deadline: Deadline,
}

impl LoginSource for SharedManifestSecrets {
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        for (origin, secret) in self.secrets.drain(..) {
            offer_secret(secret, |_name| origin, self.deadline, selection, observer)?;
        }
        Ok(())
    }
}

/// The Secrets of files as logins: those with these names in their order, or all. If all
/// are used, Secrets of other types are reported too: the API server would leave them
/// out, and `explain` shows the reason.
pub(super) struct ManifestSecrets<'a> {
    secrets: Vec<Listed>,
    names: Option<&'a SecretNames>,
    deadline: Deadline,
}

impl Given {
    /// The shared Secrets; the files need not have them.
    pub(super) fn shared(
        &mut self,
        names: &[SharedSecret],
        deadline: Deadline,
    ) -> SharedManifestSecrets {
        let secrets = names.iter().enumerate().map(|(place, shared)| {
            let (namespace, name) = (shared.namespace.to_string(), shared.name.clone());
            let found = self.shared.iter().position(|(of, _)| *of == place);
            let secret = match found {
                Some(found) => self.shared.swap_remove(found).1,
                None => Err(not_found(&name)),
            };
            (Origin::SharedSecret(place, namespace, name), secret)
        });
        SharedManifestSecrets {
            secrets: secrets.collect(),
            deadline,
        }
    }

    /// The Secrets of the namespace that are used.
    pub(super) fn named(
        self,
        names: Option<&SecretNames>,
        deadline: Deadline,
    ) -> ManifestSecrets<'_> {
        let mut by_name: BTreeMap<String, Listed> = BTreeMap::new();
        let mut secrets = Vec::new();
        for one in self.own {
            if names.is_some() {
                by_name.insert(one.name, one.listed);
            } else {
                secrets.push(one.listed);
            }
        }
        for name in names.map_or(&[][..], SecretNames::names) {
            let found = by_name.remove(name);
            secrets.push(found.unwrap_or_else(|| Err(not_found(name))));
        }
        ManifestSecrets {
            secrets,
            names,
            deadline,
        }
    }
}

impl LoginSource for ManifestSecrets<'_> {
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        for secret in self.secrets.drain(..) {
            let origin = |name| secret_origin(name, self.names);
            offer_secret(secret, origin, self.deadline, selection, observer)?;
        }
        Ok(())
    }
}

fn not_found(name: &str) -> UnusableSecret {
    UnusableSecret {
        name: name.to_owned(),
        problem: SecretProblem::NotFound,
    }
}

/// The Secrets among the items, in the order in which the API server would list them.
fn given(
    items: Vec<&RawValue>,
    namespace: &Namespace,
    shared: &[SharedSecret],
    findings: &mut Findings,
) -> Given {
    let mut found = Vec::new();
    let mut found_shared = Vec::new();
    let mut names = BTreeSet::new();
    let mut shared_names: Vec<BTreeSet<String>> = vec![BTreeSet::new(); shared.len()];
    // In reverse order, since of two with the same name the last one is used.
    for item in items.into_iter().rev() {
        let mut is_shared = false;
        for (place, (wanted, names)) in shared.iter().zip(&mut shared_names).enumerate() {
            let found = one(item, &wanted.namespace, names).ok();
            let found = found.filter(|one| one.name == wanted.name && one.has_namespace);
            is_shared |= found.is_some();
            found_shared.extend(found.map(|one| (place, one.listed)));
        }
        match one(item, namespace, &mut names) {
            Ok(one) => found.push(one),
            Err(_) if is_shared => {}
            Err((name, reason)) => findings.skip(Origin::Secret(name), None, reason),
        }
    }
    // The winner is the same in any order, but which broken entries are found depends on
    // it, since not every entry is decoded.
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Given {
        own: found,
        shared: found_shared,
    }
}

/// A Secret, or its name and the reason why it is not one of the namespace.
fn one(
    item: &RawValue,
    namespace: &Namespace,
    names: &mut BTreeSet<String>,
) -> Result<One, (String, String)> {
    let nameless = |error: serde_json::Error| {
        let error = anyhow::Error::new(SecretProblem::Name(error.into()));
        (String::new(), format!("{error:#}"))
    };
    let Object(envelope): Object<Envelope<'_>> =
        serde_json::from_str(item.get()).map_err(nameless)?;
    let meta = serde_json::from_str(envelope.metadata.get());
    if envelope
        .kind
        .as_deref()
        .is_some_and(|kind| kind != "Secret")
    {
        let name = meta.map_or_else(|_| String::new(), |Object(Meta { name, .. })| name.into());
        return Err((name, "not a Secret".to_owned()));
    }
    let Object(Meta {
        name,
        namespace: of,
    }) = meta.map_err(nameless)?;
    let name = name.into_owned();
    let has_namespace = of.is_some();
    if let Some(of) = of.filter(|of| of != namespace.as_str()) {
        return Err((name, format!("of namespace {of:?}")));
    }
    if !names.insert(name.clone()) {
        return Err((name, "given again later, and that one is used".to_owned()));
    }
    let listed = match secret_type(envelope.kind_of_secret.as_deref()) {
        Ok(known) => decode(item, &name, &envelope, *known),
        Err(problem) => Err(UnusableSecret {
            name: name.clone(),
            problem,
        }),
    };
    Ok(One {
        name,
        has_namespace,
        listed,
    })
}

/// Decodes a Secret. `stringData` overrides `data`, as in the API server, which stores it
/// as `data`.
fn decode(item: &RawValue, name: &str, envelope: &Envelope<'_>, of: SecretType) -> Listed {
    let Some(string_data) = envelope.string_data else {
        return read_secret(item.get(), of.format);
    };
    let fields: Result<BTreeMap<Cow<'_, str>, Text<'_>>, _> =
        serde_json::from_str(string_data.get());
    let mut fields = fields.map_err(|error| UnusableSecret {
        name: name.to_owned(),
        problem: SecretProblem::Data(error.into()),
    })?;
    match fields.remove(data_key(of.format)) {
        Some(text) => Ok(SecretDoc {
            name: name.to_owned(),
            docker_config: Wiped::new(text.as_bytes().to_vec()),
            format: of.format,
        }),
        None => read_secret(item.get(), of.format),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use containers_auth::DockerConfig;
    use registries_conf::ImageName;
    use tempfile::NamedTempFile;

    use super::*;

    /// One case of the recording: a whole Secret in JSON or YAML.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        text: String,
        kubelet: Kubelet,
    }

    #[derive(Deserialize)]
    struct Kubelet {
        /// Users and passwords by image, in the order in which kubelet tries them;
        /// several orders if it is random.
        #[serde(default)]
        lookup: BTreeMap<String, Vec<Vec<(Bytes, Bytes)>>>,
        /// Why the API server refuses the Secret.
        decode_error: Option<String>,
    }

    /// Text, or base64 of bytes that are not UTF-8.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Bytes {
        Text(String),
        Binary { base64: String },
    }

    impl Bytes {
        fn bytes(&self) -> Vec<u8> {
            match self {
                Self::Text(text) => text.as_bytes().to_vec(),
                Self::Binary { base64 } => STANDARD.decode(base64).unwrap(),
            }
        }
    }

    #[test]
    fn secrets_in_files_are_read_as_the_api_server_and_kubelet_read_them() {
        let cases = include_str!("../../../tests/data/vectors/secrets.json");
        let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let name = &case.name;
            let mut file = NamedTempFile::new().unwrap();
            file.write_all(case.text.as_bytes()).unwrap();
            let files = [file.path().to_owned()];
            let namespace = Namespace::parse("ns").unwrap();
            let mut stdin = File::open("/dev/null").unwrap();
            let given = read(
                &files,
                &namespace,
                &[],
                &mut stdin,
                &mut Findings::default(),
            )
            .unwrap();
            let secret = given.own.into_iter().next_back().unwrap().listed.ok();
            let text = secret
                .as_ref()
                .map(|secret| Text::of_json(&secret.docker_config));
            let format = secret.as_ref().map(|secret| secret.format);
            let config = text.as_ref().zip(format);
            let config = config.and_then(|(text, format)| DockerConfig::parse(text, format).ok());
            if case.kubelet.decode_error.is_some() {
                assert!(config.is_none(), "{name}");
            }
            for (image, orders) in &case.kubelet.lookup {
                let image = ImageName::parse(image).unwrap();
                let found = config.as_ref().and_then(|config| config.find(&image));
                let found = found.map(|(_, login)| {
                    let password = login.password.expose().to_vec();
                    (login.username, password)
                });
                let firsts: Vec<_> = orders
                    .iter()
                    .map(|order| order.first())
                    .map(|first| first.map(|(user, password)| (user.bytes(), password.bytes())))
                    .collect();
                assert!(firsts.contains(&found), "{name}: {image}: {found:?}");
            }
        }
    }
}
