//! kubelet: whether it runs the provider, with a token, for every image with a mirror.
//!
//! `command_line` reads its arguments, `gates` its version and feature gates, `start` whether
//! it has read its file; `entry` checks the provider's entry in that file. `files` reads what
//! they need.

mod entry;
mod command_line;
mod gates;
mod start;
mod files;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use registries_conf::{Config as Registries, Environment};
use secret::read_file;

use self::command_line::CommandLine;
use self::entry::Loaded;
pub(super) use self::entry::{Entry, rewrite};
use super::process::Process;
use super::report::Finding;
use crate::cli::CheckName;
use crate::commands::root::Root;
use provider::api_server::ProxySettings;
use provider::logins::node_providers::{self, UnknownPaths};

const NAME: CheckName = CheckName::Kubelet;
const CONFIG_FLAG: &str = "image-credential-provider-config";
/// The default of kubelet's `--root-dir`.
const ROOT_DIR: &str = "/var/lib/kubelet";
/// The longest name of a host that is read.
const MAX_NAME: usize = 4096;
const BIN_DIR_FLAG: &str = "image-credential-provider-bin-dir";

/// kubelet's settings, as far as they can be read; all paths are those of the node.
#[derive(Debug)]
pub(super) struct Kubelet {
    /// Its `--kubeconfig`.
    pub(super) kubeconfig: Option<PathBuf>,
    /// The directory in which it looks for providers.
    pub(super) bin_dir: Option<PathBuf>,
    /// The provider's entry.
    pub(super) entry: Option<Entry>,
    command_line: Option<CommandLine>,
    config: Option<Loaded>,
}

impl Kubelet {
    /// The proxies that a plugin of this kubelet gets: those of the entry's `env`, else
    /// those of kubelet's own environment. `None` if kubelet cannot be seen.
    pub(super) fn proxies(&self) -> Option<ProxySettings> {
        self.command_line.as_ref()?;
        Some(ProxySettings::of(|name| {
            let value = self.variable(name)?;
            Some(String::from_utf8_lossy(&value).into_owned())
        }))
    }

    /// Finds kubelet among the node's processes, and reads its configuration of
    /// providers.
    pub(super) fn find(
        root: &Root,
        given: &node_providers::Settings,
        processes: &[Process],
    ) -> Self {
        let command_line = CommandLine::among(root, processes);
        let of_flag = |flag| command_line.as_ref().and_then(|line| line.path(flag));
        let config = given.config.clone().or_else(|| of_flag(CONFIG_FLAG));
        let config = config.map(|path| Loaded::read(root, path));
        Self {
            kubeconfig: of_flag("kubeconfig"),
            bin_dir: given.bin_dir.clone().or_else(|| of_flag(BIN_DIR_FLAG)),
            entry: config.as_ref().and_then(|config| config.entry(root)),
            command_line,
            config,
        }
    }

    /// The variables that name registries.conf files, as the provider gets them: those of
    /// its entry, then kubelet's own.
    pub(super) fn environment(&self) -> Environment {
        Environment::new(|name| self.variable(name).map(OsString::from_vec))
    }

