//! CRI-O's configuration: whether CRI-O looks for auth files where the provider writes
//! them, and reads the same registries.conf. CRI-O's flags, each of which has an
//! environment variable, override its files (CRI-O: `mergeConfig`).

mod build_info;
mod library;
mod registries;

use std::path::Path;

use registries_conf::Config as Registries;

use self::build_info::BuildInfoError;
use self::library::Library;
use self::registries::Running;
use super::process::Process;
use super::report::{Finding, chain, listed};
use crate::cli::CheckName;
use crate::commands::root::Root;
use provider::crio::configuration::{Configuration, ConfigurationError, DEFAULT_VERSION_FILE};
use provider::crio::version_in;
use provider::node_version::Version;
use provider::settings::Settings;

const NAME: CheckName = CheckName::Crio;
const AUTH_DIR: &str = "/etc/crio/auth";
/// `version_file_persist` if no file sets it.
const PERSISTENT_VERSION_FILE: &str = "/var/lib/crio/version";
/// The first CRI-O with `namespaced_auth_dir`.
const FIRST: Version = Version(1, 34, 3);
/// The first CRI-O that refuses short names with several candidates.
const ENFORCING: Version = Version(1, 34, 0);
/// The first CRI-O that keeps namespaces from each other's images.
const ISOLATING: Version = Version(1, 36, 0);

/// The running CRI-O.
pub(super) struct Crio {
    process: Process,
    library: Result<Library, BuildInfoError>,
}

impl Crio {
    /// The CRI-O among the node's processes. Reads its executable, so it must be called
    /// before the sandbox is entered.
    pub(super) fn among(root: &Root, processes: &[Process]) -> Option<Self> {
        let process = processes.iter().find(|process| process.name() == "crio")?;
        Some(Self {
            process: process.clone(),
            library: Library::of(root, process),
        })
    }
}

/// Checks CRI-O's configuration; `found` is the configuration that the provider reads.
pub(super) fn check(
    root: &Root,
    settings: &Settings,
    crio: Option<&Crio>,
    found: Option<&Registries>,
) -> Vec<Finding> {
    let process = crio.map(|crio| &crio.process);
    let flag_or_variable = |flag: &str, variable: &str| flag_or_variable(process?, flag, variable);
    let main = flag_or_variable("config", "CONTAINER_CONFIG");
    let directory = flag_or_variable("config-dir", "CONTAINER_CONFIG_DIR");
    let read = Configuration::read(root.directory(), main.as_deref(), directory.as_deref());
    let mut configuration = match read {
        Ok(configuration) => configuration,
        Err(error) => return vec![refused(&error)],
    };
    if let Some(path) = flag_or_variable("global-auth-file", "CONTAINER_GLOBAL_AUTH_FILE") {
        configuration.global_auth_file = Some(path);
    }
    if let Some(path) = flag_or_variable("namespaced-auth-dir", "CONTAINER_NAMESPACED_AUTH_DIR") {
        configuration.auth_dir = Some(path);
    }
    if let Some(mode) = flag_or_variable("short-name-mode", "CONTAINER_SHORT_NAME_MODE") {
        configuration.short_name_mode = Some(mode);
    }
    let version = version(root, &configuration);
    if process.is_none() && configuration.files.is_empty() && version.is_none() {
        let message = "no CRI-O: neither a process, nor a configuration, nor a version file";
        let remedy = "make CRI-O the runtime of this node: no other runtime reads the auth files";
        return vec![Finding::warn(NAME, message, remedy)];
    }
    let mut findings = vec![
        files_and_process(&configuration, process),
        auth_dir(root, settings, &configuration),
        global_auth_file(root, settings, &configuration),
    ];
    if let Some(Crio { process, library }) = crio {
        let running = Running {
            process,
            library,
            version,
        };
        findings.extend(registries::check(settings, &running, found));
    }
    findings.push(supported(version));
    findings.extend(found.map(|found| short_names(&configuration, version, found)));
    findings
}

/// The finding for a file that CRI-O would refuse, or that cannot be read.
fn refused(error: &ConfigurationError) -> Finding {
    let remedy = "correct it: CRI-O does not start with it";
    Finding::unreadable(NAME, error, chain(error), remedy)
}

/// The value of a flag of CRI-O, or of its variable.
fn flag_or_variable(process: &Process, flag: &str, variable: &str) -> Option<String> {
    let flag = process.flag(flag).map(str::to_owned);
    flag.or_else(|| process.variable(variable))
}

