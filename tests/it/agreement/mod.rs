//! `explain` describes what the provider does: both run on the same random nodes and
//! namespaces, and their results are compared. The cases are the same in every run.

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use test_cluster::{ApiServer, Secret};

use self::cases::{Case, case};
use crate::explain::{origin, reason};
use crate::support::{ACCOUNT, Node, Outcome, Provider, Request};

const CASES: usize = 220;
const THREADS: usize = 4;
/// The name of all Secrets that are in the file and not in the namespace.
const FOREIGN: &str = "secret \"zz\"";
const ANNOTATION: &str = "credential-provider.crio.io/secrets";

/// The lines of a log in JSON, with their fields.
fn log(outcome: &Outcome) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).unwrap();
    outcome.stderr.lines().map(line).collect()
}

/// Origin and reason without positions, which differ in a file that was printed with line
/// breaks.
fn without_positions(origin: &str, reason: &str) -> (String, String) {
    let reason = reason.split(" at line ").next().unwrap();
    (origin.to_owned(), reason.to_owned())
}

/// What a run of `explain -o json` reports as skipped, except for Secrets that are only
/// in the file and not in the namespace.
fn skipped(explained: &Value) -> BTreeSet<(String, String)> {
    let skipped = explained["skipped"].as_array().unwrap().iter();
    let skipped = skipped.map(|one| without_positions(&origin(&one["origin"]), &reason(one)));
    skipped.filter(|(origin, _)| origin != FOREIGN).collect()
}

/// What the provider reports as skipped.
fn skipped_by(outcome: &Outcome) -> BTreeSet<(String, String)> {
    let lines = log(outcome).into_iter();
    let skips = lines.filter_map(|line| {
        let fields = &line["fields"];
        let reason = fields["message"].as_str()?.strip_prefix("skip: ")?;
        let reason = match fields["key"].as_str() {
            Some(key) => format!("entry {key}: {reason}"),
            None => reason.to_owned(),
        };
        Some(without_positions(
            fields["origin"].as_str().unwrap(),
            &reason,
        ))
    });
    skips.collect()
}

/// The number of entries of each origin that the provider counts as skipped without
/// listing them.
fn unlisted_by(outcome: &Outcome) -> Vec<(String, usize)> {
    let lines = log(outcome).into_iter();
    let counts = lines.filter_map(|line| {
        let fields = &line["fields"];
        let rest = fields["message"].as_str()?.strip_prefix("skip ")?;
        let count = rest.strip_suffix(" more entries")?.parse().unwrap();
        Some((fields["origin"].as_str().unwrap().to_owned(), count))
    });
    counts.collect()
}

/// The provider lists or counts what `explain` reports as skipped.
#[track_caller]
fn assert_same_skips(explained: &BTreeSet<(String, String)>, pulled: &Outcome, context: &str) {
    let listed = skipped_by(pulled);
    assert!(
        listed.is_subset(explained),
        "{listed:?} {explained:?} {context}"
    );
    let count = |skips: &BTreeSet<(String, String)>| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (origin, _) in skips {
            *counts.entry(origin.clone()).or_default() += 1;
        }
        counts
    };
    let mut counted = count(&listed);
    for (origin, unlisted) in unlisted_by(pulled) {
        *counted.entry(origin).or_default() += unlisted;
    }
    assert_eq!(count(explained), counted, "{context}");
}

/// Source, origin, key and user of every login that the provider wrote.
fn written_by(outcome: &Outcome, file: &Value) -> Vec<Value> {
    let lines = log(outcome).into_iter();
    let written = lines.filter(|line| line["fields"]["outcome"] == "login written");
    let of_line = |line: Value| {
        let fields = &line["fields"];
        let key: String = serde_json::from_str(fields["key"].as_str().unwrap()).unwrap();
        let sources = fields["sources"].as_str().unwrap().split(", ");
        let login = |source| {
            let auth = file["auths"][source]["auth"].as_str().unwrap();
            let login = String::from_utf8(STANDARD.decode(auth).unwrap()).unwrap();
            let user = login.split_once(':').unwrap().0;
            json!({"source": source, "origin": fields["origin"], "key": key, "username": user})
        };
        sources.map(login).collect::<Vec<_>>()
    };
    written.flat_map(of_line).collect()
}

