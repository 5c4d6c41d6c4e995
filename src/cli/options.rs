//! The plugin's settings as flags of clap, which the subcommands take too.

use std::ffi::OsStr;

use clap::builder::{FalseyValueParser, OsStringValueParser, PossibleValue, PossibleValuesParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use provider::settings::{ALL, Given, Kind, Origin, Setting};

/// The heading of the plugin's flags in the help of a subcommand.
pub(super) const HEADING: &str = "Options of the plugin";

/// A setting that is a flag of the plugin only, since `explain` has another flag of that
/// name. It can be given before the name of a subcommand.
const SECRETS: &str = "secrets";

/// The settings that were given as flags.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) given: Given,
}

impl Args for Options {
    fn augment_args(command: Command) -> Command {
        let heading = command.next_help_heading(HEADING);
        let with_flags = heading.args(ALL.iter().copied().map(argument));
        with_flags.next_help_heading(None::<&str>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Given::default();
        for setting in ALL.iter().copied() {
            if matches.value_source(setting.name) != Some(ValueSource::CommandLine) {
                continue;
            }
            if setting.kind == Kind::Switch {
                given.add(setting, Origin::Flag, None);
            }
            for value in matches.get_raw(setting.name).into_iter().flatten() {
                if setting.kind.takes_value() {
                    given.add(setting, Origin::Flag, Some(value));
                }
            }
        }
        Ok(Self { given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.name)
        .long(setting.name)
        .env(setting.variable)
        .hide_env_values(true)
        .help(setting.help)
        .global(setting.name != SECRETS)
        .default_values(setting.default.iter().map(OsStr::new));
    match setting.kind {
        Kind::Switch => argument
            .action(ArgAction::SetTrue)
            .value_parser(FalseyValueParser::new()),
        Kind::One(name) => argument
            .value_name(name)
            .value_parser(OsStringValueParser::new()),
        Kind::List(name) => argument
            .value_name(name)
            .action(ArgAction::Append)
            .value_parser(OsStringValueParser::new()),
        Kind::Choice(name, values) => {
            let values = values.iter().copied();
            let values = values.map(|(value, help)| PossibleValue::new(value).help(help));
            argument
                .value_name(name)
                .value_parser(PossibleValuesParser::new(values))
        }
    }
}