fn files_and_process(configuration: &Configuration, process: Option<&Process>) -> Finding {
    let files = match configuration.files.as_slice() {
        [] => "no configuration, all defaults".to_owned(),
        files => listed(files.iter().map(|file| file.display())),
    };
    match process {
        Some(process) => Finding::pass(NAME, format!("{files}; process {}", process.id)),
        None => Finding::warn(
            NAME,
            format!("{files}; it does not run, or its process cannot be seen"),
            "systemctl start crio; its flags and environment cannot be seen",
        ),
    }
}

fn auth_dir(root: &Root, settings: &Settings, configuration: &Configuration) -> Finding {
    const NAME: CheckName = CheckName::CrioAuthDir;
    let theirs = configuration.auth_dir.as_deref().unwrap_or(AUTH_DIR);
    let ours = root.shown(&settings.auth_dir);
    if Path::new(theirs).is_absolute() && root.is_same(Path::new(theirs), &ours) {
        return Finding::pass(NAME, format!("CRI-O looks for auth files in {theirs}"));
    }
    let ours = ours.display();
    Finding::fail(
        NAME,
        format!("CRI-O looks for auth files in {theirs:?}, the provider writes them to {ours}"),
        format!(
            "set namespaced_auth_dir = \"{ours}\" in [crio.image] and restart CRI-O, or give the provider --auth-dir"
        ),
    )
}

/// Checks CRI-O's own auth file: for a pull with the provider's auth file, CRI-O reads no
/// other.
fn global_auth_file(root: &Root, settings: &Settings, configuration: &Configuration) -> Finding {
    const NAME: CheckName = CheckName::CrioGlobalAuthFile;
    let theirs = configuration.global_auth_file.as_deref();
    let Some(theirs) = theirs.filter(|path| !path.is_empty()) else {
        return Finding::pass(NAME, "CRI-O has none");
    };
    let mut ours = settings.global_auth_files.iter();
    if ours.any(|path| root.is_same(&root.shown(path), Path::new(theirs))) {
        let message = format!("the provider carries over {theirs}, as CRI-O's global_auth_file");
        return Finding::pass(NAME, message);
    }
    Finding::warn(
        NAME,
        format!(
            "CRI-O's global_auth_file {theirs:?} is not among the provider's: its logins are missing where an auth file is used"
        ),
        format!("give the provider --global-auth-file {theirs}"),
    )
}

fn supported(version: Option<Version>) -> Finding {
    const NAME: CheckName = CheckName::CrioVersion;
    match version {
        None => Finding::warn(
            NAME,
            "not known: there is no version file",
            format!("crio --version must print {FIRST} or later"),
        ),
        Some(version) if version < FIRST => Finding::fail(
            NAME,
            format!("CRI-O {version} has no namespaced_auth_dir"),
            format!("update it to {FIRST}, 1.35 or later"),
        ),
        Some(version) if version < ISOLATING => Finding::warn(
            NAME,
            format!("CRI-O {version} does not fully keep namespaces from each other's images"),
            format!(
                "update it to {ISOLATING} or later if tenants must not use each other's images"
            ),
        ),
        Some(version) => Finding::pass(NAME, format!("CRI-O {version}")),
    }
}

/// Checks short names: CRI-O cannot ask a user which of several registries is meant.
fn short_names(
    configuration: &Configuration,
    version: Option<Version>,
    found: &Registries,
) -> Finding {
    const NAME: CheckName = CheckName::ShortNames;
    let is_old = version.is_some_and(|version| version < ENFORCING);
    let tries_all = is_old || configuration.short_name_mode.as_deref() == Some("disabled");
    match found.unqualified_search_registries() {
        [] => Finding::pass(NAME, "names without a registry need an alias"),
        [one] => Finding::pass(NAME, format!("names without a registry are of {one}")),
        all if tries_all => {
            let all = listed(all);
            Finding::pass(NAME, format!("names without a registry are tried at {all}"))
        }
        all => Finding::warn(
            NAME,
            format!(
                "CRI-O refuses names without a registry that have no alias, since unqualified-search-registries has several: {}",
                listed(all)
            ),
            "name images in full, or leave one registry there, or set short_name_mode = \"disabled\" in [crio.image], then: systemctl reload crio",
        ),
    }
}

/// The version in the first version file that has one.
fn version(root: &Root, configuration: &Configuration) -> Option<Version> {
    let files = [
        (&configuration.version_file, DEFAULT_VERSION_FILE),
        (&configuration.version_file_persist, PERSISTENT_VERSION_FILE),
    ];
    let mut files = files.into_iter();
    files.find_map(|(said, default)| {
        version_in(root.directory(), said.as_deref().unwrap_or(default))
    })
}
