//! `check`: CRI-O looks where the provider writes, and is new enough.

use std::fs;
use std::os::unix::fs::symlink;

use crate::check::{finds, report, troubles};
use crate::support::ReadyNode;

#[test]
fn short_names_that_cri_o_refuses_are_a_warning() {
    let several = |ready: &ReadyNode| {
        ready.write(
            "/etc/containers/registries.conf.d/x.conf",
            "unqualified-search-registries = [\"docker.io\", \"quay.io\"]",
        );
    };
    finds(
        several,
        "WARN",
        "short-names",
        "docker.io, quay.io",
        "short_name_mode = \"disabled\" in [crio.image]",
    );
    let ready = ReadyNode::new();
    several(&ready);
    let mode = "[crio.image]\nshort_name_mode = \"disabled\"\n";
    ready.write("/etc/crio/crio.conf.d/99.conf", mode);
    assert_eq!(troubles(&report(&ready.check(&["-o", "json"]))), []);
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
fn a_later_file_of_cri_o_overrides_earlier_ones() {
    let ready = ReadyNode::new();
    let wrong = "[crio.image]\nnamespaced_auth_dir = \"/wrong\"\n";
    ready.write("/etc/crio/crio.conf", wrong);
    ready.write("/etc/crio/crio.conf.d/00-first.conf", wrong);
    // This is a link to the directory from another place.
    symlink("/etc/crio/auth", ready.node.path("run/auth")).unwrap();
    let right = "[crio.image]\nnamespaced_auth_dir = \"/var/run/auth/\"\n";
    ready.write("/etc/crio/crio.conf.d/20-last.conf", right);
    let report = report(&ready.check(&["-o", "json"]));
    assert!(troubles(&report).is_empty(), "{report}");
}

#[test]
fn cri_o_is_new_enough() {
    for (version, status, message) in [
        ("\"1.34.2\"", "FAIL", "1.34.2 has no namespaced_auth_dir"),
        ("\"1.35.0+abc\"", "WARN", "1.35.0"),
        ("1.36", "WARN", "not known"),
    ] {
        let change = |ready: &ReadyNode| ready.write("/run/crio/version", version);
        finds(change, status, "crio-version", message, "1.3");
    }
}
