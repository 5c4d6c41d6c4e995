//! The functions that a short run calls, as a linker script: placed next to each other,
//! they are on a fourth of the pages. The kernel maps pages of a program sixteen at a
//! time, when the first of them is used, and this is a large part of the time of a run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::measure::{Subject, callgrind};
use crate::scene::NO_MIRROR_BUT_SHORT_NAMES;

const SCRIPT: &str = "test/start.ld";

const HEAD: &str = "\
/* Written by \"make order\". For the linker of release binaries: the functions that a run
   without mirrors calls, next to each other, so that it touches fewer pages. A function
   that is missing here is only further away, and a name that matches none is ignored. */
SECTIONS
{
    .text.start : { *(
";

const TAIL: &str = "    ) }
}
INSERT BEFORE .text;
";

/// What runs without being seen under valgrind: the sandbox, which is off, and SHA-256 with
/// the instructions of newer CPUs. The compiler names sections of rare paths, such as
/// the growth of a vector, in a way of its own.
const UNSEEN: [&str; 8] = [
    "*landlock..*",
    "_R*_3std4path*",
    "_ZN4sha2*",
    "_ZN8landlock*",
    "_ZN8provider7sandbox*",
    "unlikely._R*_5alloc7raw_vec*",
    "unlikely._ZN5alloc7raw_vec*",
    "unlikely._ZN9hashbrown*",
];

/// Writes the script. The provider needs its symbols.
pub(crate) fn write(provider: &Path) -> Result<()> {
    let stage = NO_MIRROR_BUT_SHORT_NAMES.lay_out()?;
    let subject = Subject {
        name: "order".to_owned(),
        command: stage.command(provider),
        request: stage.request(),
    };
    let profile = stage.root().join("callgrind");
    callgrind(&subject, &profile, &["--demangle=no"])?;
    let profile = fs::read_to_string(&profile)?;
    let functions = profile.lines().filter_map(|line| line.strip_prefix("fn="));
    let mut patterns: BTreeSet<_> = functions.filter_map(pattern).collect();
    if patterns.len() < 100 {
        bail!("{} has no symbols", provider.display());
    }
    patterns.extend(UNSEEN.map(str::to_owned));
    let mut script = HEAD.to_owned();
    for pattern in patterns {
        script.extend(["        .text.", &pattern, "\n"]);
    }
    script.push_str(TAIL);
    fs::write(SCRIPT, script)?;
    Ok(())
}

/// A pattern for the symbol of a Rust function, without the hashes, which change with each
/// build. The functions of the C library are next to each other anyway.
fn pattern(symbol: &str) -> Option<String> {
    // callgrind numbers recursive calls, and LLVM functions of one name.
    let symbol = symbol.split('\'').next().unwrap_or_default();
    if symbol.starts_with("_ZN") {
        let (name, _) = symbol.rsplit_once("17h")?;
        return Some(format!("{name}17h*"));
    }
    let name = symbol.strip_prefix("_R")?;
    let name = name.split('.').next().unwrap_or_default();
    let mut parts = name.split("Cs");
    let mut pattern = format!("_R{}", parts.next().unwrap_or_default());
    for part in parts {
        let behind = part.split_once('_').map_or(part, |(_, behind)| behind);
        pattern.extend(["Cs*_", behind]);
    }
    Some(format!("{pattern}*"))
}
