//! Flags, their environment variables, `--version` and `--help`.

use std::time::Duration;

use serde_json::Value;
use test_cluster::{ConnectionFault, Fault};

use crate::support::{Cluster, EMPTY, NGINX, Node, Outcome, Provider, docker_config, owned};

const VALUES: [&str; 17] = [
    "--registries-conf",
    "--registries-conf-dir",
    "--registries-conf-layout",
    "--auth-dir",
    "--global-auth-file",
    "--secret-name",
    "--secrets-annotation",
    "--kubeconfig",
    "--api-server",
    "--certificate-authority",
    "--tls-server-name",
    "--api-server-env-file",
    "--timeout",
    "--lock-file",
    "--pull-intents-dir",
    "--stale-after",
    "--log-level",
];

/// Runs without any environment, and without stdin.
fn run(arguments: &[&str]) -> Outcome {
    Node::new().provider_without_cluster().run_with(arguments)
}

#[test]
fn every_flag_can_be_set_in_the_environment() {
    let node = Node::new();
    node.write(
        "another.d/a.conf",
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n\
         [[registry]]\nlocation = \"quay.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n",
    );
    node.write("first.json", docker_config(&[("a.example", "u:p")]));
    node.write("second.json", docker_config(&[("b.example", "u:p")]));
    let cluster = Cluster::with_login();
    let by_flags = node
        .provider(&cluster)
        .flag("--registries-conf-dir", node.path("another.d"))
        .flag("--global-auth-file", node.path("first.json"))
        .another("--global-auth-file", node.path("second.json"))
        .flag("--tls-server-name", "localhost")
        .flag("--stale-after", "1h")
        .flag("--log-level", "debug")
        .flag("--log-format", "json");
    for (name, provider) in [
        ("flags", by_flags.clone()),
        ("environment", by_flags.in_environment()),
    ] {
        for image in [NGINX, "quay.io/org/app"] {
            let outcome = provider.pull(image);

            outcome.answers(&owned(image));
            let file = node.auth_file(image).unwrap();
            assert_eq!(file["auths"].as_object().unwrap().len(), 3, "{name}");
            assert!(outcome.stderr.starts_with('{'), "{name}: {outcome}");
            std::fs::remove_file(node.auth_path(image)).unwrap();
        }
        let requests = cluster.server.requests();
        assert_eq!(requests[0].sni.as_deref(), Some("localhost"), "{name}");
        cluster.server.clear_requests();
    }
}

#[test]
fn switches_have_variables_too() {
    let node = Node::with_mirror();
    let provider = node
        .provider(&Cluster::with_login())
        .switch("--no-empty-login")
        .switch("--insecure-skip-tls-verify")
        .in_environment();
    let cluster = Cluster::with_login();

    let outcome = provider
        .token(&cluster.token)
        .env("CRIO_CREDENTIAL_PROVIDER_API_SERVER", cluster.server.url())
        .pull(NGINX);

    outcome.answers(EMPTY);
    assert!(node.auth_file(NGINX).is_some());
}

#[test]
fn a_flag_overrides_its_variable() {
    let node = Node::with_mirror();
    let outcome = node
        .provider(&Cluster::with_login())
        .env("CRIO_CREDENTIAL_PROVIDER_API_SERVER", "https://127.0.0.1:9")
        .env("CRIO_CREDENTIAL_PROVIDER_AUTH_DIR", node.path("elsewhere"))
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    assert!(!node.path("elsewhere").exists());
}

#[test]
fn relative_paths_are_relative_to_the_working_directory() {
    let node = Node::with_mirror();
    let outcome = node
        .provider(&Cluster::with_login())
        .flag("--registries-conf", "etc/containers/registries.conf")
        .flag("--auth-dir", "etc/crio/auth")
        .flag("--certificate-authority", "etc/kubernetes/pki/ca.crt")
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    assert!(node.auth_file(NGINX).is_some());
}

#[test]
fn an_empty_value_switches_a_list_off() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("quay.io", "u:p")]));
    let outcome = node
        .provider(&Cluster::with_login())
        .flag("--global-auth-file", "")
        .pull(NGINX);

    outcome.answers(&owned(NGINX));
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(file["auths"].as_object().unwrap().len(), 1, "{file}");
}

#[test]
fn durations_are_written_as_in_go() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let hangs = Fault::from(ConnectionFault::HangAtAccept);
    cluster.server.fault(hangs.forever());
    for timeout in ["500ms", ".5s", "+0.5s", "500000us", "500000µs", "0.0001h"] {
        let outcome = node
            .provider(&cluster)
            .flag("--timeout", timeout)
            .pull(NGINX);
        assert_eq!(outcome.code, Some(1), "{timeout}: {outcome}");
        assert!(
            (Duration::from_millis(100)..Duration::from_secs(4)).contains(&outcome.elapsed),
            "{timeout}: {outcome}"
        );
    }
}

