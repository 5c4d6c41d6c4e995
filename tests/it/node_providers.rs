//! Logins of the node's own credential providers for mirrors.

#![expect(clippy::disallowed_methods, reason = "lays out the node")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    BIN_DIR, CONFIG, Cluster, EMPTY, NGINX, Node, Outcome, Provider, StandIn, answer, base64,
    docker_config, login, owned, print,
};

pub(crate) const HOST: &str = "mirror.example";
const SOURCE: &str = "mirror.example/library/nginx";
pub(crate) const LOGIN: &str = "node:hunter2";

pub(crate) fn auth(login: &str) -> Value {
    json!({"auth": base64(login)})
}

/// The provider on that node, with all of kubelet's providers.
pub(crate) fn provider(node: &Node, cluster: &Cluster) -> Provider {
    node.provider(cluster).with_node_providers(node, "auto")
}

/// The auth file after a pull through `mirror` with these providers.
fn pulled(mirror: &str, providers: &[StandIn]) -> (Node, Outcome, Option<Value>) {
    let node = Node::with_mirrors(&[mirror]);
    node.configure_providers(providers);
    let outcome = provider(&node, &Cluster::new()).pull(NGINX);
    let file = node.auth_file(NGINX).map(|mut file| file["auths"].take());
    (node, outcome, file)
}

#[test]
fn a_provider_is_run_for_a_mirror_as_kubelet_runs_it() {
    let entry = "  args: [get, --verbose]\n  env: [{name: REGION, value: eu}]\n";
    let script = print(&answer(&[(HOST, "u:$REGION $KUBELETS $OURS")]));
    let script = script.replace("<<'ANSWER'", "<<ANSWER");
    let ours = StandIn::new("us", &["docker.io"], "").entry(
        "  env: [{name: OURS, value: set}, {name: CRIO_CREDENTIAL_PROVIDER_NESTED, value: \"\"}]\n",
    );
    let node = Node::with_mirror();
    node.configure_providers(&[StandIn::new("ecr", &[HOST], &script).entry(entry), ours]);
    fs::remove_file(node.path(BIN_DIR).join("us")).unwrap();
    symlink(
        env!("CARGO_BIN_EXE_crio-credential-provider"),
        node.path(BIN_DIR).join("us"),
    )
    .unwrap();

    let outcome = provider(&node, &Cluster::new())
        .env("KUBELETS", "kept")
        .env("OURS", "set")
        .env("PATH", "/usr/bin:/bin")
        .pull(NGINX);

    outcome.answers(EMPTY);
    outcome.is_quiet();
    let request = format!(
        r#"{{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"{SOURCE}"}}"#
    );
    let program = node.path(BIN_DIR).join("ecr");
    let program = program.display();
    assert_eq!(node.asked(), [format!("{program} get --verbose {request}")]);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(
        file,
        json!({"auths": {SOURCE: auth("u:eu kept ")}}),
        "{outcome}"
    );
}

#[test]
fn no_provider_is_run_unless_enabled() {
    for which in ["off", "acr", ""] {
        let node = Node::with_mirror();
        node.configure_providers(&[
            StandIn::with_login("ecr", HOST, HOST, LOGIN),
            StandIn::with_login("acr", "other.example", HOST, LOGIN),
        ]);
        let outcome = provider(&node, &Cluster::new())
            .flag("--node-providers", which)
            .pull(NGINX);
        outcome.answers(EMPTY);
        outcome.is_quiet();
        assert_eq!(node.asked(), [""; 0], "{which}");
        assert_eq!(node.auth_file(NGINX), None, "{which}");
    }
}

#[test]
fn a_named_provider_is_run_and_a_missing_one_is_reported() {
    let node = Node::with_mirror();
    node.configure_providers(&[
        StandIn::with_login("ecr", HOST, HOST, "ecr:p"),
        StandIn::with_login("acr", HOST, SOURCE, "acr:p"),
    ]);
    let outcome = provider(&node, &Cluster::new())
        .flag("--node-providers", "ecr,gar")
        .pull(NGINX);
    outcome.answers(EMPTY);
    outcome.warns_with(&["no provider \"gar\""]);
    assert_eq!(node.asked().len(), 1);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(file["auths"], json!({SOURCE: auth("ecr:p")}));
}

