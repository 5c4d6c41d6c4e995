//! The documents agree with the code.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the project's own text files"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use crio_credential_provider::cli::CheckName;

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of every Rust file below a folder of the project.
fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_check_has_a_section_and_every_section_a_check() {
    let document = fs::read_to_string(project().join("docs/checks.md")).unwrap();
    let headings = document.lines().filter_map(|line| line.strip_prefix("## "));
    let headings: Vec<_> = headings.map(str::to_owned).collect();
    let names = CheckName::value_variants().iter();
    let names: Vec<_> = names.map(ToString::to_string).collect();
    assert_eq!(headings, names);
}

/// What the program prints names the documents where packages install them.
#[test]
fn documents_that_the_program_names_are_installed() {
    let root = tempfile::tempdir().unwrap();
    let installed = Command::new(project().join("packaging/install"))
        .arg(env!("CARGO_BIN_EXE_crio-credential-provider"))
        .env("DESTDIR", root.path())
        .env_remove("PREFIX")
        .env_remove("PLUGIN_DIR")
        .output()
        .unwrap();
    assert!(installed.status.success(), "{installed:?}");

    let mut code = String::new();
    sources(&project().join("src"), &mut code);
    let rest = code
        .split('"')
        .filter_map(|text| text.split_once("/usr/share/doc/"));
    let named: Vec<_> = rest
        .map(|(_, path)| path.split(' ').next().unwrap())
        .collect();
    assert!(named.len() > 1, "{named:?}");
    for path in named {
        let path = root.path().join("usr/share/doc").join(path);
        assert!(path.is_file(), "{}", path.display());
    }
}

#[test]
fn every_test_that_the_threat_model_names_exists() {
    let model = fs::read_to_string(project().join("docs/threat-model.md")).unwrap();
    let mut code = String::new();
    sources(&project().join("src"), &mut code);
    sources(&project().join("crates"), &mut code);
    sources(&project().join("tests/it"), &mut code);
    let named = model.split('`').skip(1).step_by(2);
    let named: Vec<_> = named.filter(|word| word.contains("::")).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let (module, test) = name.rsplit_once("::").unwrap();
        if test == "*" || test == "test" {
            continue;
        }
        assert!(code.contains(&format!("fn {test}(")), "{name}");
        if !module.contains("::") {
            let file = project().join(format!("tests/it/{module}.rs"));
            let there =
                fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {test}(")));
            let unit = code.contains(&format!("mod {module};"));
            assert!(there || unit, "{name} does not exist in that file");
        }
    }
}
