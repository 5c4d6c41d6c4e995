//! The result for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use super::Explained;
use crate::commands::output::print_json;
use crate::commands::resolve::json::{WireBlocked, WireUnusable};
use provider::logins::Candidate;

#[derive(Serialize)]
struct Wire<'a> {
    image: &'a str,
    namespace: &'a str,
    #[serde(rename = "authFile")]
    auth_file: String,
    sources: Vec<WireSource<'a>>,
    #[serde(flatten)]
    unusable: WireUnusable<'a>,
    skipped: Vec<WireSkipped<'a>>,
}

#[derive(Serialize)]
struct WireSource<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(flatten)]
    blocked: WireBlocked<'a>,
    credential: Option<WireCredential<'a>>,
}

/// `origin` is `secret "NAME"` or `global auth file "PATH"`, as in the log.
#[derive(Serialize)]
struct WireCredential<'a> {
    origin: String,
    key: &'a str,
    username: Cow<'a, str>,
}

/// `origin` as of a credential.
#[derive(Serialize)]
struct WireSkipped<'a> {
    origin: &'a str,
    reason: &'a str,
}

/// Prints one object.
pub(super) fn print(explained: &Explained<'_>, stdout: impl Write) -> io::Result<()> {
    let skipped = &explained.findings.skipped;
    // Those of short names are left out: the JSON is about the full name.
    let sources = explained.logins.sources.own.sources.iter();
    let wire = Wire {
        image: explained.logins.sources.image.as_str(),
        namespace: explained.namespace.as_str(),
        auth_file: explained.auth_file.to_string_lossy().into_owned(),
        sources: sources
            .map(|source| WireSource {
                name: source.name.as_str(),
                kind: source.kind.as_str(),
                blocked: WireBlocked::of(source),
                credential: explained.chosen(source).map(credential),
            })
            .collect(),
        unusable: WireUnusable::of(&explained.logins.sources.own),
        skipped: skipped
            .iter()
            .map(|(origin, reason)| WireSkipped { origin, reason })
            .collect(),
    };
    print_json(stdout, &wire)
}

fn credential(chosen: &Candidate) -> WireCredential<'_> {
    WireCredential {
        origin: chosen.origin.to_string(),
        key: &chosen.key,
        username: chosen.credential.username_lossy(),
    }
}
