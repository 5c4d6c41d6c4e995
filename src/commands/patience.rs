//! By hand, an API server gets one request, and a line shows what the program waits for.

use tracing::info;

use provider::api_server::ATTEMPT;
use provider::deadline::Deadline;

/// Logs which API server is asked, and how long its answer may take.
pub(super) fn announce(server: &str, deadline: Deadline) {
    let limit = ATTEMPT.min(deadline.remaining()).as_secs_f64().ceil();
    info!("ask the API server at {server}: at most {limit} s for an answer");
}
