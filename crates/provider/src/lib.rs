//! What kubelet runs before every pull: the plugin.
//!
//! A pod pulls `docker.io/library/nginx`; the node's registries.conf sends CRI-O
//! to a mirror that wants a login; the login is in a Secret of the pod's namespace.
//! kubelet runs this code, which finds the mirrors, fetches the Secrets with the pod's
//! own token, and leaves a short-lived auth file for CRI-O.
//!
//! The stages, in reading order; each arrow is a type:
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
//! [`story`] runs them. The API server is found, verified and asked in [`api_server`].
//! What every stage may use: [`settings`], [`deadline`], [`signals`], [`sandbox`],
//! [`logging`] and [`run_log`], [`ownership`], [`excerpt`].
//!
//! The tools for the administrator are in the package of the program, which runs the
//! same stages: nothing here prints tables, edits YAML or reads manifests.

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
mod dns;
