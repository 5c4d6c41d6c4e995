//! `check`: a node that is ready has no FAIL, whatever the distribution; one change to it
//! gives exactly the FAIL or WARN for that change.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use clap::ValueEnum;
use crio_credential_provider::cli::CheckName;
use rustix::process::geteuid;
use serde_json::{Value, json};

use crate::support::{
    Distribution, NGINX, Node, Outcome, Provider, ReadyNode, all_at_once, cannot_run,
};

const CONFIG: &str = "/etc/kubernetes/credential-providers.yaml";
const BINARY: &str =
    "usr/libexec/kubelet-image-credential-provider-plugins/crio-credential-provider";
const KUBELET: &str = "/usr/bin/kubelet\0--kubeconfig=/etc/kubernetes/kubelet.conf\0--config=/var/lib/kubelet/config.yaml";
const FLAGS: &str = "\0--image-credential-provider-bin-dir=/usr/libexec/kubelet-image-credential-provider-plugins\0--image-credential-provider-config=/etc/kubernetes/credential-providers.yaml";
/// What cannot be checked on a node below another directory: the version of its kubelet,
/// which does not run here, and the audience, which takes a login for the API server.
const USUAL: [(&str, &str); 2] = [("WARN", "kubelet-version"), ("WARN", "audience")];

/// The checks as JSON, and whether the exit code agrees with them.
pub(crate) fn report(outcome: &Outcome) -> Value {
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let fails = &report["summary"]["fail"];
    assert_eq!(outcome.code, Some(i32::from(fails != 0)), "{outcome}");
    report
}

/// What is not as it should be, as (status, name), without the usual, what was not looked
/// at for want of something to ask with, and what was not for another finding.
pub(crate) fn troubles(report: &Value) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let is_about_another = |check: &&Value| {
        let message = check["message"].as_str().unwrap();
        ["it builds on", "whose rights"]
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

/// Changes one thing on a ready node. Exactly that is found, with `words` in the message
/// and in the remedy.
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
        // The node does not know below which directory it is.
        assert!(
            !text.contains(ready.node.path("").to_str().unwrap()),
            "{text}"
        );
    }
}

