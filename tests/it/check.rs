//! `check`: a ready node of any distribution has no FAIL, and one change to it gives
//! exactly the FAIL or WARN for that change.

use std::fs;

use clap::ValueEnum;
use crio_credential_provider::cli::CheckName;
use serde_json::{Value, json};

use crate::support::{Distribution, Outcome, Provider, ReadyNode, all_at_once};

pub(crate) const CONFIG: &str = "/etc/kubernetes/credential-providers.yaml";
pub(crate) const BINARY: &str =
    "usr/libexec/kubelet-image-credential-provider-plugins/crio-credential-provider";
/// The checks that cannot pass on a node below another directory: the version of its
/// kubelet, which does not run here, and the audience, which needs a login for the API
/// server.
const USUAL: [(&str, &str); 2] = [("WARN", "kubelet-version"), ("WARN", "audience")];

/// The findings as JSON. Asserts that the exit code agrees with them.
pub(crate) fn report(outcome: &Outcome) -> Value {
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let fails = &report["summary"]["fail"];
    assert_eq!(outcome.code, Some(i32::from(fails != 0)), "{outcome}");
    report
}

/// The findings that did not pass, as (status, name), without the usual ones, and without
/// checks that need a login or depend on another finding.
pub(crate) fn troubles(report: &Value) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let is_about_another = |check: &&Value| {
        let message = check["message"].as_str().unwrap();
        ["it builds on", "no service account to", "no login to"]
            .iter()
            .any(|why| message.starts_with(&format!("not checked: {why}")))
    };
    let all = checks
        .iter()
        .filter(|check| !is_about_another(check))
        .map(|check| (text(check, "status"), text(check, "name")));
    let odd = all.filter(|(status, name)| {
        status != "PASS" && !USUAL.contains(&(status.as_str(), name.as_str()))
    });
    odd.collect()
}

/// Changes one thing on a ready node, and asserts that exactly this is found, with these
/// words in the message and in the remedy.
#[track_caller]
pub(crate) fn finds(
    change: impl Fn(&ReadyNode),
    status: &str,
    name: &str,
    message: &str,
    remedy: &str,
) {
    let ready = ReadyNode::new();
    change(&ready);
    let outcome = ready.check(&["-o", "json"]);
    let report = report(&outcome);
    assert_eq!(
        troubles(&report),
        [(status.to_owned(), name.to_owned())],
        "{outcome}"
    );
    let checks = report["checks"].as_array().unwrap();
    let check = checks
        .iter()
        .find(|check| check["name"] == name && check["status"] == status);
    let check = check.unwrap();
    for (key, word) in [("message", message), ("remedy", remedy)] {
        let text = check[key].as_str().unwrap_or_default();
        assert!(text.contains(word), "no {word:?} in {key}: {text}");
        assert!(!text.contains('\n'), "{text}");
        // Messages do not contain the directory that the node is below.
        assert!(
            !text.contains(ready.node.path("").to_str().unwrap()),
            "{text}"
        );
    }
}

#[test]
fn a_ready_node_of_each_distribution_has_no_problem() {
    all_at_once(&Distribution::all(), |distribution| {
        let ready = ReadyNode::of(distribution);
        let outcome = ready.check(&["-o", "json"]);
        let report = report(&outcome);
        assert!(
            troubles(&report).is_empty(),
            "{}: {outcome}",
            distribution.name
        );
        let checks = report["checks"].as_array().unwrap();
        let builds = |check: &&Value| check["message"].as_str().unwrap().contains("builds on");
        assert!(!checks.iter().any(|check| builds(&check)), "{outcome}");
        assert_eq!(names(&report), all_names(), "{}", distribution.name);
    });
}

/// The names in a report, each once, in order.
fn names(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap();
    let names = checks.iter().map(|check| check["name"].as_str().unwrap());
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.dedup();
    names
}

fn all_names() -> Vec<String> {
    let all = CheckName::value_variants().iter();
    all.map(ToString::to_string).collect()
}

