//! The registries.conf files that are read (containers-registries.conf(5), and CRI-O's
//! flags of the same names). The rules themselves are tested in the crate
//! `registries-conf`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::support::{Cluster, NGINX, Node, Outcome, Provider, all_at_once};

const V1: &str = "[registries.block]\nregistries = [\"blocked.test\"]\n";

fn registry(location: &str, mirror: &str) -> String {
    format!(
        "[[registry]]\nlocation = \"{location}\"\n[[registry.mirror]]\nlocation = \"{mirror}\"\n"
    )
}

/// The first pull source of an image, as the provider on a node without any flag finds
/// it with these variables.
fn first_source(node: &Node, layout: &str, variables: &[(&str, &str)], image: &str) -> String {
    let mut provider = Provider::new(node.path("")).flag("--registries-conf-layout", layout);
    for (name, file) in variables {
        provider = provider.env(name, node.path(file));
    }
    let outcome = provider.run_with(&["resolve", "-o", "json", image]);
    let resolved: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{outcome}"));
    let name = &resolved["images"][0]["sources"][0]["name"];
    name.as_str().unwrap_or_default().to_owned()
}

#[test]
fn home_and_variables_are_those_of_the_environment() {
    let node = Node::new();
    let conf = ".config/containers/registries.conf";
    node.write(format!("home/{conf}"), registry("a.test", "home.test"));
    node.write(
        "xdg/containers/registries.conf",
        registry("a.test", "xdg.test"),
    );
    node.write("named.conf", registry("a.test", "named.test"));
    node.write("override.conf", registry("a.test", "override.test"));
    let home = ("HOME", "home");
    let xdg = ("XDG_CONFIG_HOME", "xdg");
    let named = ("CONTAINERS_REGISTRIES_CONF", "named.conf");
    let last = ("CONTAINERS_REGISTRIES_CONF_OVERRIDE", "override.conf");
    for (variables, older, newer) in [
        (&[home][..], "home.test", "home.test"),
        (&[home, xdg], "home.test", "xdg.test"),
        (&[home, xdg, named], "home.test", "named.test"),
        (&[home, xdg, named, last], "home.test", "override.test"),
        (&[home, last], "home.test", "override.test"),
    ] {
        for (layout, expected) in [("5.38", older), ("5.41", newer)] {
            let found = first_source(&node, layout, variables, "a.test/app");
            assert_eq!(found, format!("{expected}/app"), "{layout} {variables:?}");
        }
    }
}

#[test]
fn a_main_file_that_is_named_must_exist() {
    let node = Node::with_mirror();
    let missing = node.path("missing.conf");
    let path = missing.to_str().unwrap();
    let provider = node.provider(&Cluster::new());
    let by_flag = provider.clone().flag("--registries-conf", path);
    by_flag
        .pull(NGINX)
        .fails_with(&["read", path, "No such file"]);
    let by_variable = provider
        .without("--registries-conf")
        .flag("--registries-conf-layout", "5.41")
        .env("CONTAINERS_REGISTRIES_CONF", path);
    by_variable
        .pull(NGINX)
        .fails_with(&["read", path, "No such file"]);
}

#[test]
fn the_v1_format_is_refused_where_cri_o_refuses_it() {
    let node = Node::with_registries(V1);
    let resolve = |layout: &str| {
        let provider = node.provider_without_cluster();
        let provider = provider.flag("--registries-conf-layout", layout);
        provider.run_with(&["resolve", "blocked.test/app"])
    };
    let words = ["registries.conf:1", "v1 format"];
    let accepted = resolve("5.38");
    assert_eq!(accepted.code, Some(0), "{accepted}");
    accepted.warns_with(&words);
    resolve("5.41").fails_with(&words);
}

/// Subcommands need not run as root; the plugin does, and fails like CRI-O.
#[test]
fn for_a_subcommand_an_unreadable_home_is_a_warning() {
    const NOBODY: u32 = 65534;
    let node = Node::new();
    node.write("home/.config/containers/registries.conf", "");
    node.set_mode("home", 0o000);
    node.set_mode("", 0o755);
    let is_root = fs::read_dir(node.path("home")).is_ok();
    // Other users may have no access to the directory where the program was built.
    let program = node.copy_program(env!("CARGO_BIN_EXE_crio-credential-provider"), "program");
    for layout in ["5.38", "5.41"] {
        let mut command = Command::new(&program);
        command
            .env_clear()
            .env("HOME", node.path("home"))
            .current_dir("/");
        command.args(["resolve", "--registries-conf-layout", layout, "a.test/app"]);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let outcome = Outcome::new(command.output().unwrap(), std::time::Duration::ZERO);
        assert_eq!(outcome.code, Some(0), "{layout}: {outcome}");
        for name in ["registries.conf\"", "registries.conf.d\""] {
            outcome.warns_with(&[name, "permission denied", "root"]);
        }
    }
    node.set_mode("home", 0o755);
}