/// The same in the output of `explain`. A source that is listed twice counts once.
fn written_as_explained(explained: &Value) -> Vec<Value> {
    let mut written: Vec<Value> = Vec::new();
    let image = &explained["images"][0];
    let candidates = image["candidates"].as_array().unwrap().iter();
    for source in [image]
        .into_iter()
        .chain(candidates)
        .flat_map(|pull| pull["sources"].as_array().unwrap())
    {
        let mut one = source["credential"].clone();
        if let Some(fields) = one.as_object_mut() {
            fields.insert("origin".to_owned(), origin(&fields["origin"]).into());
            fields.insert("source".to_owned(), source["name"].clone());
            if !written.contains(&one) {
                written.push(one);
            }
        }
    }
    written
}

/// The log groups pull sources by their logins.
fn sorted(mut written: Vec<Value>) -> Vec<Value> {
    written.sort_by_key(|one| one["source"].to_string());
    written
}

/// The auth file that the text shows.
fn shown_file(text: &str) -> Option<Value> {
    let (_, rest) = text.split_once("\n  {\n")?;
    let (body, _) = rest.split_once("\n  }\n")?;
    Some(serde_json::from_str(&format!("{{{body}}}")).unwrap())
}

/// The names of all fields, at every depth, and the kinds of their values.
fn names(file: &Value) -> Value {
    let keys_of = |value: &Value| {
        value
            .as_object()
            .map(|map| map.keys().cloned().collect::<Vec<_>>())
    };
    let entries = |part: &Value| -> Value {
        let entries = part.as_object().into_iter().flatten();
        entries
            .map(|(key, entry)| (key.clone(), json!(keys_of(entry))))
            .collect()
    };
    json!({"fields": keys_of(file), "auths": entries(&file["auths"]), "credHelpers": file["credHelpers"]})
}

/// The numbers of cases that had something to compare.
#[derive(Default)]
struct Seen {
    refused: AtomicUsize,
    written: AtomicUsize,
    global_alone: AtomicUsize,
    none: AtomicUsize,
    skipped: AtomicUsize,
    no_mirror: AtomicUsize,
    named: AtomicUsize,
    short_name: AtomicUsize,
}

