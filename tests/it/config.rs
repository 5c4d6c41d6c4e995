//! `config`: kubelet's provider configuration from registries.conf, alone and merged into
//! a file.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use test_cluster::{AnswerFault, ConnectionFault, Fault};

use crate::support::{Cluster, Node, Outcome, Provider};

const FILE: &str = "etc/kubernetes/credential-providers.yaml";
const BACKUP: &str = "etc/kubernetes/credential-providers.yaml.bak";
const AUDIENCE: [&str; 2] = ["--audience", "https://kubernetes.test"];

const ECR: &str = "\
# Ansible managed
apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
    # the cloud's
    - name: ecr-credential-provider
      matchImages: ['*.dkr.ecr.*.amazonaws.com']   # theirs
      defaultCacheDuration: 12h
      apiVersion: credentialprovider.kubelet.k8s.io/v1
      env:
        - name: TOKEN
          value: hunter2
";

const ENTRY: &str = r#"    - name: crio-credential-provider
      apiVersion: credentialprovider.kubelet.k8s.io/v1
      matchImages:
        - "docker.io"
      defaultCacheDuration: "0s"
      tokenAttributes:
        serviceAccountTokenAudience: "https://kubernetes.test"
        cacheType: Token
        requireServiceAccount: true
        optionalServiceAccountAnnotationKeys:
          - "credential-provider.crio.io/secrets"
"#;

/// A registry with that prefix and a mirror.
fn mirrored(prefix: &str) -> String {
    let location = prefix.trim_start_matches("*.");
    format!(
        "[[registry]]\nprefix = \"{prefix}\"\nlocation = \"{location}\"\n\
         [[registry.mirror]]\nlocation = \"mirror.test\"\n"
    )
}

/// The node's paths are in the environment: flags of the plugin would be written.
fn run(provider: &Provider, arguments: &[&str]) -> Outcome {
    let provider = provider.clone().in_environment();
    provider.run_with(&[&["config"], arguments].concat())
}

/// Runs with an audience, so that no API server is asked.
fn config(node: &Node, arguments: &[&str]) -> Outcome {
    let provider = node.provider_without_cluster();
    run(&provider, &[&AUDIENCE, arguments].concat())
}

fn merge(node: &Node) -> Outcome {
    into(node, "--merge", &[])
}

fn write(node: &Node) -> Outcome {
    into(node, "--write", &[])
}

fn into(node: &Node, flag: &str, arguments: &[&str]) -> Outcome {
    let file = node.path(FILE);
    let into = [flag, file.to_str().unwrap()];
    config(node, &[&into, arguments].concat())
}

fn node_with(file: &str) -> Node {
    let node = Node::with_mirror();
    node.write(FILE, file);
    node
}

/// Asserts a failure with one line for each problem before the last one.
#[track_caller]
fn refuses(outcome: &Outcome, problems: &[&str]) {
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(1), ""),
        "{outcome}"
    );
    let errors = outcome
        .stderr
        .lines()
        .filter(|line| line.trim_start().starts_with("ERROR"));
    let errors: Vec<_> = errors.collect();
    assert_eq!(errors.len(), problems.len() + 1, "{outcome}");
    for (line, problem) in errors.iter().zip(problems) {
        assert!(line.contains(problem), "{problem}: {outcome}");
    }
}

