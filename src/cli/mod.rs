//! The command line: the plugin's flags, which every subcommand takes too, and the
//! subcommands.
//!
//! [`parse`] is the only place that reads the environment, and it reads nothing else.

mod check;
mod check_name;
mod completion;
mod config;
mod explain;
mod help;
mod options;
mod resolve;
mod root;

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use kubelet_credential_provider::provider_config::CredentialProvider;

use provider::settings::{Given, Settings, SettingsError};

pub use check::Check;
pub use check_name::CheckName;
pub use completion::{Completion, Shell};
pub use config::{ConfigOutput, ProviderConfig};
pub use explain::{Explain, SecretsFrom};
use options::Options;
pub use resolve::Resolve;
pub use root::NodeRoot;

const USAGE: &str = "\
crio-credential-provider [OPTIONS] < REQUEST
       crio-credential-provider [OPTIONS] COMMAND";

/// The path that stands for stdin.
pub const STDIN: &str = "-";

const AFTER_HELP: &str = "\
Without a subcommand it is the plugin: kubelet runs it, writes a CredentialProviderRequest to stdin \
and reads a CredentialProviderResponse from stdout.

Exit codes: 0 a response on stdout; 1 a failure, told in one line on stderr; 2 wrong usage.";

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
    /// The subcommand; without one, the program serves kubelet.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The subcommands, to be run by hand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which registry and which pull sources images have.
    Resolve(Resolve),
    /// Print kubelet's CredentialProviderConfig for this node, or write it into a file.
    Config(ProviderConfig),
    /// Show which credential each pull source of an image would get, and why; writes
    /// nothing.
    Explain(Explain),
    /// Check whether this node is ready: registries.conf, CRI-O, kubelet and the API
    /// server; changes nothing.
    Check(Box<Check>),
    /// Print a script with which a shell completes this command line.
    Completion(Completion),
}

/// How a subcommand prints its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// The action of the program, with its settings.
#[derive(Debug)]
pub struct Invocation {
    /// The settings of the plugin.
    pub settings: Settings,
    /// The action.
    pub action: Action,
}

/// The action of the program.
#[derive(Debug)]
pub enum Action {
    /// Serve kubelet.
    Plugin,
    /// Print the version as JSON.
    VersionJson,
    /// Run a subcommand.
    Run(Command),
}

impl Action {
    /// The directory that the node sees as `/`.
    fn root(&self) -> &Path {
        match self {
            Self::Run(Command::Check(check)) => &check.root.directory,
            Self::Run(Command::Resolve(resolve)) => &resolve.root.directory,
            Self::Run(Command::Explain(explain)) => &explain.root.directory,
            Self::Plugin | Self::VersionJson | Self::Run(_) => Path::new("/"),
        }
    }
}

/// Why the program cannot start.
#[derive(Debug)]
pub enum UsageError {
    /// Wrong usage, or a request for help or the version: clap's error prints the text
    /// and has the exit code.
    Clap(clap::Error),
    /// The settings cannot be used.
    Settings(SettingsError),
}

/// Parses a command line; settings that it lacks come from the environment.
///
/// The plugin's own flags are parsed without clap: declaring them and the subcommands to
/// clap costs more instructions than all the rest of a run that finds no mirror.
///
/// # Errors
/// [`UsageError`].
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let plugin = arguments.iter().skip(1).cloned();
    let (given, action) = match Given::from_arguments(plugin) {
        Ok(given) => (given, Action::Plugin),
        // A subcommand, help, or a mistake, which clap reports with all flags.
        Err(_) => with_clap(&arguments).map_err(UsageError::Clap)?,
    };
    let root = action.root().to_owned();
    let loaded = match action {
        // `check` reports a file that cannot be used.
        Action::Run(Command::Check(_)) => {
            Settings::load_around_file(given, variable, &root).map(|(settings, _)| settings)
        }
        Action::Plugin | Action::VersionJson | Action::Run(_) => {
            Settings::load(given, variable, &root)
        }
    };
    match loaded {
        Ok(settings) => Ok(Invocation { settings, action }),
        Err(SettingsError::Value { place, reason }) if place.is_usage() => {
            let error = format!("{place}: {reason}");
            let error = Cli::command().error(ErrorKind::ValueValidation, error);
            Err(UsageError::Clap(error))
        }
        Err(error) => Err(UsageError::Settings(error)),
    }
}

fn with_clap(arguments: &[OsString]) -> Result<(Given, Action), clap::Error> {
    let parsed = Cli::try_parse_from(arguments.iter());
    let cli = parsed.map_err(|error| help::arranged(error, arguments))?;
    let action = match cli.command {
        _ if cli.version_json => Action::VersionJson,
        Some(command) => Action::Run(command),
        None => Action::Plugin,
    };
    Ok((cli.options.given, action))
}

/// The settings in `args` and `env` of the provider's entry in kubelet's configuration.
///
/// # Errors
/// The mistake in it, in one line.
pub fn given_in_entry(entry: &CredentialProvider) -> Result<Given, String> {
    let arguments = entry.args.iter().map(OsString::from);
    let in_args = Given::from_arguments(arguments).map_err(|error| error.to_string())?;
    let in_env = Given::from_environment(|name| {
        let variable = entry.env.iter().find(|variable| variable.name == name)?;
        Some(OsStr::from_bytes(variable.value.expose()).to_owned())
    });
    let given = in_args.or(in_env);
    match Settings::without_file(given.clone(), |_| None) {
        Ok(_) => Ok(given),
        Err(error) => Err(format!("{:#}", anyhow::Error::new(error))),
    }
}

