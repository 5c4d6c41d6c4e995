//! kubelet reads the configuration of providers when it starts, and never again.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::command_line::CommandLine;
use crate::cli::CheckName;
use crate::commands::check::report::Finding;

const NAME: CheckName = CheckName::KubeletStart;
/// How much later than its start kubelet may have read the file, at least.
const STARTING: Duration = Duration::from_secs(1);

/// Whether kubelet has read the files as they are now, given when each was changed.
pub(super) fn check(command_line: &CommandLine, files: &[(PathBuf, SystemTime)]) -> Finding {
    let what = &command_line.what;
    let Some(started) = command_line.process.started else {
        let why = format!("when {what} was started cannot be seen");
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
        None => Finding::pass(NAME, format!("{what} has read its configuration since")),
    }
}
