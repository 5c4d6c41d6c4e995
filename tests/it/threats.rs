//! Attacks by a tenant or another user of the node, broken nodes, and the access that the
//! process gives up. See docs/threat-model.md.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::os::unix::fs::{chown, symlink};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use test_cluster::{AnswerFault, Fault, Secret};

use crate::explain::{list, secret};
use crate::support::{
    ACCOUNT, Cluster, NAMESPACE, NGINX, Node, Provider, Run, base64, cannot_run, docker_config,
    login, owned,
};

const AUTH_DIR: &str = "etc/crio/auth";

fn cluster() -> Cluster {
    Cluster::with([login("pull", "mirror.example", "tenant:hunter2-password")])
}

/// A run that has sent its request and waits for an answer that never comes.
fn waiting_run(cluster: &Cluster, provider: &Provider) -> Run {
    let hang = Fault::from(AnswerFault::HangBeforeHeaders).forever();
    cluster.server.fault(hang);
    let run = provider.begin(NGINX);
    while cluster.server.requests().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    run
}

#[test]
fn a_secret_cannot_name_a_program() {
    let config = json!({
        "auths": {"mirror.example": {"auth": base64("tenant:password")}},
        "credHelpers": {"mirror.example": "evil"},
        "credsStore": "evil",
        "HttpHeaders": {"X-Evil": "1"},
    });
    let cluster = Cluster::with([Secret::docker_config_json("pull", &config.to_string())]);
    let node = Node::with_mirror();
    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));
    let login = json!({"auth": base64("tenant:password")});
    let expected = json!({"auths": {"mirror.example/library/nginx": login}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn five_thousand_secrets_fit_into_32_mebibytes() {
    let cluster = Cluster::new();
    for number in 0..5_000 {
        let name = format!("s-{number:04}");
        cluster.put(match number {
            2_501 => {
                let padding = "x".repeat(1_000_000);
                let config = json!({"auths": {"other.example": {"auth": padding}}});
                Secret::docker_config_json(&name, &config.to_string())
            }
            number if number % 10 == 0 => login(&name, "mirror.example", &format!("u{number}:p")),
            number => login(&name, &format!("r{number}.example"), "u:p"),
        });
    }
    let node = Node::with_mirror();
    // The limit counts all writable memory: heap, stacks, thread arenas.
    let script = r#"ulimit -d 32768 && exec "$PROVIDER""#;
    let outcome = node.provider(&cluster).pull_in_script(script, &[], NGINX);
    outcome.answers(&owned(NGINX));
    let last = json!({"auth": base64("u4990:p")});
    let expected = json!({"auths": {"mirror.example/library/nginx": last}});
    assert_eq!(node.auth_file(NGINX), Some(expected));
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let cluster = cluster();
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    // A file size limit of 0 has the effect of a full disk. The signal that comes with
    // the error may be ignored already, or end the process.
    for script in [
        r#"trap '' XFSZ && ulimit -f 0 && exec "$PROVIDER""#,
        r#"ulimit -f 0 && exec "$PROVIDER""#,
    ] {
        let outcome = node.provider(&cluster).pull_in_script(script, &[], NGINX);
        outcome.fails_with(&["write temporary auth file"]);
        assert_eq!(node.auth_file(NGINX), Some(Node::earlier_auth_file()));
        assert_eq!(node.auth_dir_names().len(), 1);
    }
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let cluster = cluster();
    let node = Node::with_mirror();
    node.leave_auth_file(NGINX);
    if chown(node.path(AUTH_DIR), Some(65_534), None).is_err() {
        cannot_run("only root can give a directory away");
        return;
    }
    let outcome = node.provider(&cluster).pull(NGINX);
    outcome.fails_with(&["belongs to user 65534", "root"]);
    outcome.prints_once("belongs to user 65534");
    assert_eq!(node.auth_file(NGINX), Some(Node::earlier_auth_file()));
}

#[test]
fn an_auth_directory_may_be_a_link_to_a_directory_of_ours() {
    let cluster = cluster();
    let node = Node::with_mirror();
    node.write("run/auth/keep", "");
    node.set_mode("run/auth", 0o700);
    node.write("etc/crio/keep", "");
    symlink(node.path("run/auth"), node.path(AUTH_DIR)).unwrap();
    node.provider(&cluster).pull(NGINX).answers(&owned(NGINX));
    assert_eq!(node.auth_dir_names().len(), 2);
}

#[test]
fn neither_arguments_nor_environment_hold_a_secret() {
    let (node, cluster) = (Node::with_mirror(), cluster());
    let run = waiting_run(&cluster, &node.provider(&cluster));
    for file in ["cmdline", "environ"] {
        let content = match run.proc(file) {
            // The process is not dumpable.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                cannot_run(&format!("only root can read {file}"));
                continue;
            }
            content => content.unwrap(),
        };
        assert!(!content.contains(&cluster.token), "{file}");
        assert!(!content.contains("hunter2"), "{file}");
    }
    run.kill(Signal::KILL);
}

#[test]
fn the_process_keeps_no_privileges_unless_the_sandbox_is_turned_off() {
    let node = Node::with_mirror();
    let status = |switch| {
        let cluster = cluster();
        let run = waiting_run(&cluster, &node.provider(&cluster).switch(switch));
        let status = run.proc("status").unwrap();
        run.kill(Signal::KILL);
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim_matches([':', '\t']).to_owned()
        };
        let capabilities = u64::from_str_radix(&field("CapPrm"), 16).unwrap();
        (field("NoNewPrivs"), capabilities)
    };
    // Only CAP_DAC_OVERRIDE is kept.
    let (no_new_privileges, capabilities) = status("--log-level=info");
    assert_eq!(no_new_privileges, "1");
    assert_eq!(capabilities & !(1 << 1), 0);

    let (no_new_privileges, capabilities) = status("--no-sandbox");
    assert_eq!(no_new_privileges, "0");
    if capabilities == 0 {
        cannot_run("only root has capabilities to drop");
    }
}