/// The settings of our own command line and environment, completed with those of the
/// provider's entry, and the reason if the configuration file is not used.
///
/// # Errors
/// [`SettingsError`].
pub fn settings_over(
    in_entry: Given,
    own: impl IntoIterator<Item = OsString>,
    root: &Path,
) -> Result<(Settings, Option<SettingsError>), SettingsError> {
    let own = Cli::try_parse_from(own).map(|cli| cli.options.given);
    let given = own.unwrap_or_default().or(in_entry);
    Settings::load_around_file(given, variable, root)
}

/// Checks that a path exists and is not a directory; otherwise it is wrong usage.
fn existing_file(path: PathBuf) -> Result<PathBuf, String> {
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Err("is a directory".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error.to_string()),
        Ok(_) | Err(_) => Ok(path),
    }
}

/// Parses the path of a file that exists.
fn parse_file() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(existing_file)
}

/// Parses the path of a file that exists, or [`STDIN`].
fn parse_input() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path {
        stdin if stdin == Path::new(STDIN) => Ok(stdin),
        path => existing_file(path),
    })
}

/// Parses a name and a value, separated by `=`.
fn parse_annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only place that reads the environment"
)]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

/// The kubeconfigs of the user of a subcommand, as kubectl finds them: all of
/// `KUBECONFIG`, else the one in the home directory.
pub fn kubeconfigs() -> Vec<PathBuf> {
    let listed = variable("KUBECONFIG").filter(|list| !list.is_empty());
    if let Some(list) = listed {
        let paths = env::split_paths(&list);
        return paths.filter(|path| !path.as_os_str().is_empty()).collect();
    }
    let home = variable("HOME").filter(|home| !home.is_empty());
    let path = home.map(|home| Path::new(&home).join(".kube/config"));
    path.into_iter().collect()
}

/// Whether a subcommand may print colours on a terminal: <https://no-color.org>, and
/// terminals without colours.
pub fn colours() -> bool {
    let objected = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    !objected && variable("TERM").is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn sorted(given: &Given) -> Vec<String> {
        let mut arguments = given.arguments().unwrap();
        arguments.sort();
        arguments
    }

    /// Arguments from which command lines are made: flags of every kind, whole and in
    /// parts, with and without values.
    const ARGUMENTS: [&str; 12] = [
        "--auth-dir",
        "--auth-dir=/a",
        "/b",
        "--global-auth-file=/c:/d",
        "--global-auth-file",
        "--no-sandbox",
        "--no-sandbox=true",
        "--log-level=debug",
        "-",
        "",
        "--",
        "--auth",
    ];

    /// Every help text on a terminal of this width.
    fn help_texts(columns: usize) -> Vec<String> {
        let command = help::command(Some(columns));
        let mut texts = Vec::new();
        let names = command
            .get_subcommands()
            .map(|sub| sub.get_name().to_owned());
        for name in names.chain([String::new()]).filter(|name| name != "help") {
            let arguments = ["crio-credential-provider", &name, "--help"];
            let arguments = arguments
                .into_iter()
                .filter(|argument| !argument.is_empty());
            let shown = command.clone().try_get_matches_from(arguments);
            texts.push(shown.unwrap_err().to_string());
        }
        texts
    }

    #[test]
    fn help_fits_the_terminal_and_breaks_no_word() {
        let (narrow, wide) = (help_texts(80), help_texts(100));
        assert!(narrow.len() > 4);
        for (narrow, wide) in narrow.iter().zip(&wide) {
            for line in narrow.lines().filter(|line| line.len() > 80) {
                assert_eq!(line.split_whitespace().count(), 1, "{line:?}");
            }
            let words = |text: &str| -> Vec<String> {
                text.split_whitespace().map(ToOwned::to_owned).collect()
            };
            assert_eq!(words(narrow), words(wide));
        }
    }

    #[test]
    fn a_subcommands_own_flags_and_examples_come_before_the_plugins() {
        for text in help_texts(100) {
            let plugin = text.find(&format!("{}:", options::HEADING)).unwrap();
            let own = text.find("\nOptions:").unwrap();
            assert!(own < plugin, "{text}");
            if let Some(examples) = text.find("\nExamples:") {
                assert!(own < examples && examples < plugin, "{text}");
            }
            for setting in provider::settings::ALL {
                let flag = format!(" --{} ", setting.name);
                let first = text.find(&flag).or_else(|| text.find(flag.trim_end()));
                let last = text.rfind(flag.trim_end());
                assert!(first.is_some() && last > Some(plugin), "{flag} {text}");
            }
        }
    }

    #[test]
    fn examples_are_typed_in_lines_that_fit_a_terminal() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().unwrap().to_string();
            let (_, examples) = help.split_once("Examples:\n").unwrap();
            let (examples, codes) = examples.split_once("\n\nExit codes: ").unwrap();
            for line in examples.lines() {
                assert!(line.len() <= 75, "{line:?}");
            }
            assert!(codes.starts_with("0 ") && !codes.contains('\n'), "{codes}");
        }
    }

    proptest! {
        #[test]
        fn the_plugins_own_parser_agrees_with_clap(
            picked in vec(select(&ARGUMENTS[..]), 0..5)
        ) {
            let arguments = picked.iter().map(OsString::from);
            let ours = Given::from_arguments(arguments.clone());
            let program = OsString::from("crio-credential-provider");
            let claps = Cli::try_parse_from([program].into_iter().chain(arguments));
            if let Ok(ours) = ours {
                let claps = claps.unwrap().options.given;
                prop_assert_eq!(sorted(&ours), sorted(&claps));
            } else if let Ok(claps) = claps {
                // clap may accept more, such as `--`, but no other plain flags.
                prop_assert!(picked.contains(&"--"), "{:?}", claps);
            }
        }
    }
}
