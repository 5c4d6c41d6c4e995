//! `check`: registries.conf, the directory of auth files and the provider's executable.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use rustix::process::geteuid;

use crate::check::{BINARY, finds, report, troubles};
use crate::support::{NGINX, Node, Provider, ReadyNode, cannot_run};

#[test]
fn registries_conf_is_checked_as_by_cri_o() {
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

fn fails_for_location(prefix: &str, location: &str, message: &str) {
    let text = format!(
        "[[registry]]\nlocation = \"{prefix}\"\n\n[[registry.mirror]]\nlocation = \"{location}\"\n"
    );
    finds(
        |node| node.write("/etc/containers/registries.conf.d/x.conf", &text),
        "FAIL",
        "locations",
        message,
        "systemctl reload crio",
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
        (
            "docker://m.test",
            "is not an image name: write it without a scheme",
        ),
    ] {
        fails_for_location("quay.io", location, message);
    }
    // Where the prefix is an image too, its own pulls may fail with those below it, or
    // fewer of them.
    for (location, message) in [
        (
            "docker://m.test/a",
            "every pull of docker.io/library/nginx and below it fails",
        ),
        (
            "m.test/a:tag",
            "every pull below docker.io/library/nginx and every pull by tag of docker.io/library/nginx itself fails",
        ),
        (
            "m.test/a:tag\"\npull-from-mirror = \"tag-only",
            "every pull by tag of docker.io/library/nginx and below it fails",
        ),
        (
            "m.test/a:tag\"\npull-from-mirror = \"digest-only",
            "every pull by digest below docker.io/library/nginx fails",
        ),
    ] {
        fails_for_location("docker.io/library/nginx", location, message);
    }
    // A host is not an image name, so the prefix itself need not give a valid image.
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
fn only_root_may_write_to_the_auth_directory() {
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
        "not a directory",
        "--auth-dir",
    );
}

#[test]
fn links_to_the_auth_directory_are_followed_before_it_is_checked() {
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
        cannot_run("on the machine itself only root's directories pass");
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
    ready.write("/etc/crio/auth/in-use/taken.json", "{}");
    let report = self::report(&ready.check(&["-o", "json"]));
    assert!(troubles(&report).is_empty(), "{report}");
    let checks = report["checks"].as_array().unwrap();
    let files = checks.iter().find(|check| check["name"] == "auth-files");
    let message = files.unwrap()["message"].as_str().unwrap();
    for words in [
        "1 for announced pulls, or of pod starts that needed no pull",
        "1 of pulls that are under way",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn the_binary_exists_and_only_root_can_change_it() {
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
