//! The message of each mistake in a file.

use std::error::Error;

use crate::support::Node;

const SCHEME: &str = "\"https://docker.io\" must not have a URI scheme";

#[test]
fn a_mistake_is_one_line_with_file_line_and_reason() {
    let registry = "[[registry]]\nlocation = \"docker.io\"\n";
    let mirror = "[[registry]]\nlocation = \"docker.io\"\n[[registry.mirror]]\n";
    let cases = [
        ("[[registry]]\n\nlocation = \"https://docker.io\"".to_owned(), format!("3: {SCHEME}")),
        ("[[registry]]\nprefix = \"https://docker.io\"".to_owned(), format!("2: {SCHEME}")),
        (format!("{mirror}location = \"https://docker.io\""), format!("4: {SCHEME}")),
        ("[registries.block]\nregistries = [\"https://docker.io\"]".to_owned(), format!("2: {SCHEME}")),
        ("unqualified-search-registries = [\n\"a\",\n\"https://docker.io\"]".to_owned(), format!("3: {SCHEME}")),
        (
            format!("{registry}\n[[registry]]\nblocked = true"),
            "4: registry has neither location nor prefix".to_owned(),
        ),
        (
            "registry = [\n{location = \"a\"},\n{location = \"//\"}]".to_owned(),
            "3: registry has neither location nor prefix".to_owned(),
        ),
        (
            "[registries.insecure]\nregistries = [\"\"]".to_owned(),
            "2: registry has neither location nor prefix".to_owned(),
        ),
        (
            "[[registry]]\nprefix = \"docker.io\"".to_owned(),
            "1: registry \"docker.io\" has no location, and its prefix is not of the form *.example.com"
                .to_owned(),
        ),
        (
            "[[registry]]\nlocation = \"a\"\nprefix = \"*.b:5\"".to_owned(),
            "3: wildcard prefix \"*.b:5\" is not of the form *.example.com".to_owned(),
        ),
        (
            "[[registry]]\nlocation = \"*.b/c\"".to_owned(),
            "2: wildcard prefix \"*.b/c\" is not of the form *.example.com".to_owned(),
        ),
        (
            format!("{registry}pull-from-mirror = \"all\""),
            "3: registry \"docker.io\" has pull-from-mirror, which belongs in a mirror".to_owned(),
        ),
        (
            format!("{mirror}insecure = true"),
            "3: mirror of registry \"docker.io\" has no location".to_owned(),
        ),
        (
            format!("{mirror}location = \"m\"\npull-from-mirror = \"some\\ntimes\""),
            "5: pull-from-mirror \"some\\ntimes\" of mirror \"m\" is not \"all\", \"digest-only\" or \"tag-only\""
                .to_owned(),
        ),
        (
            "[[registry]]\nlocation = \"a\"\nmirror-by-digest-only = true\n\
             mirror = [{location = \"m\",\npull-from-mirror = \"all\"}]"
                .to_owned(),
            "5: mirror \"m\" has pull-from-mirror, but registry \"a\" has mirror-by-digest-only"
                .to_owned(),
        ),
        (
            format!("{registry}[[registry]]\nprefix = \"a\"\nlocation = \"docker.io\"\nblocked = true"),
            "3: registry \"docker.io\" has another blocked setting in line 1".to_owned(),
        ),
        (
            "[[registry]]\nprefix = \"*.a\"\n[[registry]]\nprefix = \"*.a\"\ninsecure = true".to_owned(),
            "3: registry \"*.a\" has another insecure setting in line 1".to_owned(),
        ),
        (
            "unqualified-search-registries = [\"docker.io/library\"]".to_owned(),
            "1: unqualified-search-registries entry \"docker.io/library\" is not host[:port]".to_owned(),
        ),
        (
            "short-name-mode = \"maybe\"".to_owned(),
            "1: short-name-mode \"maybe\" is not \"disabled\", \"enforcing\" or \"permissive\"".to_owned(),
        ),
        (
            "[aliases]\n\"a:1\" = \"b.c/d\"".to_owned(),
            "2: alias \"a:1\" is not a short name: a registry, tag or digest is not allowed in it".to_owned(),
        ),
        (
            "[registries.search]\nregistries = []\n[aliases]".to_owned(),
            "1: [registries.search], .insecure and .block (v1) cannot be mixed with v2 keys".to_owned(),
        ),
        (
            "registry = []\n[registries.search]\nregistries = []".to_owned(),
            "2: [registries.search], .insecure and .block (v1) cannot be mixed with v2 keys".to_owned(),
        ),
        (
            format!("{registry}insecure = \"yes\""),
            "3: key \"insecure\" must be a boolean, found string".to_owned(),
        ),
        (
            "[[registry]]\nlocation = \"docker.io\n".to_owned(),
            "2: not valid TOML: invalid basic string, expected `\"`".to_owned(),
        ),
    ];
    for (text, expected) in cases {
        let node = Node::new([("registries.conf", &text)]);
        let error = node.load().expect_err(&text);
        assert_eq!(
            node.local(&error.to_string()),
            format!("registries.conf:{expected}"),
            "{text}"
        );
        assert!(error.source().is_none(), "{text}");
    }
}

#[test]
fn a_mistake_in_a_drop_in_names_the_drop_in() {
    let v1 = "# old\n[registries.search]\nregistries = []";
    let node = Node::new([("registries.conf", ""), ("registries.conf.d/a\nb.conf", v1)]);
    assert_eq!(
        node.local(&node.load().unwrap_err().to_string()),
        "registries.conf.d/a\\nb.conf:2: a drop-in file must use the v2 format, \
         not [registries.search], .insecure and .block"
    );
}

#[test]
fn a_v1_table_without_a_list_is_not_the_v1_format() {
    let node = Node::new([
        (
            "registries.conf",
            "[registries.search]\n[[registry]]\nlocation = \"a\"",
        ),
        ("registries.conf.d/a.conf", "[registries]\nother = 1"),
    ]);
    assert_eq!(node.load().unwrap().registries().len(), 1);
}
