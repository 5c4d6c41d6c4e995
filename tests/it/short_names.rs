//! Images that a pod gives by a short name: kubelet completes it with `docker.io`,
//! CRI-O with an alias or the unqualified-search registries.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::explain::{PASSWORD, list, login_secret};
use crate::support::{Cluster, EMPTY, NAMESPACE, Node, base64, login, owned};

const UBI9: &str = "docker.io/library/ubi9";
const MIRROR: &str = "[[registry]]\nlocation = \"registry.example\"\n\
                      [[registry.mirror]]\nlocation = \"mirror.example/r\"\n";

fn node(head: &str, registries: &str) -> Node {
    Node::with_registries(&format!("{head}\n{registries}"))
}

/// The `auth` of each entry of the auth file, by repository.
fn entries(node: &Node, image: &str) -> BTreeMap<String, Value> {
    let file = node.auth_file(image).unwrap();
    let auths = file["auths"].as_object().unwrap().iter();
    auths
        .map(|(key, entry)| (key.clone(), entry["auth"].clone()))
        .collect()
}

fn entry(source: &str, user: &str) -> (String, Value) {
    (source.to_owned(), json!(base64(user)))
}

#[test]
fn the_mirrors_of_every_meaning_of_a_short_name_get_their_logins() {
    let alias = "[aliases]\nubi9 = \"registry.example/ubi9/ubi\"";
    let search = "unqualified-search-registries = [\"other.example\", \"registry.example\"]";
    for (head, expected) in [
        (
            search,
            vec![
                entry("other.example/ubi9", "other:p"),
                entry("mirror.example/r/ubi9", "user:p"),
                entry("other.example/library/ubi9", "other:p"),
                entry("mirror.example/r/library/ubi9", "user:p"),
            ],
        ),
        (alias, vec![entry("mirror.example/r/ubi9/ubi", "user:p")]),
        // CRI-O does not read this setting: it has its own.
        (
            "short-name-mode = \"enforcing\"\nunqualified-search-registries = [\"registry.example\"]",
            vec![
                entry("mirror.example/r/ubi9", "user:p"),
                entry("mirror.example/r/library/ubi9", "user:p"),
            ],
        ),
    ] {
        // A TOML table ends where the next one starts.
        let node = if head == alias {
            node(MIRROR, head)
        } else {
            node(head, MIRROR)
        };
        let cluster = Cluster::with([
            login("mirror", "mirror.example/r", "user:p"),
            login("other", "other.example", "other:p"),
        ]);

        node.provider(&cluster).pull(UBI9).answers(&owned(UBI9));

        // The file has the name that CRI-O hashes: kubelet's name of the image.
        assert_eq!(
            entries(&node, UBI9),
            BTreeMap::from_iter(expected),
            "{head}"
        );
        assert_eq!(node.auth_dir_names().len(), 1, "{head}");
    }
}

#[test]
fn the_images_own_pull_sources_and_those_of_its_short_name_get_their_logins() {
    let hub =
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"hub.example\"\n";
    let head = "unqualified-search-registries = [\"registry.example\", \"quay.io\"]";
    let node = node(head, &format!("{hub}{MIRROR}"));
    let cluster = Cluster::with([
        login("mirror", "*.example", "user:p"),
        login("quay", "quay.io", "quay:p"),
    ]);
    let image = "docker.io/org/app";

    node.provider(&cluster).pull(image).answers(&owned(image));

    let expected = BTreeMap::from([
        entry("hub.example/org/app", "user:p"),
        entry("mirror.example/r/org/app", "user:p"),
        entry("registry.example/org/app", "user:p"),
        entry("quay.io/org/app", "quay:p"),
    ]);
    assert_eq!(entries(&node, image), expected);
}

#[test]
fn no_server_is_asked_if_no_meaning_of_the_name_has_a_mirror() {
    let aliases = "[aliases]\nnginx = \"docker.io/library/nginx\"\nubi9 = \"registry.access.redhat.com/ubi9\"";
    let blocked = "[[registry]]\nlocation = \"registry.example\"\nblocked = true\n";
    for (head, registries) in [
        ("unqualified-search-registries = [\"docker.io\"]", ""),
        (
            "unqualified-search-registries = [\"docker.io\", \"quay.io\"]",
            "",
        ),
        ("unqualified-search-registries = [\"quay.io\"]", MIRROR),
        (
            "unqualified-search-registries = [\"registry.example\"]",
            blocked,
        ),
        ("unqualified-search-registries = [\"docker.io\"]", aliases),
        ("", MIRROR),
    ] {
        let node = node(head, registries);
        let cluster = Cluster::with([login("all", "*.*", "user:p")]);
        for image in [UBI9, "docker.io/library/nginx", "quay.io/org/app"] {
            node.provider(&cluster).pull(image).answers(EMPTY);
            assert_eq!(node.auth_file(image), None, "{head} {registries}");
        }
        assert_eq!(cluster.server.connections(), 0, "{head} {registries}");
    }
}

