//! The settings of one run: given as flags, in the environment or in a file, and checked
//! once.
//!
//! kubelet's CredentialProviderConfig can set both `args` and `env` of a provider:
//! <https://kubernetes.io/docs/reference/config-api/kubelet-config.v1/>. A flag overrides
//! its variable, and both override the configuration file.

mod declared;
mod duration;
mod file;
mod given;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use registries_conf::{Environment, Layout, Options};

use crate::api_server::{self, ProxySettings};
use crate::logging::{Format, Level};
use crate::logins::node_providers::{self, NESTED, Wanted};
use crate::parent::Parent;
use crate::registries::Lookup;
use crate::secret_names::{NotAName, SharedSecret};

pub use declared::{ALL, Kind, Setting, named};
use declared::{
    API_SERVER, API_SERVER_ENV_FILE, AUTH_DIR, CERTIFICATE_AUTHORITY, CONFIG_FILE,
    GLOBAL_AUTH_FILE, INSECURE_SKIP_TLS_VERIFY, KUBECONFIG, KUBELET_BIN_DIR,
    KUBELET_PROVIDER_CONFIG, LOCK_FILE, LOG_FORMAT, LOG_LEVEL, NO_EMPTY_LOGIN, NO_SANDBOX,
    NODE_PROVIDERS, PROVIDER_CACHE_DIR, PULL_INTENTS_DIR, REGISTRIES_CONF, REGISTRIES_CONF_DIR,
    REGISTRIES_CONF_LAYOUT, SECRET_NAME, SECRETS, SECRETS_ANNOTATION, SHARED_SECRET, STALE_AFTER,
    TIMEOUT, TLS_SERVER_NAME, UNMIRRORED,
};
use duration::parse_duration;
pub use file::{FileError, UnknownKey};
pub use given::{ArgumentError, Given, Origin, Place};

/// The settings of one run: every path absolute, every value checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How to find registries.conf and its drop-ins.
    pub registries: Lookup,
    /// The directory of auth files.
    pub auth_dir: PathBuf,
    /// The node's own logins, first file first.
    pub global_auth_files: Vec<PathBuf>,
    /// The Secrets that are used for service accounts that name none; empty for all.
    pub secret_names: Vec<String>,
    /// The annotation in which service accounts name their Secrets.
    pub secrets_annotation: Option<String>,
    /// Whether the Secrets of the pod's namespace are read.
    pub secrets: SecretsPolicy,
    /// Secrets of any namespace that are used for every pod that may get them, in order
    /// of precedence.
    pub shared_secrets: Vec<SharedSecret>,
    /// Whether images without a mirror or another location are served.
    pub unmirrored: bool,
    /// Which of the node's providers are run, and where they are.
    pub node_providers: node_providers::Settings,
    /// How to find and verify the API server.
    pub cluster: api_server::Settings,
    /// The limit of the whole run.
    pub timeout: Duration,
    /// The file by which runs for one auth file take turns.
    pub lock_file: PathBuf,
    /// kubelet's records of pulls; `None` to use CRI-O's `in-use` instead.
    pub pull_intents_dir: Option<PathBuf>,
    /// The age at which left-over files are removed; `None` for never.
    pub stale_after: Option<Duration>,
    /// Whether the response has an empty login, so that kubelet records the service
    /// account.
    pub empty_login: bool,
    /// Whether the process gives up access that it does not need.
    pub sandbox: bool,
    /// The least severe lines to log.
    pub log_level: Level,
    /// The format of log lines on stderr.
    pub log_format: Format,
    /// The given values and their places; the other settings have their defaults.
    pub given: Given,
    /// The configuration file, if it was read.
    pub config_file: Option<PathBuf>,
    /// The keys of the configuration file that are not settings.
    pub unknown_keys: Vec<UnknownKey>,
}

/// Whether the Secrets of the pod's namespace are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsPolicy {
    /// They are read; the run fails for a pod that may not read them.
    Required,
    /// They are read; a pod that may not read them is treated as one without Secrets.
    IfAllowed,
    /// They are not read.
    Never,
}

