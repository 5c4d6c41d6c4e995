//! The command line of the process that started this one: kubelet.

use std::fs::{File, read_link};
use std::path::{Path, PathBuf};

use rustix::process::getppid;
use secret::read_bounded;

/// The longest command line that is read: 256 KiB, twice what Linux lets one
/// argument have.
const MAX_BYTES: usize = 256 * 1024;

/// The `--kubeconfig` of the parent process, which is kubelet.
///
/// Must be called before the sandbox is entered: there the working directory of another
/// process cannot be read.
pub(super) fn kubelet_kubeconfig() -> Option<PathBuf> {
    let process = Path::new("/proc").join(getppid()?.as_raw_nonzero().to_string());
    let command_line = File::open(process.join("cmdline")).ok()?;
    let path = kubeconfig_flag(&read_bounded(command_line, MAX_BYTES).ok()?)?;
    if path.is_absolute() {
        return Some(path);
    }
    Some(read_link(process.join("cwd")).ok()?.join(path))
}

/// The value of the last `--kubeconfig`, as pflag parses it.
fn kubeconfig_flag(command_line: &[u8]) -> Option<PathBuf> {
    let mut arguments = command_line
        .split(|&byte| byte == 0)
        .map(String::from_utf8_lossy);
    let mut last = None;
    while let Some(argument) = arguments.next() {
        if argument == "--kubeconfig" {
            last = arguments.next();
        } else if let Some(value) = argument.strip_prefix("--kubeconfig=") {
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
    fn the_last_kubeconfig_flag_of_the_parent_counts() {
        for (command_line, expected) in [
            ("/usr/bin/kubelet\0--kubeconfig\0/a\0", Some("/a")),
            ("kubelet\0--kubeconfig=/a\0--kubeconfig=/b\0", Some("/b")),
            ("kubelet\0--config=/x\0", None),
            ("kubelet\0--kubeconfig=\0", None),
            ("kubelet\0--kubeconfig", None),
            ("sh\0-c\0kubelet --kubeconfig=/a\0", None),
            ("kubelet\0--bootstrap-kubeconfig=/a\0", None),
        ] {
            let found = kubeconfig_flag(command_line.as_bytes());
            assert_eq!(found, expected.map(PathBuf::from), "{command_line:?}");
        }
    }
}
