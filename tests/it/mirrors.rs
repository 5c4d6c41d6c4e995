//! The result of a request for different contents of registries.conf.

use serde_json::json;
use test_cluster::Secret;

use crate::support::{Cluster, EMPTY, NGINX, Node, base64, docker_config, login, owned};

const DROP_IN: &str = "etc/containers/registries.conf.d/50-mirror.conf";
const MIRROR: &str =
    "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n";

fn cluster() -> Cluster {
    Cluster::with([
        login("mirror", "mirror.example", "user:hunter2"),
        login("hub", "docker.io", "hub:hunter2"),
    ])
}

#[test]
fn without_another_pull_source_no_request_leaves_the_node() {
    for (name, registries) in [
        ("nothing in it", ""),
        ("comments", "# nothing\n"),
        (
            "another registry",
            "[[registry]]\nlocation = \"quay.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n",
        ),
        ("no mirror", "[[registry]]\nlocation = \"docker.io\"\n"),
        (
            "a mirror that is the image itself",
            "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"docker.io\"\n",
        ),
        (
            "blocked",
            "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n",
        ),
        (
            "its mirror blocked",
            "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n\
             [[registry]]\nlocation = \"mirror.example\"\nblocked = true\n",
        ),
        (
            "both blocked",
            "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n[[registry.mirror]]\nlocation = \"a.mirror.example\"\n\
             [[registry]]\nprefix = \"*.mirror.example\"\nblocked = true\n",
        ),
        (
            "blocked by a longer prefix",
            "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n\
             [[registry]]\nlocation = \"docker.io/library\"\nblocked = true\n",
        ),
        (
            "prefix inside a component",
            "[[registry]]\nlocation = \"docker.io/library/ng\"\n[[registry.mirror]]\nlocation = \"mirror.example\"\n",
        ),
    ] {
        let node = Node::with_registries(registries)
            .and_global_auth(&docker_config(&[("docker.io", "u:p")]));
        node.leave_auth_file(NGINX);
        let cluster = cluster();

        let outcome = node.provider(&cluster).pull(NGINX);

        outcome.answers(EMPTY);
        assert_eq!(node.auth_file(NGINX), None, "{name}");
        assert_eq!(cluster.server.connections(), 0, "{name}");
    }
}

#[test]
fn the_file_of_an_earlier_run_for_another_image_is_kept() {
    let node = Node::with_registries("");
    node.leave_auth_file("docker.io/library/redis");

    node.provider(&cluster()).pull(NGINX).answers(EMPTY);

    assert!(node.auth_file("docker.io/library/redis").is_some());
}

