//! The login for an image, compared with the results of kubelet 1.36 and of
//! containers/image 5.38.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use containers_auth::{AuthFile, Credential, DockerConfig, Format, Text};
use image_name::ImageName;
use serde::Deserialize;

/// One case of the recording.
#[derive(Deserialize)]
struct Case {
    name: String,
    r#type: String,
    body: Bytes,
    images: Vec<String>,
    kubelet: Kubelet,
    #[serde(default)]
    containers_image: BTreeMap<String, Vec<Answer>>,
}

/// Text, or base64 of bytes that are not UTF-8.
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

#[test]
fn secrets_are_read_as_kubelet_reads_them() {
    let mut compared = 0;
    for case in cases() {
        let body = case.body.bytes();
        let format = match case.r#type.as_str() {
            "kubernetes.io/dockercfg" => Format::DockerCfg,
            _ => Format::DockerConfigJson,
        };
        let text = Text::of_json(&body);
        let config = DockerConfig::parse(&text, format).ok();
        let Some(lookup) = &case.kubelet.lookup else {
            continue;
        };
        for image in &case.images {
            let name = ImageName::parse(image).unwrap();
            let found = config.as_ref().and_then(|config| config.find(&name));
            let found = found.map(|(_, credential)| login(&credential));
            let firsts: Vec<_> = lookup[image].iter().map(|order| first(order)).collect();
            let case = &case.name;
            assert!(
                firsts.contains(&found),
                "{case}: {image}: {found:?} of {firsts:?}"
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn auth_files_are_read_as_containers_image_reads_them() {
    let mut compared = 0;
    for case in cases() {
        let body = case.body.bytes();
        let text = Text::of_json(&body);
        let file = AuthFile::parse(&text).ok();
        for (image, answers) in &case.containers_image {
            if answers.iter().any(|answer| answer.error.is_some()) {
                // If containers/image refuses the whole file, this crate still uses the
                // other entries.
                continue;
            }
            let name = ImageName::parse(image).unwrap();
            let found = file.as_ref().and_then(|file| file.find(&name));
            // containers/image supports neither globs nor trailing slashes.
            let found = found.filter(|(key, _)| {
                key.contains("://") || !(key.contains(['*', '%']) || key.ends_with('/'))
            });
            let found = found.map(|(_, credential)| login(&credential));
            let answers: Vec<_> = answers.iter().map(Answer::login).collect();
            let case = &case.name;
            assert!(
                answers.contains(&found),
                "{case}: {image}: {found:?} of {answers:?}"
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../data/docker_config.json")).unwrap()
}

fn login(credential: &Credential) -> Login {
    (
        credential.username.clone(),
        credential.password.expose().to_vec(),
    )
}

/// The first login of an order that can be sent, as containers/image sends it: without
/// NULs after the password.
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

impl Bytes {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Binary { base64 } => STANDARD.decode(base64).unwrap(),
        }
    }
}

impl Answer {
    /// The login; `None` without a user name, since it is not sent then.
    fn login(&self) -> Option<Login> {
        let username = self.username.as_ref()?.bytes();
        let password = self.password.as_ref()?.bytes();
        (!username.is_empty()).then_some((username, password))
    }
}