    /// A variable of the provider: the last of its entry, else kubelet's own.
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let mut entry = self.entry.iter().flat_map(|entry| &entry.provider.env);
        let in_entry = entry.rfind(|variable| variable.name == name);
        let in_entry = in_entry.map(|variable| variable.value.expose().to_vec());
        let kubelets = || {
            let process = &self.command_line.as_ref()?.process;
            process.variable(name).map(String::into_bytes)
        };
        in_entry.or_else(kubelets)
    }

    /// The name of its node: `--hostname-override`, else the host's name in lower case.
    /// Cloud providers may use other names.
    pub(super) fn node_name(&self, root: &Root) -> Option<String> {
        let command_line = self.command_line.as_ref();
        let flag = command_line.and_then(|command_line| command_line.flag("hostname-override"));
        let file = if root.is_here() {
            "/proc/sys/kernel/hostname"
        } else {
            "/etc/hostname"
        };
        let read = || {
            let name = read_file(&root.path(Path::new(file)), MAX_NAME).ok()?;
            Some(String::from_utf8_lossy(&name).into_owned())
        };
        let name = flag.map(str::to_owned).or_else(read)?;
        let name = name.trim().to_lowercase();
        Some(name).filter(|name| !name.is_empty())
    }

    /// The settings of the node's providers, completed with kubelet's own flags.
    pub(super) fn node_providers(
        &self,
        settings: &node_providers::Settings,
    ) -> node_providers::Settings {
        let mut settings = settings.clone();
        let config = self.config.as_ref().map(|config| config.path.clone());
        settings.config = settings.config.or(config);
        settings.bin_dir = settings.bin_dir.or_else(|| self.bin_dir.clone());
        settings
    }

    /// The paths that a run with these settings would not know: only the command line of
    /// the process that starts it has others. `None` if that process is not seen.
    pub(super) fn paths_unknown_in_run(
        &self,
        settings: &node_providers::Settings,
    ) -> Option<UnknownPaths> {
        let process = &self.command_line.as_ref()?.process;
        let path = |given: &Option<PathBuf>, flag| {
            let flag = || process.flag(flag).map(|path| process.absolute(path));
            given.clone().or_else(flag)
        };
        let settings = node_providers::Settings {
            config: path(&settings.config, CONFIG_FLAG),
            bin_dir: path(&settings.bin_dir, BIN_DIR_FLAG),
            ..settings.clone()
        };
        Some(settings.unknown_paths()).filter(|unknown| unknown.is_any())
    }

    /// Its `--root-dir`.
    pub(super) fn root_dir(&self) -> PathBuf {
        let flag = self
            .command_line
            .as_ref()
            .and_then(|command_line| command_line.path("root-dir"));
        flag.unwrap_or_else(|| PathBuf::from(ROOT_DIR))
    }

    /// Checks kubelet itself, and its configuration of the provider.
    pub(super) fn check(&self, root: &Root, registries: Option<&Registries>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(command_line) = &self.command_line {
            let config = self.config.as_ref().map(|config| config.path.as_path());
            let flags = || flags(command_line, self.bin_dir.as_deref(), config);
            findings.push(command_line.unusable.clone().unwrap_or_else(flags));
            findings.push(gates::check(root, command_line));
        } else {
            findings.push(Finding::warn(
                NAME,
                "no kubelet process can be seen",
                "run it on the node, as root, while kubelet runs, or give --kubelet-provider-config and --kubelet-bin-dir",
            ));
        }
        if let Some(config) = &self.config {
            findings.extend(config.check(root, self.entry.as_ref(), registries));
            let changes = config.changes(root);
            let command_line = self.command_line.as_ref().zip(changes);
            findings.extend(
                command_line.map(|(command_line, changes)| start::check(command_line, &changes)),
            );
        }
        findings
    }
}

fn flags(command_line: &CommandLine, bin_dir: Option<&Path>, config: Option<&Path>) -> Finding {
    let what = &command_line.what;
    let missing: Vec<_> = [(BIN_DIR_FLAG, bin_dir), (CONFIG_FLAG, config)]
        .into_iter()
        .filter(|(_, value)| value.is_none())
        .map(|(flag, _)| format!("--{flag}"))
        .collect();
    if missing.is_empty() {
        return Finding::pass(
            NAME,
            format!("{what} has both --image-credential-provider flags"),
        );
    }
    let missing = missing.join(" and ");
    if let Some(hidden) = command_line.hidden {
        return Finding::warn(NAME, format!("{what}: {missing} cannot be seen"), hidden);
    }
    Finding::fail(
        NAME,
        format!("{what} has no {missing}: it runs no provider"),
        "start it with both flags, as in the README, and restart it",
    )
}

/// A path of the node without dots and doubled slashes.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}
