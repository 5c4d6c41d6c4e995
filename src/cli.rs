//! The command line (SPEC section 7): flags and their environment variables, and
//! the validated [`Config`] made of them.
//!
//! The only place that reads the environment: kubelet's provider config can set
//! both `args` and `env`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use anyhow::Context;
use clap::builder::{
    FalseyValueParser, NonEmptyStringValueParser, OsStringValueParser, TypedValueParser,
};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use registries_conf::{Files, MissingMainFile};

use crate::cluster::{ProxySettings, Settings, kubelet_kubeconfig};
use crate::kubelet::GoDuration;
use crate::kubelet::provider_config::CredentialProvider;
use crate::logging;
use crate::service_account::Namespace;

/// `make REGISTRIES_CONF=...` sets another default.
const REGISTRIES_CONF: &str = match option_env!("REGISTRIES_CONF") {
    Some(path) if !path.is_empty() => path,
    _ => "/etc/containers/registries.conf",
};

const USAGE: &str = "\
crio-credential-provider [OPTIONS] < REQUEST
       crio-credential-provider [OPTIONS] COMMAND";

const AFTER_HELP: &str = "\
Without a subcommand it is the plugin: kubelet runs it, writes a CredentialProviderRequest to stdin \
and reads a CredentialProviderResponse from stdout.

Exit codes: 0 a response on stdout; 1 a failure, told in one line on stderr; 2 wrong usage.";

const CONFIG_HELP: &str = "\
matchImages has every registry that may be pulled from elsewhere: with mirrors, or with a location \
other than its prefix, unless all of that is blocked. A \"*\" of registries.conf stands for up to 4 labels \
here. Registries without a port match images without one: add others by hand, they are kept.

Examples:
  crio-credential-provider config > /etc/kubernetes/credential-providers.yaml
  crio-credential-provider config --merge /etc/kubernetes/credential-providers.yaml | diff /etc/kubernetes/credential-providers.yaml -
  crio-credential-provider config --merge /etc/kubernetes/credential-providers.yaml --write
  crio-credential-provider config -o openshift | oc apply -f -

kubelet reads the file when it starts. Exit codes: 0 printed, written, or nothing to write; 1 a failure, \
or a file that kubelet would refuse, with one line for each reason; 2 wrong usage.";

/// kubelet image credential provider for CRI-O: pulls through registry mirrors
/// that need a login, with the login in a Secret of the pod's namespace.
#[derive(Debug, Parser)]
#[command(name = "crio-credential-provider", version, override_usage = USAGE, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    options: Options,
    /// Print the version, the commit and the dependencies as JSON.
    #[arg(long)]
    pub version_json: bool,
    /// What to do instead of serving kubelet.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The command line of the plugin alone. Declaring the subcommands costs more
/// instructions than all else a run does that finds no mirror.
#[derive(Debug, Parser)]
#[command(name = "crio-credential-provider", disable_help_flag = true)]
struct Plugin {
    #[command(flatten)]
    options: Options,
}

/// What the program can do by hand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which registry and which pull sources images have.
    Resolve(Resolve),
    /// Print kubelet's CredentialProviderConfig for this node, or merge it into a file.
    #[command(after_help = CONFIG_HELP)]
    Config(ProviderConfig),
    /// Show which credential each pull source of an image would get, and why;
    /// writes nothing.
    Explain(Explain),
    /// Check whether this node is ready: registries.conf, CRI-O, kubelet and the API
    /// server; changes nothing.
    Check(Check),
}

const RESOLVE_HELP: &str = "\
Examples:
  # Where may CRI-O pull these from, and which rule of which file says so?
  crio-credential-provider resolve nginx quay.io/org/app:1.2

  # The same for a registries.conf that is not in place yet, and no drop-ins:
  crio-credential-provider resolve --registries-conf new.conf --registries-conf-dir '' nginx

  # Only the names, in the order in which CRI-O tries them:
  crio-credential-provider resolve -o json nginx | jq -r '.[].sources[].name'";

