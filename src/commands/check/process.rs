//! The programs that run on the node, from `/proc`. kubelet and CRI-O get their
//! configuration from their command lines and environments.
//!
//! Everything is read at once, before the sandbox is entered, in which only the command
//! line of another process can be read.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{PROC_SUPER_MAGIC, statfs};
use secret::{ReadError, read_bounded, read_file};

use crate::commands::root::Root;
use provider::auth_dir::process_started;
use provider::parent;

/// The longest command line or environment that is read.
const MAX_BYTES: usize = 256 * 1024;
/// The prefixes of the relevant variables: CRI-O's own, those of containers/image, and
/// kubelet's for proxies.
const VARIABLES: [&str; 8] = [
    "CONTAINER_",
    "CONTAINERS_REGISTRIES_CONF",
    "XDG_CONFIG_HOME=",
    "HOME=",
    "HTTPS_PROXY=",
    "https_proxy=",
    "NO_PROXY=",
    "no_proxy=",
];
/// The most processes that are inspected.
const MAX_PROCESSES: usize = 1_000_000;

/// A running program.
#[derive(Debug, Clone, Default)]
pub(super) struct Process {
    /// Its ID.
    pub(super) id: u32,
    /// Its command line, the program's name first.
    pub(super) arguments: Vec<String>,
    /// Its working directory; `None` if that cannot be seen.
    pub(super) directory: Option<PathBuf>,
    /// The path of its executable, from the kernel; `None` if that cannot be seen.
    pub(super) program: Option<PathBuf>,
    /// Its start time; `None` if that cannot be seen.
    pub(super) started: Option<SystemTime>,
    /// The relevant variables of its environment; `None` if that cannot be seen.
    variables: Option<Vec<(String, String)>>,
}

impl Process {
    /// The last component of the program's name.
    pub(super) fn name(&self) -> &str {
        // k3s appends its subcommand to its name, to hide its arguments.
        let program = self.arguments.first().map_or("", String::as_str);
        let program = program.split(' ').next().unwrap_or_default();
        program.rsplit('/').next().unwrap_or_default()
    }

    /// The value of the last flag of that name.
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        parent::flag(self.arguments.iter().map(String::as_str), name)
    }

    /// Whether the environment it was started with can be seen.
    pub(super) fn sees_environment(&self) -> bool {
        self.variables.is_some()
    }

    /// A relevant variable of the environment it was started with; also `None` if that
    /// cannot be seen.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let mut variables = self.variables.iter().flatten();
        let (_, value) = variables.find(|(known, _)| known == name)?;
        Some(value.clone())
    }

    /// A path in its command line, made absolute with its working directory.
    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        let directory = self.directory.as_deref().unwrap_or(Path::new("/"));
        directory.join(path)
    }
}

/// The programs of the node itself, in the order of their IDs. Processes in containers and
/// those that are not root's are left out, whatever their names. In a copy of a node `/proc`
/// has ordinary files.
///
/// # Errors
/// `/proc` cannot be listed.
pub(super) fn all(root: &Root) -> io::Result<Vec<Process>> {
    let proc = root.path(Path::new("/proc"));
    let first = namespace(&proc.join("1"));
    let is_kernels = statfs(&proc).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
    let mut processes = Vec::new();
    for entry in fs::read_dir(proc)?.take(MAX_PROCESSES) {
        let entry = entry?;
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let folder = entry.path();
        // The process may have ended, or be unreadable for this user.
        let Ok(command_line) = File::open(folder.join("cmdline")) else {
            continue;
        };
        let Ok(command_line) = read_bounded(command_line, MAX_BYTES) else {
            continue;
        };
        let own = namespace(&folder);
        if own.is_some() && first.is_some() && own != first {
            continue;
        }
        if is_kernels && !is_roots(root, &folder) {
            continue;
        }
        processes.push(Process {
            id,
            arguments: split(&command_line),
            directory: fs::read_link(folder.join("cwd")).ok(),
            program: fs::read_link(folder.join("exe")).ok(),
            started: File::open(folder.join("stat"))
                .ok()
                .and_then(|stat| process_started(&stat)),
            variables: variables(&folder).ok(),
        });
    }
    processes.sort_by_key(|process| process.id);
    Ok(processes)
}

/// Whether only root controls the process: it runs as root, and only root can change its
/// executable. Any user can call a program `kubelet`; one that is set-user-ID keeps the
/// real ID of its caller. The owner of the folder is not used: it is root for every
/// process that is not dumpable.
///
/// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
fn is_roots(root: &Root, folder: &Path) -> bool {
    let Ok(status) = read_file(&folder.join("status"), MAX_BYTES) else {
        return false;
    };
    let status = String::from_utf8_lossy(&status);
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let mut ids = ids.into_iter().flat_map(str::split_whitespace);
    let all_roots = ids.next().is_some_and(|id| id == "0") && ids.all(|id| id == "0");
    all_roots && fs::read_link(folder.join("exe")).is_ok_and(|program| is_safe(root, &program))
}

