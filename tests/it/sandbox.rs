//! The access that the process gives up, tried in this process: Landlock applies to a
//! thread.

#![expect(clippy::disallowed_methods, reason = "tries what is forbidden")]

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use landlock::{AccessFs, Ruleset, RulesetAttr, RulesetError, RulesetStatus};
use provider::sandbox::{forbid_writes, restrict_reads_and_ports, restrict_writes};

use test_cluster::{Fault, RetryAfter};

use crate::support::{
    Cluster, NGINX, Node, Outcome, Provider, base64, cannot_run, docker_config, login, owned,
};

/// Landlock restricts a thread, so each test has a thread of its own.
fn confined(test: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(test).join()).unwrap();
}

fn denied<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Whether this kernel enforces Landlock; without it there is nothing to test.
fn supported() -> bool {
    let probe = || {
        let created = Ruleset::default()
            .handle_access(AccessFs::MakeBlock)?
            .create()?;
        Ok::<_, RulesetError>(created.restrict_self()?.ruleset)
    };
    let status = thread::scope(|scope| scope.spawn(probe).join()).unwrap();
    let enforced = matches!(status, Ok(RulesetStatus::FullyEnforced));
    if !enforced {
        cannot_run("this kernel does not enforce Landlock");
    }
    enforced
}

#[test]
fn files_are_written_only_below_the_auth_directory() {
    let root = tempfile::tempdir().unwrap();
    let auth_dir = root.path().join("auth");
    fs::create_dir(&auth_dir).unwrap();
    fs::write(root.path().join("other"), "kept").unwrap();
    if !supported() {
        return;
    }
    confined(|| {
        restrict_writes(&[&auth_dir]);
        fs::write(auth_dir.join("new"), "x").unwrap();
        fs::rename(auth_dir.join("new"), auth_dir.join("renamed")).unwrap();
        fs::remove_file(auth_dir.join("renamed")).unwrap();
        assert!(denied(fs::write(root.path().join("new"), "x")));
        assert!(denied(fs::write(root.path().join("other"), "x")));
        assert!(denied(fs::remove_file(root.path().join("other"))));
        assert!(denied(Command::new("/bin/true").status()));
    });
}

#[test]
fn commands_that_only_read_can_write_nothing() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "kept").unwrap();
    if !supported() {
        return;
    }
    confined(|| {
        forbid_writes();
        assert!(denied(fs::write(&file, "x")));
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
        let run = |script: &str| {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", script, "sh"]).arg(&file);
            shell.status().unwrap().success()
        };
        assert!(run("true"));
        assert!(!run("echo x 2>&- >\"$1\""));
    });
}

#[test]
fn a_missing_auth_directory_can_still_be_created() {
    let root = tempfile::tempdir().unwrap();
    let auth_dir = root.path().join("crio/auth");
    confined(|| {
        restrict_writes(&[&auth_dir]);
        restrict_reads_and_ports(&[], &auth_dir, &[6443]);
        fs::create_dir_all(&auth_dir).unwrap();
        fs::write(auth_dir.join("new"), "x").unwrap();
    });
}

#[test]
fn only_needed_files_are_read() {
    let root = tempfile::tempdir().unwrap();
    let auth_dir = root.path().join("auth");
    fs::create_dir(&auth_dir).unwrap();
    let other = root.path().join("other");
    fs::write(&other, "secret").unwrap();
    let records = root.path().join("records");
    fs::create_dir(&records).unwrap();
    if !supported() {
        return;
    }
    confined(|| {
        restrict_reads_and_ports(&[&records, Path::new("/nowhere")], &auth_dir, &[6443]);
        assert!(fs::read_dir(&records).is_ok());
        assert!(fs::read_dir(&auth_dir).is_ok());
        assert!(denied(fs::read_to_string(&other)));
        assert!(denied(fs::read_to_string("/etc/passwd")));
        assert!(denied(fs::read_dir(root.path())));
    });
}

/// A run whose API server is busy at first, so that `work` can be done during the run.
fn meanwhile(provider: &Provider, cluster: &Cluster, work: impl FnOnce()) -> Outcome {
    let busy = Fault::too_many_requests(RetryAfter::Seconds(1));
    cluster.server.fault(busy);
    let run = provider.begin(NGINX);
    while cluster.server.requests().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    work();
    run.outcome()
}