#[test]
fn a_ready_node_of_each_distribution_has_no_trouble() {
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

/// The names in a report, each once, in its order.
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

/// What a check of such a node says is about all checks, and says what to do.
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
fn no_check_is_left_out_whatever_is_missing() {
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
        "match-images",
        "node-logins",
        "api-server",
        "audience",
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
fn a_strict_check_fails_for_warnings_and_a_quiet_one_prints_problems_alone() {
    let ready = ReadyNode::new();
    let outcome = ready.check(&["--strict"]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    assert!(outcome.stderr.contains("warned"), "{outcome}");
    let usual = ["kubelet-version", "audience", "access"];
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
        assert_eq!(check["documentation"], format!("docs/checks.md#{name}"));
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
    let last =
        format!("{pass} passed, {warn} warned, {fail} failed (docs/checks.md explains each)");
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
fn registries_conf_is_what_cri_o_takes() {
    let path = "/etc/containers/registries.conf";
    let mirror =
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"m.test\"\n";
    finds(
        |node| {
            node.write(
                "/etc/containers/registries.conf.d/x.conf",
                "credential-helpers = [\"secretservice\"]",
            );
        },
        "FAIL",
        "credential-helpers",
        "secretservice",
        "containers-auth.json",
    );
    finds(
        |node| {
            node.write(
                "/etc/containers/registries.conf.d/x.conf",
                "credential-helpers = [\"pass\", \"containers-auth.json\"]",
            );
        },
        "WARN",
        "credential-helpers",
        "pass",
        "first",
    );
    finds(
        |node| node.write(path, "[[registry]]\nlocation = \"docker.io\""),
        "WARN",
        "mirrors",
        "nothing to do",
        "registry.mirror",
    );
    finds(
        |node| node.write(path, mirror.replace("docker.io", "https://docker.io")),
        "FAIL",
        "registries.conf",
        "registries.conf:",
        "CRI-O does not start",
    );
}

#[test]
fn a_location_that_fails_every_pull_is_a_failure() {
    for (location, message) in [
        (
            "index.docker.io",
            "\"index.docker.io\" at /etc/containers/registries.conf.d/x.conf:5",
        ),
        ("m.test./x", "every pull below quay.io fails"),
        (
            "m.test/a:tag\"\npull-from-mirror = \"tag-only",
            "every pull by tag below quay.io fails",
        ),
    ] {
        let text = format!(
            "[[registry]]\nlocation = \"quay.io\"\n\n[[registry.mirror]]\nlocation = \"{location}\"\n"
        );
        finds(
            |node| node.write("/etc/containers/registries.conf.d/x.conf", &text),
            "FAIL",
            "locations",
            message,
            "systemctl reload crio",
        );
    }
    // A host is not an image name, so it cannot be the prefix's image; it need not be.
    let host =
        "[[registry]]\nlocation = \"docker.io/org\"\n[[registry.mirror]]\nlocation = \"m.test\"\n";
    let ready = ReadyNode::new();
    ready.write("/etc/containers/registries.conf.d/x.conf", host);
    let report = report(&ready.check(&["-o", "json"]));
    assert_eq!(troubles(&report), []);
}

#[test]
fn keys_that_cri_o_ignores_are_a_warning() {
    finds(
        |node| {
            node.write(
                "/etc/containers/registries.conf.d/x.conf",
                "[[registry]]\nlocation = \"quay.io\"\n[[registry.mirrors]]\nlocation = \"m.test\"\n",
            );
        },
        "WARN",
        "keys",
        "\"registry.mirrors\" at /etc/containers/registries.conf.d/x.conf:3",
        "containers-registries.conf(5)",
    );
}

#[test]
fn the_auth_directory_is_roots_alone() {
    let auth = "etc/crio/auth";
    finds(
        |ready| ready.node.set_mode(auth, 0o777),
        "FAIL",
        "auth-dir",
        "\"/etc/crio/auth\" is writable by others than root (mode 0777)",
        "chmod go-w \"/etc/crio/auth\"",
    );
    finds(
        |ready| ready.node.set_mode("etc/crio", 0o775),
        "FAIL",
        "auth-dir",
        "\"/etc/crio\" is writable",
        "chmod go-w \"/etc/crio\"",
    );
    finds(
        |ready| ready.node.set_mode(auth, 0o755),
        "WARN",
        "auth-dir",
        "open to others",
        "chmod 0700",
    );
    finds(
        |ready| {
            fs::remove_dir_all(ready.node.path(auth)).unwrap();
            ready.write("/etc/crio/auth", "");
        },
        "FAIL",
        "auth-dir",
        "no directory",
        "--auth-dir",
    );
}

#[test]
fn a_login_of_kubelets_own_for_a_mirrored_registry_is_a_warning() {
    let config = |key: &str| format!(r#"{{"auths":{{"{key}":{{"auth":"dTpw"}}}}}}"#);
    for key in ["https://index.docker.io/v1/", "docker.io/org", "*.io"] {
        finds(
            |ready| ready.write("/var/lib/kubelet/config.json", config(key)),
            "WARN",
            "node-logins",
            "kubelet has a login for docker.io in /var/lib/kubelet/config.json",
            "move it into a Secret",
        );
    }
    for key in ["mirror.example", "quay.io", "docker.io.example"] {
        let ready = ReadyNode::new();
        ready.write("/var/lib/kubelet/config.json", config(key));
        let report = report(&ready.check(&["-o", "json"]));
        assert_eq!(troubles(&report), [], "{key}");
    }
}

#[test]
fn links_to_the_auth_directory_are_followed_before_it_is_judged() {
    let link = |target: &str| {
        let target = target.to_owned();
        move |ready: &ReadyNode| {
            fs::remove_dir_all(ready.node.path("etc/crio/auth")).unwrap();
            symlink(&target, ready.node.path("etc/crio/auth")).unwrap();
        }
    };
    finds(
        link("/run/nowhere"),
        "FAIL",
        "auth-dir",
        "/etc/crio/auth is a link to /run/nowhere, which does not exist",
        "remove /etc/crio/auth",
    );
    let node = Node::new();
    node.write("home/auth/keep", "");
    node.set_mode("home/auth", 0o700);
    node.set_mode("home", 0o777);
    node.write("etc/keep", "");
    symlink(node.path("home/auth"), node.path("etc/auth")).unwrap();
    if !geteuid().is_root() {
        cannot_run("only root's directories are judged on the machine itself");
        return;
    }
    let directory = node.path("etc/auth");
    let arguments = ["check", "--auth-dir", directory.to_str().unwrap()];
    let outcome = Provider::new(node.path("")).run_with(&arguments);
    assert!(
        outcome.stdout.contains("home\" is writable by others"),
        "{outcome}"
    );
}

#[test]
fn a_missing_auth_directory_is_fine_and_left_over_files_are_not() {
    let ready = ReadyNode::new();
    fs::remove_dir_all(ready.node.path("etc/crio")).unwrap();
    let report = report(&ready.check(&["-o", "json"]));
    assert!(troubles(&report).is_empty(), "{report}");

    let day = Duration::from_secs(25 * 60 * 60);
    finds(
        |ready| {
            ready.node.leave_auth_file(NGINX);
            ready.node.age(ready.node.auth_path(NGINX), day);
        },
        "WARN",
        "auth-files",
        "team-a-7e59",
        "remove",
    );
    finds(
        |ready| {
            ready.write("/etc/crio/auth/in-use/left.json", "{}");
            ready.node.age("etc/crio/auth/in-use/left.json", day);
        },
        "WARN",
        "auth-files",
        "in-use/left.json",
        "remove",
    );
    let ready = ReadyNode::new();
    ready.node.leave_auth_file(NGINX);
    let report = self::report(&ready.check(&["-o", "json"]));
    assert!(troubles(&report).is_empty(), "{report}");
}

#[test]
fn cri_o_looks_where_the_provider_writes() {
    let drop_in = "/etc/crio/crio.conf.d/99-last.conf";
    let image = |setting: &str| format!("[crio.image]\n{setting}\n");
    finds(
        |ready| ready.write(drop_in, image("namespaced_auth_dir = \"/run/crio/auth\"")),
        "FAIL",
        "crio-auth-dir",
        "\"/run/crio/auth\"",
        "namespaced_auth_dir = \"/etc/crio/auth\"",
    );
    finds(
        |ready| ready.write(drop_in, image("global_auth_file = \"/root/auth.json\"")),
        "WARN",
        "crio-global-auth-file",
        "/root/auth.json",
        "--global-auth-file /root/auth.json",
    );
    finds(
        |ready| ready.write(drop_in, "[crio.image\n"),
        "FAIL",
        "crio",
        "99-last.conf: line 1",
        "correct it",
    );
    finds(
        |ready| ready.write(drop_in, "a.".repeat(100_000) + "a = 1"),
        "FAIL",
        "crio",
        "nested too deeply",
        "correct it",
    );
    finds(
        |ready| ready.process(700, "crio\0--registries-conf=/etc/other.conf\0"),
        "FAIL",
        "crio-registries",
        "/etc/other.conf",
        "--registries-conf /etc/other.conf",
    );
    finds(
        |ready| {
            ready.write(
                "/proc/700/environ",
                "A=b\0CONTAINER_NAMESPACED_AUTH_DIR=/x\0",
            );
        },
        "FAIL",
        "crio-auth-dir",
        "\"/x\"",
        "namespaced_auth_dir",
    );
    finds(
        |ready| fs::remove_dir_all(ready.node.path("proc/700")).unwrap(),
        "WARN",
        "crio",
        "does not run",
        "start crio",
    );
}

#[test]
fn a_later_file_of_cri_o_counts_more() {
    let ready = ReadyNode::new();
    let wrong = "[crio.image]\nnamespaced_auth_dir = \"/wrong\"\n";
    ready.write("/etc/crio/crio.conf", wrong);
    ready.write("/etc/crio/crio.conf.d/00-first.conf", wrong);
    // A link to the directory, in another place.
    symlink("/etc/crio/auth", ready.node.path("run/auth")).unwrap();
    let right = "[crio.image]\nnamespaced_auth_dir = \"/var/run/auth/\"\n";
    ready.write("/etc/crio/crio.conf.d/20-last.conf", right);
    let report = report(&ready.check(&["-o", "json"]));
    assert!(troubles(&report).is_empty(), "{report}");
}

#[test]
fn cri_o_is_new_enough() {
    for (version, status, message) in [
        ("\"1.34.2\"", "FAIL", "1.34.2 knows no namespaced_auth_dir"),
        ("\"1.35.0+abc\"", "WARN", "1.35.0"),
        ("1.36", "WARN", "not known"),
    ] {
        let change = |ready: &ReadyNode| ready.write("/run/crio/version", version);
        finds(change, status, "crio-version", message, "1.3");
    }
}

#[test]
fn kubelet_is_given_the_provider() {
    finds(
        |ready| ready.process(812, KUBELET),
        "FAIL",
        "kubelet",
        "--image-credential-provider-bin-dir and --image-credential-provider-config",
        "restart",
    );
    finds(
        |ready| fs::remove_dir_all(ready.node.path("proc/812")).unwrap(),
        "WARN",
        "kubelet",
        "no process",
        "--kubelet-provider-config",
    );
    finds(
        entry(|entry| entry["defaultCacheDuration"] = json!("soon")),
        "FAIL",
        "provider-config",
        "/etc/kubernetes/credential-providers.yaml: line 1: providers[0].defaultCacheDuration",
        "kubelet does not start",
    );
    finds(
        |ready| fs::remove_file(ready.node.path(CONFIG.trim_start_matches('/'))).unwrap(),
        "FAIL",
        "provider-config",
        "No such file",
        "config",
    );
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
fn the_entry_has_what_the_provider_needs() {
    finds(
        entry(|entry| entry["name"] = json!("ecr-credential-provider")),
        "FAIL",
        "provider-entry",
        "has no provider",
        "config --write /etc/kubernetes/credential-providers.yaml",
    );
    finds(
        entry(|entry| {
            entry.as_object_mut().unwrap().remove("tokenAttributes");
        }),
        "FAIL",
        "provider-entry",
        "no tokenAttributes",
        "config --write",
    );
    finds(
        entry(|entry| {
            entry.as_object_mut().unwrap().remove("tokenAttributes");
            entry["apiVersion"] = json!("credentialprovider.kubelet.k8s.io/v1beta1");
        }),
        "FAIL",
        "provider-entry",
        "v1beta1",
        "config --write",
    );
    finds(
        entry(|entry| entry["matchImages"] = json!(["quay.io"])),
        "FAIL",
        "match-images",
        "docker.io",
        "config --write",
    );
    finds(
        entry(|entry| entry["matchImages"] = json!(["docker.io/library"])),
        "WARN",
        "match-images",
        "docker.io",
        "config --write",
    );
    finds(
        entry(|entry| entry["args"] = json!(["--nonsense"])),
        "FAIL",
        "provider-args",
        "--nonsense",
        "every pull fails",
    );
}

#[test]
fn the_entrys_own_arguments_are_used_unless_others_are_given() {
    let directory = "/run/crio/auth";
    let crio = |ready: &ReadyNode| {
        let conf = format!("[crio.image]\nnamespaced_auth_dir = \"{directory}\"\n");
        ready.write("/etc/crio/crio.conf.d/99.conf", conf);
    };
    let args = json!([format!("--auth-dir={directory}")]);
    let env = json!([
        {"name": "CRIO_CREDENTIAL_PROVIDER_AUTH_DIR", "value": directory},
        {"name": "CRIO_CREDENTIAL_PROVIDER_NO_SANDBOX", "value": "1"},
        {"name": "OTHER", "value": "x"},
    ]);
    let other = json!([{"name": "CRIO_CREDENTIAL_PROVIDER_AUTH_DIR", "value": "/other"}]);
    for (args, env) in [(&args, &json!([])), (&json!([]), &env), (&args, &other)] {
        let ready = ReadyNode::new();
        crio(&ready);
        entry(|entry| {
            entry["args"] = args.clone();
            entry["env"] = env.clone();
        })(&ready);
        let told = report(&ready.check(&["-o", "json"]));
        assert!(troubles(&told).is_empty(), "{told}");
        let other = report(&ready.check(&["-o", "json", "--auth-dir", "/elsewhere"]));
        let expected = [("FAIL".to_owned(), "crio-auth-dir".to_owned())];
        assert_eq!(troubles(&other), expected, "{other}");
    }
}

#[test]
fn the_binary_is_there_and_roots_alone() {
    finds(
        |ready| fs::remove_file(ready.node.path(BINARY)).unwrap(),
        "FAIL",
        "binary",
        "No such file",
        "install",
    );
    finds(
        |ready| ready.node.set_mode(BINARY, 0o644),
        "FAIL",
        "binary",
        "not executable",
        "chmod 0755",
    );
    finds(
        |ready| ready.node.set_mode(BINARY, 0o777),
        "FAIL",
        "binary",
        "writable by others",
        "chmod go-w",
    );
    finds(
        |ready| ready.node.set_mode("usr/libexec", 0o777),
        "FAIL",
        "binary",
        "\"/usr/libexec\" is writable by others",
        "chmod go-w \"/usr/libexec\"",
    );
}

#[test]
fn feature_gates_of_kubelet_count() {
    let gate = "KubeletServiceAccountTokenForCredentialProviders";
    let off = |ready: &ReadyNode| {
        let configuration = format!("kind: KubeletConfiguration\nfeatureGates:\n  {gate}: false\n");
        ready.write("/var/lib/kubelet/config.yaml", configuration);
    };
    finds(off, "FAIL", "kubelet-version", gate, "restart");
    finds(
        |ready| {
            ready.process(
                812,
                &format!("{KUBELET}{FLAGS}\0--feature-gates=A=true,{gate}=false\0"),
            );
        },
        "FAIL",
        "kubelet-version",
        gate,
        "restart",
    );
    let ready = ReadyNode::new();
    off(&ready);
    ready.process(
        812,
        &format!("{KUBELET}{FLAGS}\0--feature-gates={gate}=true\0"),
    );
    let report = report(&ready.check(&["-o", "json"]));
    assert!(troubles(&report).is_empty(), "{report}");
}

#[test]
fn people_read_one_line_a_check_and_a_summary() {
    let ready = ReadyNode::new();
    let outcome = ready.check(&[]);
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (Some(0), ""),
        "{outcome}"
    );
    let starts = |line: &str| {
        ["PASS ", "WARN ", "  "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let lines: Vec<_> = outcome.stdout.lines().collect();
    let (last, checks) = lines.split_last().unwrap();
    assert!(checks.iter().all(|line| starts(line)), "{outcome}");
    assert!(last.contains("3 warned, 0 failed"), "{outcome}");

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

/// A process that calls itself kubelet, for as long as it is needed.
struct Pretender(Child);

impl Pretender {
    fn start(program: &Path, user: u32) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg0("kubelet")
            .arg("600")
            .uid(user)
            .current_dir("/");
        command.spawn().map(Self)
    }
}

impl Drop for Pretender {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_process_that_is_not_roots_does_not_pass_for_kubelet() {
    const NOBODY: u32 = 65_534;
    let node = Node::new();
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    let Ok(users) = Pretender::start(&sleep, NOBODY) else {
        cannot_run("only root can run a program as another user");
        return;
    };
    node.write("shared/keep", "");
    let replaceable = node.copy_program(sleep.to_str().unwrap(), "shared/sleep");
    node.set_mode(&replaceable, 0o777);
    let replaceable = Pretender::start(&replaceable, 0).unwrap();
    let kubelet = || {
        let outcome = Provider::new(node.path("")).run_with(&["check", "-o", "json"]);
        let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().clone();
        let kubelet = checks.into_iter().find(|check| check["name"] == "kubelet");
        kubelet.unwrap()["message"].as_str().unwrap().to_owned()
    };
    let names = |message: &str, process: &Pretender| {
        message.contains(&format!("process {})", process.0.id()))
    };

    let message = kubelet();
    for pretender in [&users, &replaceable] {
        assert!(!names(&message, pretender), "{message}");
    }

    let roots = Pretender::start(&sleep, 0).unwrap();
    let message = kubelet();
    assert!(names(&message, &roots), "{message}");
}
