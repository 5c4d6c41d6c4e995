//! Requirements of a test that not every machine meets.

#![expect(
    clippy::disallowed_methods,
    reason = "the variable is for the tests, not for the program"
)]

use std::env;
use std::io::{Write, stderr};
use std::thread;

/// Reports that this test cannot run here. With `REQUIRE_ALL_TESTS`, as in CI, that is a
/// failure.
pub(crate) fn cannot_run(reason: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or_default();
    assert!(
        env::var_os("REQUIRE_ALL_TESTS").is_none(),
        "{test} cannot run here: {reason}"
    );
    // Unlike eprintln!, this is not captured.
    writeln!(stderr(), "skipped {test}: {reason}").unwrap_or_default();
}
