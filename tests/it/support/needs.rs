//! What a test needs of the machine, and not every machine has.

#![expect(
    clippy::disallowed_methods,
    reason = "the variable is for the tests, not for the program"
)]

use std::env;
use std::io::{Write, stderr};
use std::thread;

/// Notes by name that this test cannot run here. Where `REQUIRE_ALL_TESTS` is set, as
/// in CI, that is a failure: a proof that does not run proves nothing.
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
