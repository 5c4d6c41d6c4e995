//! Gives up what the process does not need, with Landlock, as far as the kernel
//! knows it (SPEC section 9).
//!
//! In two steps, since what may be read is only known once the API server is:
//!
//! 1. after the flags: nothing is executed any more, and nothing is written but
//!    below the auth directory;
//! 2. before the first byte from the network: nothing is read but the global auth
//!    files and what resolves names, and no TCP port is connected to but the API
//!    server's (or the proxy's in front of it) and DNS.
//!
//! Both hold for the calling thread and those it starts, and cannot be undone.
//! `no_new_privs` comes with them. Best effort: an older kernel enforces less.
//!
//! <https://docs.kernel.org/userspace-api/landlock.html>

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use tracing::{debug, warn};

/// Files, TCP ports, scopes: what kernel 6.12 knows. Later kernels take it too.
const KNOWN: ABI = ABI::V6;
/// TCP, for answers that do not fit into UDP.
const DNS: u16 = 53;

/// What every C library reads to resolve a name, links included, and the root
/// certificates for an `https://` proxy.
const RESOLVER: [&str; 7] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/run/systemd/resolve",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/usr/share/ca-certificates",
];

/// What glibc reads beside that: its settings and its name service modules.
#[cfg(target_env = "gnu")]
const NAME_SERVICES: &[&str] = &[
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
];
#[cfg(not(target_env = "gnu"))]
const NAME_SERVICES: &[&str] = &[];

/// The first step: no program is started, nothing is written but below
/// `auth_dir`, or, where that is missing, below its nearest parent that is there.
pub fn restrict_writes(auth_dir: &Path) {
    let writes = AccessFs::from_write(KNOWN);
    report(
        "writes",
        try_restrict_writes(Some(auth_dir), writes | AccessFs::Execute),
    );
}

/// For what only looks: nothing is written at all, also by programs that are
/// started, as `check` starts kubelet to ask for its version.
pub fn forbid_writes() {
    report(
        "writes",
        try_restrict_writes(None, AccessFs::from_write(KNOWN)),
    );
}

/// The second step: nothing is read but `files`, the auth directory and what
/// resolves names, and nothing is connected to but `port` and DNS.
pub fn restrict_reads_and_ports(files: &[&Path], auth_dir: &Path, port: u16) {
    let confined = try_restrict_reads_and_ports(files, auth_dir, port);
    report("reads and ports", confined);
}

/// A kernel or a seccomp filter that refuses is no reason not to pull.
fn report(step: &str, confined: Result<RulesetStatus, RulesetError>) {
    match confined {
        Ok(RulesetStatus::FullyEnforced) => debug!(step, "sandbox: fully enforced"),
        Ok(RulesetStatus::PartiallyEnforced) => debug!(step, "sandbox: as far as this kernel can"),
        Ok(RulesetStatus::NotEnforced) => debug!(step, "sandbox: not known to this kernel"),
        Err(error) => {
            let error = anyhow::Error::new(error);
            warn!(step, "sandbox: not enforced: {error:#}");
        }
    }
}

fn try_restrict_writes(
    auth_dir: Option<&Path>,
    handled: BitFlags<AccessFs>,
) -> Result<RulesetStatus, RulesetError> {
    let writes = AccessFs::from_write(KNOWN);
    let nearest = |path: &Path| {
        path.ancestors()
            .find(|path| path.exists())
            .map(Path::to_owned)
    };
    let status = Ruleset::default()
        .handle_access(handled)?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(beneath(auth_dir.and_then(nearest), writes))?
        .restrict_self()?;
    Ok(status.ruleset)
}

fn try_restrict_reads_and_ports(
    files: &[&Path],
    auth_dir: &Path,
    port: u16,
) -> Result<RulesetStatus, RulesetError> {
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    let resolver = RESOLVER.iter().chain(NAME_SERVICES).map(Path::new);
    let auth_dir = auth_dir.ancestors().find(|path| path.exists());
    let readable = files.iter().copied().chain(resolver).chain(auth_dir);
    let status = Ruleset::default()
        .handle_access(reads)?
        .handle_access(AccessNet::from_all(ABI::V4))?
        .create()?
        .add_rules(beneath(readable, reads))?
        .add_rule(NetPort::new(port, AccessNet::ConnectTcp))?
        .add_rule(NetPort::new(DNS, AccessNet::ConnectTcp))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// A rule for each path that is there; a file takes no rights of directories.
fn beneath(
    paths: impl IntoIterator<Item: AsRef<Path>>,
    access: BitFlags<AccessFs>,
) -> impl Iterator<Item = Result<PathBeneath<PathFd>, RulesetError>> {
    let of_files = AccessFs::from_file(KNOWN);
    paths.into_iter().filter_map(move |path| {
        let path = path.as_ref();
        let access = if path.is_dir() {
            access
        } else {
            access & of_files
        };
        let handle = PathFd::new(path).ok()?;
        Some(Ok(PathBeneath::new(handle, access)))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tries what is forbidden")]

    use std::fs;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;
    use std::thread;

    use super::*;

    /// Landlock holds for a thread, so each test has one of its own.
    fn confined(test: impl FnOnce() + Send) {
        thread::scope(|scope| scope.spawn(test).join()).unwrap();
    }

    fn denied<T>(result: std::io::Result<T>) -> bool {
        result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    }

    /// Whether the kernel here enforces anything; without that nothing can be seen.
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
            eprintln!("skipped: this kernel does not enforce Landlock");
        }
        enforced
    }

    #[test]
    fn nothing_is_written_but_below_the_auth_directory() {
        let root = tempfile::tempdir().unwrap();
        let auth_dir = root.path().join("auth");
        fs::create_dir(&auth_dir).unwrap();
        fs::write(root.path().join("other"), "kept").unwrap();
        if !supported() {
            return;
        }
        confined(|| {
            restrict_writes(&auth_dir);
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
    fn nothing_at_all_is_written_by_what_only_looks() {
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
            restrict_writes(&auth_dir);
            restrict_reads_and_ports(&[], &auth_dir, 6443);
            fs::create_dir_all(&auth_dir).unwrap();
            fs::write(auth_dir.join("new"), "x").unwrap();
        });
    }

    #[test]
    fn nothing_is_read_but_what_is_needed() {
        let root = tempfile::tempdir().unwrap();
        let auth_dir = root.path().join("auth");
        fs::create_dir(&auth_dir).unwrap();
        let (global, other) = (root.path().join("global.json"), root.path().join("other"));
        fs::write(&global, "{}").unwrap();
        fs::write(&other, "secret").unwrap();
        if !supported() {
            return;
        }
        confined(|| {
            let missing = root.path().join("missing.json");
            restrict_reads_and_ports(&[&global, &missing], &auth_dir, 6443);
            assert_eq!(fs::read_to_string(&global).unwrap(), "{}");
            assert!(fs::read_dir(&auth_dir).is_ok());
            assert!(denied(fs::read_to_string(&other)));
            assert!(denied(fs::read_to_string("/etc/passwd")));
            assert!(denied(fs::read_dir(root.path())));
        });
    }

    #[test]
    fn nothing_is_connected_to_but_the_api_server() {
        let [api, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [api, other] = [&api, &other].map(|listener| listener.local_addr().unwrap());
        if !supported() {
            return;
        }
        confined(|| {
            restrict_reads_and_ports(&[], Path::new("/nowhere"), api.port());
            assert!(TcpStream::connect(api).is_ok());
            // Before kernel 6.7 Landlock knew no ports.
            assert!(denied(TcpStream::connect(other)) || !knows_ports());
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
}
