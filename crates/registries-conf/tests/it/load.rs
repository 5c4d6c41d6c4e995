//! Files that cannot be read. Which files are read is tested in `search_paths`.

use std::{
    error::Error,
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use registries_conf::{Config, Denied, Invalid, Layout, V1Format};

use crate::support::Node;

const LAYOUTS: [Layout; 2] = [Layout::V5_38, Layout::V5_41];
const V1: &str = "\n[registries.search]\nregistries = [\"docker.io\"]\n";

fn registry(location: &str) -> String {
    format!("[[registry]]\nlocation = \"{location}\"\n")
}

#[test]
fn a_named_main_file_must_exist_and_a_default_one_need_not() {
    for layout in LAYOUTS {
        let node = Node::new([("etc/containers/registries.conf.d/a.conf", registry("a.b"))]);
        let mut search = node.as_root(layout);
        let config = Config::load(&search).unwrap();
        let drop_in = Path::new("/etc/containers/registries.conf.d/a.conf");
        assert_eq!(config.files(), [drop_in]);
        assert_eq!(
            config.registries()[0].origin.to_string(),
            format!("{}:1", drop_in.display())
        );
        search.options.main = Some("/etc/containers/registries.conf".into());
        let error = Config::load(&search).unwrap_err();
        assert_eq!(error.to_string(), "read /etc/containers/registries.conf");
        assert!(error.source().is_some());
        // An empty path names no file, as with CRI-O's flags.
        search.options.main = Some(PathBuf::new());
        search.options.drop_in_dir = Some(PathBuf::new());
        assert_eq!(Config::load(&search).unwrap(), config);
        search.options.drop_in_dir = Some("/nowhere".into());
        assert_eq!(Config::load(&search).unwrap().files().len(), 0);
    }
}

#[test]
fn unreadable_files_are_errors() {
    let conf = "etc/containers/registries.conf";
    let drop_in = "etc/containers/registries.conf.d/x.conf";
    for layout in LAYOUTS {
        for (case, at) in [
            ("directory", conf),
            ("link to a directory", drop_in),
            ("socket", conf),
            ("socket", drop_in),
        ] {
            let node = Node::new([("etc/containers/registries.conf.d/y", "")]);
            let here = node.path(at);
            let _listening = match case {
                "directory" => fs::create_dir(here).map(|()| None).unwrap(),
                "socket" => Some(UnixListener::bind(here).unwrap()),
                _ => symlink("..", here).map(|()| None).unwrap(),
            };
            let error = Config::load(&node.as_root(layout)).expect_err(case);
            assert_eq!(
                error.to_string(),
                format!("read /{at}"),
                "{layout:?}: {case}"
            );
            assert!(error.source().is_some(), "{layout:?}: {case}");
        }
    }
}

/// Root can read everything, and the tests run as root too.
#[test]
fn an_unreadable_default_directory_is_left_out_on_request() {
    for layout in LAYOUTS {
        let node = Node::new([
            ("etc/containers/registries.conf", registry("a.b")),
            ("root/.config/containers/registries.conf", registry("c.d")),
        ]);
        let home = node.path("root/.config");
        let set_mode = |mode| fs::set_permissions(&home, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o000);
        let is_root = fs::read_dir(&home).is_ok();
        let mut search = node.as_root(layout);
        let strict = Config::load(&search);
        search.denied = Denied::LeaveOut;
        let lenient = Config::load(&search);
        search.options.main = Some("/root/.config/containers/registries.conf".into());
        let named = Config::load(&search);
        set_mode(0o700);
        if is_root {
            continue;
        }
        assert!(strict.is_err(), "{layout:?}");
        let config = lenient.unwrap();
        assert_eq!(config.registries()[0].prefix, "a.b", "{layout:?}");
        let home = Path::new("/root/.config/containers");
        let denied = ["registries.conf", "registries.conf.d"].map(|name| home.join(name));
        assert_eq!(config.denied(), denied, "{layout:?}");
        assert!(named.is_err(), "{layout:?}");
    }
}

#[test]
fn the_first_version_of_the_format_is_read_only_in_a_main_file_and_if_accepted() {
    let main = Node::new([("etc/containers/registries.conf", V1)]);
    for (layout, v1, accepted) in [
        (Layout::V5_38, None, true),
        (Layout::V5_41, None, false),
        (Layout::V5_38, Some(V1Format::Refuse), false),
        (Layout::V5_41, Some(V1Format::Accept), true),
    ] {
        let mut search = main.as_root(layout);
        search.v1 = v1.unwrap_or(search.v1);
        match Config::load(&search) {
            Ok(config) => {
                let origin = config.v1().map(ToString::to_string);
                assert!(accepted, "{layout:?} {v1:?}");
                assert_eq!(origin.as_deref(), Some("/etc/containers/registries.conf:2"));
            }
            Err(registries_conf::Error::Invalid { line, reason, .. }) => {
                assert!(!accepted, "{layout:?} {v1:?}");
                assert_eq!((line, reason), (2, Invalid::V1Main));
            }
            Err(error) => panic!("{layout:?} {v1:?}: {error}"),
        }
    }
    let drop_in = Node::new([("etc/containers/registries.conf.d/a.conf", V1)]);
    for layout in LAYOUTS {
        let mut search = drop_in.as_root(layout);
        search.v1 = V1Format::Accept;
        assert!(Config::load(&search).is_err(), "{layout:?}");
    }
}

#[test]
fn nothing_leads_out_of_the_root() {
    let node = Node::new([("run/a/x", "")]);
    for (link, target) in [
        ("var", "/run"),
        ("up", "../../../.."),
        ("loop", "/loop"),
        ("run/self", "a/../a"),
    ] {
        symlink(target, node.path(link)).unwrap();
    }
    let root = node.path("");
    for (path, expected) in [
        ("/var/a/b", "run/a/b"),
        ("/up/etc/passwd", "etc/passwd"),
        ("/../../etc", "etc"),
        ("/run/self/x", "run/a/x"),
        ("/missing/../x", "x"),
        ("/loop", "loop"),
        ("relative", "relative"),
    ] {
        let found = registries_conf::resolve_below(&root, Path::new(path));
        assert_eq!(found, node.path(expected), "{path}");
    }
    let path = Path::new("../as/it/is");
    assert_eq!(registries_conf::resolve_below(Path::new("/"), path), path);
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