#[test]
fn the_file_is_exactly_this() {
    let outcome = config(&Node::with_mirror(), &[]);
    let lines = ENTRY.lines().map(|line| line.strip_prefix("  ").unwrap());
    let entry = lines.collect::<Vec<_>>().join(
        "
",
    ) + "
";
    let expected = format!(
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n{entry}"
    );
    assert_eq!(outcome.stdout, expected);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn json_has_the_same_content() {
    let outcome = config(&Node::with_mirror(), &["-o", "json"]);
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let expected = json!({
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [{
            "name": "crio-credential-provider",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "matchImages": ["docker.io"],
            "defaultCacheDuration": "0s",
            "tokenAttributes": {
                "serviceAccountTokenAudience": "https://kubernetes.test",
                "cacheType": "Token",
                "requireServiceAccount": true,
                "optionalServiceAccountAnnotationKeys": ["credential-provider.crio.io/secrets"],
            },
        }],
    });
    assert_eq!(said, expected);
    outcome.is_quiet();
}

#[test]
fn every_registry_with_another_pull_source_is_matched() {
    let text = [
        &*mirrored("docker.io"),
        &mirrored("docker.io/library"),
        &mirrored("quay.io/org"),
        &mirrored("a.test:5000"),
        &mirrored("*.b.test"),
        &mirrored("never.test").replacen("location", "blocked = true\nlocation", 1),
        "[[registry]]\nlocation = \"gone.test\"\nblocked = true\n",
        "[[registry]]\nprefix = \"moved.test\"\nlocation = \"here.test\"\n",
        "[[registry]]\nlocation = \"plain.test\"\ninsecure = true\n",
        &mirrored("index.docker.io/x"),
    ]
    .concat();
    let node = Node::with_registries(&text);
    let outcome = config(&node, &["-o", "json"]);
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let expected = json!([
        "*.b.test",
        "*.*.b.test",
        "*.*.*.b.test",
        "*.*.*.*.b.test",
        "a.test:5000",
        "docker.io",
        "moved.test",
        "never.test",
        "quay.io/org",
    ]);
    assert_eq!(said["providers"][0]["matchImages"], expected);
    outcome.warns_with(&["index.docker.io/x", "registries.conf:"]);
}

#[test]
fn openshifts_object_is_accepted_by_its_api_server() {
    let text = mirrored("*.azurecr.io") + &mirrored("quay.io/org");
    let node = Node::with_registries(&text);
    let provider = node.provider_without_cluster();
    for (output, version) in [("openshift", "v1"), ("openshift-v1alpha1", "v1alpha1")] {
        // OpenShift sets the audience, so none is needed.
        let outcome = run(&provider, &["-o", output]);
        let expected = format!(
            "apiVersion: config.openshift.io/{version}\nkind: CRIOCredentialProviderConfig\n\
             metadata:\n  name: cluster\nspec:\n  matchImages:\n    - \"*.azurecr.io\"\n    \
             - \"*.*.azurecr.io\"\n    - \"*.*.*.azurecr.io\"\n    - \"*.*.*.*.azurecr.io\"\n    \
             - \"quay.io/org\"\n"
        );
        assert_eq!(outcome.stdout, expected, "{outcome}");
        // This is the platform's own pattern on Azure.
        outcome.warns_with(&["\"*.azurecr.io\"", "registries.conf:1"]);
        outcome.never_prints(&["\"*.*.azurecr.io\" of"]);
    }
}

#[test]
fn patterns_that_openshift_would_refuse_are_errors_with_their_origin() {
    let most: String = (10..60).map(|n| mirrored(&format!("r{n}.test"))).collect();
    let alias = "[aliases]\n\"o/app\" = \"r10.test/app\"\n";
    for (name, more, problems) in [
        (
            "a host",
            mirrored("a_b.test") + &mirrored("UPPER.test"),
            &[
                "\"UPPER.test\" of registry \"UPPER.test\" at ",
                "\"a_b.test\" of registry \"a_b.test\" at ",
            ][..],
        ),
        (
            "more than 50",
            most.clone() + &mirrored("r60.test") + &mirrored("r61.test"),
            &["\"r60.test\" of registry", "\"r61.test\" of registry"],
        ),
        (
            "an alias as the 51st",
            most.clone() + alias,
            &["\"docker.io/o/app\" of alias \"o/app\" at "],
        ),
    ] {
        let node = Node::with_registries(&more);
        let outcome = run(&node.provider_without_cluster(), &["-o", "openshift"]);
        refuses(&outcome, problems);
        assert!(
            outcome.stderr.contains("registries.conf:"),
            "{name}: {outcome}"
        );
    }
    let node = Node::with_registries(&most);
    let outcome = run(&node.provider_without_cluster(), &["-o", "openshift"]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert_eq!(outcome.stdout.matches(".test\"\n").count(), 50, "{outcome}");
}

#[test]
fn without_any_mirror_there_is_nothing_to_configure() {
    for text in ["", "[[registry]]\nlocation = \"docker.io\"\n"] {
        let node = Node::with_registries(text);
        config(&node, &[]).fails_with(&["registries.conf", "no registry with a mirror"]);
    }
    let node = Node::with_registries("[[registry]\n");
    config(&node, &[]).fails_with(&["registries.conf"]);
}

#[test]
fn the_audience_is_the_issuer_of_the_api_server() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    let issuer = json!({"issuer": "https://issuer.test/x", "jwks_uri": "https://issuer.test/jwks"});
    let answer = AnswerFault::Custom {
        code: 200,
        content_type: "application/json".to_owned(),
        body: issuer.to_string().into_bytes(),
    };
    cluster
        .server
        .fault(Fault::from(answer).on_path_containing("/.well-known/openid-configuration"));
    let outcome = run(&node.provider(&cluster), &[]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let audience = "    serviceAccountTokenAudience: \"https://issuer.test/x\"\n";
    assert!(outcome.stdout.contains(audience), "{outcome}");
    let requests = cluster.server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("authorization"), None);
}

#[test]
fn an_unknown_audience_is_an_error_with_a_remedy() {
    let command = "kubectl get --raw /.well-known/openid-configuration | jq -r .issuer";
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    let provider = node.provider(&cluster);
    run(&provider, &[]).fails_with(&["--audience", command, "403"]);

    let answer = |body: &str| AnswerFault::Custom {
        code: 200,
        content_type: "application/json".to_owned(),
        body: body.as_bytes().to_vec(),
    };
    for body in [
        "{}",
        "{\"issuer\": \"\"}",
        "[\"a\"]",
        "{\"issuer\": \"a\\nb\"}",
        "x",
    ] {
        cluster.server.fault(answer(body));
        run(&provider, &[]).fails_with(&["--audience", command]);
    }

    cluster
        .server
        .fault(Fault::from(ConnectionFault::HangAtAccept).forever());
    let outcome = run(&provider, &[]);
    outcome.fails_with(&["--audience", command]);
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
}

#[test]
fn a_server_that_does_not_answer_is_asked_once_with_a_line_about_it() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    cluster
        .server
        .fault(Fault::from(ConnectionFault::Refuse).forever());
    let outcome = run(&node.provider(&cluster), &[]);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let (waits, error) = outcome.stderr.split_once('\n').unwrap();
    assert!(waits.contains("ask the API server at"), "{outcome}");
    assert!(waits.contains("wait at most 5 s"), "{outcome}");
    assert!(error.contains("no answer in 1 attempt"), "{outcome}");
}

