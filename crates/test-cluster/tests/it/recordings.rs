//! The stand-in answers each recorded request as the real API server did. HTTP/2 (02h2)
//! and gzip (20), which it does not support, are left out.

use std::{fs::File, io::Read, path::Path};

use serde_json::Value;
use test_cluster::{AnswerFault, ApiServer, Fault, Secret, TokenOptions};

use crate::support::{Answer, Client, LIST, cluster, put_my_secret, put_recorded_secrets};

/// The headers that a client may rely on.
const HEADERS: [&str; 2] = ["content-type", "cache-control"];

/// Further headers, compared only if the recorded body is compact like the stand-in's.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// The fields that differ in every response.
const MASKED: [&str; 4] = ["uid", "resourceVersion", "creationTimestamp", "time"];

struct Recording {
    request: String,
    answer: Answer,
}

#[test]
fn an_empty_namespace_is_answered_as_recorded() {
    check("01-list-0.txt", |_| TokenOptions::default());
}

#[test]
fn one_secret_is_answered_as_recorded() {
    check("02-list-1.txt", |server| {
        put_my_secret(server);
        TokenOptions::default()
    });
}

#[test]
fn lists_pages_and_objects_are_answered_as_recorded() {
    for name in [
        "02c-list-compact-non-curl-ua.txt",
        "03-list-3.txt",
        "04-list-limit1-page1.txt",
        "04-list-limit1-page2.txt",
        "04-list-limit1-page3.txt",
        "04-list-limit1-page4-empty.txt",
        "04b-list-limit1-nofs-page1.txt",
        "04c-list-limit500.txt",
        "11-list-dockercfg.txt",
        "11b-list-no-selector.txt",
        "12-get-200.txt",
    ] {
        check(name, full);
    }
}

#[test]
fn selectors_that_exclude_types_are_answered_as_recorded() {
    for name in [
        "21-list-excluding-types.txt",
        "21b-list-two-types-400.txt",
        "21c-list-contradiction-empty.txt",
        "21d-list-limit0.txt",
    ] {
        check(name, |server| {
            server.grant("mm", "default");
            for number in 0..3 {
                let opaque = Secret::opaque(&format!("opaque-{number}"), "k", "v");
                server.put_secret("mm", opaque);
            }
            let config = r#"{"auths":{"localhost:5000":{"username":"myuser","password":"mypassword","auth":"bXl1c2VyOm15cGFzc3dvcmQ="}}}"#;
            server.put_secret("mm", Secret::docker_config_json("mirror", config));
            let config = r#"{"localhost:5000":{"auth":"dTpw"}}"#;
            server.put_secret("mm", Secret::dockercfg("legacy", config));
            let data = [("x".to_owned(), b"z".to_vec())].into();
            server.put_secret("mm", Secret::raw_data("custom", "example.com/custom", data));
            TokenOptions::new("mm", "default")
        });
    }
}

#[test]
fn invalid_requests_are_refused_as_recorded() {
    for name in [
        "10-unsupported-field-400.txt",
        "10b-malformed-fieldselector-400.txt",
        "12b-get-404.txt",
        "17-subresource-403.txt",
        "18-unknown-path-403.txt",
    ] {
        check(name, full);
    }
}

#[test]
fn an_old_continue_is_answered_as_recorded() {
    check("05c-continue-expired-410.txt", |server| {
        server.grant("rec", "default");
        server.fault(AnswerFault::ExpiredContinue);
        TokenOptions::new("rec", "default")
    });
}

#[test]
fn a_timeout_is_answered_as_recorded() {
    check("15-list-timeout.txt", |server| {
        server.fault(Fault::status(504));
        TokenOptions::default()
    });
}

#[test]
fn missing_permissions_are_answered_as_recorded() {
    check("06-no-permission-403.txt", |_| {
        TokenOptions::new("noperm", "default")
    });
    check_with("08-anonymous-403.txt", |_| None);
    check("09-wrong-namespace-403.txt", full);
    check("09b-nonexistent-namespace-403.txt", full);
}