#[test]
fn a_provider_is_not_run_for_images_that_kubelet_asks_it_for() {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n",
    );
    let all = ["docker.io", HOST];
    node.configure_providers(&[StandIn::new("all", &all, &print(&answer(&[(HOST, LOGIN)])))]);
    provider(&node, &Cluster::new()).pull(NGINX).answers(EMPTY);
    assert_eq!(node.asked().len(), 1);
    assert!(node.asked()[0].contains(SOURCE));

    // The registry's own location is a pull source like others if it has another name.
    let node = Node::with_registries(
        "[[registry]]\nprefix = \"docker.io\"\nlocation = \"mirror.example\"\n",
    );
    node.configure_providers(&[StandIn::with_login("ecr", HOST, HOST, LOGIN)]);
    provider(&node, &Cluster::new()).pull(NGINX).answers(EMPTY);
    assert_eq!(node.asked().len(), 1);
}

#[test]
fn keys_are_chosen_as_by_kubelets_keyring() {
    let ecr = "1.dkr.ecr.eu.amazonaws.com";
    let ecr_cache = "1.dkr.ecr.eu.amazonaws.com/docker-hub";
    for (name, mirror, pattern, keys, expected) in [
        (
            "bare host",
            ecr_cache,
            "*.dkr.ecr.*.amazonaws.com",
            &[(ecr, "AWS:p")][..],
            "AWS:p",
        ),
        (
            "port",
            "m.example:5000/x",
            "m.example:5000",
            &[("m.example:5000", "u:p")],
            "u:p",
        ),
        (
            "port-less key",
            "m.example:5000/x",
            "m.example:5000",
            &[("m.example", "u:p")],
            "",
        ),
        (
            "glob with path",
            "a.m.example/team",
            "*.m.example/team",
            &[("*.m.example/team", "u:p")],
            "u:p",
        ),
        (
            "other path",
            "a.m.example/team",
            "*.m.example/team",
            &[("*.m.example/other", "u:p")],
            "",
        ),
        (
            "inside a component",
            "m.example/team",
            "m.example",
            &[("m.example/te", "u:p")],
            "",
        ),
        (
            "empty login",
            "a.azurecr.io",
            "*.azurecr.io",
            &[("*.azurecr.*", ":"), ("a.azurecr.io", "u:p")],
            "u:p",
        ),
        (
            "empty logins alone",
            "a.azurecr.io",
            "*.azurecr.io",
            &[("*.azurecr.*", ":")],
            "",
        ),
        (
            "longest first",
            "m.example/team",
            "m.example",
            &[("m.example", "a:p"), ("m.example/team", "b:p")],
            "b:p",
        ),
        (
            "exact host first",
            "a.m.example/t",
            "*.m.example",
            &[("*.m.example/t/library", "a:p"), ("a.m.example", "b:p")],
            "b:p",
        ),
        (
            "another source's",
            "m.example",
            "m.example",
            &[("docker.io", "u:p")],
            "",
        ),
    ] {
        let script = print(&answer(keys));
        let (_, outcome, file) = pulled(mirror, &[StandIn::new("p", &[pattern], &script)]);
        outcome.answers(EMPTY);
        outcome.is_quiet();
        let source = format!("{mirror}/library/nginx");
        let expected = (!expected.is_empty()).then(|| json!({source: auth(expected)}));
        assert_eq!(file, expected, "{name}: {outcome}");
    }
}

#[test]
fn of_two_providers_with_one_key_the_first_counts() {
    let one = StandIn::with_login("one", HOST, HOST, "one:p");
    let two = StandIn::with_login("two", HOST, HOST, "two:p");
    let (node, _, file) = pulled(HOST, &[one, two]);
    assert_eq!(node.asked().len(), 2);
    assert_eq!(file, Some(json!({SOURCE: auth("one:p")})));

    let one = StandIn::with_login("one", HOST, HOST, "one:p");
    let two = StandIn::with_login("two", HOST, &format!("{HOST}/library"), "two:p");
    let (_, _, file) = pulled(HOST, &[one, two]);
    assert_eq!(file, Some(json!({SOURCE: auth("two:p")})));
}