#[test]
fn a_merged_file_keeps_every_byte_of_others() {
    let node = node_with(ECR);
    let outcome = merge(&node);
    assert_eq!(outcome.stdout, format!("{ECR}{ENTRY}"));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    // Nothing is written without --write.
    assert_eq!(node.read(FILE), ECR);

    node.write(FILE, &outcome.stdout);
    assert_eq!(merge(&node).stdout, outcome.stdout);
}

#[test]
fn json_stays_json() {
    let json = "{\n  \"apiVersion\": \"kubelet.config.k8s.io/v1\",\n  \"kind\": \"CredentialProviderConfig\",\n  \"providers\": [\n    {\n      \"name\": \"ecr\",\n      \"args\": [\"-v\",   \"2\"],\n      \"matchImages\": [\"a.test\"],\n      \"defaultCacheDuration\": \"5m\",\n      \"apiVersion\": \"credentialprovider.kubelet.k8s.io/v1\"\n    }\n  ]\n}\n";
    let node = node_with(json);
    let outcome = merge(&node);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let said: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(said["providers"][1]["matchImages"], json!(["docker.io"]));
    assert!(
        outcome
            .stdout
            .starts_with(json.split_once("\n  ]").unwrap().0),
        "{outcome}"
    );
}

#[test]
fn the_entrys_own_audience_stays_and_no_server_is_asked() {
    let node = node_with(&format!("{ECR}{ENTRY}"));
    let file = node.path(FILE);
    let arguments = ["--merge", file.to_str().unwrap()];
    let outcome = run(&node.provider_without_cluster(), &arguments);
    assert_eq!(outcome.stdout, format!("{ECR}{ENTRY}"), "{outcome}");
    let arguments = [&arguments[..], &["--audience", "https://other.test"]].concat();
    let outcome = run(&node.provider_without_cluster(), &arguments);
    let expected = format!("{ECR}{ENTRY}").replace("https://kubernetes.test", "https://other.test");
    assert_eq!(outcome.stdout, expected, "{outcome}");
}

