//! Whether kubelet was restarted after the last change of its configuration of providers,
//! which it reads only when it starts.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::command_line::CommandLine;
use crate::cli::CheckName;
use crate::commands::check::report::Finding;

const NAME: CheckName = CheckName::KubeletStart;
/// The time after its start within which kubelet may still have read the files.
const STARTING: Duration = Duration::from_secs(1);

/// Checks that kubelet has read the files as they are now; each is given with the time of
/// its last change.
pub(super) fn check(command_line: &CommandLine, files: &[(PathBuf, SystemTime)]) -> Finding {
    let what = &command_line.what;
    let Some(started) = command_line.process.started else {
        let why = format!("the start time of {what} cannot be seen");
        return Finding::not_checked(NAME, &why, "run it on the node, as root");
    };
    let mut files = files.iter();
    match files.find(|(_, changed)| *changed > started + STARTING) {
        Some((file, _)) => Finding::warn(
            NAME,
            format!(
                "{what} was started before {} was changed, and does not read it again",
                file.display()
            ),
            "restart it, on most nodes with: systemctl restart kubelet",
        ),
        None => Finding::pass(NAME, format!("{what} has read its current configuration")),
    }
}
