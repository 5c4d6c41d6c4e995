//! The version of containers/image in the running CRI-O, which decides where it looks for
//! registries.conf.

use std::fs::File;
use std::path::Path;

use registries_conf::Layout;

use super::build_info::{BuildInfoError, Module, modules};
use crate::commands::check::process::Process;
use crate::commands::root::Root;
use provider::node_version::Version;

/// The module's path, and its path up to 5.36.
const PATHS: [&str; 2] = ["go.podman.io/image/v5", "github.com/containers/image/v5"];
/// The first version with the new search paths.
const FIRST_NEW: Version = Version(5, 40, 0);

/// The containers/image that a program contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Library {
    /// Its path and version, for people.
    pub(super) name: String,
    /// The layout; `None` for a version between releases, which may have either.
    pub(super) layout: Option<Layout>,
}

impl Library {
    /// The library of the running CRI-O.
    ///
    /// # Errors
    /// Its executable cannot be read, or has no build information.
    pub(super) fn of(root: &Root, process: &Process) -> Result<Self, BuildInfoError> {
        let path = format!("/proc/{}/exe", process.id);
        let executable = File::open(root.path(Path::new(&path)))?;
        Self::among(&modules(&executable)?).ok_or(BuildInfoError::None)
    }

    fn among(modules: &[Module]) -> Option<Self> {
        let mut modules = modules.iter();
        let module = modules.find(|module| PATHS.contains(&module.path.as_str()))?;
        let version = Version::parse(&module.version);
        let is_release = !module.version.contains('-');
        Some(Self {
            name: format!("{} {}", module.path, module.version),
            layout: match version {
                Some(version) if version >= FIRST_NEW => Some(Layout::V5_41),
                // A version between releases is certain if it precedes 5.39.
                Some(Version(5, minor, _)) if is_release || minor < 39 => Some(Layout::V5_38),
                _ => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_decides_the_layout() {
        for (path, version, expected) in [
            (PATHS[1], "v5.36.2", Some(Layout::V5_38)),
            (PATHS[0], "v5.38.0", Some(Layout::V5_38)),
            (
                PATHS[0],
                "v5.38.1-0.20251020120000-0123456789ab",
                Some(Layout::V5_38),
            ),
            (PATHS[0], "v5.39.2", Some(Layout::V5_38)),
            (PATHS[0], "v5.39.3-0.20260423135811-cbaa5f41e643", None),
            (PATHS[0], "v5.40.0", Some(Layout::V5_41)),
            (
                PATHS[0],
                "v5.41.1-0.20260601120000-0123456789ab",
                Some(Layout::V5_41),
            ),
            (PATHS[0], "(devel)", None),
        ] {
            let modules = ["go.podman.io/storage", path].map(|path| Module {
                path: path.to_owned(),
                version: version.to_owned(),
            });
            let library = Library::among(&modules).unwrap();
            assert_eq!(library.layout, expected, "{version}");
            assert_eq!(library.name, format!("{path} {version}"));
        }
        assert_eq!(Library::among(&[]), None);
    }
}
