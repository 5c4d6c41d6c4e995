//! The logins for one image in one namespace: their sources, and the choice among them
//! for each pull source.
//!
//! The provider writes the result into the auth file, and `explain` prints it: both run
//! [`Logins::choose`].

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
    /// What the source uses after the sandbox has closed. Files are not included: a file
    /// that is replaced before it is read cannot be read any more.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Offers each of its logins to the selection, which decodes only those that it uses.
    ///
    /// # Errors
    /// The source as a whole cannot be read, or the deadline has passed. Errors of single
    /// logins go to the observer.
    /// with single logins goes to the observer.
    fn offer(
        &mut self,
        selection: &mut Selection,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()>;
}

/// What a login source uses while the sandbox is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The TCP ports that it connects to.
    pub ports: Vec<u16>,
    /// The directories that it writes to.
    pub directories: Vec<PathBuf>,
    /// Whether it has started programs, which it has to end.
    pub programs: bool,
}

/// Whether logins are read from the API server, if these Secrets are named.
pub fn asks_server(settings: &Settings, names: Option<&SecretNames>) -> bool {
    reads_secrets(settings, names) || !settings.shared_secrets.is_empty()
}

fn reads_secrets(settings: &Settings, names: Option<&SecretNames>) -> bool {
    settings.secrets != SecretsPolicy::Never && names.is_none_or(SecretNames::is_any)
}

/// The login sources that read from the API server, in order of precedence.
pub fn ask_server<'a>(
    settings: &'a Settings,
    server: &'a Server,
    account: &'a ServiceAccount,
    names: Option<&'a SecretNames>,
    deadline: Deadline,
) -> Vec<Box<dyn LoginSource + 'a>> {
    let mut places: Vec<Box<dyn LoginSource>> = Vec::new();
    if reads_secrets(settings, names) {
        places.push(Box::new(NamespaceSecrets {
            server,
            account,
            names,
            may_be_forbidden: settings.secrets == SecretsPolicy::IfAllowed,
            deadline,
        }));
    }
    if !settings.shared_secrets.is_empty() {
        places.push(Box::new(SharedSecrets {
            server,
            account,
            secrets: &settings.shared_secrets,
            deadline,
        }));
    }
    places
}

/// Chooses among the logins of all `places`, which are in order of precedence.
///
/// # Errors
/// As [`LoginSource::offer`].
pub fn select(
    sources: impl IntoIterator<Item = ImageName>,
    places: Vec<Box<dyn LoginSource + '_>>,
    observer: &mut dyn Observer,
) -> anyhow::Result<Selection> {
    let mut selection = Selection::new(sources);
    for mut place in places {
        place.offer(&mut selection, observer)?;
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
    /// The content of the auth file; `None`: there must be no file.
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

    /// Chooses among the logins of all `places`, and copies the global auth files into the auth
    /// file. `observer` gets what happens on the way.
    ///
    /// # Errors
    /// As [`LoginSource::offer`], and an auth file that would be too large.
    pub fn choose(
        sources: Sources<'a>,
        places: Vec<Box<dyn LoginSource + '_>>,
        globals: &[GlobalAuthFile<'_>],
        observer: &mut dyn Observer,
    ) -> anyhow::Result<Self> {
        let selection = select(sources.names(), places, observer)?;
        Self::of(sources, selection, globals, observer)
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
