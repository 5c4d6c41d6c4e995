//! The command line of the process that started this one: kubelet.

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
    pub(crate) fn path(&self, flag: &str) -> Option<PathBuf> {
        let path = value(&self.command_line, flag)?;
        if path.is_absolute() {
            return Some(path);
        }
        Some(read_link(self.process.join("cwd")).ok()?.join(path))
    }
}

/// The value of the last `--FLAG`, as pflag parses it.
fn value(command_line: &[u8], flag: &str) -> Option<PathBuf> {
    let mut arguments = command_line
        .split(|&byte| byte == 0)
        .map(String::from_utf8_lossy);
    let mut last = None;
    while let Some(argument) = arguments.next() {
        let Some(rest) = argument
            .strip_prefix("--")
            .and_then(|name| name.strip_prefix(flag))
        else {
            continue;
        };
        if rest.is_empty() {
            last = arguments.next();
        } else if let Some(value) = rest.strip_prefix('=') {
            last = Some(value.to_owned().into());
        }
    }
    last.filter(|path| !path.is_empty())
        .map(|path| PathBuf::from(path.into_owned()))
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
        ] {
            let found = value(command_line.as_bytes(), "kubeconfig");
            assert_eq!(found, expected.map(PathBuf::from), "{command_line:?}");
        }
    }
}