/// Whether only root can replace the file, or, if an update has removed it, only root
/// could have created it.
fn is_safe(root: &Root, program: &Path) -> bool {
    let removed = program
        .to_str()
        .and_then(|name| name.strip_suffix(" (deleted)"));
    let file = removed.map_or(program, Path::new);
    let exists = |part: &Path| root.path(part).exists();
    let judged = match removed {
        Some(_) if !exists(file) => file.ancestors().find(|part| exists(part)),
        _ => Some(file),
    };
    judged.is_some_and(|judged| matches!(root.loophole(judged), Ok(None)))
}

/// Its mount namespace: a container has another one than the node.
fn namespace(folder: &Path) -> Option<PathBuf> {
    fs::read_link(folder.join("ns/mnt")).ok()
}

fn variables(folder: &Path) -> Result<Vec<(String, String)>, ReadError> {
    let environment = read_bounded(File::open(folder.join("environ"))?, MAX_BYTES)?;
    let entries = environment.split(|&byte| byte == 0);
    let matters = |entry: &&[u8]| {
        let mut names = VARIABLES.iter();
        names.any(|name| entry.starts_with(name.as_bytes()))
    };
    let ours = entries.filter(matters);
    let pairs = ours.filter_map(|entry| {
        let entry = String::from_utf8_lossy(entry);
        let (name, value) = entry.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Ok(pairs.collect())
}

fn split(command_line: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(command_line);
    let text = text.trim_end_matches('\0');
    text.split('\0').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn process(command_line: &str) -> Process {
        Process {
            arguments: split(command_line.as_bytes()),
            ..Process::default()
        }
    }

    #[test]
    fn names_are_those_of_the_programs() {
        for (command_line, expected) in [
            ("/usr/bin/kubelet\0--config=/x\0", "kubelet"),
            ("/usr/local/bin/k3s agent\0\0\0\0", "k3s"),
            ("sh\0-c\0kubelet\0", "sh"),
            ("", ""),
        ] {
            assert_eq!(process(command_line).name(), expected, "{command_line:?}");
        }
    }

    #[test]
    fn processes_in_containers_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        for (id, namespace) in [("1", "node"), ("20", "container"), ("30", "node")] {
            let folder = directory.path().join("proc").join(id);
            fs::create_dir_all(folder.join("ns")).unwrap();
            symlink(namespace, folder.join("ns/mnt")).unwrap();
            let mut file = File::create(folder.join("cmdline")).unwrap();
            file.write_all(b"/usr/bin/kubelet\0").unwrap();
        }
        let found = all(&Root::new(directory.path().to_owned())).unwrap();
        let ids: Vec<_> = found.iter().map(|process| process.id).collect();
        assert_eq!(ids, [1, 30]);
    }

    #[test]
    fn a_process_needs_the_user_ids_of_root_and_an_executable_of_root() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
        let root = Root::new(base.to_owned());
        for (path, mode) in [("safe", 0o755), ("shared", 0o777)] {
            fs::create_dir(base.join(path)).unwrap();
            File::create(base.join(path).join("kubelet")).unwrap();
            for path in [path.to_owned(), format!("{path}/kubelet")] {
                let mode = fs::Permissions::from_mode(mode);
                fs::set_permissions(base.join(path), mode).unwrap();
            }
        }
        fs::set_permissions(base, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, ids, program, expected) in [
            ("root", "0\t0\t0\t0", "/safe/kubelet", true),
            ("updated", "0\t0\t0\t0", "/safe/old (deleted)", true),
            ("user", "1000\t1000\t1000\t1000", "/safe/kubelet", false),
            ("set-user-ID", "1000\t0\t0\t0", "/safe/kubelet", false),
            ("dropped", "0\t1000\t0\t0", "/safe/kubelet", false),
            ("no IDs", "", "/safe/kubelet", false),
            ("replaceable", "0\t0\t0\t0", "/shared/kubelet", false),
            ("replaced", "0\t0\t0\t0", "/shared/old (deleted)", false),
            ("missing", "0\t0\t0\t0", "/safe/other", false),
        ] {
            let folder = base.join("proc").join(name);
            fs::create_dir_all(&folder).unwrap();
            let status = format!("Name:\tkubelet\nUid:\t{ids}\nGid:\t0\n");
            let mut file = File::create(folder.join("status")).unwrap();
            file.write_all(status.as_bytes()).unwrap();
            symlink(program, folder.join("exe")).unwrap();
            assert_eq!(is_roots(&root, &folder), expected, "{name}");
        }
        let nowhere = base.join("proc/ended");
        assert!(!is_roots(&root, &nowhere));
    }
}
