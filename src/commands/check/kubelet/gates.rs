//! Whether kubelet passes tokens: its version and its feature gates.

use std::path::{Path, PathBuf};

use super::command_line::CommandLine;
use super::files;
use crate::cli::CheckName;
use crate::commands::check::program;
use crate::commands::check::report::Finding;
use crate::commands::root::Root;
use provider::node_version::Version;

const NAME: CheckName = CheckName::KubeletVersion;
const GATE: &str = "KubeletServiceAccountTokenForCredentialProviders";
/// The first version with the feature on by default; the version before it has the
/// feature gate.
const ON: Version = Version(1, 34, 0);
const KNOWN: Version = Version(1, 33, 0);

/// Checks that kubelet passes tokens to providers.
pub(super) fn check(root: &Root, command_line: &CommandLine) -> Finding {
    match gate(root, command_line) {
        Ok(gate) => judged(version(root, command_line), gate),
        Err(finding) => finding,
    }
}

fn judged(version: Option<Version>, gate: Option<bool>) -> Finding {
    let off = |version: &str| {
        Finding::fail(
            NAME,
            format!(
                "kubelet{version} has the feature gate {GATE} off: it passes no tokens to providers"
            ),
            format!("remove {GATE}=false from its feature gates and restart it"),
        )
    };
    match (version, gate) {
        (None, Some(false)) => off(""),
        (None, _) => Finding::warn(
            NAME,
            "kubelet's version is not known",
            "kubelet --version must print 1.34 or later",
        ),
        (Some(version), Some(false)) if version >= ON => off(&format!(" {version}")),
        (Some(version), _) if version >= ON => Finding::pass(NAME, format!("kubelet {version}")),
        (Some(version), Some(true)) if version >= KNOWN => Finding::warn(
            NAME,
            format!("kubelet {version} passes tokens as an alpha feature, and has no cacheType"),
            "update it to 1.34 or later, or remove cacheType from tokenAttributes",
        ),
        (Some(version), _) => Finding::fail(
            NAME,
            format!("kubelet {version} passes no tokens to providers"),
            "update it to 1.34 or later",
        ),
    }
}

/// The version of kubelet, which is run only on its own node, and only if no user but
/// root could have replaced its executable.
fn version(root: &Root, command_line: &CommandLine) -> Option<Version> {
    let program = command_line.process.program.as_deref()?;
    let is_kubelet = program.file_name().is_some_and(|name| name == "kubelet");
    if !root.is_here() || !is_kubelet || !matches!(root.loophole(program), Ok(None)) {
        return None;
    }
    let said = program::output(program, &["--version"])?;
    Version::parse(said.trim().strip_prefix("Kubernetes ")?)
}

/// The feature gate in `--config`, then in the drop-ins of `--config-dir`, then in
/// `--feature-gates`.
fn gate(root: &Root, command_line: &CommandLine) -> Result<Option<bool>, Finding> {
    let mut paths: Vec<PathBuf> = command_line.path("config").into_iter().collect();
    if let Some(directory) = command_line.path("config-dir") {
        let is_drop_in = |path: &Path| path.extension().is_some_and(|end| end == "conf");
        paths.extend(files::drop_ins(root, &directory, NAME, is_drop_in)?);
    }
    let mut of_files = None;
    for path in paths {
        let configuration = files::yaml(root, &path, NAME)?;
        let gates = configuration
            .as_ref()
            .and_then(|all| all.last("featureGates"));
        let said = gates.and_then(|gates| gates.last(GATE)?.as_bool());
        of_files = said.or(of_files);
    }
    let of_flag = command_line.flag("feature-gates").and_then(|gates| {
        let mut gates = gates.split(',').filter_map(|gate| gate.split_once('='));
        let (_, value) = gates.rfind(|(name, _)| name.trim() == GATE)?;
        value.trim().parse().ok()
    });
    Ok(of_flag.or(of_files))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::report::Status;

    #[test]
    fn tokens_need_a_version_or_a_gate() {
        for (known, gate, status) in [
            (Some("1.34.0"), None, Status::Pass),
            (Some("1.36.2"), Some(true), Status::Pass),
            (Some("1.34.1"), Some(false), Status::Fail),
            (Some("1.33.5"), Some(true), Status::Warn),
            (Some("1.33.5"), None, Status::Fail),
            (Some("1.33.5"), Some(false), Status::Fail),
            (Some("1.32.0"), Some(true), Status::Fail),
            (None, None, Status::Warn),
            (None, Some(true), Status::Warn),
            (None, Some(false), Status::Fail),
        ] {
            let known = known.map(|text| Version::parse(text).unwrap());
            let finding = judged(known, gate);
            assert_eq!(finding.status, status, "{known:?}, {gate:?}: {finding:?}");
        }
    }
}