#[test]
fn drop_ins_are_read() {
    let node = Node::new();
    node.write(DROP_IN, MIRROR);

    node.provider(&cluster()).pull(NGINX).answers(&owned(NGINX));

    let expected = json!({"auths": {
        "mirror.example/library/nginx": {"auth": base64("user:hunter2")},
        "docker.io/library/nginx": {"auth": base64("hub:hunter2")},
    }});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn a_location_other_than_the_prefix_is_a_pull_source_too() {
    let node = Node::with_registries(
        "[[registry]]\nprefix = \"docker.io/library\"\nlocation = \"cache.example/hub\"\n",
    );
    let cluster = Cluster::with([login("pull", "cache.example/hub", "user:hunter2")]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let entry = json!({"auth": base64("user:hunter2")});
    let expected = json!({"auths": {"cache.example/hub/nginx": entry}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

/// `blocked` applies to the names that are contacted, not to the image: OpenShift's
/// `mirrorSourcePolicy: NeverContactSource` is a blocked registry with mirrors.
#[test]
fn blocked_sources_get_no_login_and_the_others_get_their_own() {
    const NEVER: &str = "[[registry]]\nlocation = \"docker.io\"\nblocked = true\n\
        [[registry.mirror]]\nlocation = \"mirror.example\"\n";
    let other = "[[registry]]\nlocation = \"other.example\"\nblocked = true\n";
    for (name, registries, expected) in [
        (
            "never contact the source",
            NEVER.to_owned(),
            &["mirror.example/library/nginx"][..],
        ),
        (
            "one mirror blocked too",
            format!("{NEVER}[[registry.mirror]]\nlocation = \"other.example\"\n{other}"),
            &["mirror.example/library/nginx"],
        ),
        (
            "a blocked prefix with another location",
            NEVER.replace(
                "location = \"docker.io\"",
                "prefix = \"docker.io\"\nlocation = \"cache.example\"",
            ),
            &[
                "mirror.example/library/nginx",
                "cache.example/library/nginx",
            ],
        ),
        (
            "a blocked location of an open prefix",
            NEVER.replace("blocked = true", "").replace(
                "location = \"docker.io\"",
                "prefix = \"docker.io\"\nlocation = \"other.example/hub\"",
            ) + other,
            &["mirror.example/library/nginx"],
        ),
    ] {
        let node = Node::with_registries(&registries);
        let cluster = Cluster::with([login("all", "*.*", "user:hunter2")]);

        node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

        let entry = json!({"auth": base64("user:hunter2")});
        let auths: serde_json::Map<_, _> = expected
            .iter()
            .map(|source| ((*source).to_owned(), entry.clone()))
            .collect();
        assert_eq!(
            node.auth_file(NGINX),
            Some(json!({"auths": auths})),
            "{name}"
        );
    }
}

#[test]
fn mirrors_for_tags_and_for_digests_get_logins() {
    let node = Node::with_registries(
        "[[registry]]\nlocation = \"docker.io\"\n\
         [[registry.mirror]]\nlocation = \"digests.example\"\npull-from-mirror = \"digest-only\"\n\
         [[registry.mirror]]\nlocation = \"tags.example\"\npull-from-mirror = \"tag-only\"\n\
         [[registry.mirror]]\nlocation = \"all.example\"\n",
    );
    let cluster = Cluster::with([Secret::docker_config_json(
        "pull",
        &docker_config(&[("*.example", "user:hunter2")]),
    )]);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let entry = json!({"auth": base64("user:hunter2")});
    let expected = json!({"auths": {
        "digests.example/library/nginx": entry,
        "tags.example/library/nginx": entry,
        "all.example/library/nginx": entry,
    }});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn a_mirror_whose_name_does_not_parse_is_left_out_with_a_warning() {
    let node = Node::with_mirrors(&["mirror.example/UPPER", "mirror.example"]);

    let outcome = node.provider(&cluster()).pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["every pull", "mirror.example/UPPER", "registries.conf:4"]);
    let file = node.auth_file(NGINX).unwrap();
    assert!(
        file["auths"]["mirror.example/library/nginx"].is_object(),
        "{file}"
    );
}

#[test]
fn the_first_of_two_equal_mirrors_is_enough() {
    let node = Node::with_mirrors(&["mirror.example", "mirror.example"]);

    node.provider(&cluster()).pull(NGINX).answers(&owned(NGINX));

    let text = node.read(node.auth_path(NGINX));
    assert_eq!(text.matches("mirror.example").count(), 1, "{text}");
}

#[test]
fn files_that_cri_o_refuses_are_errors_that_name_file_line_and_reason() {
    for (name, file, text, words) in [
        (
            "broken",
            "etc/containers/registries.conf",
            "\n[[registry]\n",
            ["registries.conf", ":2: ", ""],
        ),
        (
            "wrong type",
            "etc/containers/registries.conf",
            "\n\n[[registry]]\nlocation = 5\n",
            ["registries.conf", ":4: ", "location"],
        ),
        (
            "scheme",
            "etc/containers/registries.conf",
            "[[registry]]\nlocation = \"https://docker.io\"\n",
            ["registries.conf", ":2: ", "https://docker.io"],
        ),
        (
            "nothing named",
            "etc/containers/registries.conf",
            "[[registry]]\nblocked = true\n",
            ["registries.conf", ":1: ", "location"],
        ),
        (
            "mirror use",
            "etc/containers/registries.conf",
            "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"m.example\"\npull-from-mirror = \"sometimes\"\n",
            ["registries.conf", ":5: ", "sometimes"],
        ),
        (
            "v1 drop-in",
            DROP_IN,
            "[registries.search]\nregistries = [\"docker.io\"]\n",
            ["50-mirror.conf", ":1: ", "v2 format"],
        ),
        (
            "broken drop-in",
            DROP_IN,
            "[[registry]]\nlocation = \"docker.io\"\nblocked = maybe\n",
            ["50-mirror.conf", ":3: ", ""],
        ),
    ] {
        let node = Node::with_registries(MIRROR);
        node.write(file, text);
        node.leave_auth_file(NGINX);
        let cluster = cluster();

        let outcome = node.provider(&cluster).pull(NGINX);

        assert_eq!(outcome.code, Some(1), "{name}: {outcome}");
        outcome.fails_with(&words);
        let path = node.path(file);
        outcome.fails_with(&[path.to_str().unwrap()]);
        assert_eq!(cluster.server.connections(), 0, "{name}");
        assert!(node.auth_file(NGINX).is_some(), "{name}");
    }
}

#[test]
fn without_a_mirror_an_unusable_auth_directory_is_a_warning() {
    let node = Node::with_registries("[[registry]]\nlocation = \"docker.io\"\n");
    node.write("etc/crio/auth", "a file, not a directory");
    let outcome = node.provider(&cluster()).pull(NGINX);
    outcome.answers(EMPTY);
    outcome.warns_with(&["earlier auth file", "etc/crio/auth"]);
}
