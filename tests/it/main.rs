//! Tests of the real executable on a temporary node, with a TLS server that answers as an
//! API server does. Given a node and Secrets, when kubelet asks for an image, then the
//! auth file, the response, the exit code and the requests are exactly as expected.
//!
//! All modules are under `cfg(test)`: clippy does not count other functions of an
//! integration test as test code.
#[cfg(test)]
mod support;
#[cfg(test)]
mod config_file;
mod contract;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod mirrors;
#[cfg(test)]
mod registries_files;
#[cfg(test)]
mod resolve;
#[cfg(test)]
mod short_names;
#[cfg(test)]
mod config;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod explain_input;
#[cfg(test)]
mod explain_pods;
#[cfg(test)]
mod explain_verdict;
#[cfg(test)]
mod check;
#[cfg(test)]
mod check_files;
#[cfg(test)]
mod check_crio;
#[cfg(test)]
mod check_registries;
#[cfg(test)]
mod check_kubelet;
#[cfg(test)]
mod check_cluster;
#[cfg(test)]
mod agreement;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod selection;
#[cfg(test)]
mod login_sources;
#[cfg(test)]
mod named_secrets;
#[cfg(test)]
mod unusable;
#[cfg(test)]
mod auth_file;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod global_auth;
#[cfg(test)]
mod node_providers;
#[cfg(test)]
mod node_providers_protocol;
#[cfg(test)]
mod node_providers_answers;
#[cfg(test)]
mod node_providers_refused;
#[cfg(test)]
mod node_providers_ended;
#[cfg(test)]
mod node_providers_cache;
#[cfg(test)]
mod node_providers_shown;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod kubeconfig_forms;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod unlistable;
#[cfg(test)]
mod redaction;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod threats;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod completion;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod recipes;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod moving_over;
