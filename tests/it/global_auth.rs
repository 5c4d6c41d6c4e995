//! The node's own logins in the auth file.

use serde_json::{Value, json};

use crate::auth_file::ours;
use crate::support::{Cluster, EMPTY, NGINX, Node, base64, docker_config, owned};

/// The auth file on a node with that global auth file.
fn merged_with(global: &Value) -> Value {
    let node = Node::with_mirror().and_global_auth(&global.to_string());
    let outcome = node.provider(&Cluster::with_login()).pull(NGINX);
    outcome.answers(&owned(NGINX));
    node.auth_file(NGINX).unwrap()
}

#[test]
fn global_entries_are_carried_over_unchanged() {
    let theirs = json!({
        "auth": "dTpw", "email": "a@b", "identitytoken": "t", "x": {"y": [1, 2.50, null]},
    });
    let global = json!({
        "auths": {"quay.io/org": theirs, "https://gcr.io/v2/": {"auth": ""}, "ghcr.io": {}},
        "credHelpers": {"ecr.example": "ecr-login"},
        "credsStore": "secretservice",
        "HttpHeaders": {"User-Agent": "x"},
    });
    let expected = json!({
        "auths": {
            "mirror.example/library/nginx": ours(),
            "quay.io/org": theirs,
            "https://gcr.io/v2/": {"auth": ""},
            "ghcr.io": {},
        },
        "credHelpers": {"ecr.example": "ecr-login"},
        "credsStore": "secretservice",
        "HttpHeaders": {"User-Agent": "x"},
    });
    assert_eq!(merged_with(&global), expected);
}

#[test]
fn an_exact_name_replaces_the_same_global_key() {
    let source = "mirror.example/library/nginx";
    let global = json!({"auths": {source: {"auth": "dTpw"}, "mirror.example": {"auth": "dTpw"}}});
    let expected = json!({"auths": {source: ours(), "mirror.example": {"auth": "dTpw"}}});
    assert_eq!(merged_with(&global), expected);
}