impl SecretsPolicy {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "required" => Some(Self::Required),
            "if-allowed" => Some(Self::IfAllowed),
            "never" => Some(Self::Never),
            _ => None,
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value is not valid for its setting.
    #[error("{place}: {reason}")]
    Value {
        /// The setting, as it was given.
        place: Place,
        /// The values that it accepts.
        reason: &'static str,
    },
    /// The configuration file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A relative path cannot be made absolute.
    #[error("read the working directory, which relative paths start from")]
    WorkingDirectory(#[source] io::Error),
}

impl SettingsError {
    /// Whether the configuration file causes the error.
    fn is_about_file(&self) -> bool {
        match self {
            Self::Value { place, .. } => !place.is_usage(),
            Self::File(_) => true,
            Self::WorkingDirectory(_) => false,
        }
    }
}

impl Settings {
    /// Adds the environment and the configuration file to the given flags, and checks all of
    /// them. `variable` looks up the environment. A node below another directory than `/` has
    /// its configuration file there.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn load(
        flags: Given,
        variable: impl Fn(&str) -> Option<OsString>,
        root: &Path,
    ) -> Result<Self, SettingsError> {
        let given = flags.or(Given::from_environment(&variable));
        let Some(path) = Values(&given).optional_path(CONFIG_FILE)? else {
            return Self::new(given, variable);
        };
        let must_exist = given.is_given(CONFIG_FILE);
        let Some(parsed) = file::read(root, &path, must_exist)? else {
            return Self::new(given, variable);
        };
        let settings = Self::new(given.or(parsed.given), variable)?;
        Ok(Self {
            config_file: Some(path),
            unknown_keys: parsed.unknown,
            ..settings
        })
    }

    /// As [`load`](Self::load), but goes on without a configuration file that cannot be
    /// used, and returns the reason.
    ///
    /// # Errors
    /// [`SettingsError`], except those of the configuration file.
    pub fn load_around_file(
        flags: Given,
        variable: impl Fn(&str) -> Option<OsString>,
        root: &Path,
    ) -> Result<(Self, Option<SettingsError>), SettingsError> {
        match Self::load(flags.clone(), &variable, root) {
            Ok(settings) => Ok((settings, None)),
            Err(error) if error.is_about_file() => {
                Ok((Self::without_file(flags, variable)?, Some(error)))
            }
            Err(error) => Err(error),
        }
    }

    /// Adds only the environment to the given flags.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn without_file(
        flags: Given,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsError> {
        Self::new(flags.or(Given::from_environment(&variable)), variable)
    }

    /// Fills in settings that were not given from the command line of the kubelet that
    /// started this process: its kubeconfig, and the paths of its providers.
    pub fn ask_parent(&mut self) {
        let Self {
            cluster,
            node_providers: providers,
            ..
        } = self;
        let asks_server = cluster.api_server.is_none() && cluster.kubeconfig.is_none();
        let asks_providers =
            providers.is_on() && (providers.config.is_none() || providers.bin_dir.is_none());
        if !asks_server && !asks_providers {
            return;
        }
        let Some(parent) = Parent::read() else { return };
        if asks_server {
            cluster.kubelet_kubeconfig = parent.path("kubeconfig");
        }
        if asks_providers {
            let or_parents = |given: &mut Option<PathBuf>, flag| {
                *given = given.take().or_else(|| parent.path(flag));
            };
            or_parents(&mut providers.config, "image-credential-provider-config");
            or_parents(&mut providers.bin_dir, "image-credential-provider-bin-dir");
        }
    }

    fn new(
        given: Given,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsError> {
        let values = Values(&given);
        let stale_after = values.duration(STALE_AFTER)?;
        let timeout = values.duration(TIMEOUT)?;
        if timeout.is_zero() {
            return Err(values.invalid(TIMEOUT, "must be longer than 0"));
        }
        Ok(Self {
            registries: Lookup {
                layout: values.choice(REGISTRIES_CONF_LAYOUT, layout)?,
                options: Options {
                    main: values.optional_path(REGISTRIES_CONF)?,
                    drop_in_dir: values.optional_path(REGISTRIES_CONF_DIR)?,
                },
                environment: Environment::new(&variable),
                root: PathBuf::from("/"),
            },
            auth_dir: values.path(AUTH_DIR)?,
            global_auth_files: values.paths(GLOBAL_AUTH_FILE)?,
            secret_names: values.texts(SECRET_NAME)?,
            secrets_annotation: values.text(SECRETS_ANNOTATION)?,
            secrets: values.choice(SECRETS, SecretsPolicy::parse)?,
            shared_secrets: values.shared_secrets()?,
            unmirrored: given.is_given(UNMIRRORED),
            node_providers: node_providers::Settings {
                wanted: values.node_providers(&variable)?,
                config: values.optional_path(KUBELET_PROVIDER_CONFIG)?,
                bin_dir: values.optional_path(KUBELET_BIN_DIR)?,
                cache_dir: values.path(PROVIDER_CACHE_DIR)?,
            },
            cluster: api_server::Settings {
                api_server: values.text(API_SERVER)?,
                kubeconfig: values.optional_path(KUBECONFIG)?,
                certificate_authority: values.optional_path(CERTIFICATE_AUTHORITY)?,
                tls_server_name: values.text(TLS_SERVER_NAME)?,
                insecure_skip_tls_verify: given.is_given(INSECURE_SKIP_TLS_VERIFY),
                env_file: values.path(API_SERVER_ENV_FILE)?,
                kubelet_kubeconfig: None,
                proxy: proxies(&variable),
                root: PathBuf::from("/"),
            },
            timeout,
            lock_file: values.path(LOCK_FILE)?,
            pull_intents_dir: values.optional_path(PULL_INTENTS_DIR)?,
            stale_after: Some(stale_after).filter(|age| !age.is_zero()),
            empty_login: !given.is_given(NO_EMPTY_LOGIN),
            sandbox: !given.is_given(NO_SANDBOX),
            log_level: values.choice(LOG_LEVEL, Level::parse)?,
            log_format: values.choice(LOG_FORMAT, Format::parse)?,
            config_file: None,
            unknown_keys: Vec::new(),
            given,
        })
    }
}

/// The given values, checked one by one.
struct Values<'a>(&'a Given);