#[test]
fn every_other_login_takes_precedence() {
    let stand_in = || StandIn::with_login("ecr", HOST, SOURCE, LOGIN);
    for (name, secret, global, expected, response) in [
        (
            "namespace",
            Some(login("pull", HOST, "u:p")),
            None,
            "u:p",
            owned(NGINX),
        ),
        (
            "global",
            None,
            Some(docker_config(&[(HOST, "g:p")])),
            "g:p",
            EMPTY.to_owned(),
        ),
        ("none", None, None, LOGIN, EMPTY.to_owned()),
    ] {
        let mut node = Node::with_mirror();
        if let Some(global) = global {
            node = node.and_global_auth(&global);
        }
        node.configure_providers(&[stand_in()]);
        let outcome = provider(&node, &Cluster::with(secret)).pull(NGINX);
        outcome.answers(&response);
        let file = node.auth_file(NGINX).unwrap();
        assert_eq!(file["auths"][SOURCE], auth(expected), "{name}");
    }
}

#[test]
fn no_provider_is_run_for_a_source_that_a_global_auth_file_serves() {
    let other = "other.example/library/nginx";
    let all = [SOURCE, other];
    let auths = |key: &str, login: Value| json!({"auths": {key: login}}).to_string();
    for (name, global, asked) in [
        ("login", auths(HOST, auth("g:p")), &[other][..]),
        ("glob", auths("*.example", auth("g:p")), &[]),
        (
            "helper",
            json!({"credHelpers": {HOST: "x"}}).to_string(),
            &[other],
        ),
        ("elsewhere", auths("third.example", auth("g:p")), &all),
        ("broken login", auths(HOST, json!({"auth": "!"})), &all),
        ("broken file", "{".to_owned(), &all),
        ("empty file", "{}".to_owned(), &all),
    ] {
        let node = Node::with_mirrors(&[HOST, "other.example"]).and_global_auth(&global);
        let answer = print(&answer(&[(HOST, LOGIN), ("other.example", LOGIN)]));
        node.configure_providers(&[StandIn::new("ecr", &["*.example"], &answer)]);

        provider(&node, &Cluster::new()).pull(NGINX).answers(EMPTY);

        let lines = node.asked();
        let images = all.iter().filter(|source| {
            let quoted = format!("\"{source}\"");
            lines.iter().any(|line| line.contains(&quoted))
        });
        assert_eq!(images.copied().collect::<Vec<_>>(), asked, "{name}");
        assert_eq!(lines.len(), asked.len(), "{name}");
        let file = node.auth_file(NGINX);
        for source in asked {
            let auths = &file.as_ref().unwrap()["auths"];
            assert_eq!(auths[source], auth(LOGIN), "{name}");
        }
    }
}

#[test]
fn responses_that_kubelet_refuses_are_neither_used_nor_shown() {
    let good = answer(&[(HOST, LOGIN)]);
    let broken = |from: &str, to: &str| print(&good.replace(from, to));
    for (script, said) in [
        (broken("k8s.io/v1", "k8s.io/v1beta1"), "apiVersion"),
        (broken("CredentialProviderResponse", "Other"), "kind"),
        (
            broken("\"auth\"", "\"other\":1,\"auth\""),
            "decode the CredentialProviderResponse",
        ),
        (broken("\"Image\"", "\"Pod\""), "cacheKeyType"),
        (print(good.strip_suffix('}').unwrap()), "ends too early"),
        (print(""), "ends too early"),
        (format!("{}exit 3", print(&good)), "exit code 3"),
        (format!("{}kill -9 $$", print(&good)), "ended by a signal"),
        (
            "head -c 2000000 /dev/zero".to_owned(),
            "larger than 1048576 bytes",
        ),
    ] {
        let (_, outcome, file) = pulled(HOST, &[StandIn::new("ecr", &[HOST], &script)]);
        outcome.answers(EMPTY);
        outcome.warns_with(&["node provider", "ecr", said]);
        outcome.never_says(&["hunter2"]);
        assert_eq!(file, None, "{said}");
    }
    let null = good.replace(
        &json!({HOST: {"username": "node", "password": "hunter2"}}).to_string(),
        "null",
    );
    assert!(null.contains("\"auth\":null"));
    let (_, outcome, file) = pulled(HOST, &[StandIn::new("ecr", &[HOST], &print(&null))]);
    outcome.answers(EMPTY);
    outcome.is_quiet();
    assert_eq!(file, None);
}