#[test]
fn patterns_follow_registries_conf_and_other_fields_of_the_entry_are_kept() {
    let own = "      args: [--log-level=debug] # mine\n";
    let file = format!("{ECR}{ENTRY}{own}").replace(
        "        - \"docker.io\"\n",
        "        - old.test\n        - docker.io # kept\n",
    );
    let node = node_with(&file);
    node.write(
        "etc/containers/registries.conf.d/a.conf",
        mirrored("quay.io/org"),
    );
    let outcome = merge(&node);
    let expected = format!("{ECR}{ENTRY}{own}").replace(
        "        - \"docker.io\"\n",
        "        - docker.io # kept\n        - \"quay.io/org\"\n",
    );
    assert_eq!(outcome.stdout, expected, "{outcome}");
    outcome.warns_with(&["old.test"]);
}

#[test]
fn patterns_that_another_provider_has_too_are_a_warning() {
    let file = ECR.replace("['*.dkr.ecr.*.amazonaws.com']", "['*.io/lib', quay.io]");
    let outcome = merge(&node_with(&file));
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.warns_with(&["docker.io", "*.io/lib", "ecr-credential-provider"]);
    outcome.never_prints(&["\"quay.io\" of"]);
}

#[test]
fn a_file_that_kubelet_refuses_is_refused_with_every_reason() {
    let file = ECR
        .replace("defaultCacheDuration: 12h", "defaultCacheDuration: -1h")
        .replace("name: TOKEN", "name: [hunter2]")
        .replace("kind: Cred", "extra: hunter2\nkind: Cred")
        .replace("'*.dkr", "'bad host', '*.dkr");
    let node = node_with(&file);
    for flag in ["--merge", "--write"] {
        let outcome = into(&node, flag, &[]);
        refuses(
            &outcome,
            &[
                "line 3: unknown field \"extra\"",
                "providers[0].matchImages[0]: \"bad host\"",
                "providers[0].defaultCacheDuration: must not be negative",
                "line 12: providers[0].env[0].name: is a list, expected a string",
            ],
        );
        outcome.never_prints(&["hunter2"]);
        assert_eq!(node.read(FILE), file);
    }
}

#[test]
fn a_file_of_another_kind_is_refused_in_one_line() {
    let level = |n: i32| format!("a{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9));
    let bomb: Vec<_> = (1..40).map(level).collect();
    let bomb = bomb.concat();
    for (name, file, words) in [
        (
            "broken",
            "a: [hunter2\nb: c".to_owned(),
            vec!["credential-providers.yaml", "line"],
        ),
        (
            "broken json",
            "{\"a\": hunter2}".to_owned(),
            vec!["malformed JSON", "line 1"],
        ),
        (
            "large",
            " ".repeat(2 << 20),
            vec!["larger than 1048576 bytes"],
        ),
        (
            "bomb",
            format!("a0: &a0 [a, a]\n{bomb}"),
            vec!["too many values from aliases"],
        ),
    ] {
        let node = node_with(&file);
        let outcome = write(&node);
        outcome.fails_with(&words);
        outcome.never_prints(&["hunter2"]);
        assert!(outcome.elapsed < Duration::from_secs(10), "{name}");
        assert_eq!(node.read(FILE), file, "{name}");
    }
    let node = Node::with_mirror();
    merge(&node).is_wrong_usage(&["--merge", "credential-providers.yaml", "No such file"]);
    node.write("etc/kubernetes/credential-providers.yaml/a.yaml", ECR);
    merge(&node).is_wrong_usage(&["--merge", "is a directory"]);
    write(&node).fails_with(&["is a directory"]);
    let file = node.path("etc/none/file.yaml");
    let directory = format!("directory {}:", node.path("etc/none").display());
    config(&node, &["--write", file.to_str().unwrap()]).fails_with(&[
        &directory,
        "create it first",
        "No such file",
    ]);
}

#[test]
fn a_file_that_cannot_be_edited_is_not_changed() {
    let shared = ECR.replace("matchImages: [", "matchImages: &all [") + ENTRY;
    let shared = shared.replace(
        "matchImages:\n        - \"docker.io\"\n",
        "matchImages: *all\n",
    );
    let node = node_with(&shared);
    let outcome = write(&node);
    outcome.fails_with(&["by hand", "anchor"]);
    assert_eq!(node.read(FILE), shared);
}

#[test]
fn a_file_is_written_whole_with_its_mode_and_a_backup() {
    let node = node_with(ECR);
    node.set_mode(FILE, 0o640);
    let before = fs::metadata(node.path(FILE)).unwrap();
    let outcome = write(&node);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(0), ""),
        "{outcome}"
    );
    outcome.is_quiet();
    assert_eq!(node.read(FILE), format!("{ECR}{ENTRY}"));
    assert_eq!(node.read(BACKUP), ECR);
    let after = fs::metadata(node.path(FILE)).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!((before.uid(), before.gid()), (after.uid(), after.gid()));
    assert_eq!((node.mode(FILE), node.mode(BACKUP)), (0o640, 0o640));
    let names = fs::read_dir(node.path("etc/kubernetes")).unwrap();
    assert_eq!(names.count(), 2, "no temporary file is left");

    // Write again: nothing changes, and the backup is still that of the first change.
    let outcome = write(&node);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(0), ""),
        "{outcome}"
    );
    assert_eq!(after.ino(), fs::metadata(node.path(FILE)).unwrap().ino());
    assert_eq!(node.read(BACKUP), ECR);
}

