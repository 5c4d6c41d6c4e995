//! The auth file and its directory.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{Cluster, EMPTY, NGINX, Node, base64, docker_config, owned};

const AUTH_DIR: &str = "etc/crio/auth";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The name of an auth file for another image.
const OTHER: &str = "team-b-0000000000000000000000000000000000000000000000000000000000000000.json";

/// The entry that [`Cluster::with_login`] has for the mirror.
pub(crate) fn ours() -> Value {
    json!({"auth": base64("user:hunter2")})
}

#[test]
fn the_modes_are_the_same_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let node = Node::with_mirror();
        let script = format!("umask {umask}; \"$PROVIDER\"; exit $?");
        let cluster = Cluster::with_login();

        let outcome = node.provider(&cluster).pull_in_script(&script, &[], NGINX);

        outcome.answers(&owned(NGINX));
        assert_eq!(node.mode(AUTH_DIR), 0o700, "{umask}");
        assert_eq!(node.mode(node.auth_path(NGINX)), 0o600, "{umask}");
    }
}

#[test]
fn the_parents_of_the_directory_are_open_to_all_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let node = Node::with_mirror();
        fs::create_dir_all(node.path("exists")).unwrap();
        node.set_mode("exists", 0o711);
        let script = format!("umask {umask}; \"$PROVIDER\"; exit $?");
        let cluster = Cluster::with_login();
        let provider = node.provider(&cluster);
        let provider = provider.flag("--auth-dir", node.path("exists/a/b/auth"));

        provider
            .pull_in_script(&script, &[], NGINX)
            .answers(&owned(NGINX));

        assert_eq!(node.mode("exists"), 0o711, "{umask}");
        for (path, mode) in [("a", 0o755), ("a/b", 0o755), ("a/b/auth", 0o700)] {
            assert_eq!(node.mode(format!("exists/{path}")), mode, "{umask}");
        }
    }
}

#[test]
fn nothing_but_the_file_is_left_in_the_directory() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    for _ in 0..3 {
        provider.pull(NGINX);
    }
    assert_eq!(node.auth_dir_names().len(), 1);
}

#[test]
fn an_earlier_file_is_replaced_and_not_written_over() {
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    node.set_mode(node.auth_path(NGINX), 0o644);
    let link = node.path("in-use-by-a-reader");
    fs::hard_link(node.auth_path(NGINX), &link).unwrap();
    let before = node.read(&link);
    let cluster = Cluster::with_login();

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    assert_eq!(node.read(&link), before);
    assert_eq!(node.mode(node.auth_path(NGINX)), 0o600);
    let (old, new) = (fs::metadata(&link), fs::metadata(node.auth_path(NGINX)));
    assert_ne!(old.unwrap().ino(), new.unwrap().ino());
}

#[test]
fn readers_only_see_whole_files_while_many_runs_write() {
    let node = Node::with_mirror();
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    provider.pull(NGINX).answers(&owned(NGINX));
    let writing = AtomicUsize::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                provider.pull(NGINX).answers(&owned(NGINX));
                writing.fetch_sub(1, Ordering::Relaxed);
            });
        }
        while writing.load(Ordering::Relaxed) > 0 {
            let expected = json!({"auths": {"mirror.example/library/nginx": ours()}});
            assert_eq!(node.auth_file(NGINX), Some(expected));
        }
    });
    assert_eq!(node.auth_dir_names().len(), 1);
}

#[test]
fn a_symbolic_link_at_the_target_is_replaced_and_not_followed() {
    for target in ["victim.json", "missing.json", "etc"] {
        let node = Node::with_mirror();
        node.leave_auth_file(NGINX);
        node.write("victim.json", "untouched");
        let path = node.auth_path(NGINX);
        fs::remove_file(&path).unwrap();
        symlink(node.path(target), &path).unwrap();

        node.provider(&Cluster::with_login())
            .pull(NGINX)
            .answers(&owned(NGINX));

        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "{target}");
        assert_eq!(node.mode(&path), 0o600);
        assert_eq!(node.read("victim.json"), "untouched");
        assert!(!node.path("missing.json").exists());
    }
}

#[test]
fn a_symbolic_link_that_is_withdrawn_leaves_its_target() {
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    node.write("victim.json", "untouched");
    let path = node.auth_path(NGINX);
    fs::remove_file(&path).unwrap();
    symlink(node.path("victim.json"), &path).unwrap();

    node.provider(&Cluster::new()).pull(NGINX).answers(EMPTY);

    assert!(fs::symlink_metadata(&path).is_err());
    assert_eq!(node.read("victim.json"), "untouched");
}

