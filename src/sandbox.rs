//! Gives up what the process does not need, with Landlock, as far as the kernel
//! knows it.
//!
//! In two steps, since what may be read is only known once the API server is:
//!
//! 1. after the flags: nothing is executed any more, and nothing is written but
//!    below the auth directory;
//! 2. before the first byte from the network: nothing is read but the auth directory,
//!    kubelet's records of pulls and what resolves names, no TCP port is connected to
//!    but the API server's (or the proxy's in front of it) and DNS, and root's
//!    capabilities are dropped.
//!
//! Landlock knows files by their inodes, so a file that is replaced by rename cannot be
//! read any more. Whatever a run reads of the node's files is therefore read before the
//! second step; of what names are resolved with, see [`resolver_directory`].
//!
//! Both hold for the calling thread and those it starts, and cannot be undone.
//! `no_new_privs` comes with them. Best effort: an older kernel enforces less.
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

/// Files, TCP ports, scopes: what kernel 6.12 knows. Later kernels take it too.
const KNOWN: ABI = ABI::V6;
/// TCP, for answers that do not fit into UDP.
const DNS: u16 = 53;

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What every C library reads to resolve a name, links included.
const RESOLVER: [&str; 3] = [RESOLV_CONF, "/etc/hosts", "/run/systemd/resolve"];

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

/// The second step, as the settings have it, for login sources that need this.
pub fn close(settings: &Settings, needs: impl IntoIterator<Item = Needs>) {
    if settings.sandbox {
        let ports: Vec<u16> = needs.into_iter().flat_map(|needs| needs.ports).collect();
        let intents = settings.pull_intents_dir.as_deref();
        restrict_reads_and_ports(intents.as_slice(), &settings.auth_dir, &ports);
        drop_capabilities();
    }
}

/// The second step: nothing is read but below `directories`, in the auth directory and
/// what resolves names, and nothing is connected to but `ports` and DNS.
pub fn restrict_reads_and_ports(directories: &[&Path], auth_dir: &Path, ports: &[u16]) {
    let confined = try_restrict_reads_and_ports(directories, auth_dir, ports);
    report("reads and ports", confined);
}

/// With the second step: the capabilities of root, but for that which reads and writes
/// files whatever their modes, as Landlock confines it already. What Landlock does not
/// know, such as raw sockets, modules, mounts or tracing, needs one of the others.
///
/// Not a seccomp filter: `seccompiler` does not know s390x and ppc64le, and a list of
/// system calls would have to follow each libc, on pain of failed pulls.
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
/// `/run/NetworkManager`: the file may be replaced by rename during a run. Not that of a
/// plain `/etc/resolv.conf`: all of `/etc` would be readable then, keys and hashed
/// passwords included, for the sake of a run that meets the moment of a change, and that
/// kubelet tries again.
fn resolver_directory(resolv_conf: &Path) -> Option<PathBuf> {
    let target = fs::canonicalize(resolv_conf).ok()?;
    let directory = target.parent()?;
    let holder = fs::canonicalize(resolv_conf.parent()?).ok()?;
    let is_apart = !holder.starts_with(directory) && !directory.starts_with(holder);
    is_apart.then(|| directory.to_owned())
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