const EXPLAIN_HELP: &str = "\
Examples:
  # With Secrets as kubectl prints them; needs no cluster and writes nothing:
  kubectl -n team-a get secrets -o yaml | crio-credential-provider explain nginx -n team-a --secrets -

  # What would change if this Secret was applied?
  crio-credential-provider explain nginx -n team-a --secrets now.yaml --secrets new-secret.yaml

  # For a service account that names its pull Secrets in an annotation:
  kubectl -n team-a get secrets -o yaml | crio-credential-provider explain nginx -n team-a --secrets - --annotation 'credential-provider.crio.io/secrets=mirror'

  # As kubelet would have it for a pod of service account app; on the node, whose API server is found:
  kubectl -n team-a create token app > token
  crio-credential-provider explain nginx -n team-a --token-file token";

const CHECK_HELP: &str = "\
Each check is PASS, WARN or FAIL, with what to do. Flags and environment of the provider's entry in kubelet's \
configuration are used, unless they are given here. What cannot be seen is a WARN: run it as root.

Examples:
  # Will pulls work on this node, and if not, why?
  crio-credential-provider check

  # What keeps it from working, as JSON:
  crio-credential-provider check -o json | jq '.checks[] | select(.status != \"PASS\")'

  # A node whose files are below another directory, as in a debug pod:
  crio-credential-provider check --root /host

  # May the pods of service account app read their Secrets? With a token of theirs, or as an administrator:
  kubectl -n team-a create token app > token
  crio-credential-provider check --token-file token
  crio-credential-provider check -n team-a --service-account app --kubeconfig-for-review /etc/kubernetes/admin.conf

Exit codes: 0 no FAIL; 1 a FAIL, or nothing could be printed; 2 wrong usage.";

/// The subcommand `resolve`.
#[derive(Debug, Args)]
#[command(after_help = RESOLVE_HELP)]
pub struct Resolve {
    /// Image names as a pod would say them.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<String>,
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// The subcommand `config`.
#[derive(Debug, Args)]
pub struct ProviderConfig {
    /// Add to this file what it does not say yet, and print the result. Everything
    /// else in it stays byte by byte, comments too.
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with = "output")]
    pub merge: Option<PathBuf>,
    /// Write the result into FILE, which stays as FILE.bak, instead of printing it.
    #[arg(long, requires = "merge")]
    pub write: bool,
    /// Audience of the tokens that the provider gets. By default that of the entry
    /// in FILE, else the issuer that the API server tells whoever asks.
    #[arg(long, value_name = "AUDIENCE", value_parser = NonEmptyStringValueParser::new())]
    pub audience: Option<String>,
    /// Let kubelet hand over the annotation in which service accounts name their pull
    /// Secrets: that of --secrets-annotation.
    #[arg(long)]
    pub named_secrets: bool,
    /// What to print.
    #[arg(short, long, value_enum, default_value_t = ConfigOutput::Yaml)]
    pub output: ConfigOutput,
}

/// What `config` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ConfigOutput {
    /// kubelet's file as YAML.
    Yaml,
    /// kubelet's file as JSON.
    Json,
    /// OpenShift's `CRIOCredentialProviderConfig`, of which it makes kubelet's file.
    Openshift,
}