#[test]
fn a_directory_at_the_target_is_an_error() {
    let node = Node::with_mirror();
    let path = node.auth_path(NGINX);
    fs::create_dir_all(path.join("inside")).unwrap();
    node.set_mode(AUTH_DIR, 0o700);

    let outcome = node.provider(&Cluster::with_login()).pull(NGINX);

    outcome.fails_with(&["auth file", path.to_str().unwrap()]);
    assert!(path.join("inside").exists());
    assert_eq!(node.auth_dir_names().len(), 1, "no temporary file is left");
}

#[test]
fn a_file_in_place_of_the_directory_is_an_error() {
    for file in ["etc/crio/auth", "etc/crio"] {
        let node = Node::with_mirror();
        node.write(file, "");
        let outcome = node.provider(&Cluster::with_login()).pull(NGINX);
        outcome.fails_with(&["auth directory", "etc/crio/auth"]);
        assert_eq!(node.read(file), "");
    }
}

#[test]
fn a_directory_that_others_may_write_to_is_not_trusted_as_it_is() {
    let node = Node::with_mirror();
    fs::create_dir_all(node.path(AUTH_DIR)).unwrap();
    node.set_mode(AUTH_DIR, 0o777);

    let outcome = node.provider(&Cluster::with_login()).pull(NGINX);

    outcome.answers(&owned(NGINX));
    outcome.warns_with(&["etc/crio/auth"]);
    assert_eq!(node.mode(AUTH_DIR) & 0o022, 0);
}

#[test]
fn a_shared_directory_is_refused() {
    let node = Node::with_mirror();
    fs::create_dir_all(node.path(AUTH_DIR)).unwrap();
    node.set_mode(AUTH_DIR, 0o1777);

    let outcome = node.provider(&Cluster::with_login()).pull(NGINX);

    outcome.fails_with(&["etc/crio/auth", "0700"]);
    outcome.prints_once("etc/crio/auth");
    assert_eq!(node.auth_dir_names(), [""; 0]);
}

#[test]
fn a_directory_that_exists_keeps_its_mode() {
    for mode in [0o700, 0o750, 0o711] {
        let node = Node::with_mirror();
        fs::create_dir_all(node.path(AUTH_DIR)).unwrap();
        node.set_mode(AUTH_DIR, mode);
        node.provider(&Cluster::with_login())
            .pull(NGINX)
            .answers(&owned(NGINX));
        assert_eq!(node.mode(AUTH_DIR), mode);
    }
}

#[test]
fn left_over_files_are_swept() {
    let node = Node::with_mirror();
    let other = |namespace: &str| OTHER.replace("team-b", namespace);
    let temporary = |namespace: &str| format!(".{}.4711-0.tmp", other(namespace));
    fs::create_dir_all(node.path(AUTH_DIR)).unwrap();
    node.set_mode(AUTH_DIR, 0o700);
    let now = SystemTime::now();
    for (name, modified) in [
        (other("old"), now - 16 * MINUTE),
        (other("fresh"), now - 14 * MINUTE),
        (other("future"), now + 16 * MINUTE),
        (temporary("old"), now - 3 * MINUTE),
        (temporary("fresh"), now - MINUTE),
        (temporary("future"), now + MINUTE),
    ] {
        let path = format!("{AUTH_DIR}/{name}");
        node.write(&path, "{}");
        let file = fs::File::open(node.path(path)).unwrap();
        file.set_modified(modified).unwrap();
    }

    node.provider(&Cluster::with_login())
        .pull(NGINX)
        .answers(&owned(NGINX));

    let own = node.auth_path(NGINX);
    let own = own.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(
        node.auth_dir_names(),
        [temporary("fresh"), other("fresh"), own]
    );
}

/// Lays out old auth files.
fn leave_many(node: &Node, files: usize) {
    fs::create_dir_all(node.path(AUTH_DIR)).unwrap();
    node.set_mode(AUTH_DIR, 0o700);
    let long_ago = SystemTime::now() - HOUR;
    for number in 0..files {
        let path = node.path(format!("{AUTH_DIR}/many-{number:064x}.json"));
        let file = fs::File::create(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }
}

/// kubelet waits for the process to end. If a run removes some of the files, it has
/// stopped in time: removing all 10,000 takes far longer than the limit.
#[test]
fn a_run_sweeps_some_of_many_files_and_leaves_the_rest_to_the_next_one() {
    const FILES: usize = 20_000;
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    leave_many(&node, FILES);

    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));

    let left = node.auth_dir_names().len() - 1;
    assert!(left < FILES, "no file is removed");
    assert!(left > FILES / 2, "only {left} files are left");
}

#[test]
fn later_runs_sweep_the_remaining_files() {
    let (node, cluster) = (Node::with_mirror(), Cluster::with_login());
    leave_many(&node, 3000);
    let provider = node.provider(&cluster);
    for _ in 0..200 {
        node.remove_auth_file(NGINX);
        provider.pull(NGINX).answers(&owned(NGINX));
        if node.auth_dir_names().len() == 1 {
            return;
        }
    }
    panic!("{} are left", node.auth_dir_names().len());
}

