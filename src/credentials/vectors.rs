//! What kubelet and containers/image make of docker configs, as recorded in
//! `tests/data/vectors`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use registries_conf::ImageName;
use serde::Deserialize;

use super::{
    AuthFile, BASE64, Credential, DockerConfig, Format, Origin, RawEntry, Selection, Text,
};

/// One case of the recording.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    kind: String,
    #[serde(default, rename = "type")]
    kind_of_secret: String,
    body: Option<Bytes>,
    /// A whole Secret in JSON or YAML.
    pub(crate) text: Option<String>,
    images: Vec<String>,
    kubelet: Kubelet,
    #[serde(default)]
    containers_image: BTreeMap<String, Vec<Answer>>,
}

/// Text, or what is not UTF-8 in base64.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Binary { base64: String },
}

#[derive(Deserialize)]
struct Kubelet {
    /// Image to logins in the order in which kubelet tries them; several orders where
    /// it is random.
    lookup: Option<BTreeMap<String, Vec<Order>>>,
    /// Why the API server refuses the Secret.
    decode_error: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    username: Option<Bytes>,
    password: Option<Bytes>,
    error: Option<String>,
}

/// Users and passwords.
type Order = Vec<(Bytes, Bytes)>;

/// User and password.
type Login = (Vec<u8>, Vec<u8>);

impl Bytes {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Binary { base64 } => BASE64.decode(base64).unwrap(),
        }
    }
}

/// The cases of whole Secrets, for those who read Secrets from files.
pub(crate) fn secrets() -> impl Iterator<Item = Case> {
    cases().into_iter().filter(|case| case.kind == "secret")
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../tests/data/vectors/docker_config.json");
    serde_json::from_str(text).unwrap()
}

impl Case {
    /// Checks that a Secret's entries give each image the login that kubelet would try
    /// first; `config` is `None` where nothing of the Secret can be used.
    pub(crate) fn assert_like_kubelet(&self, config: Option<&DockerConfig<'_>>) {
        if self.kubelet.decode_error.is_some() {
            assert!(config.is_none(), "{}", self.name);
        }
        let Some(lookup) = &self.kubelet.lookup else {
            return;
        };
        for image in &self.images {
            let entries = config.and_then(|config| config.auths.as_ref());
            let chosen = choose(image, entries.into_iter().flatten());
            let chosen = chosen.map(|(_, login)| login);
            let firsts: Vec<_> = lookup[image].iter().map(|order| first(order)).collect();
            assert!(
                firsts.contains(&chosen),
                "{}: {image}: {chosen:?} of {firsts:?}",
                self.name
            );
        }
    }

    /// Checks that an auth file gives each image the login that containers/image finds.
    fn assert_like_containers_image(&self, file: Option<&AuthFile<'_>>) {
        for (image, answers) in &self.containers_image {
            if answers.iter().any(|answer| answer.error.is_some()) {
                // Where it gives up on the whole file, the other entries count for us.
                continue;
            }
            let entries = file.iter().flat_map(|file| &file.auths);
            let chosen = choose(image, entries);
            // It knows neither globs nor trailing slashes.
            let chosen = chosen.filter(|(key, _)| {
                key.contains("://") || !(key.contains(['*', '%']) || key.ends_with('/'))
            });
            let chosen = chosen.map(|(_, login)| login);
            let found: Vec<_> = answers.iter().map(Answer::login).collect();
            assert!(
                found.contains(&chosen),
                "{}: {image}: {chosen:?} of {found:?}",
                self.name
            );
        }
    }
}

impl Answer {
    /// A login without a user is not sent.
    fn login(&self) -> Option<Login> {
        let username = self.username.as_ref()?.bytes();
        let password = self.password.as_ref()?.bytes();
        (!username.is_empty()).then_some((username, password))
    }
}

/// The first login of an order that can be sent, as it is sent: containers/image,
/// which sends it, drops NULs after the password.
fn first(order: &[(Bytes, Bytes)]) -> Option<Login> {
    let mut logins = order
        .iter()
        .map(|(user, password)| (user.bytes(), password.bytes()));
    let (user, mut password) =
        logins.find(|(user, _)| !user.is_empty() && !user.contains(&b':'))?;
    while password.last() == Some(&0) {
        password.pop();
    }
    Some((user, password))
}

fn choose<'a>(
    image: &str,
    entries: impl Iterator<Item = &'a (Cow<'a, str>, RawEntry<'a>)>,
) -> Option<(String, Login)> {
    let mut selection = Selection::new([ImageName::parse(image).unwrap()]);
    let origin = Origin::Secret("s".to_owned());
    for (key, entry) in entries {
        // One that cannot be used is left out.
        let _unusable = selection.offer(&origin, key, *entry, |_| true, &mut ());
    }
    let chosen = selection.chosen().next();
    chosen.map(|(_, candidate)| {
        let Credential {
            username, password, ..
        } = &candidate.credential;
        let login = (username.clone(), password.expose().to_vec());
        (candidate.key.clone(), login)
    })
}

#[test]
fn secrets_are_read_as_kubelet_reads_them() {
    for case in cases() {
        let Some(body) = case.body.as_ref().map(Bytes::bytes) else {
            continue;
        };
        let format = match case.kind_of_secret.as_str() {
            "kubernetes.io/dockercfg" => Format::DockerCfg,
            _ => Format::DockerConfigJson,
        };
        let text = Text::of_json(&body);
        let config = DockerConfig::parse(&text, format).ok();
        case.assert_like_kubelet(config.as_ref());
    }
}

#[test]
fn auth_files_are_read_as_containers_image_reads_them() {
    for case in cases() {
        let Some(body) = case.body.as_ref().map(Bytes::bytes) else {
            continue;
        };
        let text = Text::of_json(&body);
        case.assert_like_containers_image(AuthFile::parse(&text).ok().as_ref());
    }
}

#[test]
fn several_keys_for_one_registry_are_told_apart_as_recorded() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        source: String,
        r#where: String,
        r#type: String,
        documents: Vec<Document>,
        choice: Place,
        decided_by: String,
        tied: Vec<String>,
    }

    #[derive(Deserialize)]
    struct Document {
        name: String,
        body: String,
    }

    #[derive(Deserialize)]
    struct Place {
        document: String,
        key: String,
    }

    let text = include_str!("../../tests/data/vectors/ties.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    for case in cases {
        let mut selection = Selection::new([ImageName::parse(&case.source).unwrap()]);
        for document in &case.documents {
            let text = Text::of_json(document.body.as_bytes());
            let format = match case.r#type.as_str() {
                "kubernetes.io/dockercfg" => Format::DockerCfg,
                _ => Format::DockerConfigJson,
            };
            let (origin, entries) = if case.r#where == "global" {
                (
                    Origin::GlobalFile(0, PathBuf::from("/0")),
                    AuthFile::parse(&text).unwrap().auths,
                )
            } else {
                let config = DockerConfig::parse(&text, format).unwrap();
                (Origin::Secret(document.name.clone()), config.auths.unwrap())
            };
            for (key, entry) in entries {
                selection
                    .offer(&origin, &key, entry, |_| true, &mut ())
                    .unwrap();
            }
        }
        let (_, chosen) = selection.chosen().next().unwrap();
        if case.r#where != "global" {
            assert_eq!(
                chosen.origin,
                Origin::Secret(case.choice.document),
                "{}",
                case.name
            );
        }
        if case.decided_by == "kubelet's order" {
            assert!(case.tied.contains(&chosen.key), "{}", case.name);
        } else {
            assert_eq!(chosen.key, case.choice.key, "{}", case.name);
        }
    }
}
