//! The time of single stages without I/O: no process, network or disk.
//!
//! ```text
//! make bench
//! cargo bench --bench stages -- registries
//! ```

#![expect(clippy::unwrap_used, reason = "a benchmark of valid input")]

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use containers_auth::{DockerConfig, Format, Text};
use divan::{Bencher, black_box};
use provider::api_server::read_page;
use provider::logins::{self, Origin, Selection};
use provider::service_account::ServiceAccount;
use provider::sources::Sources;
use registries_conf::{Config, ImageName, Source};
use secret::{Secret, Wiped};

const SIZES: [usize; 3] = [1, 100, 1_000];
const REGISTRIES: [usize; 3] = [1, 1_000, 10_000];

fn main() {
    divan::main();
}

#[divan::bench(args = REGISTRIES)]
fn registries_conf_parse(bencher: Bencher<'_, '_>, registries: usize) {
    let source = registries_conf(registries);
    bencher.bench(|| Config::parse(Some(black_box(&source)), &[]).unwrap());
}

#[divan::bench(args = REGISTRIES)]
fn registries_conf_lookup(bencher: Bencher<'_, '_>, registries: usize) {
    let config = Config::parse(Some(&registries_conf(registries)), &[]).unwrap();
    // This is the last registry of the file.
    let image = format!("registry-{}.example.com/team/app", registries - 1);
    let image = ImageName::parse(&image).unwrap();
    bencher.bench(|| Sources::of(black_box(&image), &config).names().count());
}

#[divan::bench]
fn token(bencher: Bencher<'_, '_>) {
    let claims = r#"{"aud":["https://kubernetes.default.svc"],"exp":4102444800,"iss":"https://kubernetes.default.svc","kubernetes.io":{"namespace":"team-a","node":{"name":"node-1","uid":"5d3c5b6e"},"pod":{"name":"app","uid":"9d0f6c1e"},"serviceaccount":{"name":"default","uid":"7a1b2c3d"}},"sub":"system:serviceaccount:team-a:default"}"#;
    let token = format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims));
    let token = Secret::from(token.as_str());
    bencher.bench(|| ServiceAccount::from_token(black_box(&token)).unwrap());
}

#[divan::bench(args = SIZES)]
fn list_page_decode(bencher: Bencher<'_, '_>, secrets: usize) {
    let page = page(secrets);
    bencher.bench(|| {
        let mut visited = 0;
        read_page(
            black_box(page.as_bytes()),
            &mut Wiped::default(),
            &mut |_secret| {
                visited += 1;
                Ok(())
            },
        )
        .unwrap()
        .unwrap();
        visited
    });
}

#[divan::bench(args = SIZES)]
fn selection(bencher: Bencher<'_, '_>, secrets: usize) {
    let texts: Vec<String> = (0..secrets).map(|_| docker_config(&mirror(0))).collect();
    bencher.bench(|| select(black_box(&texts), 1));
}

#[divan::bench(args = SIZES)]
fn auth_file_content(bencher: Bencher<'_, '_>, sources: usize) {
    let texts: Vec<String> = (0..sources)
        .map(|number| docker_config(&mirror(number)))
        .collect();
    let selection = select(&texts, sources);
    bencher.bench(|| logins::encode(black_box(&selection), &[], &mut ()).unwrap());
}

fn registries_conf(registries: usize) -> Source {
    let mut text = String::new();
    for number in 0..registries {
        write!(
            text,
            "[[registry]]\nlocation = \"registry-{number}.example.com\"\n[[registry.mirror]]\nlocation = \"mirror.local/{number}\"\n"
        )
        .unwrap();
    }
    Source::new(Path::new("registries.conf"), text)
}

fn page(secrets: usize) -> String {
    let items: Vec<String> = (0..secrets)
        .map(|number| {
            let data = STANDARD.encode(docker_config(&mirror(number)));
            format!(
                r#"{{"metadata":{{"name":"secret-{number}","namespace":"team-a","uid":"5d3c5b6e-0000-4000-8000-{number:012}","resourceVersion":"{number}","creationTimestamp":"2025-01-01T00:00:00Z","managedFields":[{{"manager":"kubectl-create","operation":"Update","apiVersion":"v1","time":"2025-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{{"f:data":{{".":{{}},"f:.dockerconfigjson":{{}}}},"f:type":{{}}}}}}]}},"data":{{".dockerconfigjson":"{data}"}},"type":"kubernetes.io/dockerconfigjson"}}"#
            )
        })
        .collect();
    format!(
        r#"{{"kind":"SecretList","apiVersion":"v1","metadata":{{"resourceVersion":"1"}},"items":[{}]}}"#,
        items.join(",")
    )
}

fn docker_config(host: &str) -> String {
    format!(r#"{{"auths":{{"{host}":{{"auth":"dXNlcjpwYXNzd29yZA=="}}}}}}"#)
}

fn mirror(number: usize) -> String {
    match number {
        0 => "mirror.local".to_owned(),
        _ => format!("mirror-{number}.local"),
    }
}

/// Selects from `texts`, each a Secret, for `sources` pull sources, one for each mirror.
fn select(texts: &[String], sources: usize) -> Selection {
    let source = |number| format!("{}/library/nginx", mirror(number));
    let names = (0..sources).map(|number| ImageName::parse(&source(number)).unwrap());
    let mut selection = Selection::new(names);
    for (number, text) in texts.iter().enumerate() {
        let origin = Origin::Secret(format!("secret-{number}"));
        let text = Text::of_json(text.as_bytes());
        let config = DockerConfig::parse(&text, Format::DockerConfigJson).unwrap();
        for (key, entry) in config.auths.unwrap() {
            selection
                .offer(&origin, &key, entry, |_| true, &mut ())
                .unwrap();
        }
    }
    selection
}
