//! Who may change what root runs or reads.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::commands::root::Root;

const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Others may add files to it, but not replace ours, as in `/tmp`.
const STICKY: u32 = 0o1000;

/// What somebody else than root could change: the file or directory itself, or a
/// directory on the way to it; the message says which, and the remedy what to do.
pub(super) fn loophole(root: &Root, path: &Path) -> io::Result<Option<(String, String)>> {
    for (depth, part) in path.ancestors().enumerate() {
        let metadata = fs::metadata(part)?;
        let shown = root.shown(part);
        let shown = shown.display();
        if !root.is_owner(metadata.uid()) {
            let owner = metadata.uid();
            let message = format!("{shown} belongs to user {owner}, who could replace it");
            return Ok(Some((message, format!("chown root:root {shown}"))));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        let is_safe_for_others_files = depth > 0 && mode & STICKY != 0;
        if mode & WRITABLE_BY_OTHERS != 0 && !is_safe_for_others_files {
            let message = format!("{shown} is writable by others than root (mode {mode:04o})");
            return Ok(Some((message, format!("chmod go-w {shown}"))));
        }
        if !root.is_here() && root.shown(part) == Path::new("/") {
            break;
        }
    }
    Ok(None)
}
