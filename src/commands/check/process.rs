//! The programs that run on the node, as `/proc` has them: kubelet and CRI-O know
//! their configuration from their command lines and environments.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::root::Root;
use crate::secret::read_bounded;

/// The longest command line or environment that is read.
const MAX_BYTES: usize = 256 * 1024;
/// The most processes that are looked at.
const MAX_PROCESSES: usize = 1_000_000;

/// A running program.
#[derive(Debug, Clone, Default)]
pub(super) struct Process {
    /// Its number.
    pub(super) id: u32,
    /// Its command line, the program's name first.
    pub(super) arguments: Vec<String>,
    /// Where it was started; `None` where that cannot be seen.
    pub(super) directory: Option<PathBuf>,
    /// Its folder in `/proc`.
    folder: PathBuf,
}

impl Process {
    /// The last part of the program's name.
    pub(super) fn name(&self) -> &str {
        // k3s writes its subcommand behind its name, to hide its arguments.
        let program = self.arguments.first().map_or("", String::as_str);
        let program = program.split(' ').next().unwrap_or_default();
        program.rsplit('/').next().unwrap_or_default()
    }

    /// The value of the last flag of that name, `--name value` or `--name=value`.
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        flag(&self.arguments, name)
    }

    /// A variable of the environment it was started with; `None` also where that
    /// cannot be read.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let file = File::open(self.folder.join("environ")).ok()?;
        let environment = read_bounded(file, MAX_BYTES).ok()?;
        let mut entries = environment.split(|&byte| byte == 0);
        let value = entries.find_map(|entry| {
            let value = entry.strip_prefix(name.as_bytes())?;
            value.strip_prefix(b"=")
        })?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// A path of its command line: relative ones are relative to where it was started.
    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        let directory = self.directory.as_deref().unwrap_or(Path::new("/"));
        directory.join(path)
    }

    /// The program's file, as the kernel has it.
    pub(super) fn program(&self) -> io::Result<PathBuf> {
        fs::read_link(self.folder.join("exe"))
    }
}

/// The value of the last flag of that name, as pflag takes it.
pub(super) fn flag<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let mut last = None;
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let Some(rest) = argument
            .strip_prefix("--")
            .and_then(|rest| rest.strip_prefix(name))
        else {
            continue;
        };
        if rest.is_empty() {
            last = arguments.next().map(String::as_str);
        } else if let Some(value) = rest.strip_prefix('=') {
            last = Some(value);
        }
    }
    last.filter(|value| !value.is_empty())
}

/// The programs of the node itself, in the order of their numbers. What runs in a
/// container is left out, whatever it calls itself.
///
/// # Errors
/// `/proc` cannot be listed.
pub(super) fn all(root: &Root) -> io::Result<Vec<Process>> {
    let proc = root.path(Path::new("/proc"));
    let first = namespace(&proc.join("1"));
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
        // It may have ended, or be none of our business.
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
        let directory = fs::read_link(folder.join("cwd")).ok();
        processes.push(Process {
            id,
            arguments: split(&command_line),
            directory,
            folder,
        });
    }
    processes.sort_by_key(|process| process.id);
    Ok(processes)
}

/// Which files it sees: a container sees others than the node.
fn namespace(folder: &Path) -> Option<PathBuf> {
    fs::read_link(folder.join("ns/mnt")).ok()
}

fn split(command_line: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(command_line);
    let text = text.trim_end_matches('\0');
    text.split('\0').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
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
    fn the_last_flag_counts() {
        for (command_line, expected) in [
            ("kubelet\0--dir\0/a\0", Some("/a")),
            ("kubelet\0--dir=/a\0--dir=/b\0", Some("/b")),
            ("kubelet\0--dirs=/a\0", None),
            ("kubelet\0--dir\0", None),
            ("kubelet\0--dir=\0", None),
            ("kubelet\0-dir=/a\0", None),
        ] {
            assert_eq!(
                process(command_line).flag("dir"),
                expected,
                "{command_line:?}"
            );
        }
    }
}
