//! `check`: whether the provider reads the registries.conf files that the running CRI-O
//! reads.

use std::fs;

use serde_json::json;

use crate::check::{finds, report, troubles};
use crate::support::ReadyNode;

const NEWER: &str = "v5.41.2";
const USR: &str = "/usr/share/containers/registries.conf.d/usr.conf";
const HOME: &str = "/home/crio/.config/containers/registries.conf.d/home.conf";
const DROP_IN: &str = "[[registry]]\nlocation = \"quay.io\"\n";
const V1: &str = "[registries.search]\nregistries = [\"docker.io\"]\n";

fn newer(ready: &ReadyNode) {
    ready.put_library("go.podman.io/image/v5", NEWER);
}

#[test]
fn a_library_with_other_search_paths_matters_if_it_finds_a_file() {
    // Neither finds a file, so there is no difference.
    let ready = ReadyNode::new();
    newer(&ready);
    let outcome = ready.check(&["-o", "json"]);
    let report = report(&outcome);
    assert!(troubles(&report).is_empty(), "{outcome}");
    assert!(
        outcome.stdout.contains("both find the same files here"),
        "{outcome}"
    );
    finds(
        |ready| {
            newer(ready);
            ready.write(USR, DROP_IN);
        },
        "WARN",
        "registries-layout",
        USR,
        "--registries-conf-layout 5.41",
    );
    // The version file may be from an earlier CRI-O.
    finds(
        |ready| {
            ready.write("/run/crio/version", "\"1.38.0\"");
            ready.write(USR, DROP_IN);
        },
        "WARN",
        "registries-layout",
        USR,
        "--registries-conf-layout 5.38",
    );
}

#[test]
fn an_unknown_library_is_reported() {
    for (change, message) in [
        (
            &|ready: &ReadyNode| ready.put_library("another", "v1.0.0") as (),
            "no Go build information",
        ),
        (
            &|ready: &ReadyNode| fs::remove_file(ready.node.path("proc/700/exe")).unwrap(),
            "No such file",
        ),
        (
            &|ready: &ReadyNode| ready.write("/proc/700/exe", "#!/bin/sh\n"),
            "read",
        ),
    ] as [(&dyn Fn(&ReadyNode), &str); 3]
    {
        finds(
            change,
            "WARN",
            "registries-layout",
            message,
            "go version -m",
        );
    }
    finds(
        |ready| {
            ready.put_library(
                "go.podman.io/image/v5",
                "v5.39.3-0.20260423135811-cbaa5f41e643",
            );
        },
        "WARN",
        "registries-layout",
        "between releases",
        "registries-files.md",
    );
}

#[test]
fn environments_are_compared_if_they_lead_to_other_files() {
    let set = |ready: &ReadyNode, id: u32, variables: &str| {
        ready.write(&format!("/proc/{id}/environ"), variables);
    };
    finds(
        |ready| {
            ready.write(HOME, DROP_IN);
            set(ready, 700, "A=b\0HOME=/home/crio\0");
        },
        "WARN",
        "registries-env",
        "HOME is \"/home/crio\" for CRI-O, not set for the provider",
        "for both",
    );
    // The provider inherits kubelet's environment, and env of the entry overrides it.
    for (kubelets, in_entry) in [
        ("HOME=/home/crio\0", None),
        ("HOME=/other\0", Some("/home/crio")),
    ] {
        let ready = ReadyNode::new();
        ready.write(HOME, DROP_IN);
        set(&ready, 700, "HOME=/home/crio\0");
        set(&ready, 812, kubelets);
        if let Some(home) = in_entry {
            let path = "/etc/kubernetes/credential-providers.yaml";
            let file = ready.node.read(path.trim_start_matches('/'));
            let mut file: serde_json::Value = serde_json::from_str(&file).unwrap();
            file["providers"][0]["env"] = json!([{"name": "HOME", "value": home}]);
            ready.put_entry(path, &file["providers"][0]);
        }
        let outcome = ready.check(&["-o", "json"]);
        assert!(troubles(&report(&outcome)).is_empty(), "{outcome}");
    }
    finds(
        |ready| fs::remove_file(ready.node.path("proc/700/environ")).unwrap(),
        "WARN",
        "registries-env",
        "cannot be seen",
        "as root",
    );
}

#[test]
fn the_v1_format_is_a_failure_where_cri_o_refuses_it() {
    let main = "/etc/containers/registries.conf";
    let mirror =
        "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\nlocation = \"m.test\"\n";
    for (version, status, message) in [
        ("v5.38.0", "WARN", "from 1.38 on"),
        (NEWER, "FAIL", "v5.41.2 refuses the v1 format"),
    ] {
        finds(
            |ready| {
                ready.write(main, V1);
                ready.write("/etc/containers/registries.conf.d/mirror.conf", mirror);
                ready.put_library("go.podman.io/image/v5", version);
            },
            status,
            "registries-format",
            message,
            "unqualified-search-registries",
        );
    }
}
