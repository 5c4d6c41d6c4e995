//! The logins for one image in one namespace: their sources, and the choice among them
//! for each pull source.
//!
//! The provider writes the result into the auth file, and `explain` prints it: both run
//! [`select`] and [`Logins::of`].

mod origin;
mod selection;
mod content;
mod global;
mod secrets;
mod server;
mod shared;
pub mod node_providers;

use std::path::PathBuf;

use registries_conf::ImageName;
use secret::Wiped;

use crate::deadline::Deadline;
use crate::kubelet::Response;
use crate::secret_names::SecretNames;
use crate::service_account::ServiceAccount;
use crate::settings::{SecretsPolicy, Settings};
use crate::sources::Sources;

pub use content::{EncodeError, encode};
pub use global::{GlobalAuthFile, GlobalFiles, GlobalTexts};
pub use node_providers::NodeProviders;
pub use origin::{Origin, Owner};
pub use secrets::{NamespaceSecrets, offer_secret, report_unusable, secret_origin};
pub use selection::{Candidate, Comparison, Observer, Rule, Selection, Skipped, Verdict};
pub use server::Server;
pub use shared::SharedSecrets;

/// A source of logins. Whether they are the pod's or the node's is in the [`Origin`] of
/// each.
pub trait LoginSource {
    /// The access that the source needs after the sandbox has closed. Files are not part
    /// of it: a file that is replaced before it is read cannot be read any more.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Offers each of its logins to the selection, which decodes only those that it uses.
    ///
    /// # Errors
    /// The source as a whole cannot be read, or the deadline has passed. Errors of single
    /// logins go to the observer.
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()>;
}

/// The access that a login source needs while the sandbox is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The TCP ports that it connects to.
    pub ports: Vec<u16>,
    /// The directories that it writes to.
    pub directories: Vec<PathBuf>,
}

/// The logins of a pod, which are read from the API server with the pod's own token.
#[derive(Debug, Clone, Copy)]
pub struct PodLogins<'a> {
    /// The settings, which decide which Secrets are read.
    pub settings: &'a Settings,
    /// The account of the token.
    pub account: &'a ServiceAccount,
    /// The names of the Secrets of its namespace, if they are named.
    pub names: Option<&'a SecretNames>,
    /// When the run must have ended.
    pub deadline: Deadline,
}

impl PodLogins<'_> {
    /// Whether something is read from the API server.
    pub fn needs_server(&self) -> bool {
        self.needs_secrets() || self.needs_shared()
    }

    fn needs_secrets(&self) -> bool {
        let is_any = self.names.is_none_or(SecretNames::is_any);
        self.settings.secrets != SecretsPolicy::Never && is_any
    }

    fn needs_shared(&self) -> bool {
        !self.settings.shared_secrets.is_empty()
    }

    /// The login sources that read from the API server, in order of precedence; none
    /// without a server.
    pub fn login_sources<'s>(
        &'s self,
        server: Option<&'s Server>,
    ) -> Vec<Box<dyn LoginSource + 's>> {
        let mut login_sources: Vec<Box<dyn LoginSource>> = Vec::new();
        let Some(server) = server else {
            return login_sources;
        };
        let Self {
            settings,
            account,
            names,
            deadline,
        } = *self;
        if self.needs_secrets() {
            login_sources.push(Box::new(NamespaceSecrets {
                server,
                account,
                names,
                may_be_forbidden: settings.secrets == SecretsPolicy::IfAllowed,
                deadline,
            }));
        }
        if self.needs_shared() {
            login_sources.push(Box::new(SharedSecrets {
                server,
                account,
                secrets: &settings.shared_secrets,
                deadline,
            }));
        }
        login_sources
    }
}

/// Chooses among the logins of these login sources, which are in order of precedence.
///
/// # Errors
/// As [`LoginSource::offer`].
pub fn select(
    sources: impl IntoIterator<Item = ImageName>,
    login_sources: Vec<Box<dyn LoginSource + '_>>,
    observer: &mut dyn Observer,
) -> anyhow::Result<Selection> {
    let mut selection = Selection::new(sources);
    for mut login_source in login_sources {
        login_source.offer(&mut selection, observer)?;
    }
    Ok(selection)
}

/// The logins for an image in a namespace.
#[derive(Debug)]
pub struct Logins<'a> {
    /// The repositories that the image may be pulled from.
    pub sources: Sources<'a>,
    /// The credential of each pull source that has one.
    pub selection: Selection,
    /// The content of the auth file; `None` if there must be no file.
    pub content: Option<Wiped<Vec<u8>>>,
}

impl<'a> Logins<'a> {
    /// No logins: none could help the pull.
    pub fn none(sources: Sources<'a>) -> Self {
        Self {
            sources,
            selection: Selection::new([]),
            content: None,
        }
    }

    /// The logins of a selection for these sources, with the global auth files copied into the
    /// auth file.
    ///
    /// # Errors
    /// An auth file that would be too large.
    pub fn of(
        sources: Sources<'a>,
        selection: Selection,
        globals: &[GlobalAuthFile<'_>],
        observer: &mut dyn Observer,
    ) -> anyhow::Result<Self> {
        let content = encode(&selection, globals, observer)?;
        Ok(Self {
            sources,
            selection,
            content,
        })
    }

    /// The response to kubelet: with an empty login for the image if a credential of the
    /// pod is used, unless that is turned off.
    pub fn response(&self, settings: &Settings) -> Response {
        if settings.empty_login && self.selection.has_pods() {
            Response::owned(self.sources.image.clone())
        } else {
            Response::empty()
        }
    }
}