/// The subcommand `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub struct Explain {
    /// Image name as a pod would say it.
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// The pod's namespace.
    #[arg(short, long, value_parser = Namespace::parse)]
    pub namespace: Namespace,
    /// Annotation of the pod's service account, as kubelet would hand it over; repeatable.
    /// One of them may name the Secrets that count.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = parse_annotation)]
    pub annotations: Vec<(String, String)>,
    /// Where the Secrets come from.
    #[command(flatten)]
    pub secrets: SecretsFrom,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Where `explain` has the Secrets from: files, or the API server.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct SecretsFrom {
    /// File with Secrets as "kubectl get secrets -o yaml" or "-o json" prints
    /// them; repeatable, and - is stdin. Of two with the same name the last counts.
    #[arg(long, value_name = "FILE")]
    pub secrets: Vec<PathBuf>,
    /// File with a token of a service account of the namespace: asks the API server,
    /// as the plugin does.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// The subcommand `check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub struct Check {
    /// Directory that the node sees as /: every path is looked up below it, also
    /// those in the node's files and of its links.
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// kubelet's --image-credential-provider-config, where its command line cannot be
    /// seen.
    #[arg(long, value_name = "FILE")]
    pub kubelet_provider_config: Option<PathBuf>,
    /// kubelet's --image-credential-provider-bin-dir, where its command line cannot be
    /// seen.
    #[arg(long, value_name = "DIR")]
    pub kubelet_bin_dir: Option<PathBuf>,
    /// Namespace whose Secrets a service account is to read.
    #[arg(short, long, value_parser = Namespace::parse)]
    pub namespace: Option<Namespace>,
    /// The service account whose rights are checked.
    #[arg(long, value_name = "NAME", requires = "namespace")]
    pub service_account: Option<String>,
    /// Annotation of the service account; repeatable. One of them may name the Secrets
    /// that it is to read: then it must be allowed to get these, and list none.
    #[arg(long = "annotation", value_name = "NAME=VALUE", value_parser = parse_annotation)]
    pub annotations: Vec<(String, String)>,
    /// File with a token of the service account: asks the API server what it may do.
    #[arg(long, value_name = "FILE", conflicts_with = "kubeconfig_for_review")]
    pub token_file: Option<PathBuf>,
    /// kubeconfig of somebody who may ask what others may do, such as an
    /// administrator: its user, a token or a client certificate, is used for nothing
    /// else.
    #[arg(long, value_name = "FILE", requires = "service_account")]
    pub kubeconfig_for_review: Option<PathBuf>,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

impl Check {
    /// The directory that the node sees as `/`, absolute.
    ///
    /// # Errors
    /// There is no such directory, or it cannot be seen.
    pub fn root(&self) -> anyhow::Result<PathBuf> {
        let root = self.root.canonicalize();
        let root = root.with_context(|| format!("--root {}", self.root.display()))?;
        anyhow::ensure!(root.is_dir(), "--root {} is no directory", root.display());
        Ok(root)
    }
}

/// How a subcommand prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Options")]
struct Options {
    /// CRI-O's registries.conf.
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), default_value = REGISTRIES_CONF,
          env = "CRIO_CREDENTIAL_PROVIDER_REGISTRIES_CONF")]
    registries_conf: PathBuf,

    /// Directory of drop-ins for registries.conf; repeatable, and separated by
    /// colons in the environment. Replaces all defaults.
    #[arg(long, global = true, value_name = "DIR", value_parser = path(), value_delimiter = ':',
          default_values = ["/etc/containers/registries.conf.d", "/root/.config/containers/registries.conf.d"],
          env = "CRIO_CREDENTIAL_PROVIDER_REGISTRIES_CONF_DIR")]
    registries_conf_dir: Vec<PathBuf>,

    /// Directory of auth files: CRI-O's `namespaced_auth_dir`.
    #[arg(
        long,
        global = true,
        value_name = "DIR", value_parser = path(),
        default_value = "/etc/crio/auth",
        env = "CRIO_CREDENTIAL_PROVIDER_AUTH_DIR"
    )]
    auth_dir: PathBuf,

    /// Auth file with the node's own logins, carried over into every auth file;
    /// repeatable, and separated by colons in the environment. The first file wins.
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), value_delimiter = ':',
          default_values = ["/var/lib/kubelet/config.json"],
          env = "CRIO_CREDENTIAL_PROVIDER_GLOBAL_AUTH_FILE")]
    global_auth_file: Vec<PathBuf>,

    /// Pull Secret that counts for service accounts that name none; repeatable, and
    /// separated by colons in the environment. Only those named are read, and the first
    /// counts most. By default all of the namespace are listed.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        value_delimiter = ':',
        env = "CRIO_CREDENTIAL_PROVIDER_SECRET_NAME"
    )]
    secret_name: Vec<String>,

    /// Annotation in which a service account names its pull Secrets, with commas between
    /// them: "credential-provider.crio.io/secrets: mirror-login, team-cache". Empty:
    /// none counts.
    #[arg(
        long,
        global = true,
        value_name = "ANNOTATION",
        default_value = "credential-provider.crio.io/secrets",
        env = "CRIO_CREDENTIAL_PROVIDER_SECRETS_ANNOTATION"
    )]
    secrets_annotation: String,

    /// kubeconfig that says where the API server is; its user is never used.
    #[arg(
        long,
        global = true,
        value_name = "FILE", value_parser = path(),
        env = "CRIO_CREDENTIAL_PROVIDER_KUBECONFIG"
    )]
    kubeconfig: Option<PathBuf>,

    /// URL of the API server.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "CRIO_CREDENTIAL_PROVIDER_API_SERVER"
    )]
    api_server: Option<String>,

    /// CA certificates that verify the API server, PEM.
    #[arg(
        long,
        global = true,
        value_name = "FILE", value_parser = path(),
        env = "CRIO_CREDENTIAL_PROVIDER_CERTIFICATE_AUTHORITY"
    )]
    certificate_authority: Option<PathBuf>,

    /// Name that the API server's certificate must have, if not its host's.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "CRIO_CREDENTIAL_PROVIDER_TLS_SERVER_NAME"
    )]
    tls_server_name: Option<String>,

    /// Do not verify the API server's certificate: whoever answers gets the token.
    #[arg(long, global = true, value_parser = FalseyValueParser::new(),
          env = "CRIO_CREDENTIAL_PROVIDER_INSECURE_SKIP_TLS_VERIFY")]
    insecure_skip_tls_verify: bool,

    /// File with `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, as OpenShift
    /// has it on its nodes.
    #[arg(
        long,
        global = true,
        value_name = "FILE", value_parser = path(),
        default_value = "/etc/kubernetes/apiserver-url.env",
        env = "CRIO_CREDENTIAL_PROVIDER_API_SERVER_ENV_FILE"
    )]
    api_server_env_file: PathBuf,

    /// Limit of the whole run, such as 45s or 1m30s; kubelet kills at 1m.
    #[arg(long, global = true, value_name = "DURATION", default_value = "45s",
          value_parser = parse_timeout, env = "CRIO_CREDENTIAL_PROVIDER_TIMEOUT")]
    timeout: Duration,

    /// Age from which auth files and temporary files that were left over are
    /// removed, such as 24h; 0 never removes any.
    #[arg(long, global = true, value_name = "DURATION", default_value = "24h",
          value_parser = parse_duration, env = "CRIO_CREDENTIAL_PROVIDER_STALE_AFTER")]
    stale_after: Duration,

    /// Always answer `auth: {}`: kubelet then lets every pod of the node run a
    /// private image that one of them pulled.
    #[arg(long, global = true, value_parser = FalseyValueParser::new(),
          env = "CRIO_CREDENTIAL_PROVIDER_NO_EMPTY_LOGIN")]
    no_empty_login: bool,

    /// Do not confine the process with Landlock.
    #[arg(long, global = true, value_parser = FalseyValueParser::new(),
          env = "CRIO_CREDENTIAL_PROVIDER_NO_SANDBOX")]
    no_sandbox: bool,

    /// Least severe lines to log.
    #[arg(long, global = true, value_enum, default_value_t = logging::Level::Info,
          env = "CRIO_CREDENTIAL_PROVIDER_LOG_LEVEL")]
    log_level: logging::Level,

    /// How log lines on stderr look.
    #[arg(long, global = true, value_enum, default_value_t = logging::Format::Text,
          env = "CRIO_CREDENTIAL_PROVIDER_LOG_FORMAT")]
    log_format: logging::Format,
}