#[test]
fn a_provider_that_fails_leaves_the_logins_of_others() {
    let node = Node::with_mirrors(&[HOST, "other.example"]);
    node.configure_providers(&[
        StandIn::new("one", &[HOST], "echo hunter2 >&2; exit 1"),
        StandIn::with_login("two", HOST, HOST, LOGIN),
    ]);
    let cluster = Cluster::with([login("pull", "other.example", "u:p")]);
    let outcome = provider(&node, &cluster).pull(NGINX);
    outcome.answers(&owned(NGINX));
    outcome.never_says(&["hunter2"]);
    let expected = json!({
        SOURCE: auth(LOGIN), "other.example/library/nginx": auth("u:p"),
    });
    assert_eq!(node.auth_file(NGINX).unwrap()["auths"], expected);
}

#[test]
fn providers_speak_the_version_of_their_entry() {
    let version = "credentialprovider.kubelet.k8s.io/v1beta1";
    let answer = answer(&[(HOST, LOGIN)]).replace("k8s.io/v1", "k8s.io/v1beta1");
    let stand_in = StandIn::new("old", &[HOST], &print(&answer)).api_version(version);
    let (node, _, file) = pulled(HOST, &[stand_in]);
    assert!(node.asked()[0].contains(version));
    assert_eq!(file, Some(json!({SOURCE: auth(LOGIN)})));
}

