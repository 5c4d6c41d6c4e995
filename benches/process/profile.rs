//! The instructions of a run, by function.
//!
//! The release binary has no symbols, so this profiles the one that cargo builds for
//! benchmarks: the same code, linked dynamically and with less inlining. The shares are
//! about the same.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::measure::{Subject, instructions};
use crate::scene::ONE_SECRET_AND_SHORT_NAMES;
use crate::table::{Table, float, grouped};

const PROVIDER: &str = env!("CARGO_BIN_EXE_crio-credential-provider");

/// The parts of a run, each with a part of the name of its function.
const PARTS: [(&str, &str); 10] = [
    (
        "everything after the dynamic linker",
        "crio_credential_provider::main",
    ),
    ("flags", "crio_credential_provider::cli::parse"),
    (
        "registries.conf with short names",
        "registries_conf::config::Config>::load",
    ),
    (
        "- of that, checking the short names",
        "registries_conf::aliases::plain::PlainAliases::scan",
    ),
    (
        "asking the API server",
        "api_server::secrets::for_each_secret",
    ),
    (
        "- of that, the TLS handshake",
        "api_server::connector::TlsConnector as",
    ),
    (
        "-- of that, two signatures (P-256)",
        "webpki::signed_data::verify_signature",
    ),
    (
        "-- of that, agreeing on a key (X25519)",
        "x25519::x25519_ecdh",
    ),
    (
        "- of that, reading and decoding the pages",
        "api_server::secrets::read::read_page",
    ),
    (
        "the auth file: waiting for its turn, and writing",
        "auth_dir::turns::AuthFile::place",
    ),
];

/// With `PROFILE=FILE` the profile is kept, for `callgrind_annotate`.
pub(crate) fn table() -> Result<Table> {
    let stage = ONE_SECRET_AND_SHORT_NAMES.lay_out()?;
    let subject = Subject {
        name: "profile".to_owned(),
        command: stage.command(Path::new(PROVIDER)),
        request: stage.request(),
    };
    let kept = env::var_os("PROFILE").map(PathBuf::from);
    let profile = kept.unwrap_or_else(|| stage.root().join("callgrind"));
    let total = instructions(&subject, &profile)?;
    let output = Command::new("callgrind_annotate")
        .args(["--inclusive=yes", "--threshold=100"])
        .arg(&profile)
        .output()
        .context("callgrind_annotate")?;
    if !output.status.success() {
        bail!("callgrind_annotate: {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut table = Table::new(&["part of a run that finds 1 Secret", "instructions", "%"]);
    table.row([
        "all, with the dynamic linker".to_owned(),
        grouped(total),
        "100.0".to_owned(),
    ]);
    for (name, function) in PARTS {
        let count =
            inclusive(&text, function).with_context(|| format!("no {function} in the profile"))?;
        table.row([
            name.to_owned(),
            grouped(count),
            format!("{:.1}", float(count) / float(total) * 100.0),
        ]);
    }
    Ok(table)
}

/// The count of a function with everything that it calls; a recursive function has
/// several.
fn inclusive(annotated: &str, function: &str) -> Option<u64> {
    let lines = annotated.lines().filter(|line| line.contains(function));
    let count = |line: &str| {
        let number = line.split_whitespace().next()?;
        number.replace(',', "").parse().ok()
    };
    lines.filter_map(count).max()
}