/// The settings of one run: every path absolute, every value checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// registries.conf and its drop-in directories.
    pub registries: Files,
    /// Where auth files go.
    pub auth_dir: PathBuf,
    /// The node's own logins, first file first.
    pub global_auth_files: Vec<PathBuf>,
    /// The Secrets that count for service accounts that name none; empty: all.
    pub secret_names: Vec<String>,
    /// The annotation in which service accounts name their Secrets.
    pub secrets_annotation: Option<String>,
    /// How to find and to trust the API server.
    pub cluster: Settings,
    /// The limit of the whole run.
    pub timeout: Duration,
    /// The age from which left-over files are removed; `None`: never.
    pub stale_after: Option<Duration>,
    /// Whether kubelet is told whose image it is.
    pub empty_login: bool,
    /// Whether the process gives up what it does not need.
    pub sandbox: bool,
    /// The least severe lines to log.
    pub log_level: logging::Level,
    /// How they look.
    pub log_format: logging::Format,
    /// Whether a subcommand may print to a terminal in colours.
    pub colours: bool,
}

/// Parses a command line, with the environment for what it leaves open.
///
/// # Errors
/// Wrong usage, or a request for help or the version: clap's error prints either
/// and knows the exit code.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match Plugin::try_parse_from(&arguments) {
        Ok(Plugin { options }) => Ok(Cli {
            options,
            version_json: false,
            command: None,
        }),
        // A subcommand, help, or a mistake, which is told with all there is.
        Err(_) => Cli::try_parse_from(arguments),
    }
}