#[test]
fn a_symbolic_link_is_kept_and_its_target_is_written() {
    let node = Node::with_mirror();
    node.write("srv/real.yaml", ECR);
    node.write("etc/kubernetes/other", "");
    symlink("../../srv/real.yaml", node.path(FILE)).unwrap();
    let outcome = write(&node);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let link = fs::symlink_metadata(node.path(FILE)).unwrap();
    assert!(link.file_type().is_symlink());
    assert_eq!(node.read("srv/real.yaml"), format!("{ECR}{ENTRY}"));
    assert_eq!(node.read("srv/real.yaml.bak"), ECR);
    assert!(!node.path(BACKUP).exists());
}

#[test]
fn wrong_usage_is_reported() {
    let node = node_with(ECR);
    let file = node.path(FILE);
    let file = file.to_str().unwrap();
    for arguments in [
        &["--write"][..],
        &["--write", file, "--merge", file],
        &["--write", file, "-o", "json"],
        &["--merge", file, "-o", "json"],
        &["--merge"],
        &["-o", "xml"],
        &["--audience", ""],
        &["extra"],
    ] {
        let outcome = run(&node.provider_without_cluster(), arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}: {outcome}"
        );
    }
    let outcome = run(&node.provider_without_cluster(), &["--audiense", "x"]);
    assert!(outcome.stderr.contains("--audience"), "{outcome}");
    let help = run(&node.provider_without_cluster(), &["--help"]);
    for word in ["--merge", "--write", "--audience", "Examples:", "openshift"] {
        assert!(help.stdout.contains(word), "{word}: {help}");
    }
}

#[test]
fn kubelet_passes_the_annotation_that_names_secrets() {
    let node = Node::with_mirror();
    let without = config(&node, &["--secrets-annotation="]).stdout;
    assert!(!without.contains("Annotation"), "{without}");
    node.write(FILE, &without);
    let other = into(
        &node,
        "--merge",
        &["--secrets-annotation", "example.com/pull"],
    )
    .stdout;
    let keys = "optionalServiceAccountAnnotationKeys:\n        - \"example.com/pull\"\n";
    assert!(other.contains(keys), "{other}");
    assert!(
        other.contains("- \"--secrets-annotation=example.com/pull\"\n"),
        "{other}"
    );
}

#[test]
fn flags_of_the_plugin_go_into_the_entrys_args() {
    let node = Node::with_mirror();
    let flags = [
        "--auth-dir",
        "/srv/auth",
        "--no-sandbox",
        "--global-auth-file",
        "/a",
        "--global-auth-file",
        "b",
    ];
    let here = node.path("b");
    let args = |file: &str| -> Value {
        let said: Value = serde_json::from_str(file).unwrap();
        said["providers"][0]["args"].clone()
    };
    let expected = json!([
        "--auth-dir=/srv/auth",
        "--global-auth-file=/a",
        format!("--global-auth-file={}", here.display()),
        "--no-sandbox",
    ]);
    let outcome = config(&node, &[&flags[..], &["-o", "json"]].concat());
    assert_eq!(args(&outcome.stdout), expected, "{outcome}");
    // In an entry, flags of the same name are replaced and the others are kept.
    let args = "      args: [--auth-dir, /old, --log-level=debug, --no-sandbox]\n";
    node.write(FILE, format!("{ECR}{ENTRY}{args}"));
    let outcome = into(&node, "--merge", &flags);
    let list = format!(
        "args: [--log-level=debug, --no-sandbox, \"--auth-dir=/srv/auth\", \"--global-auth-file=/a\", \"--global-auth-file={}\"]\n",
        here.display()
    );
    assert!(outcome.stdout.ends_with(&list), "{outcome}");
    node.write(FILE, &outcome.stdout);
    assert_eq!(into(&node, "--merge", &flags).stdout, outcome.stdout);
    assert_eq!(
        merge(&node).stdout,
        outcome.stdout,
        "none is given, so they are kept"
    );
}