#[test]
fn the_nodes_logins_survive_a_rotation_during_the_run() {
    let node = Node::with_mirror().and_global_auth(&docker_config(&[("own.example", "u:old")]));
    let cluster = Cluster::with([login("pull", "mirror.example", "u:p")]);

    let outcome = meanwhile(&node.provider(&cluster), &cluster, || {
        node.write("new.json", docker_config(&[("own.example", "u:new")]));
        fs::rename(
            node.path("new.json"),
            node.path("var/lib/kubelet/config.json"),
        )
        .unwrap();
    });

    outcome.answers(&owned(NGINX));
    outcome.is_quiet();
    let file = node.auth_file(NGINX).unwrap();
    let own = &file["auths"]["own.example"]["auth"];
    assert_eq!(*own, base64("u:old"), "{outcome}");
}

#[test]
fn the_roots_for_an_https_proxy_are_read_before_the_sandbox_closes() {
    let node = Node::with_mirror();
    let cluster = Cluster::new();
    let provider = node
        .provider(&cluster)
        .flag("--api-server", "https://api.example.test:6443")
        .flag("--timeout", "2s")
        .env("SSL_CERT_FILE", node.path("etc/kubernetes/pki/ca.crt"))
        .env("HTTPS_PROXY", cluster.server.url());

    let outcome = provider.pull(NGINX);

    // The API server is not a proxy, so the run fails; but it was trusted, and asked.
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let requests = cluster.server.requests();
    assert!(
        requests.iter().any(|request| request.method == "CONNECT"),
        "{outcome}"
    );
}

/// Answers a query for the address of a name (RFC 1035): it is 127.0.0.1, and there is no
/// other record.
fn answer_query(server: &UdpSocket) {
    let mut query = [0; 512];
    let Ok((_length, client)) = server.recv_from(&mut query) else {
        return;
    };
    // After the header comes the name, whose last label is empty, then the type and class.
    let name = query[12..].iter().position(|&byte| byte == 0).unwrap();
    let question = &query[12..12 + name + 5];
    let is_for_address = question[name + 1..].starts_with(&[0, 1]);
    let mut response = query[..2].to_vec();
    response.extend([0x81, 0x80, 0, 1, 0, u8::from(is_for_address), 0, 0, 0, 0]);
    response.extend(question);
    if is_for_address {
        response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1]);
    }
    server.send_to(&response, client).unwrap();
}

#[test]
fn a_resolv_conf_that_is_replaced_during_the_run_is_read() {
    let servers = ["127.0.0.97:53", "127.0.0.98:53"].map(UdpSocket::bind);
    let [Ok(silent), Ok(answering)] = servers else {
        cannot_run("only root can listen on a port below 1024");
        return;
    };
    for server in [&silent, &answering] {
        let timeout = Some(Duration::from_millis(10));
        server.set_read_timeout(timeout).unwrap();
    }
    let node = Node::with_mirror();
    let cluster = Cluster::with([login("pull", "mirror.example", "u:p")]);
    let resolv_conf = |server: &str| format!("nameserver {server}\noptions timeout:1 attempts:1\n");
    node.write("manager/resolv.conf", resolv_conf("127.0.0.97"));
    node.write("manager/new", resolv_conf("127.0.0.98"));
    node.write("etc/nsswitch.conf", "hosts: files dns\n");
    symlink(
        node.path("manager/resolv.conf"),
        node.path("etc/resolv.conf"),
    )
    .unwrap();
    let server = format!("https://kubernetes.default.svc:{}", cluster.port());
    let provider = node
        .provider(&cluster)
        .flag("--api-server", server)
        .flag("--timeout", "20s");
    let script =
        r#"exec unshare --mount sh -c 'mount --bind etc /etc || exit 77; exec "$PROVIDER"'"#;

    let done = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            let is_done = || done.load(Ordering::Relaxed);
            while !is_done() && silent.recv(&mut [0; 512]).is_err() {}
            fs::rename(node.path("manager/new"), node.path("manager/resolv.conf")).unwrap();
            while !is_done() {
                answer_query(&answering);
            }
        });
        let outcome = provider.pull_in_script(script, &[], NGINX);
        done.store(true, Ordering::Relaxed);
        outcome
    });

    if outcome.stderr.contains("unshare") || outcome.code == Some(77) {
        cannot_run(&format!("cannot mount a private /etc: {outcome}"));
        return;
    }
    outcome.answers(&owned(NGINX));
}

#[test]
fn only_the_api_server_is_connected_to() {
    let [api, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [api, other] = [&api, &other].map(|listener| listener.local_addr().unwrap());
    if !supported() {
        return;
    }
    confined(|| {
        restrict_reads_and_ports(&[], Path::new("/nowhere"), &[api.port()]);
        assert!(TcpStream::connect(api).is_ok());
        if knows_ports() {
            assert!(denied(TcpStream::connect(other)));
        } else {
            cannot_run("before kernel 6.7 Landlock does not support ports");
        }
    });
}

fn knows_ports() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut parts = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    version >= (6, 7)
}
