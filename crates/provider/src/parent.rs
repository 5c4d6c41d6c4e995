//! The command line and the environment of the process that started this one: kubelet. And
//! flags on a command line, as kubelet and CRI-O parse them.

use std::ffi::OsStr;
use std::fs::{File, read_link};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::getppid;
use secret::{Wiped, read_bounded};

/// The longest command line or environment that is read: 256 KiB, twice the length that
/// Linux allows for one argument.
const MAX_BYTES: usize = 256 * 1024;

/// The parent process.
#[derive(Debug)]
pub(crate) struct Parent {
    process: PathBuf,
    command_line: Wiped<Vec<u8>>,
}

impl Parent {
    /// Reads the command line.
    ///
    /// Must be called before the sandbox is entered, in which the working directory of
    /// another process cannot be read.
    pub(crate) fn read() -> Option<Self> {
        let process = process()?;
        Some(Self {
            command_line: read(&process.join("cmdline"))?,
            process,
        })
    }

    /// The path that a flag names.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        let command_line = String::from_utf8_lossy(&self.command_line);
        let path = PathBuf::from(flag(command_line.split('\0'), name)?);
        if path.is_absolute() {
            return Some(path);
        }
        Some(read_link(self.process.join("cwd")).ok()?.join(path))
    }
}

/// The environment with which the parent process was started.
#[derive(Debug)]
pub(crate) struct Environment(Wiped<Vec<u8>>);

impl Environment {
    /// Reads it; `None` without the right to.
    pub(crate) fn read() -> Option<Self> {
        Some(Self(read(&process()?.join("environ"))?))
    }

    /// The value of a variable: of several the first, as in Go.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        let mut variables = self.0.split(|&byte| byte == 0);
        variables.find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsStr::from_bytes(value))
        })
    }
}

/// The directory of the parent process in `/proc`.
fn process() -> Option<PathBuf> {
    Some(Path::new("/proc").join(getppid()?.as_raw_nonzero().to_string()))
}

fn read(path: &Path) -> Option<Wiped<Vec<u8>>> {
    read_bounded(File::open(path).ok()?, MAX_BYTES).ok()
}

/// The value of the last `--FLAG VALUE` or `--FLAG=VALUE`, as pflag parses it.
pub fn flag<'a>(arguments: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let mut arguments = arguments.into_iter();
    let mut last = None;
    while let Some(argument) = arguments.next() {
        let Some(rest) = argument
            .strip_prefix("--")
            .and_then(|rest| rest.strip_prefix(name))
        else {
            continue;
        };
        if rest.is_empty() {
            last = arguments.next();
        } else if let Some(value) = rest.strip_prefix('=') {
            last = Some(value);
        }
    }
    last.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_of_a_name_counts() {
        let environment = Environment(Wiped::new(b"AB=1\0A=2\0A=3\0EMPTY=\0X".to_vec()));
        for (name, expected) in [
            ("A", Some("2")),
            ("AB", Some("1")),
            ("EMPTY", Some("")),
            ("X", None),
            ("B", None),
        ] {
            assert_eq!(environment.get(name), expected.map(OsStr::new), "{name}");
        }
    }

    #[test]
    fn the_last_flag_of_a_name_counts() {
        for (command_line, expected) in [
            ("/usr/bin/kubelet\0--kubeconfig\0/a\0", Some("/a")),
            ("kubelet\0--kubeconfig=/a\0--kubeconfig=/b\0", Some("/b")),
            ("kubelet\0--config=/x\0", None),
            ("kubelet\0--kubeconfig=\0", None),
            ("kubelet\0--kubeconfig", None),
            ("sh\0-c\0kubelet --kubeconfig=/a\0", None),
            ("kubelet\0--bootstrap-kubeconfig=/a\0", None),
            ("kubelet\0--kubeconfigs=/a\0", None),
            ("kubelet\0-kubeconfig=/a\0", None),
        ] {
            let found = flag(command_line.split('\0'), "kubeconfig");
            assert_eq!(found, expected, "{command_line:?}");
        }
    }
}