#[test]
fn the_proxy_goes_into_the_entrys_env_on_request() {
    let node = Node::with_mirror();
    let provider = node
        .provider_without_cluster()
        .env("HTTPS_PROXY", "http://u:p@proxy.test:1")
        .env("NO_PROXY", "10.0.0.0/8");
    let silent = run(&provider, &AUDIENCE);
    assert!(!silent.stdout.contains("proxy.test"), "{silent}");
    let env = "      env:\n        - name: HTTPS_PROXY\n          value: \"http://u:p@proxy.test:1\"\n        - name: NO_PROXY\n          value: \"10.0.0.0/8\"\n";
    let alone = run(&provider, &[&AUDIENCE[..], &["--with-proxy"]].concat());
    let lines = env.lines().map(|line| line.strip_prefix("  ").unwrap());
    let lines = lines.collect::<Vec<_>>().join("\n") + "\n";
    assert!(alone.stdout.ends_with(&lines), "{alone}");
    let entry = format!(
        "{ECR}{ENTRY}      env:\n        - name: A\n          value: b # mine\n        - name: HTTPS_PROXY\n          value: old\n"
    );
    node.write(FILE, &entry);
    let file = node.path(FILE);
    let arguments = [
        &AUDIENCE[..],
        &["--with-proxy", "--merge", file.to_str().unwrap()],
    ]
    .concat();
    let merged = run(&provider, &arguments);
    let expected = format!(
        "{ECR}{ENTRY}      env:\n        - name: A\n          value: b # mine\n{}",
        env.split_once('\n').unwrap().1
    );
    assert_eq!(merged.stdout, expected, "{merged}");
    config(&node, &["--with-proxy"]).fails_with(&["HTTPS_PROXY is not set"]);
}

#[test]
fn a_file_is_created_where_it_is_missing_or_empty() {
    let node = Node::with_mirror();
    node.write("etc/kubernetes/other", "");
    let whole = config(&node, &[]).stdout;
    let outcome = write(&node);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(0), ""),
        "{outcome}"
    );
    assert_eq!((node.read(FILE), node.mode(FILE)), (whole.clone(), 0o600));
    assert!(!node.path(BACKUP).exists());
    let names = fs::read_dir(node.path("etc/kubernetes")).unwrap();
    assert_eq!(names.count(), 2, "no temporary file is left");
    for (text, before) in [("", ""), ("# mine", "# mine\n"), ("---\n", "---\n")] {
        node.write(FILE, text);
        let outcome = write(&node);
        assert_eq!(outcome.code, Some(0), "{text:?}: {outcome}");
        assert_eq!(node.read(FILE), format!("{before}{whole}"));
        assert_eq!(node.read(BACKUP), text);
    }
    // A failure leaves nothing behind.
    fs::remove_file(node.path(FILE)).unwrap();
    node.write("etc/containers/registries.conf", "");
    write(&node).fails_with(&["no registry with a mirror"]);
    assert!(!node.path(FILE).exists());
    let json = node.path("etc/kubernetes/credential-providers.json");
    let node = Node::with_mirror();
    fs::create_dir_all(node.path("etc/kubernetes")).unwrap();
    let file = node.path("etc/kubernetes").join(json.file_name().unwrap());
    config(&node, &["--write", file.to_str().unwrap()]).is_quiet();
    let said: Value =
        serde_json::from_str(&node.read("etc/kubernetes/credential-providers.json")).unwrap();
    assert_eq!(said["kind"], "CredentialProviderConfig");
}

