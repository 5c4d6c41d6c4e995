//! Runs a target over files, for looking at a crash without libFuzzer.

#![expect(
    clippy::disallowed_methods,
    reason = "files of a developer, and a panic names the one at fault"
)]

use std::{env, fs};

/// Runs a target on every file named on the command line.
pub fn replay(target: fn(&[u8])) {
    for path in env::args_os().skip(1) {
        println!("{}", path.display());
        target(&fs::read(&path).expect("the file is there"));
    }
}
