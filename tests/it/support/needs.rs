//! Requirements of a test that not every machine meets.

#![expect(
    clippy::disallowed_methods,
    reason = "the variable is for the tests, not for the program"
)]

use std::env;
use std::io::{Write, stderr};
use std::process::Command;
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
    report_skipped(reason);
}

/// Reports that this test cannot run here, where CI is not required to run it either.
pub(crate) fn report_skipped(reason: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or_default();
    // Unlike eprintln!, this is not captured.
    writeln!(stderr(), "skipped {test}: {reason}").unwrap_or_default();
}

/// Runs itself, as a test that cannot run.
#[test]
fn a_test_that_cannot_run_is_reported_and_fails_where_all_are_required() {
    const NAME: &str =
        "support::needs::a_test_that_cannot_run_is_reported_and_fails_where_all_are_required";
    if env::var_os("CANNOT_RUN").is_some() {
        cannot_run("a reason");
        return;
    }
    for is_required in [false, true] {
        let mut test = Command::new(env::current_exe().unwrap());
        test.args(["--exact", NAME]).env("CANNOT_RUN", "yes");
        test.env_remove("REQUIRE_ALL_TESTS");
        if is_required {
            test.env("REQUIRE_ALL_TESTS", "yes");
        }
        let output = test.output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(String::from_utf8);
        let printed = stdout.unwrap() + &stderr.unwrap();
        assert!(printed.contains("running 1 test"), "{printed}");
        assert_eq!(output.status.success(), !is_required, "{printed}");
        let expected = if is_required {
            format!("{NAME} cannot run here: a reason")
        } else {
            format!("skipped {NAME}: a reason")
        };
        assert!(printed.contains(&expected), "{printed}");
    }
}