#[test]
fn an_image_with_another_registry_was_not_given_by_a_short_name() {
    let node = node(
        "unqualified-search-registries = [\"registry.example\"]",
        MIRROR,
    );
    let cluster = Cluster::with([login("all", "*.example", "user:p")]);
    for image in ["quay.io/ubi9", "quay.io/library/ubi9", "docker.io/a.b/ubi9"] {
        node.provider(&cluster).pull(image).answers(EMPTY);
    }
    assert_eq!(cluster.server.connections(), 0);
}

#[test]
fn a_blocked_image_may_still_be_meant_by_a_short_name() {
    let hub = "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n";
    let head = "unqualified-search-registries = [\"docker.io\", \"registry.example\"]";
    let node = node(head, &format!("{hub}{MIRROR}"));
    let cluster = Cluster::with([login("all", "*.example", "user:p")]);
    let image = "docker.io/org/app";

    node.provider(&cluster).pull(image).answers(&owned(image));

    let expected = BTreeMap::from([
        entry("mirror.example/r/org/app", "user:p"),
        entry("registry.example/org/app", "user:p"),
    ]);
    assert_eq!(entries(&node, image), expected);
}

#[test]
fn resolve_and_explain_show_them() {
    let alias = "[aliases]\n\"library/ubi9\" = \"registry.example/ubi9/ubi\"";
    let head = "unqualified-search-registries = [\"quay.io\"]";
    let node = node(head, &format!("{MIRROR}{alias}"));
    let provider = node.provider_without_cluster();

    let text = provider.run_with(&["resolve", "ubi9"]).stdout;

    let conf = node.path("etc/containers/registries.conf");
    let expected = format!(
        "{UBI9}
  no registry matches: pulled as it is
  as \"ubi9\" in a pod:  quay.io/ubi9  (unqualified-search-registries)
    no registry matches: pulled as it is
  as \"library/ubi9\" in a pod:  registry.example/ubi9/ubi  (alias, {conf}:7)
    registry  registry.example  ({conf}:2)
       SOURCE                      KIND     PULLS
    1  mirror.example/r/ubi9/ubi   mirror   all
    2  registry.example/ubi9/ubi   primary  all
",
        conf = conf.display()
    );
    let plain = |text: &str| -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect()
    };
    assert_eq!(plain(&text), plain(&expected), "{text}");
    let json: Value =
        serde_json::from_str(&provider.run_with(&["resolve", "ubi9", "-ojson"]).stdout).unwrap();
    let image = &json["images"][0];
    assert_eq!(
        (&image["image"], &image["sources"]),
        (&json!(UBI9), &json!([]))
    );
    let candidates = image["candidates"].as_array().unwrap().iter();
    let candidates: Vec<_> = candidates
        .map(|one| {
            [
                &one["shortName"],
                &one["name"],
                &one["alias"]["line"],
                &one["sources"][0]["name"],
            ]
        })
        .collect();
    let expected = json!([
        ["ubi9", "quay.io/ubi9", null, "quay.io/ubi9"],
        [
            "library/ubi9",
            "registry.example/ubi9/ubi",
            7,
            "mirror.example/r/ubi9/ubi"
        ],
    ]);
    assert_eq!(json!(candidates), expected);

    let secrets = list(&[
        login_secret("a", "mirror.example", "robot"),
        login_secret("b", "quay.io", "q"),
    ]);
    let explain = |format: &str| {
        let arguments = [
            "explain",
            "ubi9",
            "-n",
            NAMESPACE,
            "--secrets=-",
            "-o",
            format,
        ];
        provider.run_with_stdin(&arguments, secrets.as_bytes())
    };
    let text = explain("text");
    for words in [
        "docker.io/library/ubi9: as \"library/ubi9\" in a pod, pulls from the mirror mirror.example/r/ubi9/ubi with the login of secret \"a\"",
        "as \"ubi9\" in a pod: quay.io/ubi9 (unqualified-search-registries)",
        "used secret \"b\" key \"quay.io\" user \"q\"",
        "as \"library/ubi9\" in a pod: registry.example/ubi9/ubi",
        "used secret \"a\" key \"mirror.example\" user \"robot\"",
        "\"mirror.example/r/ubi9/ubi\": {",
        "an empty login for docker.io/library/ubi9",
    ] {
        let found = plain(&text.stdout).iter().any(|line| line.contains(words));
        assert!(found, "no {words:?} in {text}");
    }
    text.never_prints(&[PASSWORD]);
    let json: Value = serde_json::from_str(&explain("json").stdout).unwrap();
    let image = &json["images"][0];
    assert_eq!(image["sources"], json!([]));
    let login = &image["candidates"][1]["sources"][0]["credential"];
    assert_eq!(login["username"], "robot");
    let path = node.auth_path(UBI9);
    assert_eq!(image["authFile"]["path"], path.to_str().unwrap());
}