/// Asserts that the report on such a node has every check, and a remedy for each problem.
fn is_complete(name: &str, change: impl Fn(&ReadyNode)) {
    let ready = ReadyNode::new();
    change(&ready);
    let report = report(&ready.check(&["-o", "json", "--timeout", "1s"]));
    assert_eq!(names(&report), all_names(), "{name}");
    for check in report["checks"].as_array().unwrap() {
        let message = check["message"].as_str().unwrap();
        assert!(
            !message.trim_end().ends_with("builds on"),
            "{name}: {check}"
        );
        let has_remedy = check["remedy"].is_string();
        assert_eq!(has_remedy, check["status"] != "PASS", "{name}: {check}");
    }
}

#[test]
fn every_check_is_reported_whatever_is_missing() {
    is_complete("no node", |ready| {
        fs::remove_dir_all(ready.node.path("etc")).unwrap();
        fs::remove_dir_all(ready.node.path("proc")).unwrap();
    });
    is_complete("no registries", |ready| {
        ready.write("/etc/containers/registries.conf", "[");
    });
    is_complete("no CRI-O", |ready| {
        fs::remove_dir_all(ready.node.path("proc/700")).unwrap();
    });
    is_complete("no entry", entry(|entry| entry["name"] = json!("other")));
    is_complete("no kubelet", |ready| {
        fs::remove_dir_all(ready.node.path("proc/812")).unwrap();
        fs::remove_file(ready.node.path("etc/kubernetes/kubelet.conf")).unwrap();
    });
}

