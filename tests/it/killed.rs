//! Runs that are ended from outside, or that run at the same time: CRI-O sees no file,
//! the old one, or the whole new one, and never a part.

#![expect(clippy::disallowed_methods, reason = "reads what a run has left")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use test_cluster::{AnswerFault, Fault};

use crate::support::{Cluster, NGINX, Node, base64, login, owned};

/// The number of runs that are ended, at moments spread evenly over a run.
const TIMES: u32 = 500;

fn cluster() -> Cluster {
    Cluster::with([login("new", "mirror.example", "new:password")])
}

fn whole_new_file() -> Value {
    json!({"auths": {"mirror.example/library/nginx": {"auth": base64("new:password")}}})
}

/// Ends runs at every moment by one of the signals, and calls `check` each time with the
/// auth file and the names in its directory. Every other run begins with an old file.
fn end_at_every_moment(
    signals: &[Signal],
    mut check: impl FnMut(&Node, ExitStatus, Option<Value>),
) {
    let cluster = cluster();
    let node = Node::with_mirror();
    let provider = node.provider(&cluster);
    // The ends are spread over the duration of the slowest of three runs.
    let whole = (0..3)
        .map(|_| {
            node.remove_auth_file(NGINX);
            provider.pull(NGINX).elapsed
        })
        .max()
        .unwrap_or_default();
    for (time, &signal) in (0..TIMES).zip(signals.iter().cycle()) {
        if time % 2 == 0 {
            node.leave_auth_file(NGINX);
        } else {
            node.remove_auth_file(NGINX);
        }
        let mut run = provider.begin(NGINX);
        thread::sleep(whole.mul_f64(f64::from(time) / f64::from(TIMES)));
        run.signal(signal);
        let status = run.wait();
        assert!(
            status.signal() == Some(signal.as_raw()) || matches!(status.code(), Some(0 | 1)),
            "{status:?}"
        );
        check(&node, status, node.auth_file(NGINX));
        node.remove_temporary_files();
    }
}

#[test]
fn a_killed_run_leaves_the_old_file_or_the_whole_new_one() {
    let mut seen = [0; 3];
    end_at_every_moment(&[Signal::KILL], |_node, _status, found| {
        let kind = match found {
            None => 0,
            Some(file) if file == Node::earlier_auth_file() => 1,
            Some(file) => {
                assert_eq!(file, whole_new_file());
                2
            }
        };
        seen[kind] += 1;
    });
    // The moments were spread over the whole run, not all before or after it.
    assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
}

#[test]
fn a_terminated_run_leaves_no_temporary_file_and_no_login_without_a_response() {
    // Their number is odd, so each signal is tried with and without an old file.
    let signals = [
        Signal::TERM,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
        Signal::XCPU,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::POWER,
    ];
    end_at_every_moment(&signals, |node, status, found| {
        let names = node.auth_dir_names();
        assert_eq!(names.len(), usize::from(found.is_some()), "{names:?}");
        let answered = status.code() == Some(0);
        assert_eq!(found == Some(whole_new_file()), answered, "{status:?}");
    });
}

#[test]
fn sixty_four_runs_at_once_leave_whole_files() {
    let cluster = cluster();
    let node = Node::with_mirror();
    let provider = node.provider(&cluster).flag("--timeout", "45s");
    thread::scope(|scope| {
        for run in 0..64 {
            let provider = &provider;
            // Half of them for one image, the others each for its own.
            let image = match run % 2 {
                0 => NGINX.to_owned(),
                _ => format!("docker.io/library/app-{run}"),
            };
            scope.spawn(move || provider.pull(&image).answers(&owned(&image)));
        }
    });
    assert_eq!(node.auth_file(NGINX), Some(whole_new_file()));
    assert_eq!(node.auth_dir_names().len(), 33);
}

#[test]
fn a_signal_ends_a_run_that_waits() {
    let cluster = cluster();
    let node = Node::with_mirror();
    let hang = Fault::from(AnswerFault::HangBeforeHeaders).forever();
    cluster.server.fault(hang);
    let waiting = || !cluster.server.requests().is_empty();
    let provider = node.provider(&cluster);
    let outcome = provider.pull_until(NGINX, waiting, Signal::TERM);
    assert_eq!(outcome.code, None, "ended by the signal: {outcome}");
    assert_eq!(outcome.stdout, "", "{outcome}");
    assert!(outcome.elapsed < Duration::from_secs(10), "{outcome}");
}

#[test]
fn a_terminated_config_leaves_kubelets_file_whole_and_no_temporary_file() {
    const PROGRAM: &str = env!("CARGO_BIN_EXE_crio-credential-provider");
    const NAMES: [&str; 2] = ["kubelet.yaml", "kubelet.yaml.bak"];
    const BEFORE: &str =
        "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders: []\n";
    let node = Node::with_mirror();
    let mut written = 0;
    for time in 0..100_u32 {
        node.write("k/kubelet.yaml", BEFORE);
        let mut run = Command::new(PROGRAM)
            .args([
                "config",
                "--config-file=",
                "--audience=a",
                "--registries-conf",
            ])
            .arg(node.path("etc/containers/registries.conf"))
            .arg("--write")
            .arg(node.path("k/kubelet.yaml"))
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_micros(500) * time);
        let child = Pid::from_child(&run);
        kill_process(child, Signal::TERM).unwrap();
        run.wait().unwrap();

        let names = fs::read_dir(node.path("k")).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.all(|name| NAMES.contains(&name.as_str())), "{time}");
        let after = fs::read_to_string(node.path("k/kubelet.yaml")).unwrap();
        let is_whole = after.contains("name: crio-credential-provider") && after.ends_with('\n');
        assert!(after == BEFORE || is_whole, "{time}: {after}");
        written += usize::from(after != BEFORE);
        fs::remove_dir_all(node.path("k")).unwrap();
    }
    assert!(written > 0, "every run was ended before it wrote");
    assert!(written < 100, "every run wrote before it was ended");
}
