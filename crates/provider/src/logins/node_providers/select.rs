//! Chooses kubelet's providers for each pull source.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use kubelet_credential_provider::provider_config::{
    CredentialProvider, EnvVar, LoadError, Problem, load,
};
use kubelet_credential_provider::{ApiVersion, GoDuration};
use registries_conf::{ImageName, resolve_below};
use sha2::{Digest, Sha256};

use super::key::Fingerprint;
use super::loophole_of;
use super::{Settings, Wanted};
use crate::logins::Origin;
use crate::ownership::Loophole;

const OURSELVES: &str = "/proc/self/exe";

/// kubelet's providers, in the order in which kubelet asks them.
#[derive(Debug)]
pub struct Configured {
    root: PathBuf,
    providers: Vec<Provider>,
    /// The digest of the configuration's files.
    stamp: Sha256,
}

/// One of kubelet's providers.
#[derive(Debug)]
pub struct Provider {
    /// Its position in the configuration, from 0.
    pub index: usize,
    /// Its entry.
    pub entry: CredentialProvider,
    /// Its executable.
    pub path: PathBuf,
}

/// Which of kubelet's paths are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPaths {
    config: bool,
    bin_dir: bool,
}

impl UnknownPaths {
    /// Those that are not set.
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            config: settings.config.is_none(),
            bin_dir: settings.bin_dir.is_none(),
        }
    }

    /// Whether there are any.
    pub fn is_any(self) -> bool {
        self.config || self.bin_dir
    }

    /// kubelet's flags for them.
    pub fn of_kubelet(self) -> String {
        self.joined(
            "--image-credential-provider-config",
            "--image-credential-provider-bin-dir",
        )
    }

    /// The plugin's flags for them.
    pub fn of_plugin(self) -> String {
        self.joined("--kubelet-provider-config", "--kubelet-bin-dir")
    }

    fn joined(self, config: &str, bin_dir: &str) -> String {
        let flags = [(self.config, config), (self.bin_dir, bin_dir)];
        let flags = flags.into_iter().filter(|(is_unknown, _)| *is_unknown);
        let flags: Vec<&str> = flags.map(|(_, flag)| flag).collect();
        flags.join(" and ")
    }
}

/// Why kubelet's configuration cannot be used. No node provider is run then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither the settings nor kubelet's command line have a path.
    #[error(
        "the process that started the plugin has no {kubelets} on its command line (k3s, MicroK8s and MicroShift contain kubelet): set {ours} for the plugin",
        kubelets = .0.of_kubelet(),
        ours = .0.of_plugin()
    )]
    Unknown(UnknownPaths),
    /// Another user could change it.
    #[error("kubelet's configuration of providers: {0}: {remedy}", remedy = .0.remedy())]
    Loophole(Loophole),
    /// The owners and permissions cannot be inspected.
    #[error("inspect {path:?}")]
    Inspect {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The configuration cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// kubelet does not start with it.
    #[error("{path:?} {problem}: kubelet does not start with it")]
    Refused {
        /// The file.
        path: PathBuf,
        /// The first problem in it.
        problem: Problem,
    },
}

/// Why a provider whose `matchImages` match a pull source is not run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// A global auth file serves the source.
    #[error("{0} has a login or a credential helper for it, which takes precedence")]
    Served(Origin),
    /// `--node-providers` names others.
    #[error("--node-providers does not name it")]
    NotNamed,
    /// It is this program, under any name.
    #[error("it is this program")]
    Ourselves,
    /// Its responses are for a workload. Without the workload's token it may fall back to
    /// the node's identity.
    #[error("it takes service account tokens (tokenAttributes)")]
    TakesTokens,
    /// Another user could change it.
    #[error("{0}: {remedy}", remedy = .0.remedy())]
    Loophole(Loophole),
    /// The executable does not exist, or cannot be inspected.
    #[error("inspect {path:?}")]
    Inspect {
        /// The executable.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl NotRun {
    /// Whether the administrator has to correct something.
    pub fn is_defect(&self) -> bool {
        match self {
            Self::Served(_) | Self::NotNamed | Self::Ourselves | Self::TakesTokens => false,
            Self::Loophole(_) | Self::Inspect { .. } => true,
        }
    }
}

impl Configured {
    /// Reads kubelet's configuration of its providers, as kubelet does, on a node that has
    /// `root` as its `/`.
    ///
    /// # Errors
    /// [`ConfigError`]: also where another user could change it.
    pub fn load(settings: &Settings, root: &Path) -> Result<Self, ConfigError> {
        let (Some(config), Some(bin_dir)) = (&settings.config, &settings.bin_dir) else {
            return Err(ConfigError::Unknown(settings.unknown_paths()));
        };
        let mut stamp = Sha256::new();
        inspect(root, config, &mut stamp)?;
        let here = resolve_below(root, config);
        let files = load(&here)?;
        let mut entries = Vec::new();
        for file in files {
            if file.path != *here {
                let name = file.path.file_name().unwrap_or_default();
                inspect(root, &config.join(name), &mut stamp)?;
            }
            if let Some(problem) = file.document.problems.into_iter().next() {
                let path = file.path;
                return Err(ConfigError::Refused { path, problem });
            }
            entries.extend(file.document.config.providers);
        }
        let provider = |(index, entry): (usize, CredentialProvider)| Provider {
            path: bin_dir.join(&entry.name),
            index,
            entry,
        };
        Ok(Self {
            providers: entries.into_iter().enumerate().map(provider).collect(),
            root: root.to_owned(),
            stamp,
        })
    }