#[test]
fn of_several_global_files_the_first_wins() {
    let node = Node::with_mirror();
    let first = json!({
        "auths": {"quay.io": {"auth": "Zmlyc3Q6cA=="}},
        "credHelpers": {"ecr.example": "first"},
        "credsStore": "first",
    });
    let second = json!({
        "auths": {"quay.io": {"auth": "c2Vjb25kOnA="}, "gcr.io": {"auth": "c2Vjb25kOnA="}},
        "credHelpers": {"ecr.example": "second", "gar.example": "second"},
        "credsStore": "second",
    });
    node.write("first.json", first.to_string());
    node.write("second.json", second.to_string());

    node.provider(&Cluster::with_login())
        .flag("--global-auth-file", node.path("first.json"))
        .another("--global-auth-file", node.path("missing.json"))
        .another("--global-auth-file", node.path("second.json"))
        .pull(NGINX)
        .answers(&owned(NGINX));

    let expected = json!({
        "auths": {
            "mirror.example/library/nginx": ours(),
            "quay.io": {"auth": "Zmlyc3Q6cA=="},
            "gcr.io": {"auth": "c2Vjb25kOnA="},
        },
        "credHelpers": {"ecr.example": "first", "gar.example": "second"},
        "credsStore": "first",
    });
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn of_equal_keys_in_global_files_the_first_file_serves_a_source() {
    let node = Node::with_mirror();
    node.write(
        "first.json",
        docker_config(&[("https://mirror.example", "first:p")]),
    );
    node.write(
        "second.json",
        docker_config(&[("mirror.example", "second:p")]),
    );

    node.provider(&Cluster::new())
        .flag("--global-auth-file", node.path("first.json"))
        .another("--global-auth-file", node.path("second.json"))
        .pull(NGINX)
        .answers(EMPTY);

    let file = node.auth_file(NGINX).unwrap();
    let entry = &file["auths"]["mirror.example/library/nginx"];
    assert_eq!(entry, &json!({"auth": base64("first:p")}));
}

#[test]
fn a_helper_that_would_be_asked_before_our_login_is_left_out() {
    let global = json!({
        "auths": {},
        "credHelpers": {"mirror.example": "ecr-login", "quay.io": "ecr-login"},
    });
    let expected = json!({
        "auths": {"mirror.example/library/nginx": ours()},
        "credHelpers": {"quay.io": "ecr-login"},
    });
    assert_eq!(merged_with(&global), expected);
}

#[test]
fn a_helper_for_a_source_without_a_login_is_kept() {
    let global = json!({"credHelpers": {"docker.io": "hub-login"}});
    let expected = json!({
        "auths": {"mirror.example/library/nginx": ours()},
        "credHelpers": {"docker.io": "hub-login"},
    });
    assert_eq!(merged_with(&global), expected);
}

#[test]
fn a_global_glob_also_gives_the_exact_name() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("*.example", "glob:p")]));

    node.provider(&Cluster::new()).pull(NGINX).answers(EMPTY);

    let entry = json!({"auth": base64("glob:p")});
    let expected = json!({"auths": {"mirror.example/library/nginx": entry, "*.example": entry}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn a_global_login_is_read_as_by_containers_image() {
    for (name, entry, source) in [
        (
            "user name and password",
            r#"{"username":"u","password":"p"}"#,
            None,
        ),
        ("no padding", r#"{"auth":"dXM6cA"}"#, None),
        (
            "a token",
            r#"{"auth":"dTpw","identitytoken":"t"}"#,
            Some(r#"{"auth":"dTpw","identitytoken":"t"}"#),
        ),
        ("NULs", r#"{"AUTH":"dToAcAA="}"#, Some(r#"{"auth":"dTpw"}"#)),
        (
            "other types",
            r#"{"auth":"dTpw","username":[]}"#,
            Some(r#"{"auth":"dTpw"}"#),
        ),
    ] {
        let node = Node::with_mirror();
        // A byte that is not UTF-8, and a repeated `auths`, do not affect other entries.
        let text =
            format!("{{\"auths\":{{\"mirror.example\":{entry}}},\"auths\":{{\"\0\":{{}}}}}}");
        let text: Vec<u8> = text
            .bytes()
            .map(|byte| if byte == 0 { 0xff } else { byte })
            .collect();
        node.write("var/lib/kubelet/config.json", text);

        let outcome = node.provider(&Cluster::new()).pull(NGINX);

        outcome.answers(EMPTY);
        let file = node.auth_file(NGINX);
        let found = file
            .as_ref()
            .map(|file| &file["auths"]["mirror.example/library/nginx"]);
        let source: Option<Value> = source.map(|entry| serde_json::from_str(entry).unwrap());
        assert_eq!(found, source.as_ref(), "{name}: {outcome}");
        if let Some(file) = &file {
            let theirs: Value = serde_json::from_str(entry).unwrap();
            assert_eq!(file["auths"]["mirror.example"], theirs, "{name}");
            assert_eq!(file["auths"]["\u{fffd}"], json!({}), "{name}");
        }
    }
}

#[test]
fn a_missing_global_file_is_normal() {
    let node = Node::with_mirror();
    let outcome = node.provider(&Cluster::with_login()).pull(NGINX);
    outcome.answers(&owned(NGINX));
    outcome.is_quiet();
}

#[test]
fn a_broken_global_file_is_a_warning_without_its_content() {
    for text in [
        "",
        "hunter3",
        "\"hunter3\"",
        "[\"hunter3\"]",
        "{\"auths\":\"hunter3\"}",
        "{\"auths\":{\"quay.io\":{\"auth\":\"hunter3",
        "{\"auths\":{},\"credHelpers\":\"hunter3\"}",
    ] {
        let node = Node::with_mirror().and_global_auth(text);
        let outcome = node.provider(&Cluster::with_login()).pull(NGINX);

        outcome.answers(&owned(NGINX));
        outcome.warns_with(&["config.json"]);
        outcome.never_prints(&["hunter3"]);
        let expected = json!({"auths": {"mirror.example/library/nginx": ours()}});
        assert_eq!(node.auth_file(NGINX), Some(expected), "{text}");
    }
}

#[test]
fn a_global_file_that_is_a_directory_is_a_warning() {
    let node = Node::with_mirror();
    node.write("var/lib/kubelet/config.json/file", "");
    let outcome = node.provider(&Cluster::with_login()).pull(NGINX);
    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["config.json"]);
}

#[test]
fn a_broken_global_entry_does_not_hide_the_others() {
    let global = json!({"auths": {"mirror.example": {"auth": 1}, "*.example": {"auth": "dTpw"}}});
    let node = Node::with_mirror().and_global_auth(&global.to_string());

    let outcome = node.provider(&Cluster::new()).pull(NGINX);

    outcome.answers(EMPTY);
    outcome.warns_with(&["config.json", "mirror.example"]);
    let file = node.auth_file(NGINX).unwrap();
    assert_eq!(
        file["auths"]["mirror.example/library/nginx"],
        json!({"auth": "dTpw"})
    );
}

#[test]
fn a_global_file_with_only_other_hosts_makes_no_auth_file() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("quay.io", "u:p")]));
    node.leave_auth_file(NGINX);

    node.provider(&Cluster::new()).pull(NGINX).answers(EMPTY);

    assert_eq!(node.auth_file(NGINX), None);
}

#[test]
fn a_global_file_beyond_four_mebibytes_is_a_warning() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let global = docker_config(&[("own.example", "u:p")]);
    for (length, is_used) in [(LIMIT, true), (LIMIT + 1, false)] {
        let blanks = " ".repeat(length - global.len());
        let node = Node::with_mirror().and_global_auth(&(global.clone() + &blanks));
        let outcome = node.provider(&Cluster::with_login()).pull(NGINX);
        outcome.answers(&owned(NGINX));
        let file = node.auth_file(NGINX).unwrap();
        assert_eq!(!file["auths"]["own.example"].is_null(), is_used);
        if is_used {
            outcome.is_quiet();
        } else {
            outcome.warns_with(&["config.json", "4194304"]);
        }
    }
}