#[test]
fn a_provider_that_takes_tokens_is_never_run() {
    let tokens = "  tokenAttributes: {serviceAccountTokenAudience: sts, cacheType: Token, requireServiceAccount: false}\n";
    let node = Node::with_mirror();
    let stand_in = || StandIn::with_login("ecr", HOST, HOST, LOGIN).entry(tokens);
    node.configure_providers(&[stand_in()]);
    let cluster = Cluster::new();
    let provider = provider(&node, &cluster);
    let outcome = provider.pull(NGINX);
    outcome.is_quiet();
    let named = provider.flag("--node-providers", "ecr").pull(NGINX);
    named.warns_with(&["not run", "service account tokens"]);
    assert_eq!(node.asked(), [""; 0]);
    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn this_program_is_never_run_by_itself() {
    let node = Node::with_mirror();
    node.configure_providers(&[StandIn::new("us", &[HOST], "")]);
    let link = node.path(BIN_DIR).join("us");
    fs::remove_file(&link).unwrap();
    symlink(env!("CARGO_BIN_EXE_crio-credential-provider"), &link).unwrap();
    let cluster = Cluster::new();
    let outcome = provider(&node, &cluster)
        .flag("--log-level", "debug")
        .pull(NGINX);
    outcome.answers(EMPTY);
    outcome.is_quiet();
    assert!(outcome.stderr.contains("it is this program"), "{outcome}");

    // Started by a script, it runs no node providers.
    fs::remove_file(&link).unwrap();
    let program = env!("CARGO_BIN_EXE_crio-credential-provider");
    let script = format!("echo \"$request\" | {program:?} --node-providers auto");
    node.configure_providers(&[StandIn::new("us", &[HOST], &script)]);
    let outcome = provider(&node, &cluster).pull(NGINX);
    outcome.answers(EMPTY);
    outcome.is_quiet();
    assert_eq!(node.asked().len(), 1);
}

#[test]
fn providers_that_others_than_root_could_change_are_not_run() {
    for (changed, said) in [
        (CONFIG.to_owned(), "providers.yaml"),
        ("etc/kubernetes".to_owned(), "etc/kubernetes"),
        (BIN_DIR.to_owned(), "usr/libexec/providers"),
        (format!("{BIN_DIR}/ecr"), "providers/ecr"),
    ] {
        let node = Node::with_mirror();
        node.configure_providers(&[StandIn::with_login("ecr", HOST, HOST, LOGIN)]);
        node.set_mode(&changed, 0o777);
        let outcome = provider(&node, &Cluster::new()).pull(NGINX);
        outcome.answers(EMPTY);
        outcome.warns_with(&["writable by others", said, "chmod go-w"]);
        assert_eq!(node.asked(), [""; 0], "{changed}");
        assert_eq!(node.auth_file(NGINX), None, "{changed}");
    }
}

#[test]
fn a_configuration_that_kubelet_refuses_is_not_used() {
    let good = |node: &Node| {
        node.configure_providers(&[StandIn::with_login("ecr", HOST, HOST, LOGIN)]);
    };
    for (name, spoil, said) in [
        (
            "broken",
            &(|node: &Node| node.write(CONFIG, "a: [")) as &dyn Fn(&Node),
            "parse",
        ),
        (
            "missing",
            &|node| fs::remove_file(node.path(CONFIG)).unwrap(),
            "providers.yaml",
        ),
        (
            "refused",
            &|node| node.write(CONFIG, node.read(CONFIG).replace("0s", "-1s")),
            "negative",
        ),
        (
            "no binary",
            &|node| fs::remove_file(node.path(BIN_DIR).join("ecr")).unwrap(),
            "inspect",
        ),
    ] {
        let node = Node::with_mirror();
        good(&node);
        spoil(&node);
        let outcome = provider(&node, &Cluster::new()).pull(NGINX);
        outcome.answers(EMPTY);
        outcome.warns_with(&[said]);
        assert_eq!(node.auth_file(NGINX), None, "{name}");
    }
}

#[test]
fn kubelets_own_flags_locate_its_providers() {
    let node = Node::with_mirror();
    node.configure_providers(&[StandIn::with_login("ecr", HOST, HOST, LOGIN)]);
    let outcome = provider(&node, &Cluster::new())
        .without("--kubelet-provider-config")
        .without("--kubelet-bin-dir")
        .pull_in_script(
            "\"$PROVIDER\"; exit",
            &[
                "kubelet",
                &format!("--image-credential-provider-config={CONFIG}"),
                "--image-credential-provider-bin-dir",
                node.path(BIN_DIR).to_str().unwrap(),
            ],
            NGINX,
        );
    outcome.answers(EMPTY);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(file["auths"], json!({SOURCE: auth(LOGIN)}), "{outcome}");

    let outcome = provider(&node, &Cluster::new())
        .without("--kubelet-bin-dir")
        .pull(NGINX);
    outcome.warns_with(&["--kubelet-bin-dir"]);
}

/// Whether a process with that ID exists and has not ended.
fn is_running(id: &str) -> bool {
    let stat = fs::read_to_string(PathBuf::from("/proc").join(id).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_process_that_a_provider_leaves_behind_neither_holds_up_a_run_nor_outlives_it() {
    let good = print(&answer(&[(HOST, LOGIN)]));
    let script = format!("sleep 1000 & echo $! > left\n{good}");
    let (node, outcome, file) = pulled(HOST, &[StandIn::new("ecr", &[HOST], &script)]);
    outcome.answers(EMPTY);
    assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
    assert_eq!(file, Some(json!({SOURCE: auth(LOGIN)})));
    let id = node.read("left");
    let started = Instant::now();
    while is_running(id.trim()) {
        assert!(started.elapsed() < Duration::from_secs(10), "still there");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_provider_that_hangs_is_ended_before_the_deadline() {
    let node = Node::with_mirrors(&[HOST, "other.example"]);
    let script = "sleep 1000 & echo $! > left; wait";
    node.configure_providers(&[StandIn::new("ecr", &[HOST], script)]);
    let cluster = Cluster::with([login("pull", "other.example", "u:p")]);
    let outcome = provider(&node, &cluster)
        .flag("--timeout", "6s")
        .pull(NGINX);
    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["ecr", "has not answered within"]);
    assert!(outcome.elapsed < Duration::from_secs(6), "{outcome}");
    let started = Instant::now();
    while is_running(node.read("left").trim()) {
        assert!(started.elapsed() < Duration::from_secs(10), "still there");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn stderr_is_logged_at_debug_without_possible_secrets() {
    let good = print(&answer(&[(HOST, LOGIN)]));
    let script = format!("echo region eu, got hunter2, $SECRET, eyJhbGciOiJSUzI1NiJ9 >&2\n{good}");
    let env = "  env: [{name: SECRET, value: swordfish}]\n";
    let node = Node::with_mirror();
    node.configure_providers(&[StandIn::new("ecr", &[HOST], &script).entry(env)]);
    let cluster = Cluster::new();
    let provider = provider(&node, &cluster);
    provider.pull(NGINX).never_says(&["region"]);
    let outcome = provider.flag("--log-level", "debug").pull(NGINX);
    assert!(
        outcome.stderr.contains("region eu, got [redacted]"),
        "{outcome}"
    );
    outcome.never_says(&["hunter2", "swordfish", "eyJhbGciOiJSUzI1NiJ9"]);
}