#[test]
fn extended_attributes_are_kept() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};

    let node = node_with(ECR);
    setxattr(
        node.path(FILE),
        "user.label",
        b"kubelet",
        XattrFlags::empty(),
    )
    .unwrap();
    assert_eq!(write(&node).code, Some(0));
    for file in [FILE, BACKUP] {
        let mut value = [0; 16];
        let length = getxattr(node.path(file), "user.label", &mut value).unwrap();
        assert_eq!(&value[..length], b"kubelet", "{file}");
    }
}

#[test]
fn a_file_in_place_that_cannot_be_synced_is_a_warning() {
    let node = node_with(ECR);
    // Files can be created in the directory, but it cannot be opened, not even by root
    // without capabilities.
    let directory = Path::new(FILE).parent().unwrap();
    node.set_mode(directory, 0o300);
    let script = r#"
        without=; [ "$(id -u)" != 0 ] || without="setpriv --inh-caps=-all --bounding-set=-all"
        exec $without "$PROVIDER" config --audience=a --write "$0""#;
    let provider = node.provider_without_cluster();
    let outcome = provider.pull_in_script(script, &[FILE], "unused");
    node.set_mode(directory, 0o700);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.warns_with(&["in place", "sync"]);
    assert_ne!(node.read(FILE), ECR);
}

#[test]
fn images_whose_short_names_lead_to_a_mirror_are_matched_by_kubelets_names() {
    let registries = mirrored("registry.test");
    let aliases = "[aliases]\nubi9 = \"registry.test/ubi9\"\n\"o/app\" = \"registry.test/app\"\n\
                   nginx = \"docker.io/library/nginx\"\nreset = \"\"\n";
    let search = |registry: &str| format!("unqualified-search-registries = [\"{registry}\"]\n");
    for (text, expected) in [
        (registries.clone(), &["registry.test"][..]),
        (
            search("registry.test") + &registries,
            &["registry.test", "docker.io"],
        ),
        (search("docker.io") + &registries, &["registry.test"]),
        (search("other.test") + &registries, &["registry.test"]),
        (
            registries.clone() + aliases,
            &["registry.test", "docker.io/o/app", "docker.io/library/ubi9"],
        ),
    ] {
        let node = Node::with_registries(&text);
        let json = config(&node, &["-o", "json"]);
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(
            json["providers"][0]["matchImages"],
            json!(expected),
            "{text}"
        );
        // Merged into its own output, nothing is removed.
        let whole = config(&node, &[]).stdout;
        node.write(FILE, &whole);
        let again = merge(&node);
        assert_eq!(again.stdout, whole, "{text}");
        again.is_quiet();
    }
}

#[test]
fn yaml_is_read_as_kubelet_reads_it() {
    for (name, old, new, line) in [
        (
            "a class",
            "'*.dkr.ecr.*.amazonaws.com'",
            "'mirror[0-9].k8s.io'",
            7,
        ),
        ("a fragment", "'*.dkr.ecr.*.amazonaws.com'", "'x#%zz'", 7),
        (
            "a null that is none",
            "'*.dkr.ecr.*.amazonaws.com'",
            "!!null x",
            7,
        ),
        (
            "a comment after a tab",
            "      env:",
            "\t# a\n      env:",
            10,
        ),
        ("providers", "providers:\n", "providers: 5\nunused:\n", 4),
    ] {
        let file = ECR.replace(old, new);
        assert_ne!(file, ECR, "{name}");
        let node = node_with(&file);
        let outcome = write(&node);
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(1), ""),
            "{name}: {outcome}"
        );
        assert!(
            outcome.stderr.contains(&format!("line {line}")),
            "{name}: {outcome}"
        );
        assert_eq!(node.read(FILE), file, "{name}");
    }
    for (name, old, new) in [
        (
            "a lone dash",
            "        - name: TOKEN\n          value: hunter2\n",
            "        - {name: -, value: x}\n",
        ),
        (
            "other line ends",
            "# Ansible managed\n",
            "# Ansible\u{85}# managed\u{2028}",
        ),
        ("only such line ends", "\n", "\u{85}"),
    ] {
        let file = ECR.replace(old, new);
        assert_ne!(file, ECR, "{name}");
        let node = node_with(&file);
        let outcome = merge(&node);
        assert_eq!(outcome.code, Some(0), "{name}: {outcome}");
        assert_eq!(outcome.stdout, format!("{file}{ENTRY}"), "{name}");
    }
}