/// The settings of the provider as kubelet runs it: what its entry says in `args` and
/// `env`, and over that what our own command line says.
///
/// # Errors
/// What the provider says itself when it is run so; without its usage.
pub fn config_in_entry(
    entry: &CredentialProvider,
    own: impl IntoIterator<Item = OsString>,
) -> Result<Config, String> {
    let mut own = own.into_iter();
    let mut arguments: Vec<OsString> = own.next().into_iter().collect();
    for argument in Cli::command().get_arguments() {
        let (Some(flag), Some(name)) = (argument.get_long(), argument.get_env()) else {
            continue;
        };
        // As always, what args say counts more.
        let said = |said: &String| {
            let rest = said
                .strip_prefix("--")
                .and_then(|said| said.strip_prefix(flag));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if entry.args.iter().any(said) {
            continue;
        }
        let Some(variable) = entry.env.iter().find(|variable| *variable.name == *name) else {
            continue;
        };
        let value = OsStr::from_bytes(variable.value.expose());
        if argument.get_action().takes_values() {
            let mut given = OsString::from(format!("--{flag}="));
            given.push(value);
            arguments.push(given);
        } else if FalseyValueParser::new()
            .parse_ref(&Cli::command(), None, value)
            .is_ok_and(|is_set| is_set)
        {
            arguments.push(format!("--{flag}").into());
        }
    }
    arguments.extend(entry.args.iter().map(OsString::from));
    arguments.extend(own);
    let parsed = Cli::command()
        .args_override_self(true)
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = parsed.map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        line.trim_start_matches("error: ").to_owned()
    })?;
    cli.config().map_err(|error| error.to_string())
}