#[test]
fn the_process_leaves_no_core_file() {
    let node = Node::with_mirror();
    let cluster = cluster();
    let hang = Fault::from(AnswerFault::HangBeforeHeaders).forever();
    cluster.server.fault(hang);
    // Use a directory in which nothing else writes one.
    let cores = |program: &str| {
        node.write("cores/keep", "");
        let script = format!(
            "ulimit -c unlimited; cd cores; exec 3<&0; {program} <&3 & sleep 1; kill -ABRT $!; wait $!; ls >&2; rm -f core*"
        );
        // Turn the sandbox off, which would prevent a core file anywhere.
        let provider = node.provider(&cluster).switch("--no-sandbox");
        let outcome = provider.pull_in_script(&script, &[], NGINX);
        outcome.stderr.contains("core")
    };
    if !cores("sleep 5") {
        cannot_run("this machine writes no core files to the working directory");
        return;
    }
    assert!(!cores("\"$PROVIDER\""));
}

#[test]
fn a_registries_conf_without_end_is_refused() {
    let node = Node::with_mirror();
    let provider = node.provider(&cluster());
    let outcome = provider.flag("--registries-conf", "/dev/zero").pull(NGINX);
    outcome.fails_with(&["/dev/zero", "16777216"]);
}

#[test]
fn a_run_without_memory_fails_with_exit_code_1() {
    let node = Node::with_mirrors(&["mirror.example"]);
    let key = format!("mirror.example/{}", "a/".repeat(450_000));
    let cluster = Cluster::with([login("large", &key, "user:hunter2")]);
    let mut failed = 0;
    for kilobytes in (2_000..40_000).step_by(2_000) {
        let script = format!("ulimit -v {kilobytes} && exec \"$PROVIDER\"");
        let outcome = node.provider(&cluster).pull_in_script(&script, &[], NGINX);
        // If the program itself does not fit, the kernel ends it, or the dynamic linker
        // exits with 127. If the program cannot allocate memory, the exit code is 1.
        match outcome.code {
            Some(0) => {}
            Some(1) => {
                failed += 1;
                assert_eq!(outcome.stdout, "", "{kilobytes}: {outcome}");
                assert!(
                    !outcome.stderr.contains("hunter2"),
                    "{kilobytes}: {outcome}"
                );
            }
            code => assert!(
                matches!(code, Some(127 | 139) | None) && failed == 0,
                "{kilobytes}: {outcome}"
            ),
        }
    }
    assert!(failed > 0, "no limit was in between");
}