impl Values<'_> {
    fn invalid(&self, setting: &'static Setting, reason: &'static str) -> SettingsError {
        let place = self.0.place(setting);
        SettingsError::Value { place, reason }
    }

    fn path(&self, setting: &'static Setting) -> Result<PathBuf, SettingsError> {
        self.optional_path(setting)?
            .ok_or_else(|| self.invalid(setting, "must not be empty"))
    }

    fn optional_path(&self, setting: &'static Setting) -> Result<Option<PathBuf>, SettingsError> {
        self.0.one(setting).map(absolute_path).transpose()
    }

    fn paths(&self, setting: &'static Setting) -> Result<Vec<PathBuf>, SettingsError> {
        self.0
            .list(setting)
            .into_iter()
            .map(absolute_path)
            .collect()
    }

    fn text(&self, setting: &'static Setting) -> Result<Option<String>, SettingsError> {
        let text = self.0.one(setting).map(|value| self.utf8(setting, value));
        text.transpose()
    }

    fn texts(&self, setting: &'static Setting) -> Result<Vec<String>, SettingsError> {
        let values = self.0.list(setting).into_iter();
        values.map(|value| self.utf8(setting, value)).collect()
    }

    fn shared_secrets(&self) -> Result<Vec<SharedSecret>, SettingsError> {
        let names = self.texts(SHARED_SECRET)?;
        let parsed: Result<_, NotAName> = names.iter().map(|name| name.parse()).collect();
        parsed.map_err(|_not_a_name| {
            self.invalid(
                SHARED_SECRET,
                "expected NAMESPACE/NAME, such as registry-logins/mirror",
            )
        })
    }

    /// Runs no node providers if one of them has started this process.
    fn node_providers(
        &self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Wanted, SettingsError> {
        let values = self.texts(NODE_PROVIDERS)?;
        let wanted = Wanted::parse(&values);
        let wanted = wanted.ok_or_else(|| {
            self.invalid(
                NODE_PROVIDERS,
                "off and auto cannot be combined with other values",
            )
        })?;
        let is_nested = variable(NESTED).is_some();
        Ok(if is_nested { Wanted::Off } else { wanted })
    }

    fn utf8(&self, setting: &'static Setting, value: &OsStr) -> Result<String, SettingsError> {
        let text = value.to_str().map(str::to_owned);
        text.ok_or_else(|| self.invalid(setting, "is not UTF-8"))
    }

    fn duration(&self, setting: &'static Setting) -> Result<Duration, SettingsError> {
        let text = self.text(setting)?.unwrap_or_default();
        parse_duration(&text).ok_or_else(|| {
            self.invalid(
                setting,
                "expected a duration such as 500ms, 45s, 1m30s or 24h",
            )
        })
    }

    fn choice<T>(
        &self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, SettingsError> {
        let value = self.0.one(setting).and_then(OsStr::to_str);
        value
            .and_then(parse)
            .ok_or_else(|| self.invalid(setting, "is not one of its values, which --help lists"))
    }
}

fn absolute_path(path: &OsStr) -> Result<PathBuf, SettingsError> {
    absolute(Path::new(path)).map_err(SettingsError::WorkingDirectory)
}

/// Parses the layout; `Some(None)` is `auto`, the layout of the CRI-O on the node.
#[expect(
    clippy::option_option,
    reason = "`None` inside is a valid value, outside it is an invalid one"
)]
fn layout(text: &str) -> Option<Option<Layout>> {
    match text {
        "auto" => Some(None),
        "5.38" => Some(Some(Layout::V5_38)),
        "5.41" => Some(Some(Layout::V5_41)),
        _ => None,
    }
}

/// Proxies come from the environment, as for all clients of Kubernetes.
fn proxies(variable: impl Fn(&str) -> Option<OsString>) -> ProxySettings {
    ProxySettings::of(|name| variable(name)?.into_string().ok())
}
