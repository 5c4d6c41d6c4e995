//! Gives up access that the process does not need, with Landlock, as far as the kernel
//! supports it.
//!
//! There are two steps, since what a run must read is known only when the API server has
//! been found:
//!
//! 1. after the flags, or once the node's providers have been started: no program can be
//!    executed, and files can be written only below the auth directory, and, while one of
//!    these providers runs, where answers are kept;
//! 2. before the first byte from the network: the process can read only the auth directory,
//!    kubelet's records of pulls and what resolves names, and connect only to the API
//!    server's TCP port (or that of the proxy in front of it) and DNS. root's capabilities
//!    are dropped.
//!
//! Landlock identifies files by inode, so a file that is replaced by rename cannot be read
//! any more. A run therefore reads the node's files before the second step; for the files
//! that resolve names, see [`resolver_directory`].
//!
//! Both steps apply to the calling thread and those that it starts, and cannot be undone.
//! They set `no_new_privs`. An older kernel enforces less.
//!
//! <https://docs.kernel.org/userspace-api/landlock.html>

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tracing::{debug, warn};

use crate::logins::Needs;
use crate::settings::Settings;

/// Files, TCP ports and scopes, as of kernel 6.12. Later kernels accept it too.
const KNOWN: ABI = ABI::V6;
/// TCP, for responses that do not fit into UDP.
const DNS: u16 = 53;

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What every C library reads to resolve a name, with the targets of links.
const RESOLVER: [&str; 3] = [RESOLV_CONF, "/etc/hosts", "/run/systemd/resolve"];

/// What glibc also reads: its settings and its name service modules.
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

/// The first step, unless the settings turn the sandbox off, for login sources with these
/// needs.
pub fn enter(settings: &Settings, needs: &Needs) {
    if settings.sandbox {
        let directories = needs.directories.iter().map(PathBuf::as_path);
        let directories: Vec<&Path> = directories.chain([settings.auth_dir.as_path()]).collect();
        restrict_writes(&directories);
    }
}

/// The first step: no program can be started, and files can be written only below
/// these directories, or, if one is missing, below its nearest existing parent.
pub fn restrict_writes(directories: &[&Path]) {
    let handled = AccessFs::from_write(KNOWN) | AccessFs::Execute;
    report("writes", try_restrict_writes(directories, handled));
}

/// For commands that only read: nothing can be written at all, not even by programs that
/// are started, as `check` starts kubelet for its version.
pub fn forbid_writes() {
    let handled = AccessFs::from_write(KNOWN);
    report("writes", try_restrict_writes(&[], handled));
}

/// The second step, unless the settings turn the sandbox off, for login sources with
/// these needs.
pub fn close(settings: &Settings, needs: impl IntoIterator<Item = Needs>) {
    if settings.sandbox {
        let ports: Vec<u16> = needs.into_iter().flat_map(|needs| needs.ports).collect();
        let intents = settings.pull_intents_dir.as_deref();
        restrict_reads_and_ports(intents.as_slice(), &settings.auth_dir, &ports);
        drop_capabilities();
    }
}

/// The second step: reads only below `directories`, in the auth directory and what
/// resolves names; connections only to `ports` and DNS.
pub fn restrict_reads_and_ports(directories: &[&Path], auth_dir: &Path, ports: &[u16]) {
    let confined = try_restrict_reads_and_ports(directories, auth_dir, ports);
    report("reads and ports", confined);
}

/// Part of the second step: drops root's capabilities, except the one that reads and
/// writes files whatever their mode, since Landlock confines that. What Landlock does not
/// cover, such as raw sockets, modules, mounts and tracing, needs one of the others.
///
/// There is no seccomp filter: `seccompiler` does not support s390x and ppc64le, and a
/// list of system calls would have to follow each libc; a missing one would fail pulls.
pub fn drop_capabilities() {
    let dropped = capabilities(None).and_then(|mut sets| {
        sets.permitted &= CapabilitySet::DAC_OVERRIDE;
        sets.effective &= sets.permitted;
        sets.inheritable = CapabilitySet::empty();
        set_capabilities(None, sets)
    });
    if let Err(errno) = dropped {
        warn!("sandbox: capabilities are kept: {errno}");
    }
}

