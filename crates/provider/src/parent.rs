//! The command line of the process that started this one: kubelet. And flags on a command
//! line, as kubelet and CRI-O parse them.

use std::fs::{File, read_link};
use std::path::{Path, PathBuf};

use rustix::process::getppid;
use secret::{Wiped, read_bounded};

/// The longest command line that is read: 256 KiB, twice the length that Linux allows for
/// one argument.
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
        let process = Path::new("/proc").join(getppid()?.as_raw_nonzero().to_string());
        let command_line = File::open(process.join("cmdline")).ok()?;
        Some(Self {
            command_line: read_bounded(command_line, MAX_BYTES).ok()?,
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
