//! The files that two generations of containers/image read as root, case by case.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use registries_conf::{Config, Environment, Layout, Options, Search};
use serde::Deserialize;

use crate::{
    support::Node,
    vectors::{Answer, check},
};

#[derive(Deserialize)]
struct Case {
    name: String,
    env: BTreeMap<String, Option<String>>,
    options: NamedPaths,
    files: BTreeMap<String, File>,
    #[serde(rename = "5.38")]
    v5_38: Generation,
    #[serde(rename = "5.41")]
    v5_41: Generation,
}

#[derive(Deserialize)]
struct NamedPaths {
    registries_conf: Option<PathBuf>,
    registries_conf_dir: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Content(String),
    Link { symlink: PathBuf },
    Directory { dir: bool },
}

#[derive(Deserialize)]
struct Generation {
    files_read: Vec<String>,
    load_error: Option<String>,
    #[serde(default)]
    results: Vec<Answer>,
}

#[test]
fn the_files_are_those_that_go_reads() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../data/search_paths.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let node = lay_out(&case.files);
        for (layout, expected) in [(Layout::V5_38, &case.v5_38), (Layout::V5_41, &case.v5_41)] {
            let context = format!("{} in {layout:?}", case.name);
            let search = search(&node, &case, layout);
            match (Config::load(&search), &expected.load_error) {
                (Ok(config), None) => {
                    assert_eq!(absolute(config.files()), read(expected), "{context}");
                    assert_eq!(search.files().unwrap(), config.files(), "{context}");
                    for answer in &expected.results {
                        check(&context, &config, answer);
                    }
                }
                (Err(_), Some(_)) => {}
                (config, expected) => panic!("{context}: {config:?} for {expected:?}"),
            }
        }
    }
}

/// The node as in the recording: as the real root directory, with absolute links.
fn lay_out(files: &BTreeMap<String, File>) -> Node {
    let node = Node::new([("dev/null", "")]);
    for (path, file) in files {
        let relative = path.trim_start_matches('/');
        let here = node.path(relative);
        fs::create_dir_all(here.parent().unwrap()).unwrap();
        match file {
            File::Content(text) => node.write(relative, text),
            File::Link { symlink: target } => symlink(target, here).unwrap(),
            File::Directory { dir } => {
                assert!(dir, "{path}");
                fs::create_dir_all(here).unwrap();
            }
        }
    }
    node
}

fn search(node: &Node, case: &Case, layout: Layout) -> Search {
    let environment = Environment::new(|name| match case.env.get(name) {
        Some(value) => value.as_ref().map(Into::into),
        None => (name == "HOME").then(|| "/root".into()),
    });
    Search {
        options: Options {
            main: case.options.registries_conf.clone(),
            drop_in_dir: case.options.registries_conf_dir.clone(),
        },
        environment,
        ..node.as_root(layout)
    }
}

/// In the recording, a file of the working directory, which was `/`, has no directory.
fn absolute(paths: &[PathBuf]) -> Vec<PathBuf> {
    let paths = paths.iter();
    paths.map(|path| Path::new("/").join(path)).collect()
}

fn read(expected: &Generation) -> Vec<PathBuf> {
    let names = expected.files_read.iter();
    absolute(&names.map(PathBuf::from).collect::<Vec<_>>())
}