impl Cli {
    /// The settings that the flags and the environment give.
    ///
    /// # Errors
    /// Where a relative path cannot be made absolute.
    pub fn config(&self) -> io::Result<Config> {
        let options = &self.options;
        let all = |paths: &[PathBuf]| -> io::Result<Vec<PathBuf>> {
            paths.iter().filter_map(|path| given(path)).collect()
        };
        let optional = |path: &Option<PathBuf>| path.as_deref().and_then(given).transpose();
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(Config {
            registries: Files {
                main: absolute(&options.registries_conf)?,
                drop_in_dirs: all(&options.registries_conf_dir)?,
                missing_main: MissingMainFile::Ignore,
            },
            auth_dir: absolute(&options.auth_dir)?,
            global_auth_files: all(&options.global_auth_file)?,
            secret_names: options
                .secret_name
                .iter()
                .filter(|name| !name.is_empty())
                .cloned()
                .collect(),
            secrets_annotation: Some(options.secrets_annotation.clone())
                .filter(|name| !name.is_empty()),
            cluster: Settings {
                api_server: text(&options.api_server),
                kubeconfig: optional(&options.kubeconfig)?,
                certificate_authority: optional(&options.certificate_authority)?,
                tls_server_name: text(&options.tls_server_name),
                insecure_skip_tls_verify: options.insecure_skip_tls_verify,
                env_file: absolute(&options.api_server_env_file)?,
                kubelet_kubeconfig: self.kubelet_kubeconfig(),
                proxy: proxies(),
                root: PathBuf::from("/"),
            },
            timeout: options.timeout,
            stale_after: Some(options.stale_after).filter(|age| !age.is_zero()),
            empty_login: !options.no_empty_login,
            sandbox: !options.no_sandbox,
            log_level: options.log_level,
            log_format: options.log_format,
            colours: colours(),
        })
    }
}

impl Cli {
    /// Only looked for where nothing more important is given.
    fn kubelet_kubeconfig(&self) -> Option<PathBuf> {
        let options = &self.options;
        let given = options.api_server.is_some() || options.kubeconfig.is_some();
        if given { None } else { kubelet_kubeconfig() }
    }
}

/// A path that may be empty, which clap's own parser refuses.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// An empty path is none: it is how a list or a default is switched off.
fn given(path: &Path) -> Option<io::Result<PathBuf>> {
    (!path.as_os_str().is_empty()).then(|| absolute(path))
}

#[expect(
    clippy::disallowed_methods,
    reason = "proxies come from the environment, as for every client of Kubernetes"
)]
fn proxies() -> ProxySettings {
    let first = |names: [&str; 2]| names.into_iter().find_map(|name| env::var(name).ok());
    ProxySettings {
        https_proxy: first(["HTTPS_PROXY", "https_proxy"]),
        no_proxy: first(["NO_PROXY", "no_proxy"]),
    }
}

/// <https://no-color.org>, and terminals that know no colours.
#[expect(
    clippy::disallowed_methods,
    reason = "every program of the terminal heeds these"
)]
fn colours() -> bool {
    let objected = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !objected && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn parse_annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("must be longer than 0".to_owned()),
        timeout => Ok(timeout),
    }
}

/// A duration as Go and Kubernetes write it, but for a bare number, which is seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let is_bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let with_unit = if is_bare { &format!("{text}s") } else { text };
    let duration: Result<GoDuration, _> = with_unit.parse();
    duration
        .and_then(Duration::try_from)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_of_the_plugin_has_an_environment_variable() {
        for argument in Cli::command().get_arguments() {
            let name = argument.get_id().as_str();
            if matches!(name, "version_json" | "help" | "version") {
                continue;
            }
            let expected = format!("CRIO_CREDENTIAL_PROVIDER_{}", name.to_uppercase());
            let found = argument
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            assert_eq!(found, Some(expected), "{name}");
        }
    }

    #[test]
    fn a_duration_of_a_flag_is_gos_or_a_number_of_seconds() {
        for (text, expected) in [
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("+5s", Some(5_000)),
            ("1000us", Some(1)),
            ("1000µs", Some(1)),
            ("1000μs", Some(1)),
            ("0", Some(0)),
            ("7", Some(7_000)),
            ("007", Some(7_000)),
            ("", None),
            ("s", None),
            ("1d", None),
            ("1s2", None),
            ("-1s", None),
            ("-7", None),
            ("99999999999999999999", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(parse_duration(text).ok(), expected, "{text}");
        }
    }
}
