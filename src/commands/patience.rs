//! Subcommands send the API server one request without retries, and log a line about what
//! they wait for.

use tracing::info;

use provider::api_server::ATTEMPT;
use provider::deadline::Deadline;

/// Logs which API server is asked, and how long its response may take.
pub(super) fn announce(server: &str, deadline: Deadline) {
    let limit = ATTEMPT.min(deadline.remaining()).as_secs_f64().ceil();
    info!("ask the API server at {server}: wait at most {limit} s");
}