#[test]
fn a_file_that_does_not_fit_into_memory_is_an_error() {
    let node = Node::with_mirror();
    let script = r#"ulimit -d 8192 && exec "$PROVIDER""#;
    let provider = node.provider(&cluster());
    let provider = provider.flag("--registries-conf", "/dev/zero");
    let outcome = provider.pull_in_script(script, &[], NGINX);
    outcome.fails_with(&["/dev/zero", "out of memory"]);
}

#[test]
fn a_named_pipe_in_place_of_a_file_is_refused() {
    let node = Node::with_mirror();
    let cluster = cluster();
    for (flag, variable) in [
        ("--registries-conf", "REGISTRIES_CONF"),
        ("--kubeconfig", "KUBECONFIG"),
        ("--certificate-authority", "CERTIFICATE_AUTHORITY"),
    ] {
        let script = format!(
            r#"[ -p fifo ] || mkfifo fifo; CRIO_CREDENTIAL_PROVIDER_{variable}=fifo exec "$PROVIDER""#
        );
        let provider = node.provider(&cluster).without(flag);
        let outcome = provider.pull_in_script(&script, &[], NGINX);
        outcome.fails_with(&["fifo", "named pipe"]);
        assert!(outcome.elapsed < Duration::from_secs(10), "{outcome}");
    }
}

