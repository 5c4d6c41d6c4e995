//! The settings that were given, with their origins.

use std::ffi::OsString;

use serde::Serialize;

use provider::settings::{Origin, Place, Settings};

/// A setting that was given.
#[derive(Debug, Serialize)]
pub(super) struct GivenSetting {
    name: &'static str,
    /// Empty for a switch.
    values: Vec<String>,
    #[serde(flatten)]
    origin: WireOrigin,
    #[serde(skip)]
    place: Place,
}

/// Where a setting was given.
#[derive(Debug, Serialize)]
#[serde(tag = "from", rename_all = "camelCase")]
enum WireOrigin {
    Flag,
    Environment { variable: &'static str },
    File { file: String, line: usize },
}

impl GivenSetting {
    /// All given settings, in order of precedence.
    pub(super) fn all(settings: &Settings) -> Vec<Self> {
        settings.given.iter().map(Self::of).collect()
    }

    fn of((place, values): (Place, &[OsString])) -> Self {
        let text = |value: &OsString| value.to_string_lossy().into_owned();
        Self {
            name: place.name(),
            values: values.iter().map(text).collect(),
            origin: match place.origin() {
                Origin::Flag => WireOrigin::Flag,
                Origin::Environment => WireOrigin::Environment {
                    variable: place.variable(),
                },
                Origin::File(path, line) => WireOrigin::File {
                    file: path.to_string_lossy().into_owned(),
                    line: *line,
                },
            },
            place,
        }
    }

    /// Name, values and origin, as table cells.
    pub(super) fn cells(&self) -> [String; 3] {
        let values = self.values.join(", ");
        let from = match self.place.origin() {
            Origin::File(path, line) => format!("{}:{line}", path.display()),
            Origin::Flag | Origin::Environment => self.place.to_string(),
        };
        [self.name.to_owned(), values, from]
    }
}