/// The files that containers/image of each generation reads, and the result.
#[derive(Deserialize)]
struct Case {
    name: String,
    env: BTreeMap<String, Option<String>>,
    options: BTreeMap<String, String>,
    files: BTreeMap<String, Value>,
    #[serde(rename = "5.38")]
    older: Generation,
    #[serde(rename = "5.41")]
    newer: Generation,
}

#[derive(Deserialize)]
struct Generation {
    load_error: Option<String>,
    #[serde(default)]
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    image: String,
    prefix: Option<String>,
    #[serde(default)]
    tag_sources: Vec<String>,
}

impl Case {
    /// `resolve` of an image on that node, whose files are below a directory.
    fn resolve(&self, node: &Node, layout: &str, image: &str) -> Outcome {
        let mut provider = Provider::new(node.path("")).flag("--registries-conf-layout", layout);
        for (name, value) in [("HOME", "/root")]
            .into_iter()
            .filter(|(name, _)| !self.env.contains_key(*name))
            .chain(
                self.env
                    .iter()
                    .filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))),
            )
        {
            provider = provider.env(name, value);
        }
        for (name, path) in &self.options {
            provider = provider.flag(&format!("--{}", name.replace('_', "-")), path);
        }
        let root = node.path("");
        provider.run_with(&[
            "resolve",
            "--root",
            root.to_str().unwrap(),
            "-o",
            "json",
            image,
        ])
    }
}

#[test]
fn below_another_root_the_files_are_those_of_the_node() {
    let cases = include_str!("../../crates/registries-conf/tests/data/search_paths.json");
    let mut cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    // Links and directories are tested in the crate. Go ran in the working directory `/`,
    // which matters only for an empty variable.
    cases.retain(|case| {
        let is_empty = |name| {
            case.env
                .get(name)
                .is_some_and(|value| value.as_deref() == Some(""))
        };
        case.files.values().all(Value::is_string) && !is_empty("XDG_CONFIG_HOME")
    });
    assert!(cases.len() > 40);
    all_at_once(&cases, |case| {
        let node = Node::new();
        for (path, text) in &case.files {
            node.write(path.trim_start_matches('/'), text.as_str().unwrap());
        }
        node.write("dev/null", "");
        for (layout, expected) in [("5.38", &case.older), ("5.41", &case.newer)] {
            let context = format!("{} in {layout}", case.name);
            if expected.load_error.is_some() {
                let outcome = case.resolve(&node, layout, "nginx");
                assert_eq!(
                    (outcome.code, &*outcome.stdout),
                    (Some(1), ""),
                    "{context}: {outcome}"
                );
            }
            for found in &expected.results {
                let outcome = case.resolve(&node, layout, &found.image);
                assert_eq!(outcome.code, Some(0), "{context}: {outcome}");
                let resolved: Value = serde_json::from_str(&outcome.stdout).unwrap();
                let registry = &resolved["images"][0]["registry"];
                assert_eq!(
                    registry["prefix"].as_str(),
                    found.prefix.as_deref(),
                    "{context}"
                );
                let sources = resolved["images"][0]["sources"].as_array().unwrap().iter();
                let by_tag = sources.filter(|source| source["pull"] != "digest-only");
                let names: Vec<_> = by_tag
                    .map(|source| source["name"].as_str().unwrap())
                    .collect();
                assert_eq!(names, found.tag_sources, "{context}: {}", found.image);
            }
        }
    });
}

#[test]
fn a_node_without_registries_conf_has_nothing_to_do() {
    let node = Node::new();
    let root = node.path("");
    let secrets = br#"{"kind":"List","items":[]}"#;
    let arguments = [
        "explain",
        "nginx",
        "--root",
        root.to_str().unwrap(),
        "-n",
        "team-a",
        "--secrets=-",
    ];
    let outcome = Provider::new(root.clone()).run_with_stdin(&arguments, secrets);
    assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{outcome}");
    assert!(
        outcome.stdout.contains("there is no registries.conf"),
        "{outcome}"
    );
}