fn is_named(case: &Case) -> bool {
    case.annotation.is_some() || case.flag.as_ref().is_some_and(|names| !names.is_empty())
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn explain(provider: &Provider, arguments: &[&str]) -> Outcome {
    provider.run_with(&[&["explain"], arguments].concat())
}

/// The case's namespace, and a token of its service account.
fn namespace(number: usize, case: &Case, server: &ApiServer) -> (String, String) {
    let namespace = format!("n-{number}");
    server.grant(&namespace, ACCOUNT);
    let token = server.token(&namespace, ACCOUNT);
    for (number, secret) in case.secrets.iter().enumerate() {
        let name = secret["metadata"]["name"].as_str();
        let name = name.map_or_else(|| format!("nameless-{number}"), str::to_owned);
        server.put_secret(&namespace, Secret::raw_json(&name, secret.clone()));
    }
    (namespace, token)
}

/// The provider on the case's node.
fn provider(node: &Node, case: &Case, server: &ApiServer, token: &str) -> Provider {
    node.write("ca.crt", server.ca_pem());
    node.write("token", token);
    node.write("secrets", case.file());
    let mut provider = node
        .provider_without_cluster()
        .token(token)
        .flag("--api-server", server.url())
        .flag("--certificate-authority", node.path("ca.crt"))
        .flag("--log-format", "json")
        .without("--global-auth-file");
    for (index, global) in case.globals.iter().enumerate() {
        let path = node.path(format!("global-{index}.json"));
        node.write(&path, global);
        provider = provider.another("--global-auth-file", path);
    }
    if case.globals.is_empty() {
        provider = provider.flag("--global-auth-file", "");
    }
    if let Some(names) = &case.flag {
        provider = provider.flag("--secret-name", names);
    }
    provider
}

/// kubelet's request for the case.
fn request(case: &Case, token: &str) -> Request {
    let annotations: Map<_, _> = case
        .annotation
        .iter()
        .map(|names| (ANNOTATION.to_owned(), json!(names)))
        .collect();
    Request::new(case.image)
        .token(token)
        .field("serviceAccountAnnotations", Value::Object(annotations))
}

fn check(number: usize, case: &Case, server: &ApiServer, seen: &Seen) {
    let (namespace, token) = namespace(number, case, server);
    let node = Node::with_registries(&case.registries);
    let provider = provider(&node, case, server, &token);
    let annotation = case
        .annotation
        .as_ref()
        .map(|names| format!("{ANNOTATION}={names}"));
    let mut of = vec![case.image, "-n", &namespace];
    if let Some(annotation) = &annotation {
        of.extend(["--annotation", annotation]);
    }
    let from_files = [&of[..], &["--secrets", "secrets"]].concat();
    let json = explain(&provider, &[&from_files[..], &["-o", "json"]].concat());
    let text = explain(&provider, &from_files);
    let live = explain(
        &provider,
        &[&of[..], &["--token-file", "token", "-o", "json"]].concat(),
    );
    assert!(!node.path("etc/crio").exists(), "explain wrote something");
    let pulled = provider.serve(&request(case, &token));
    let context = format!(
        "{case:#?}\n{}\n{json}\n{text}\n{live}\n{pulled}",
        case.file()
    );

    assert_eq!(json.code, pulled.code, "{context}");
    assert_eq!(live.code, pulled.code, "{context}");
    if pulled.code != Some(0) {
        return count(&seen.refused);
    }
    let by_files: Value = serde_json::from_str(&json.stdout).unwrap();
    let live: Value = serde_json::from_str(&live.stdout).unwrap();
    let (by_files, live) = (&by_files, &live);
    assert_eq!(by_files["images"], live["images"], "{context}");

    let names_there = node.auth_dir_names();
    let path = live["images"][0]["authFile"]["path"].as_str().unwrap();
    let file = names_there.first().map(|name| {
        assert_eq!(
            node.path("etc/crio/auth").join(name).to_str(),
            Some(path),
            "{context}"
        );
        serde_json::from_str::<Value>(&node.read(path)).unwrap()
    });
    let shown = shown_file(&text.stdout);
    assert_eq!(
        file.as_ref().map(names),
        shown.as_ref().map(names),
        "{context}"
    );
    let written = written_by(&pulled, file.as_ref().unwrap_or(&Value::Null));
    assert_eq!(
        sorted(written_as_explained(live)),
        sorted(written.clone()),
        "{context}"
    );
    for one in &written {
        let user = format!("user {}", one["username"]);
        assert!(
            text.stdout.contains(one["source"].as_str().unwrap()),
            "{context}"
        );
        assert!(text.stdout.contains(&user), "{context}");
    }
    let own = live["images"][0]["sources"].as_array().unwrap();
    let is_own = |one: &Value| own.iter().any(|source| source["name"] == one["source"]);
    if !written.iter().all(is_own) {
        count(&seen.short_name);
    }
    assert_eq!(file.is_some(), !written.is_empty(), "{context}");
    assert_same_skips(&skipped(live), &pulled, &context);
    let asked = !text.stdout.contains("is not written") || text.stdout.contains("no login matches");
    if asked {
        let mut skipped = skipped(by_files);
        if is_named(case) {
            // The Secret is not one of the named ones, but its name makes the file
            // invalid.
            skipped.retain(|(origin, _)| origin != "secret \"\"");
        }
        assert_same_skips(&skipped, &pulled, &context);
    } else {
        count(&seen.no_mirror);
    }
    let owned = !pulled.stdout.contains("\"auth\":{}");
    assert_eq!(
        text.stdout.contains("an empty login for"),
        owned,
        "{context}"
    );

    count(if owned {
        &seen.written
    } else if file.is_some() {
        &seen.global_alone
    } else {
        &seen.none
    });
    if owned && is_named(case) {
        count(&seen.named);
    }
    if !skipped(live).is_empty() {
        count(&seen.skipped);
    }
}

#[test]
fn explain_agrees_with_the_provider() {
    let server = ApiServer::start();
    let mut runner = TestRunner::deterministic();
    let cases = prop::collection::vec(case(), CASES)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let (next, seen) = (AtomicUsize::new(0), Seen::default());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let number = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(case) = cases.get(number)
                {
                    check(number, case, &server, &seen);
                }
            });
        }
    });
    for (name, counter) in [
        ("refused", seen.refused),
        ("written", seen.written),
        ("global alone", seen.global_alone),
        ("none", seen.none),
        ("skipped", seen.skipped),
        ("no mirror", seen.no_mirror),
        ("a login of a named Secret", seen.named),
        ("a login for a short name", seen.short_name),
    ] {
        let count = counter.into_inner();
        eprintln!("{name}: {count}");
        assert!(count >= CASES / 40, "{name}: only {count} of {CASES}");
    }
}
