//! The values that were given for the settings, and their origins: a command line, the
//! environment or the configuration file. [`Settings`](super::Settings) checks the
//! values.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{PathBuf, absolute};

use super::declared::{ALL, Kind, Setting, named};

/// Where the value of a setting was given, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// As a flag.
    Flag,
    /// In an environment variable.
    Environment,
    /// In the configuration file, with the number of the line.
    File(PathBuf, usize),
}

/// The settings that were given, each with its values and where they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(Vec<Value>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    setting: &'static Setting,
    origin: Origin,
    /// At least one; empty for a switch that is off.
    texts: Vec<OsString>,
}

/// Why a command line is not valid for the plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// The argument is not a flag of the plugin.
    #[error("unexpected argument {0:?}")]
    Unexpected(OsString),
    /// The flag has no value.
    #[error("--{0} needs a value")]
    NoValue(&'static str),
    /// A flag that takes one value was given twice.
    #[error("--{0} is given more than once")]
    Twice(&'static str),
}

impl Given {
    /// Parses a command line, without the program's name.
    ///
    /// # Errors
    /// [`ArgumentError`] if it has anything other than flags of the plugin: a subcommand,
    /// `--help`, or a mistake.
    pub fn from_arguments(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, ArgumentError> {
        let mut given = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let Some((setting, value)) = flag(&argument) else {
                return Err(ArgumentError::Unexpected(argument));
            };
            let value = match (setting.kind, value) {
                (Kind::Switch, None) => None,
                (Kind::Switch, Some(_)) => return Err(ArgumentError::Unexpected(argument)),
                (_, Some(value)) => Some(value.to_owned()),
                (_, None) => match arguments.next() {
                    Some(value) if value == "-" || !value.as_bytes().starts_with(b"-") => {
                        Some(value)
                    }
                    _ => return Err(ArgumentError::NoValue(setting.name)),
                },
            };
            if given.find(setting).is_some() && !setting.kind.is_list() {
                return Err(ArgumentError::Twice(setting.name));
            }
            given.add(setting, Origin::Flag, value.as_deref());
        }
        Ok(given)
    }

    /// Reads the settings' variables from an environment. A switch is off if its variable
    /// is empty, `0`, `n`, `no`, `f`, `false` or `off`.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut given = Self::default();
        for setting in ALL {
            let Some(value) = variable(setting.variable) else {
                continue;
            };
            if setting.kind != Kind::Switch {
                given.add(setting, Origin::Environment, Some(&value));
            } else if !is_false(&value) {
                given.add(setting, Origin::Environment, None);
            }
        }
        given
    }

    /// Adds a value. In the value of a list, items are separated by colons.
    pub fn add(&mut self, setting: &'static Setting, origin: Origin, value: Option<&OsStr>) {
        let parts = value.into_iter().flat_map(|value| {
            let separator = if setting.kind.is_list() {
                b":"
            } else {
                &b""[..]
            };
            let parts = value.as_bytes().split(move |byte| separator.contains(byte));
            parts.map(|part| OsStr::from_bytes(part).to_owned())
        });
        let found = self
            .0
            .iter_mut()
            .find(|value| value.setting.name == setting.name);
        if let Some(value) = found {
            value.texts.extend(parts);
        } else {
            let texts = parts.collect();
            self.set(setting, origin, texts);
        }
    }

    /// Adds a setting that has no value yet.
    pub(super) fn set(&mut self, setting: &'static Setting, origin: Origin, texts: Vec<OsString>) {
        self.0.push(Value {
            setting,
            origin,
            texts,
        });
    }

    /// These settings, completed with those of `others` that are not set here.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for value in others.0 {
            if self.find(value.setting).is_none() {
                self.0.push(value);
            }
        }
        self
    }

    /// The flags that were given, as separate arguments; paths are made absolute.
    ///
    /// # Errors
    /// The working directory cannot be read, or a value is not UTF-8.
    pub fn arguments(&self) -> io::Result<Vec<String>> {
        let mut arguments = Vec::new();
        for Value { setting, texts, .. } in self.0.iter().filter(|v| v.origin == Origin::Flag) {
            if setting.kind == Kind::Switch {
                arguments.push(format!("--{}", setting.name));
            }
            for text in texts {
                let is_path = matches!(
                    setting.kind,
                    Kind::One("FILE" | "DIR") | Kind::List("FILE" | "DIR")
                );
                let value = if is_path && !text.is_empty() {
                    absolute(text)?.into_os_string()
                } else {
                    text.clone()
                };
                let value = value.into_string().map_err(|_value| {
                    let message = format!("--{} is not UTF-8", setting.name);
                    io::Error::new(io::ErrorKind::InvalidInput, message)
                })?;
                arguments.push(format!("--{}={value}", setting.name));
            }
        }
        Ok(arguments)
    }

    /// The values of each setting that was given, with its place; a switch has no values.
    pub fn iter(&self) -> impl Iterator<Item = (Place, &[OsString])> {
        let place = |value: &Value| Place {
            setting: value.setting,
            origin: value.origin.clone(),
        };
        let values = self.0.iter();
        values.map(move |value| (place(value), &value.texts[..]))
    }

    /// Whether the setting was given; for a switch, whether it is on.
    pub(super) fn is_given(&self, setting: &Setting) -> bool {
        self.find(setting).is_some()
    }

    /// The value, or the default; `None` if there is neither, or it is empty.
    pub(super) fn one(&self, setting: &Setting) -> Option<&OsStr> {
        let given = self.find(setting).and_then(|value| value.texts.last());
        let value = given.map(OsString::as_os_str);
        let value = value.or_else(|| setting.default.first().map(OsStr::new));
        value.filter(|value| !value.is_empty())
    }

    /// The values of a list, or the defaults, without empty ones.
    pub(super) fn list(&self, setting: &Setting) -> Vec<&OsStr> {
        let values: Vec<&OsStr> = match self.find(setting) {
            Some(value) => value.texts.iter().map(OsString::as_os_str).collect(),
            None => setting.default.iter().map(OsStr::new).collect(),
        };
        values
            .into_iter()
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// Where the setting was given; for a default, where it can be given.
    pub(super) fn place(&self, setting: &'static Setting) -> Place {
        let origin = self.find(setting).map(|value| value.origin.clone());
        let origin = origin.unwrap_or(Origin::Flag);
        Place { setting, origin }
    }

    fn find(&self, setting: &Setting) -> Option<&Value> {
        self.0
            .iter()
            .find(|value| value.setting.name == setting.name)
    }
}

