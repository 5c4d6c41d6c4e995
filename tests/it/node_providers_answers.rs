//! Responses of the node's own credential providers: which of their logins are used, and
//! for which sources.

use serde_json::json;

use crate::node_providers::{HOST, LOGIN, SOURCE, auth, provider, pulled};
use crate::support::{Cluster, EMPTY, NGINX, Node, StandIn, answer, login, owned, print};

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
        outcome.never_prints(&["hunter2"]);
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
    outcome.never_prints(&["hunter2"]);
    let expected = json!({
        SOURCE: auth(LOGIN), "other.example/library/nginx": auth("u:p"),
    });
    assert_eq!(node.auth_file(NGINX).unwrap()["auths"], expected);
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
    provider.pull(NGINX).never_prints(&["region"]);
    let outcome = provider.flag("--log-level", "debug").pull(NGINX);
    assert!(
        outcome.stderr.contains("region eu, got [redacted]"),
        "{outcome}"
    );
    outcome.never_prints(&["hunter2", "swordfish", "eyJhbGciOiJSUzI1NiJ9"]);
}
