//! The plugin: the code that kubelet runs before every pull.
//!
//! A pod pulls `docker.io/library/nginx`. The node's registries.conf sends CRI-O to a
//! mirror that needs a login, and the login is in a Secret of the pod's namespace.
//! kubelet runs this code, which finds the mirrors, reads the Secrets with the pod's own
//! token, and leaves a short-lived auth file for CRI-O.
//!
//! The stages of a run; each takes the previous stage's type and returns the next one:
//!
//! ```text
//! stdin
//!   -> Request                    kubelet            what kubelet writes and reads
//!   -> ServiceAccount             service_account    token claims -> namespace
//!   -> registries_conf::Config    registries         registries.conf and its drop-ins, as CRI-O finds them
//!   -> Sources                    sources            the repositories that CRI-O may contact
//!   -> [LoginSource]              logins             Secrets of the namespace, shared Secrets, global auth files
//!   -> Selection                  logins::selection  one credential for each pull source
//!   -> auth file                  auth_dir           turns of the runs for one file, writing, sweeping
//!   -> Response                   kubelet, answer
//! stdout
//! ```
//!
//! [`story`] runs them in this order. [`api_server`] finds the API server, verifies it
//! and sends requests. All stages may use [`settings`], [`deadline`], [`signals`],
//! [`sandbox`], [`logging`] and [`run_log`], [`ownership`], [`excerpt`],
//! [`parent`].
//!
//! The administrator's tools are in the package of the program and run the same stages:
//! this crate prints no tables, edits no YAML and reads no manifests.

pub mod story;
pub mod kubelet;
pub mod service_account;
pub mod registries;
pub mod crio;
pub mod node_version;
pub mod sources;
pub mod secret_names;
pub mod logins;
pub mod run_log;
pub mod api_server;
pub mod auth_dir;
pub mod answer;
pub mod settings;
pub mod ownership;
pub mod deadline;
pub mod signals;
pub mod sandbox;
pub mod logging;
pub mod excerpt;
pub mod yaml;
pub mod parent;
mod dns;