/// A setting by the name under which it was given: `--timeout`, its variable, or its key
/// and the file.
#[derive(Debug, Clone)]
pub struct Place {
    setting: &'static Setting,
    origin: Origin,
}

impl Place {
    /// The name of the setting.
    pub fn name(&self) -> &'static str {
        self.setting.name
    }

    /// The environment variable for it.
    pub fn variable(&self) -> &'static str {
        self.setting.variable
    }

    /// Where it was given.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether it was given on the command line or in the environment, and not in a file.
    pub fn is_usage(&self) -> bool {
        match self.origin {
            Origin::Flag | Origin::Environment => true,
            Origin::File(..) => false,
        }
    }
}

impl fmt::Display for Place {
    #[expect(
        clippy::unnecessary_debug_formatting,
        reason = "a path may hold characters that would forge a line"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Flag => write!(f, "--{}", self.setting.name),
            Origin::Environment => f.write_str(self.setting.variable),
            Origin::File(path, line) => {
                write!(f, "{} in {path:?} line {line}", self.setting.name)
            }
        }
    }
}

/// The setting of `--NAME` or `--NAME=VALUE`, and the value.
fn flag(argument: &OsStr) -> Option<(&'static Setting, Option<&OsStr>)> {
    let text = argument.as_bytes().strip_prefix(b"--")?;
    let mut parts = text.splitn(2, |&byte| byte == b'=');
    let setting = named(str::from_utf8(parts.next()?).ok()?)?;
    Some((setting, parts.next().map(OsStr::from_bytes)))
}

fn is_false(value: &OsStr) -> bool {
    let value = value.as_bytes();
    let falses = [&b""[..], b"0", b"n", b"no", b"f", b"false", b"off"];
    falses.iter().any(|no| value.eq_ignore_ascii_case(no))
}