/// Logs the result. A pull must not fail because the kernel, or a seccomp filter,
/// refuses.
fn report(step: &str, confined: Result<RulesetStatus, RulesetError>) {
    match confined {
        Ok(RulesetStatus::FullyEnforced) => debug!(step, "sandbox: fully enforced"),
        Ok(RulesetStatus::PartiallyEnforced) => {
            debug!(step, "sandbox: enforced as far as this kernel supports it");
        }
        Ok(RulesetStatus::NotEnforced) => debug!(step, "sandbox: not supported by this kernel"),
        Err(error) => {
            let error = anyhow::Error::new(error);
            warn!(step, "sandbox: not enforced: {error:#}");
        }
    }
}

fn try_restrict_writes(
    directories: &[&Path],
    handled: BitFlags<AccessFs>,
) -> Result<RulesetStatus, RulesetError> {
    let writes = AccessFs::from_write(KNOWN);
    let nearest = |path: &&Path| {
        path.ancestors()
            .find(|path| path.exists())
            .map(Path::to_owned)
    };
    let status = Ruleset::default()
        .handle_access(handled)?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(beneath(directories.iter().filter_map(nearest), writes))?
        .restrict_self()?;
    Ok(status.ruleset)
}

fn try_restrict_reads_and_ports(
    directories: &[&Path],
    auth_dir: &Path,
    ports: &[u16],
) -> Result<RulesetStatus, RulesetError> {
    let reads = AccessFs::ReadFile | AccessFs::ReadDir;
    let resolver = RESOLVER.iter().chain(NAME_SERVICES).map(Path::new);
    let auth_dir = auth_dir.ancestors().find(|path| path.exists());
    let resolver_directory = resolver_directory(Path::new(RESOLV_CONF));
    let readable = directories
        .iter()
        .copied()
        .chain(resolver)
        .chain(resolver_directory.as_deref())
        .chain(auth_dir);
    let ports = ports.iter().copied().chain([DNS]);
    let ports = ports.map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp)));
    let status = Ruleset::default()
        .handle_access(reads)?
        .handle_access(AccessNet::from_all(ABI::V4))?
        .create()?
        .add_rules(beneath(readable, reads))?
        .add_rules(ports)?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// The directory of the file that a linked resolv.conf leads to, such as
/// `/run/NetworkManager`: the file may be replaced by rename during a run. Not the
/// directory of a plain `/etc/resolv.conf`: all of `/etc` with its keys and hashed
/// passwords would be readable, which is too much for the few runs at the moment of a
/// change; kubelet retries these.
fn resolver_directory(resolv_conf: &Path) -> Option<PathBuf> {
    let target = fs::canonicalize(resolv_conf).ok()?;
    let directory = target.parent()?;
    let holder = fs::canonicalize(resolv_conf.parent()?).ok()?;
    let is_apart = !holder.starts_with(directory) && !directory.starts_with(holder);
    is_apart.then(|| directory.to_owned())
}

/// A rule for each path that exists; a file accepts no rights of directories.
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
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_directory_of_a_linked_resolv_conf_is_readable_and_no_other() {
        let root = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(root.path()).unwrap();
        for directory in ["etc/sub", "run/manager"] {
            fs::create_dir_all(base.join(directory)).unwrap();
        }
        for file in ["etc/plain", "etc/sub/conf", "run/manager/conf", "top"] {
            fs::File::create(base.join(file)).unwrap();
        }
        for (link, target) in [
            ("etc/to-run", "../run/manager/conf"),
            ("etc/to-link", "to-run"),
            ("etc/to-plain", "plain"),
            ("etc/to-sub", "sub/conf"),
            ("etc/to-top", "../top"),
            ("etc/to-nothing", "../run/nothing"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        let manager = Some(base.join("run/manager"));
        for (name, expected) in [
            ("etc/to-run", &manager),
            ("etc/to-link", &manager),
            ("etc/plain", &None),
            ("etc/to-plain", &None),
            ("etc/to-sub", &None),
            ("etc/to-top", &None),
            ("etc/to-nothing", &None),
            ("etc/missing", &None),
        ] {
            assert_eq!(resolver_directory(&base.join(name)), *expected, "{name}");
        }
    }
}