#[test]
fn files_of_others_are_never_swept() {
    let node = Node::with_mirror();
    let foreign = [
        format!("in-use/{OTHER}"),
        "in-use/uuid.json".to_owned(),
        "config.json".to_owned(),
        ".lock".to_owned(),
        "notes.tmp".to_owned(),
        format!("{OTHER}.bak"),
        OTHER.to_uppercase(),
        OTHER.replace("team-b", "Team.B"),
        "team-a-7e59ad64.json".to_owned(),
        format!("directory/{OTHER}"),
    ];
    for name in &foreign {
        let path = format!("{AUTH_DIR}/{name}");
        node.write(&path, "{}");
        node.age(&path, 1000 * HOUR);
    }
    fs::create_dir(node.path(format!("{AUTH_DIR}/{OTHER}"))).unwrap();
    node.set_mode(AUTH_DIR, 0o700);
    let socket = node.path(format!("{AUTH_DIR}/socket"));
    let _listener = UnixListener::bind(&socket).unwrap();

    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster).flag("--stale-after", "1s");
    provider.pull(NGINX).answers(&owned(NGINX));

    for name in &foreign {
        assert!(node.path(format!("{AUTH_DIR}/{name}")).is_file(), "{name}");
    }
    assert!(node.path(format!("{AUTH_DIR}/{OTHER}")).is_dir());
    let kind = fs::symlink_metadata(socket).unwrap().file_type();
    assert!(kind.is_socket());
}

#[test]
fn the_age_is_a_flag_and_zero_sweeps_nothing() {
    for (stale_after, stays) in [("1h", false), ("3h", true), ("0", true), ("0s", true)] {
        let node = Node::with_mirror();
        let path = format!("{AUTH_DIR}/{OTHER}");
        node.write(&path, "{}");
        node.set_mode(AUTH_DIR, 0o700);
        node.age(&path, 2 * HOUR);

        let cluster = Cluster::with_login();
        let provider = node.provider(&cluster).flag("--stale-after", stale_after);
        provider.pull(NGINX).answers(&owned(NGINX));

        assert_eq!(node.path(path).exists(), stays, "{stale_after}");
    }
}

#[test]
fn sweeping_also_happens_where_nothing_is_written() {
    let node = Node::with_mirror();
    let path = format!("{AUTH_DIR}/{OTHER}");
    node.write(&path, "{}");
    node.set_mode(AUTH_DIR, 0o700);
    node.age(&path, 25 * HOUR);

    node.provider(&Cluster::new()).pull(NGINX).answers(EMPTY);

    assert_eq!(node.auth_dir_names(), [""; 0]);
}

#[test]
fn an_old_file_of_the_same_image_is_replaced_and_not_swept() {
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    node.age(node.auth_path(NGINX), 1000 * HOUR);

    node.provider(&Cluster::with_login())
        .pull(NGINX)
        .answers(&owned(NGINX));

    let expected = json!({"auths": {"mirror.example/library/nginx": ours()}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn links_to_the_directory_and_to_the_nodes_logins_are_followed() {
    let node = Node::with_mirror();
    node.write("elsewhere/auth/in-use/x", "");
    node.set_mode("elsewhere/auth", 0o700);
    node.write(
        "elsewhere/config.json",
        docker_config(&[("quay.io", "u:p")]),
    );
    for (from, to) in [
        ("elsewhere/auth", AUTH_DIR),
        ("elsewhere/config.json", "var/lib/kubelet/config.json"),
    ] {
        let link = node.path(to);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(node.path(from), link).unwrap();
    }

    node.provider(&Cluster::with_login())
        .pull(NGINX)
        .answers(&owned(NGINX));

    let expected = json!({"auths": {
        "mirror.example/library/nginx": ours(),
        "quay.io": {"auth": base64("u:p")},
    }});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn the_same_file_is_written_without_the_sandbox() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("quay.io", "u:p")]));
    let cluster = Cluster::with_login();
    let provider = node.provider(&cluster);
    provider.pull(NGINX).answers(&owned(NGINX));
    let inside = node.auth_file(NGINX);

    let outside = provider.switch("--no-sandbox").pull(NGINX);

    outside.answers(&owned(NGINX));
    assert_eq!(node.auth_file(NGINX), inside);
}

#[test]
fn a_directory_that_may_not_be_written_to_is_an_error() {
    let node = Node::with_mirror();
    fs::create_dir_all(node.path(AUTH_DIR)).unwrap();
    node.set_mode(AUTH_DIR, 0o500);
    if fs::File::create(node.path(AUTH_DIR).join("probe")).is_ok() {
        // Root may write everywhere, so there is nothing to test.
        return;
    }
    let outcome = node.provider(&Cluster::with_login()).pull(NGINX);
    outcome.fails_with(&["auth file", AUTH_DIR]);
}