#[test]
fn refused_tokens_are_answered_as_recorded() {
    check_with("07-garbage-token-401.txt", |_| Some("garbage".to_owned()));
    check_with("07b-bad-signature-401.txt", |server| {
        let token = server.token("default", "default");
        let (signed, _) = token.rsplit_once('.').unwrap();
        Some(format!("{signed}.c2lnbmF0dXJl"))
    });
    check("07c-wrong-audience-401.txt", |_| TokenOptions {
        audiences: vec!["https://elsewhere".to_owned()],
        ..TokenOptions::default()
    });
    check("07d-pod-deleted-401.txt", |_| TokenOptions {
        pod_deleted: true,
        ..TokenOptions::default()
    });
    check("07e-expired-token-401.txt", |_| TokenOptions {
        expired: true,
        ..TokenOptions::new("rec", "default")
    });
}

#[test]
fn a_large_list_has_the_recorded_headers() {
    let (server, mut client) = cluster();
    let large = "x".repeat(100_000);
    server.put_secret("default", Secret::docker_config_json("large", &large));
    let recorded = Answer::head(&text("20b-list-big-nogzip.headers.txt")).unwrap();

    let answer = client.get(LIST);
    assert_eq!(answer.status_line, recorded.status_line);
    for name in HEADERS.into_iter().chain(FRAMING) {
        assert_eq!(
            answer.headers.get(name),
            recorded.headers.get(name),
            "{name}"
        );
    }
}

fn full(server: &ApiServer) -> TokenOptions {
    put_recorded_secrets(server);
    TokenOptions::default()
}

fn check(name: &str, given: impl Fn(&ApiServer) -> TokenOptions) {
    check_with(name, |server| {
        let options = given(server);
        Some(server.token_with(options))
    });
}

/// Compares the response to the recorded request with the recorded response, in a cluster
/// where `default` may list Secrets and which `given` prepares.
fn check_with(name: &str, given: impl Fn(&ApiServer) -> Option<String>) {
    let recorded = Recording::read(name);
    let server = ApiServer::start();
    server.grant("default", "default");
    let token = given(&server).unwrap_or_default();

    let mut client = Client::connect(&server).unwrap();
    client
        .write(&recorded.request.replace("<token>", &token))
        .unwrap();
    let answer = client.read_answer().unwrap();

    assert_eq!(answer.status_line, recorded.answer.status_line, "{name}");
    let (json, expected) = (answer.json(), recorded.answer.json());
    // Most responses were recorded with curl, which gets indented JSON.
    let is_indented = recorded.answer.body.trim_ascii_end().contains(&b'\n');
    let framing = FRAMING.into_iter().filter(|_| !is_indented);
    for header in HEADERS.into_iter().chain(framing) {
        let of = |answer: &Answer, json| {
            let value = answer.headers.get(header)?;
            // A longer revision makes a longer body.
            let length = value.parse::<usize>().ok();
            let length = length.map(|length| length - revision_digits(json));
            Some(length.map_or_else(|| value.clone(), |length| length.to_string()))
        };
        assert_eq!(
            of(&answer, &json),
            of(&recorded.answer, &expected),
            "{name}: {header}"
        );
    }
    assert_eq!(masked(json), masked(expected), "{name}");
}

impl Recording {
    fn read(name: &str) -> Self {
        // Some were recorded with the line ends of HTTP, some without.
        let text = text(name).replace("\r\n", "\n");
        let (request, answer) = text.split_once("\n\n").unwrap();
        let lines = request
            .lines()
            .map(|line| line.strip_prefix("> ").unwrap_or(line));
        let request = lines.flat_map(|line| [line, "\r\n"]).collect();
        let (head, body) = answer.split_once("\n\n").unwrap();
        let mut answer = Answer::head(head).unwrap();
        answer.body = body.into();
        Self { request, answer }
    }
}

fn text(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let mut text = String::new();
    let mut file = File::open(directory.join(name)).unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

/// The total number of digits of all revisions.
fn revision_digits(json: &Value) -> usize {
    match json {
        Value::Object(fields) => {
            let own = fields.get("resourceVersion").and_then(Value::as_str);
            let inner: usize = fields.values().map(revision_digits).sum();
            own.map_or(0, str::len) + inner
        }
        Value::Array(items) => items.iter().map(revision_digits).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn masked(mut json: Value) -> Value {
    match &mut json {
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                *value = if MASKED.contains(&key.as_str()) {
                    Value::Null
                } else {
                    masked(value.take())
                };
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = masked(item.take());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    json
}