#[test]
fn a_file_that_never_ends_does_not_outlast_the_deadline() {
    let node = Node::with_mirror();
    // Reading this file waits for input on a terminal without any, like reading from a
    // disk that hangs.
    let provider = node
        .provider(&cluster())
        .flag("--registries-conf", "/dev/ptmx");
    let outcome = provider.flag("--timeout", "500ms").pull(NGINX);
    assert_eq!(outcome.code, None, "ended by the alarm: {outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(outcome.elapsed < Duration::from_secs(10), "{outcome}");
}

#[test]
fn a_deadline_holds_where_its_signal_was_inherited_as_ignored_or_blocked() {
    let node = Node::with_mirror();
    let cluster = cluster();
    let provider = node.provider(&cluster).flag("--timeout", "500ms");
    // As above, reading this file never ends.
    let provider = provider.flag("--registries-conf", "/dev/ptmx");
    for (script, signal) in [
        (r#"trap '' ALRM; "$PROVIDER"; exit $?"#, Signal::KILL),
        (
            r#"env --block-signal=ALRM "$PROVIDER"; exit $?"#,
            Signal::ALARM,
        ),
    ] {
        let outcome = provider.pull_in_script(script, &[], NGINX);
        assert_eq!(outcome.code, Some(128 + signal.as_raw()), "{outcome}");
        assert!(outcome.elapsed < Duration::from_secs(15), "{outcome}");
    }
}

#[test]
fn entries_without_end_do_not_outlast_the_deadline() {
    let mirrors: Vec<_> = (0..500).map(|n| format!("m{n}.example")).collect();
    let mirrors: Vec<_> = mirrors.iter().map(String::as_str).collect();
    let node = Node::with_mirrors(&mirrors);
    let auths: serde_json::Map<_, _> = (0..10_000)
        .map(|n| (format!("*{}.example/{n}", "*".repeat(n % 20)), json!({})))
        .collect();
    let config = json!({ "auths": auths }).to_string();
    let secrets = (0..10).map(|n| Secret::docker_config_json(&format!("many-{n}"), &config));
    let cluster = Cluster::with(secrets);
    cluster
        .server
        .grant_elsewhere((NAMESPACE, ACCOUNT), "shared", "many");
    let secret = Secret::docker_config_json("many", &config);
    cluster.server.put_secret("shared", secret);
    let provider = node.provider(&cluster).flag("--timeout", "3s");
    let shared = provider.clone().flag("--secrets", "never");
    let shared = shared.flag("--shared-secret", "shared/many");
    for (provider, cause) in [
        (provider, "the Secrets of namespace \"team-a\" have"),
        (shared, "shared secret \"shared/many\" has"),
    ] {
        let before = cluster.server.requests().len();

        let outcome = provider.pull(NGINX);

        outcome.fails_with(&[cause, "more logins", "not done after 3s"]);
        outcome.never_prints(&["API server", "attempt"]);
        assert!(outcome.elapsed < Duration::from_secs(5), "{outcome}");
        assert_eq!(cluster.server.requests().len(), before + 1, "{outcome}");
        assert_eq!(node.auth_file(NGINX), None);
    }
}

#[test]
fn an_explanation_of_entries_without_end_does_not_outlast_the_deadline() {
    let mirrors: Vec<_> = (0..2_000).map(|n| format!("m{n}.example")).collect();
    let mirrors: Vec<_> = mirrors.iter().map(String::as_str).collect();
    let node = Node::with_mirrors(&mirrors);
    let provider = node.provider_without_cluster().flag("--timeout", "2s");
    // Each of them matches every mirror.
    let keys: Vec<_> = (0..2_000)
        .map(|n| format!("*.example{}", "/".repeat(n)))
        .collect();
    let logins: Vec<_> = keys.iter().map(|key| (&**key, "u:p")).collect();
    let secrets = list(&[secret("many", &docker_config(&logins))]);
    for format in ["text", "json"] {
        let image = ["explain", "nginx", "-n", NAMESPACE];
        let arguments = [&image[..], &["--secrets", "-", "-o", format]].concat();
        let outcome = provider.run_with_stdin(&arguments, secrets.as_bytes());
        outcome.fails_with(&["not done after 2s"]);
        assert!(outcome.elapsed < Duration::from_secs(4), "{outcome}");
    }
}

#[test]
fn a_timeout_beyond_kubelets_own_is_a_warning() {
    let node = Node::with_mirror();
    for (timeout, warned) in [("60s", false), ("61s", true)] {
        let outcome = node
            .provider(&cluster())
            .flag("--timeout", timeout)
            .run(b"");
        assert_eq!(outcome.stderr.contains("kubelet ends"), warned, "{outcome}");
    }
}

#[test]
fn a_resolver_that_hangs_does_not_outlast_the_deadline() {
    // An address of this machine on which no other process listens.
    let Ok(silent) = UdpSocket::bind("127.0.0.99:53") else {
        cannot_run("only root can listen on a port below 1024");
        return;
    };
    let node = Node::with_mirror();
    node.write("resolv.conf", "nameserver 127.0.0.99\n");
    let script = r#"exec unshare --mount sh -c 'mount --bind resolv.conf /etc/resolv.conf || exit 77; exec "$PROVIDER"'"#;
    let provider = node.provider(&cluster()).flag("--timeout", "3s");
    let provider = provider.flag("--api-server", "https://api.example.test:6443");
    let outcome = provider.pull_in_script(script, &[], NGINX);
    if outcome.stderr.contains("unshare") || outcome.code == Some(77) {
        cannot_run(&format!("cannot mount a private resolv.conf: {outcome}"));
        return;
    }
    outcome.fails_with(&["api.example.test", "resolve"]);
    silent.set_nonblocking(true).unwrap();
    assert!(
        silent.recv(&mut [0; 512]).is_ok(),
        "the resolver was not asked"
    );
}