#[test]
fn a_check_is_skipped_with_those_that_need_it() {
    let ready = ReadyNode::new();
    ready.write("/etc/containers/registries.conf", "[");
    let arguments = [
        "--skip",
        "registries.conf",
        "--skip",
        "api-server",
        "-o",
        "json",
    ];
    let outcome = ready.check(&arguments);
    let report = report(&outcome);
    let skipped = [
        "registries.conf",
        "mirrors",
        "locations",
        "keys",
        "credential-helpers",
        "registries-format",
        "short-names",
        "match-images",
        "node-logins",
        "node-providers",
        "api-server",
        "audience",
        "token-requests",
        "access",
    ];
    assert_eq!(report["skipped"], json!(skipped), "{outcome}");
    let others = all_names();
    let others: Vec<_> = others
        .into_iter()
        .filter(|name| !skipped.contains(&name.as_str()))
        .collect();
    assert_eq!(names(&report), others);
    assert!(
        ready.cluster.server.requests().is_empty(),
        "nothing is asked"
    );

    let outcome = ready.check(&["--skip", "registries"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    for words in ["'registries'", "--skip", "registries.conf"] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
}

#[test]
fn a_strict_check_fails_for_warnings_and_a_quiet_one_prints_only_problems() {
    let ready = ReadyNode::new();
    let outcome = ready.check(&["--strict"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("warned"), "{outcome}");
    let usual = ["kubelet-version", "audience", "token-requests", "access"];
    let skip = usual.map(|name| format!("--skip={name}"));
    let skip: Vec<_> = skip.iter().map(String::as_str).collect();
    let outcome = ready.check(&[&["--strict", "--quiet"], &skip[..]].concat());
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));

    ready.node.set_mode(BINARY, 0o644);
    let outcome = ready.check(&[&["-q"], &skip[..]].concat());
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert!(lines[0].starts_with("FAIL binary "), "{outcome}");
    assert!(lines[1].starts_with("            -> "), "{outcome}");
    assert_eq!(lines.len(), 2, "{outcome}");
    let report = report(&ready.check(&[&["-q", "-o", "json"], &skip[..]].concat()));
    assert_eq!(names(&report), ["binary"]);
    assert!(report["summary"]["pass"].as_u64().unwrap() > 10, "{report}");
}

const DOCUMENT: &str = "/usr/share/doc/crio-credential-provider/docs/checks.md";

#[test]
fn programs_are_counted() {
    let ready = ReadyNode::new();
    let seen = |number: &str| {
        let text = ready.check(&[]).stdout;
        let line = format!("{number} of the node itself can be seen");
        assert!(text.contains(&line), "{line}: {text}");
    };
    seen(" 3 programs");
    for process in ["700", "812"] {
        fs::remove_dir_all(ready.node.path("proc").join(process)).unwrap();
    }
    seen(" 1 program");
}

#[test]
fn json_has_all_that_the_text_has() {
    let ready = ReadyNode::new();
    ready.node.set_mode(BINARY, 0o644);
    let text = ready.check(&[]).stdout;
    let report = report(&ready.check(&["-o", "json"]));
    let mut words = Vec::new();
    for check in report["checks"].as_array().unwrap() {
        for key in ["status", "name", "message", "remedy"] {
            words.extend(check[key].as_str().map(str::to_owned));
        }
        let name = check["name"].as_str().unwrap().replace('.', "");
        assert_eq!(check["documentation"], format!("{DOCUMENT}#{name}"));
    }
    let mut rest = text.as_str();
    for word in words {
        let (before, after) = rest.split_once(&word).unwrap();
        assert!(
            ["", "->"].contains(&before.trim()),
            "{before:?} before {word:?}"
        );
        rest = after;
    }
    let summary = &report["summary"];
    let (pass, warn, fail) = (&summary["pass"], &summary["warn"], &summary["fail"]);
    let last = format!("{pass} passed, {warn} warned, {fail} failed ({DOCUMENT} explains each)");
    assert_eq!(rest.trim(), last);
    assert_eq!(report["version"], 1);
}

#[test]
fn nothing_is_written() {
    let ready = ReadyNode::new();
    let before = ready.node.files();
    ready.check(&[]);
    assert_eq!(ready.node.files(), before);
    let requests = ready.cluster.server.requests();
    assert!(
        requests.iter().all(|request| request.method == "GET"),
        "{requests:?}"
    );
}

#[test]
fn a_missing_token_file_is_wrong_usage() {
    let ready = ReadyNode::new();
    let about = ["-n", "team-a", "--service-account", "app"];
    for flag in ["--token-file", "--kubeconfig-for-review"] {
        for (file, words) in [("/nowhere/at/all", "No such file"), ("/", "is a directory")] {
            let outcome = ready.check(&[&about[..], &[flag, file]].concat());
            outcome.is_wrong_usage(&[flag, file, words]);
        }
    }
}

/// The entry of a ready node, changed.
pub(crate) fn entry(change: impl Fn(&mut Value)) -> impl Fn(&ReadyNode) {
    move |ready| {
        let mut file: Value =
            serde_json::from_str(&ready.node.read(CONFIG.trim_start_matches('/'))).unwrap();
        change(&mut file["providers"][0]);
        ready.put_entry(CONFIG, &file["providers"][0]);
    }
}

#[test]
fn the_text_has_one_line_per_check_and_a_summary() {
    let ready = ReadyNode::new();
    let outcome = ready.check(&[]);
    assert_eq!(
        (outcome.code, outcome.stderr.lines().count()),
        (Some(0), 1),
        "{outcome}"
    );
    let waited = "INFO ask the API server at https://127.0.0.1:";
    assert!(outcome.stderr.contains(waited), "{outcome}");
    assert!(outcome.stderr.contains("wait at most 10 s"), "{outcome}");
    let starts = |line: &str| {
        ["PASS ", "WARN ", "  "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let lines: Vec<_> = outcome.stdout.lines().collect();
    let (last, checks) = lines.split_last().unwrap();
    assert!(checks.iter().all(|line| starts(line)), "{outcome}");
    assert!(last.contains("4 warned, 0 failed"), "{outcome}");

    ready.node.set_mode(BINARY, 0o644);
    let outcome = ready.check(&[]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("ERROR 1 of "), "{outcome}");
    assert!(outcome.stdout.contains("FAIL binary"), "{outcome}");
}

#[test]
fn an_empty_directory_is_not_ready_and_a_missing_one_is_wrong_usage() {
    let ready = ReadyNode::new();
    ready.write("/empty/x", "");
    let empty = ready.node.path("empty");
    let provider = Provider::new(ready.node.path(""));
    let outcome = provider.run_with(&[
        "check",
        "--root",
        empty.to_str().unwrap(),
        "--timeout",
        "1s",
    ]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let outcome = provider.run_with(&["check", "--root", "/nowhere/at/all"]);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    for words in ["/nowhere/at/all", "--root", "No such file"] {
        assert!(outcome.stderr.contains(words), "{outcome}");
    }
}
