//! The build information of `--version-json`.

use serde::Serialize;

/// The version, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The build, in the field names of the Go provider where they make sense.
///
/// Reproducible: the commit is git's, the build date `SOURCE_DATE_EPOCH`; both are empty
/// if a build has none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildInfo {
    /// The version, as in `Cargo.toml`.
    pub version: &'static str,
    /// The commit that was built.
    pub git_commit: &'static str,
    /// The time of the commit, in RFC 3339.
    pub git_commit_date: &'static str,
    /// `SOURCE_DATE_EPOCH`, in RFC 3339.
    pub build_date: &'static str,
    /// The compiler.
    pub rust_version: &'static str,
    /// Operating system and architecture, as Go and container images write them.
    pub platform: &'static str,
    /// The Rust target.
    pub target: &'static str,
    /// Name and version of every crate that is linked in.
    pub dependencies: Vec<&'static str>,
}

/// This build.
pub fn build_info() -> BuildInfo {
    BuildInfo {
        version: VERSION,
        git_commit: env!("BUILD_GIT_COMMIT"),
        git_commit_date: env!("BUILD_GIT_COMMIT_DATE"),
        build_date: env!("BUILD_DATE"),
        rust_version: env!("BUILD_RUST_VERSION"),
        platform: env!("BUILD_PLATFORM"),
        target: env!("BUILD_TARGET"),
        dependencies: env!("BUILD_DEPENDENCIES")
            .split(',')
            .filter(|name| !name.is_empty())
            .collect(),
    }
}
