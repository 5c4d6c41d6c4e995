//! The support code of the tests: a node in a temporary directory, a cluster with the
//! token of one pod, the provider as kubelet runs it, and the outcome of a run.

mod cluster;
mod needs;
mod kubelet;
mod go_program;
mod node;
mod node_providers;
mod outcome;
mod provider;
mod proxy;
mod ready_node;
mod request;
mod run;
mod terminal;

pub(crate) use cluster::{ACCOUNT, Cluster, NAMESPACE, docker_config, login};
pub(crate) use kubelet::Kubelet;
pub(crate) use needs::cannot_run;
pub(crate) use node::{Node, PULL_INTENTS};
pub(crate) use node_providers::{
    BIN_DIR, CACHE, CONFIG, StandIn, answer, cacheable_response, print,
};
pub(crate) use outcome::{EMPTY, Outcome, owned};
pub(crate) use provider::Provider;
pub(crate) use proxy::RecordingProxy;
pub(crate) use ready_node::{Distribution, ReadyNode};
pub(crate) use request::{Request, token_with_claims};
pub(crate) use run::{Run, full_pipe};

use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kubernetes_yaml::{Limits, documents};
use serde_json::Value;

/// The image most tests pull, as kubelet names it.
pub(crate) const NGINX: &str = "docker.io/library/nginx";

/// The documents of a YAML text.
pub(crate) fn yaml(text: &str) -> Vec<Value> {
    let limits = Limits {
        documents: 100,
        nodes: 100_000,
        expanded: 1_000,
    };
    let documents = documents(text, limits).unwrap();
    let json = documents.iter().map(|document| document.to_json(text));
    json.collect::<Result<_, _>>().unwrap()
}

/// The value of `auth` for `user:password`.
pub(crate) fn base64(login: &str) -> String {
    STANDARD.encode(login)
}

/// Checks the cases in parallel, since they mostly wait.
pub(crate) fn all_at_once<T: Sync>(cases: &[T], check: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}
