//! Which files are read, and what happens when one cannot be.

use std::{error::Error, fs, os::unix::fs::symlink};

use registries_conf::{Config, MissingMainFile};

use crate::support::Node;

fn registry(location: &str) -> String {
    format!("[[registry]]\nlocation = \"{location}\"\n")
}

fn read(node: &Node, config: &Config) -> Vec<String> {
    let paths = config.files().iter();
    paths
        .map(|path| node.local(&path.display().to_string()))
        .collect()
}

#[test]
fn drop_ins_are_read_directory_by_directory_in_name_order() {
    let names = [
        "b/10.conf",
        "a/9.conf",
        "a/10.conf",
        "a/10-a.conf",
        "a/B.conf",
        "a/.conf",
    ];
    let node = Node::new(names.map(|name| (name, registry("x.y"))));
    node.write("registries.conf", "");
    for ignored in [
        "a/x.conf.bak",
        "a/conf",
        "a/x.CONF",
        "a/sub/x.conf",
        "a/dir.conf/x.conf",
    ] {
        node.write(ignored, "not TOML");
    }
    let mut files = node.files();
    files.drop_in_dirs = ["a", "missing", "b"].map(|dir| node.path(dir)).to_vec();
    let config = Config::load(&files).unwrap();
    let expected = [
        "registries.conf",
        "a/.conf",
        "a/10-a.conf",
        "a/10.conf",
        "a/9.conf",
        "a/B.conf",
        "b/10.conf",
    ];
    assert_eq!(read(&node, &config), expected);
    let origin = node.local(&config.registries()[0].origin.to_string());
    assert_eq!(origin, "b/10.conf:1");
}

#[test]
fn links_are_read_as_files_but_not_as_directories() {
    let node = Node::new([
        ("registries.conf", String::new()),
        ("registries.conf.d/a.conf", registry("a.b")),
        ("elsewhere/file", registry("c.d")),
        ("elsewhere/x.conf", registry("e.f")),
    ]);
    symlink(
        "../elsewhere/file",
        node.path("registries.conf.d/link.conf"),
    )
    .unwrap();
    symlink("nowhere", node.path("registries.conf.d/dangling.conf")).unwrap();
    symlink("elsewhere", node.path("linked.d")).unwrap();
    symlink("nowhere", node.path("dangling.d")).unwrap();
    let mut files = node.files();
    files.drop_in_dirs.push(node.path("linked.d"));
    files.drop_in_dirs.push(node.path("dangling.d"));
    let expected = [
        "registries.conf",
        "registries.conf.d/a.conf",
        "registries.conf.d/link.conf",
    ];
    assert_eq!(read(&node, &Config::load(&files).unwrap()), expected);
    // A walk that starts at a file visits that file.
    files.drop_in_dirs = vec![node.path("elsewhere/x.conf"), node.path("elsewhere/file")];
    let expected = ["registries.conf", "elsewhere/x.conf"];
    assert_eq!(read(&node, &Config::load(&files).unwrap()), expected);
}

#[test]
fn a_missing_main_file() {
    let node = Node::new([("registries.conf.d/a.conf", registry("a.b"))]);
    let mut files = node.files();
    let error = Config::load(&files).unwrap_err();
    assert_eq!(node.local(&error.to_string()), "read registries.conf");
    assert!(error.source().is_some());
    files.missing_main = MissingMainFile::Ignore;
    let config = Config::load(&files).unwrap();
    assert_eq!(read(&node, &config), ["registries.conf.d/a.conf"]);
    files.drop_in_dirs.clear();
    assert!(Config::load(&files).unwrap().files().is_empty());
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let cases = [
        (
            "the main file is a directory",
            "registries.conf/x",
            "registries.d/x",
            "read registries.conf",
        ),
        (
            "a drop-in is a link to a directory",
            "registries.conf",
            "link",
            "read registries.conf.d/dir.conf",
        ),
        (
            "no directory can be there",
            "registries.conf",
            "file",
            "read registries.conf.d/below",
        ),
    ];
    for (case, main, kind, expected) in cases {
        let node = Node::new([(main, "")]);
        let mut files = node.files();
        files.missing_main = MissingMainFile::Ignore;
        match kind {
            "link" => {
                fs::create_dir(node.path("registries.conf.d")).unwrap();
                symlink("..", node.path("registries.conf.d/dir.conf")).unwrap();
            }
            "file" => {
                node.write("registries.conf.d", "");
                files.drop_in_dirs = vec![node.path("registries.conf.d/below")];
            }
            _ => {}
        }
        let error = Config::load(&files).expect_err(case);
        assert_eq!(node.local(&error.to_string()), expected, "{case}");
        assert!(error.source().is_some(), "{case}");
    }
}

#[test]
fn a_file_may_have_16_mebibytes() {
    let limit = 16 << 20;
    let comment = "#".repeat(limit);
    let node = Node::new([("registries.conf", &comment)]);
    assert!(node.load().is_ok());
    node.write("registries.conf", format!("{comment}#"));
    assert_eq!(
        node.local(&node.load().unwrap_err().to_string()),
        "read registries.conf: longer than 16777216 bytes"
    );
}
