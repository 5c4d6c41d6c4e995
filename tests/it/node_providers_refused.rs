//! Credential providers of the node that are never run.

use std::fs;
use std::os::unix::fs::{chown, symlink};

use rustix::process::geteuid;

use crate::node_providers::{HOST, LOGIN, provider};
use crate::support::{BIN_DIR, CONFIG, Cluster, EMPTY, NGINX, Node, StandIn, cannot_run};

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

    // Started by a script, it runs no node providers: neither without a token, nor if it
    // were given one.
    fs::remove_file(&link).unwrap();
    let program = env!("CARGO_BIN_EXE_crio-credential-provider");
    let script = format!("echo \"$request\" | {program:?} --node-providers auto");
    node.configure_providers(&[StandIn::new("us", &[HOST], &script)]);
    let outcome = provider(&node, &cluster).pull(NGINX);
    outcome.answers(EMPTY);
    outcome.is_quiet();
    assert_eq!(node.asked().len(), 1);
    let nested = provider(&node, &cluster).env("CRIO_CREDENTIAL_PROVIDER_NESTED", "1");
    let outcome = nested.pull(NGINX);
    outcome.answers(EMPTY);
    outcome.is_quiet();
    assert_eq!(node.asked().len(), 1);
}

#[test]
fn a_run_asks_a_limited_number_of_times() {
    let mirrors: Vec<String> = (0..66).map(|n| format!("m{n}.example")).collect();
    let mirrors: Vec<&str> = mirrors.iter().map(String::as_str).collect();
    let node = Node::with_mirrors(&mirrors);
    let stand_in = StandIn::with_login("ecr", "*.example", "*.example", LOGIN);
    node.configure_providers(&[stand_in]);
    let outcome = provider(&node, &Cluster::new()).pull(NGINX);
    outcome.answers(EMPTY);
    outcome.warns_with(&["not asked", "at most 64 times"]);
    assert_eq!(node.asked().len(), 64);
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
fn providers_of_another_user_are_not_run() {
    const NOBODY: u32 = 65534;
    if !geteuid().is_root() {
        cannot_run("only root can give files to another user");
        return;
    }
    for changed in [CONFIG, "etc/kubernetes", BIN_DIR, &format!("{BIN_DIR}/ecr")] {
        let node = Node::with_mirror();
        node.configure_providers(&[StandIn::with_login("ecr", HOST, HOST, LOGIN)]);
        chown(node.path(changed), Some(NOBODY), None).unwrap();
        let outcome = provider(&node, &Cluster::new()).pull(NGINX);
        outcome.answers(EMPTY);
        outcome.warns_with(&["belongs to user 65534", "chown root:root", changed]);
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