    /// The providers that kubelet would run for an image of that name, in its order.
    pub fn serving(&self, source: &ImageName) -> impl Iterator<Item = &Provider> {
        let providers = self.providers.iter();
        providers.filter(|provider| provider.entry.is_for(source.as_str()))
    }

    /// The names in `wanted` for which there is no provider.
    pub fn unknown<'n>(&self, wanted: &'n Wanted) -> Vec<&'n str> {
        let is_known = |name: &&str| self.providers.iter().any(|one| one.entry.name == **name);
        let names = match wanted {
            Wanted::Named(names) => &names[..],
            Wanted::Off | Wanted::All => &[],
        };
        let names = names.iter().map(String::as_str);
        names.filter(|name| !is_known(name)).collect()
    }

    /// The variables that kubelet's configuration sets for this program alone.
    pub(super) fn our_variables(&self) -> Vec<&EnvVar> {
        let own = self.providers.iter().filter(|provider| {
            let metadata = fs::metadata(resolve_below(&self.root, &provider.path));
            metadata.is_ok_and(|metadata| is_ourselves(&metadata))
        });
        own.flat_map(|provider| &provider.entry.env).collect()
    }

    /// Checks whether the provider may be run, and returns the fingerprint of what its
    /// responses depend on.
    ///
    /// # Errors
    /// [`NotRun`].
    pub(super) fn examine(
        &self,
        provider: &Provider,
        wanted: &Wanted,
    ) -> Result<Fingerprint, NotRun> {
        let metadata = self.may_run(provider, wanted)?;
        let CredentialProvider {
            name,
            match_images: _,
            default_cache_duration,
            api_version,
            args,
            env,
            token_attributes: _,
            line: _,
        } = &provider.entry;
        let mut all = self.stamp.clone();
        stamp(&metadata, &mut all);
        let mut add = |part: &[u8]| {
            all.update(part.len().to_le_bytes());
            all.update(part);
        };
        add(name.as_bytes());
        add(default_cache_duration
            .as_deref()
            .unwrap_or_default()
            .as_bytes());
        add(api_version.as_bytes());
        for argument in args {
            add(argument.as_bytes());
        }
        for EnvVar { name, value } in env {
            add(name.as_bytes());
            add(value.expose());
        }
        Ok(Fingerprint::new(&provider.path, all))
    }

    /// Checks whether the provider may be run, and returns the metadata of its
    /// executable.
    ///
    /// # Errors
    /// [`NotRun`].
    pub fn may_run(&self, provider: &Provider, wanted: &Wanted) -> Result<Metadata, NotRun> {
        let is_wanted = match wanted {
            Wanted::Off => false,
            Wanted::All => true,
            Wanted::Named(names) => names.contains(&provider.entry.name),
        };
        if !is_wanted {
            return Err(NotRun::NotNamed);
        }
        let failed = |source| NotRun::Inspect {
            path: provider.path.clone(),
            source,
        };
        let metadata = fs::metadata(resolve_below(&self.root, &provider.path)).map_err(failed)?;
        if is_ourselves(&metadata) {
            return Err(NotRun::Ourselves);
        }
        if provider.entry.token_attributes.is_some() {
            return Err(NotRun::TakesTokens);
        }
        match loophole_of(&self.root, &provider.path).map_err(failed)? {
            Some(loophole) => Err(NotRun::Loophole(loophole)),
            None => Ok(metadata),
        }
    }
}

impl Provider {
    /// The API version of its requests.
    pub(super) fn api_version(&self) -> ApiVersion {
        // kubelet does not start with any other version.
        self.entry.api_version.parse().unwrap_or_default()
    }

    /// The cache duration of responses without one.
    pub(super) fn default_cache_duration(&self) -> GoDuration {
        let text = self.entry.default_cache_duration.as_deref();
        let duration = text.and_then(|text| text.parse().ok());
        duration.unwrap_or(GoDuration::ZERO)
    }
}

fn is_ourselves(file: &Metadata) -> bool {
    let ourselves = fs::metadata(OURSELVES);
    ourselves.is_ok_and(|own| (own.dev(), own.ino()) == (file.dev(), file.ino()))
}

/// Adds what identifies a file and its version.
fn stamp(file: &Metadata, digest: &mut Sha256) {
    for number in [file.dev(), file.ino(), file.size()] {
        digest.update(number.to_le_bytes());
    }
    for number in [
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ] {
        digest.update(number.to_le_bytes());
    }
}

fn inspect(root: &Path, path: &Path, digest: &mut Sha256) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Inspect {
        path: path.to_owned(),
        source,
    };
    if let Some(loophole) = loophole_of(root, path).map_err(failed)? {
        return Err(ConfigError::Loophole(loophole));
    }
    let metadata = fs::metadata(resolve_below(root, path)).map_err(failed)?;
    stamp(&metadata, digest);
    Ok(())
}
