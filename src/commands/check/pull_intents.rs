//! kubelet's records of announced pulls, by which runs for one auth file take turns. They
//! are below kubelet's root directory (kubelet: `pkg/kubelet/images/pullmanager`).

use std::path::Path;

use super::report::Finding;
use crate::cli::CheckName;
use crate::commands::root::Root;
use provider::settings::Settings;

const NAME: CheckName = CheckName::PullIntents;
/// Their path below kubelet's root directory.
const BELOW: &str = "image_manager/pulling";

/// Whether the provider looks for the records where kubelet writes them; `kubelet_dir` is
/// kubelet's root directory.
pub(super) fn check(root: &Root, settings: &Settings, kubelet_dir: &Path) -> Finding {
    let theirs = kubelet_dir.join(BELOW);
    let shown = theirs.display();
    match &settings.pull_intents_dir {
        None => Finding::pass(
            NAME,
            "not used: CRI-O's in-use shows which pulls are under way",
        ),
        Some(ours) if !root.is_same(ours, &theirs) => Finding::warn(
            NAME,
            format!(
                "kubelet announces pulls in {shown}, the provider looks for them in {}: pods that start together may wait, or fail to pull",
                ours.display()
            ),
            format!("give the provider --pull-intents-dir {shown}"),
        ),
        Some(_) if root.path(&theirs).is_dir() => {
            Finding::pass(NAME, format!("kubelet announces pulls in {shown}"))
        }
        Some(_) => Finding::pass(
            NAME,
            format!("{shown} does not exist: CRI-O's in-use shows which pulls are under way"),
        ),
    }
}