#[test]
fn wrong_usage_exits_with_two() {
    let node = Node::new();
    for arguments in [
        &["--no-such-flag"][..],
        &["no-such-command"],
        &["--timeout", "soon"],
        &["--timeout", "-1s"],
        &["--timeout", "0"],
        &["--stale-after", "1d"],
        &["--log-level", "loud"],
        &["--log-format", "xml"],
        &["--auth-dir"],
        &["--api-server", "https://a", "--api-server", "https://b"],
        &["--insecure-skip-tls-verify=perhaps"],
        &["resolve"],
        &["resolve", "--output", "yaml", "nginx"],
    ] {
        // Only these flags: a flag that is given twice is wrong usage too.
        let outcome = Provider::new(node.path("")).run_with(arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome}");
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert_ne!(outcome.stderr, "", "{arguments:?}");
    }
}

#[test]
fn a_wrong_value_in_the_environment_is_wrong_usage_too() {
    let node = Node::with_mirror();
    let outcome = node
        .provider(&Cluster::with_login())
        .env("CRIO_CREDENTIAL_PROVIDER_STALE_AFTER", "soon")
        .pull(NGINX);
    assert_eq!(outcome.code, Some(2), "{outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
}

#[test]
fn help_names_every_flag_and_its_variable() {
    let outcome = run(&["--help"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let switches = [
        "--log-format",
        "--insecure-skip-tls-verify",
        "--no-empty-login",
    ];
    for flag in VALUES.iter().chain(&switches) {
        assert!(outcome.stdout.contains(flag), "{flag}: {outcome}");
        let variable = flag.trim_start_matches("--").replace('-', "_");
        let variable = format!("CRIO_CREDENTIAL_PROVIDER_{}", variable.to_uppercase());
        assert!(outcome.stdout.contains(&variable), "{variable}: {outcome}");
    }
    for flag in ["--version", "--version-json", "resolve"] {
        assert!(outcome.stdout.contains(flag), "{flag}: {outcome}");
    }
}

#[test]
fn the_version_is_one_line() {
    let outcome = run(&["--version"]);
    let expected = format!("crio-credential-provider {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(outcome.stdout, expected);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_version_as_json_has_the_parts_of_the_build() {
    let outcome = run(&["--version-json"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let info: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let mut fields: Vec<_> = info.as_object().unwrap().keys().cloned().collect();
    fields.sort();
    assert_eq!(
        fields,
        [
            "buildDate",
            "dependencies",
            "gitCommit",
            "gitCommitDate",
            "platform",
            "rustVersion",
            "target",
            "version"
        ]
    );
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    for field in ["platform", "rustVersion", "target"] {
        assert_ne!(info[field].as_str().unwrap(), "", "{field}");
    }
    let dependencies = info["dependencies"].as_array().unwrap();
    let names: Vec<_> = dependencies.iter().map(|d| d.as_str().unwrap()).collect();
    assert!(
        names.iter().any(|name| name.starts_with("rustls")),
        "{names:?}"
    );
    assert!(
        !names.iter().any(|name| name.starts_with("proptest")),
        "{names:?}"
    );
}

#[test]
fn a_path_that_must_be_given_and_is_empty_is_wrong_usage() {
    let node = Node::with_mirror();
    for flag in ["--auth-dir", "--api-server-env-file"] {
        let by_flag = node.provider_without_cluster().flag(flag, "");
        for provider in [by_flag.clone(), by_flag.in_environment()] {
            let outcome = provider.pull(NGINX);
            assert_eq!(outcome.code, Some(2), "{outcome}");
            assert_eq!(outcome.stdout, "", "{outcome}");
            let what = format!("{}: must not be empty", flag.trim_start_matches('-'));
            let said = outcome.stderr.to_lowercase().replace('_', "-");
            assert!(said.contains(&what), "{outcome}");
        }
    }
}

#[test]
fn a_missing_working_directory_matters_only_to_relative_paths() {
    let node = Node::with_mirror();
    let script = r#"mkdir gone && cd gone && rmdir ../gone && exec "$PROVIDER""#;
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    let outcome = provider.pull_in_script(script, &[], NGINX);
    outcome.answers(&owned(NGINX));
    let provider = provider.flag("--auth-dir", "auth");
    let outcome = provider.pull_in_script(script, &[], NGINX);
    outcome.fails_with(&["working directory", "No such file"]);
}
