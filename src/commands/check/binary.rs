//! The executable at the path where kubelet looks for it: kubelet does not start without
//! it, and runs it as root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::report::Finding;
use crate::cli::CheckName;
use crate::commands::NAME as PROVIDER;
use crate::commands::root::Root;

const NAME: CheckName = CheckName::Binary;
const EXECUTABLE: u32 = 0o111;

/// Checks the executable in kubelet's plugin directory.
pub(super) fn check(root: &Root, bin_dir: &Path) -> Finding {
    let path = bin_dir.join(PROVIDER);
    let shown = path.display();
    let metadata = match fs::metadata(root.path(&path)) {
        Ok(metadata) => metadata,
        Err(error) => {
            let message = format!("{shown}: {error}");
            let remedy = format!("install it there: sudo install -m 0755 {PROVIDER} {shown}");
            return Finding::unreadable(NAME, &error, message, remedy);
        }
    };
    if !metadata.is_file() {
        let message = format!("{shown} is not a file");
        return Finding::fail(NAME, message, format!("put the executable at {shown}"));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & EXECUTABLE == 0 {
        let message = format!("{shown} is not executable (mode {mode:04o})");
        return Finding::fail(NAME, message, format!("chmod 0755 {shown}"));
    }
    match root.loophole(&path) {
        Ok(None) => Finding::pass(NAME, shown.to_string()),
        Ok(Some(loophole)) => {
            let message = format!("{loophole}: the next pull runs that file as root");
            Finding::fail(NAME, message, loophole.remedy())
        }
        Err(error) => {
            let message = format!("{shown}: {error}");
            Finding::unreadable(
                NAME,
                &error,
                message,
                "make its directories readable by root",
            )
        }
    }
}
