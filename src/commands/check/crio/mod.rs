//! CRI-O's configuration: does it look for our file where we put it, and does it read
//! the registries.conf that we read? `settings` reads the files; CRI-O's flags, each
//! of which has an environment variable, count more (CRI-O: `mergeConfig`).

mod settings;

use std::path::{Path, PathBuf};

use self::settings::{Settings as CrioSettings, settings};
use super::process::Process;
use super::report::Finding;
use super::root::Root;
use super::version::Version;
use crate::secret::read_file;
use crate::settings::Settings;

const NAME: &str = "crio";
const AUTH_DIR: &str = "/etc/crio/auth";
/// `version_file`, and where it used to be kept over reboots.
const VERSION_FILES: [&str; 2] = ["/var/run/crio/version", "/var/lib/crio/version"];
/// The first CRI-O with `namespaced_auth_dir`.
const FIRST: Version = Version(1, 34, 3);
/// The first one that keeps what namespaces pull apart.
const ISOLATING: Version = Version(1, 36, 0);
/// The largest version file that is read.
const MAX_BYTES: usize = 1024;

/// Checks what CRI-O was told.
pub(super) fn check(root: &Root, config: &Settings, processes: &[Process]) -> Vec<Finding> {
    let process = processes.iter().find(|process| process.name() == "crio");
    let told = |flag: &str, variable: &str| {
        let process = process?;
        let flag = process.flag(flag).map(str::to_owned);
        flag.or_else(|| process.variable(variable))
    };
    let mut settings = match settings(root, &told) {
        Ok(settings) => settings,
        Err(finding) => return vec![finding],
    };
    if let Some(path) = told("global-auth-file", "CONTAINER_GLOBAL_AUTH_FILE") {
        settings.global_auth_file = Some(path);
    }
    if let Some(path) = told("namespaced-auth-dir", "CONTAINER_NAMESPACED_AUTH_DIR") {
        settings.auth_dir = Some(path);
    }
    let version = version(root, &settings);
    if process.is_none() && settings.files.is_empty() && version.is_none() {
        let message = "no CRI-O: neither a process, nor a configuration, nor a version file";
        let remedy = "make CRI-O the runtime of this node: no other one knows the auth files";
        return vec![Finding::warn(NAME, message, remedy)];
    }
    let mut findings = vec![
        configuration(&settings, root, process),
        auth_dir(root, config, &settings),
    ];
    findings.extend(global_auth_file(root, config, &settings));
    findings.push(registries(root, config, &told));
    findings.push(supported(version));
    findings
}

fn configuration(settings: &CrioSettings, root: &Root, process: Option<&Process>) -> Finding {
    let files = match settings.files.as_slice() {
        [] => "no configuration, all defaults".to_owned(),
        [one] => root.shown(one).display().to_string(),
        [first, others @ ..] => {
            let first = root.shown(first);
            format!("{} and {} more", first.display(), others.len())
        }
    };
    match process {
        Some(process) => Finding::pass(NAME, format!("{files}; process {}", process.id)),
        None => Finding::warn(
            NAME,
            format!("{files}; it does not run, or its process cannot be seen"),
            "systemctl start crio; its flags and environment are not known here",
        ),
    }
}

fn auth_dir(root: &Root, config: &Settings, settings: &CrioSettings) -> Finding {
    const NAME: &str = "crio-auth-dir";
    let theirs = settings.auth_dir.as_deref().unwrap_or(AUTH_DIR);
    let ours = root.shown(&config.auth_dir);
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

/// Where our file is used, CRI-O reads no other.
fn global_auth_file(root: &Root, config: &Settings, settings: &CrioSettings) -> Option<Finding> {
    const NAME: &str = "crio-global-auth-file";
    let theirs = settings.global_auth_file.as_deref();
    let theirs = theirs.filter(|path| !path.is_empty())?;
    let mut ours = config.global_auth_files.iter();
    if ours.any(|path| root.is_same(&root.shown(path), Path::new(theirs))) {
        let message = format!("the provider carries over {theirs}, as CRI-O's global_auth_file");
        return Some(Finding::pass(NAME, message));
    }
    Some(Finding::warn(
        NAME,
        format!(
            "CRI-O's global_auth_file {theirs:?} is not among the provider's: its logins are missing where an auth file is used"
        ),
        format!("give the provider --global-auth-file {theirs}"),
    ))
}

fn registries(
    root: &Root,
    config: &Settings,
    told: &impl Fn(&str, &str) -> Option<String>,
) -> Finding {
    const NAME: &str = "crio-registries";
    let main = told("registries-conf", "CONTAINER_REGISTRIES_CONF");
    let main = main.unwrap_or_else(|| "/etc/containers/registries.conf".to_owned());
    let ours = root.shown(&config.registries.main);
    if !root.is_same(Path::new(&main), &ours) {
        return Finding::fail(
            NAME,
            format!("CRI-O reads {main:?}, the provider {}", ours.display()),
            format!("give the provider --registries-conf {main}"),
        );
    }
    let directory = told("registries-conf-dir", "CONTAINER_REGISTRIES_CONF_DIR");
    if let Some(directory) = directory {
        let ours = &config.registries.drop_in_dirs;
        let is_same = |ours: &PathBuf| root.is_same(&root.shown(ours), Path::new(&directory));
        if ours.len() != 1 || !ours.iter().all(is_same) {
            return Finding::fail(
                NAME,
                format!("CRI-O reads the drop-ins of {directory:?} alone, the provider others"),
                format!("give the provider --registries-conf-dir {directory}"),
            );
        }
    }
    Finding::pass(NAME, format!("CRI-O and the provider read {main}"))
}

fn supported(version: Option<Version>) -> Finding {
    const NAME: &str = "crio-version";
    match version {
        None => Finding::warn(
            NAME,
            "not known: it leaves no version file",
            format!("crio --version must say {FIRST} or later"),
        ),
        Some(version) if version < FIRST => Finding::fail(
            NAME,
            format!("CRI-O {version} knows no namespaced_auth_dir"),
            format!("update it to {FIRST}, 1.35 or later"),
        ),
        Some(version) if version < ISOLATING => Finding::warn(
            NAME,
            format!("CRI-O {version} does not keep what namespaces pull fully apart"),
            format!(
                "update it to {ISOLATING} or later where tenants must not see each other's images"
            ),
        ),
        Some(version) => Finding::pass(NAME, format!("CRI-O {version}")),
    }
}

/// What `semver` writes: a JSON string such as `"1.34.3+abcdef"`.
fn version(root: &Root, settings: &CrioSettings) -> Option<Version> {
    let told = settings.version_files.iter().map(String::as_str);
    told.chain(VERSION_FILES).find_map(|path| {
        let text = read_file(&root.path(Path::new(path)), MAX_BYTES).ok()?;
        let text: String = serde_json::from_slice(&text).ok()?;
        Version::parse(&text)
    })
}
