//! `explain IMAGE... -n NAMESPACE`: what the provider would do for a pod of that
//! namespace, and why, without writing anything to the node.
//!
//! It runs the provider's own code ([`Selection::offer`], [`Logins::of`]) with Secrets
//! from files or from the API server, and prints what the provider logs. The Secrets are
//! read once for all images.

mod asked;
mod findings;
mod json;
mod manifest;
mod masked;
mod near_miss;
mod pods;
mod secrets;
mod settings;
mod text;
mod verdict;
mod yaml;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use registries_conf::ImageName;
use secret::{Secret, read_bounded};

use self::asked::Asked;
use self::findings::Findings;
use self::near_miss::{NearMiss, NearMisses};
use self::verdict::{Chosen, Verdict};
use super::node_providers::{NodeProviders, Serving};
use super::output::{Printer, finish};
use super::patience::announce;
use super::root::Root;
use crate::cli::{Explain, Output};
use provider::api_server::{self, Client};
use provider::auth_dir::FileName;
use provider::deadline::{Deadline, Elapsed};
use provider::kubelet::Response;
use provider::logins::{
    Candidate, GlobalAuthFile, GlobalFiles, GlobalTexts, LoginSource, Logins, Origin, PodLogins,
    Selection, Server, report_unusable, select,
};
use provider::sandbox;
use provider::secret_names::SecretNames;
use provider::service_account::ServiceAccount;
use provider::settings::{SecretsPolicy, Settings};
use provider::sources::Sources;

/// The largest token that is read: 1 MiB, as in a request.
const MAX_TOKEN_BYTES: usize = 1024 * 1024;
/// The most entries without a matching pull source that are shown.
const MAX_UNMATCHED: usize = 100;

/// The result to print.
struct Explained<'a> {
    /// The settings with the node's own paths.
    settings: &'a Settings,
    asked: &'a Asked,
    images: Vec<ExplainedImage<'a>>,
    findings: &'a Findings,
    unmatched: Vec<Unmatched<'a>>,
    deadline: Deadline,
}

/// The result for one image.
struct ExplainedImage<'a> {
    logins: Logins<'a>,
    verdict: Verdict,
    /// The path at which CRI-O looks for the auth file, whether or not it is written.
    auth_file: PathBuf,
    /// The node's credential providers that serve its sources.
    providers: Vec<Serving>,
}

/// An entry that matches no pull source of any image.
struct Unmatched<'a> {
    origin: &'a Origin,
    key: &'a str,
    near: Option<NearMiss<'a>>,
}

/// The credential of each pull source that has one.
type Credentials<'a> = BTreeMap<&'a ImageName, &'a Candidate>;

impl<'a> Explained<'a> {
    /// An origin with the path on the node.
    fn shown(&self, origin: &Origin) -> Origin {
        shown(self.settings, origin)
    }

    /// The entries that match no pull source, and the number of those that are not shown.
    fn unmatched(&self) -> (&[Unmatched<'a>], usize) {
        let shown = self.unmatched.len().min(MAX_UNMATCHED);
        let (shown, left_out) = self.unmatched.split_at(shown);
        (shown, left_out.len())
    }

    /// # Errors
    /// An error after the deadline.
    fn in_time(&self) -> io::Result<()> {
        let in_time = self.deadline.check();
        in_time.map_err(|elapsed| io::Error::new(io::ErrorKind::TimedOut, elapsed))
    }
}

impl Unmatched<'_> {
    /// Why it does not match the source that it nearly matches, or cannot match any.
    fn why(&self) -> Option<Cow<'_, str>> {
        match &self.near {
            Some(near) => Some(Cow::Borrowed(&near.why)),
            None => near_miss::unparsable(self.key).map(Cow::Owned),
        }
    }
}

/// An origin with the path on the node.
fn shown(settings: &Settings, origin: &Origin) -> Origin {
    let mut origin = origin.clone();
    if let Origin::GlobalFile(place, path) = &mut origin
        && let Some(of_node) = settings.global_auth_files.get(*place)
    {
        path.clone_from(of_node);
    }
    origin
}

impl ExplainedImage<'_> {
    /// The credential of each pull source that has one.
    fn credentials(&self) -> Credentials<'_> {
        self.logins.selection.chosen().collect()
    }

    /// Why there is no auth file; `None` if there is one.
    fn why_no_file(&self) -> Option<String> {
        if self.logins.content.is_some() {
            return None;
        }
        let why = self.logins.sources.no_login();
        let none_matches = || "no login matches a pull source".to_owned();
        Some(why.map_or_else(none_matches, |why| why.to_string()))
    }

    /// Whether the response makes kubelet record the image for the service account.
    fn is_owned(&self, settings: &Settings) -> bool {
        self.logins.response(settings) != Response::empty()
    }

    /// The reason for the response.
    fn why_response(&self, settings: &Settings) -> &'static str {
        if self.is_owned(settings) {
            "a credential of the pod is used, so other service accounts must prove that they may use the image"
        } else if self.logins.content.is_none() {
            "there is no auth file"
        } else if self.logins.selection.has_pods() {
            "--no-empty-login is given, so all pods of the node may use the image"
        } else {
            "only the node's own logins are used, so all pods of the node may use the image"
        }
    }
}

/// Prints what the provider would do, and why.
///
/// # Errors
/// CRI-O would refuse registries.conf, an image, Secrets, pods or a token cannot be read,
/// or the API server refuses. Nothing is printed then.
pub fn explain(
    settings: &Settings,
    deadline: Deadline,
    command: &Explain,
    mut stdin: impl Read + IsTerminal,
    stdout: impl Write + IsTerminal,
) -> anyhow::Result<()> {
    let asked = Asked::of(command, &mut stdin)?;
    let root = Root::new(command.root.directory.clone());
    let here = root.apply(settings.clone());
    let registries = here.registries.load_by_hand()?;
    let sources = asked.images.iter();
    let sources =
        sources.map(|image| Sources::of(image, &registries).unmirrored(settings.unmirrored));
    let sources: Vec<Sources<'_>> = sources.collect();
    let wanted = sources
        .iter()
        .filter(|sources| sources.no_login().is_none());
    let names: Vec<ImageName> = wanted.flat_map(Sources::names).collect();

    let mut findings = Findings::default();
    let mut texts = GlobalTexts::default();
    if !names.is_empty() {
        texts = GlobalTexts::read(&here.global_auth_files, &mut findings);
    }
    let globals = texts.decode(&mut findings);
    let inputs = Inputs {
        settings: &here,
        root: &root,
        command,
        asked: &asked,
        globals: &globals,
        deadline,
    };
    let selection = inputs.select(&names, &mut stdin, &mut findings)?;
    let files = GlobalFiles {
        files: &globals,
        deadline,
    };
    let providers = NodeProviders::find(&settings.node_providers, &root, &files);
    let mut images = Vec::new();
    for sources in sources {
        deadline.check()?;
        let logins = if sources.no_login().is_some() {
            Logins::none(sources)
        } else {
            let own = selection.narrowed(sources.names());
            Logins::of(sources, own, &globals, &mut findings)?
        };
        images.push(inputs.explained(logins, settings, &providers)?);
    }
    let explained = Explained {
        settings,
        asked: &asked,
        images,
        unmatched: unmatched(&findings, &names, deadline)?,
        findings: &findings,
        deadline,
    };
    finish(match command.output {
        Output::Text => text::print(&explained, Printer::new(stdout)),
        Output::Json => json::print(&explained, stdout),
    })
}

/// The entries that match no source, those that nearly match one first.
fn unmatched<'a>(
    findings: &'a Findings,
    sources: &'a [ImageName],
    deadline: Deadline,
) -> Result<Vec<Unmatched<'a>>, Elapsed> {
    let near_misses = NearMisses::new(sources);
    let mut unmatched = Vec::new();
    for (origin, key) in &findings.unmatched {
        deadline.check()?;
        let near = near_misses.of(key);
        unmatched.push(Unmatched { origin, key, near });
    }
    unmatched.sort_by_key(|entry| entry.near.is_none());
    Ok(unmatched)
}

/// What the results for all images are made from.
struct Inputs<'a> {
    settings: &'a Settings,
    root: &'a Root,
    command: &'a Explain,
    asked: &'a Asked,
    globals: &'a [GlobalAuthFile<'a>],
    deadline: Deadline,
}

impl Inputs<'_> {
    /// The result for an image with these logins. `node` has the node's own paths.
    fn explained<'l>(
        &self,
        logins: Logins<'l>,
        node: &Settings,
        providers: &NodeProviders<'_>,
    ) -> Result<ExplainedImage<'l>, Elapsed> {
        let globals = self.globals.iter();
        let chosen = Chosen {
            credentials: logins.selection.chosen().collect(),
            helpers: globals
                .flat_map(|global| global.file.helper_hosts())
                .collect(),
        };
        let origin = |candidate: &Candidate| shown(node, &candidate.origin).to_string();
        let verdict = Verdict::of(&logins.sources, &chosen, &origin);
        let name = FileName::new(&self.asked.namespace, logins.sources.image);
        Ok(ExplainedImage {
            verdict,
            auth_file: node.auth_dir.join(name.as_str()),
            providers: providers.serving(&logins.sources)?,
            logins,
        })
    }

    /// Chooses as the provider does, with Secrets from files or the API server. Reads
    /// neither if no image needs a login.
    fn select(
        &self,
        sources: &[ImageName],
        stdin: &mut (impl Read + IsTerminal),
        findings: &mut Findings,
    ) -> anyhow::Result<Selection> {
        let sources = sources.iter().cloned();
        if sources.len() == 0 {
            return Ok(Selection::new(sources));
        }
        let (settings, deadline) = (self.settings, self.deadline);
        let annotations = self.command.annotations.iter().cloned().collect();
        let names = SecretNames::wanted(
            settings.secrets_annotation.as_deref(),
            &annotations,
            &settings.secret_names,
        )?;
        let names = names.as_ref();
        report_unusable(names, findings);
        let global_files: Box<dyn LoginSource> = Box::new(GlobalFiles {
            files: self.globals,
            deadline,
        });
        let Some((account, token)) = &self.asked.token else {
            let mut login_sources: Vec<Box<dyn LoginSource>> = Vec::new();
            let files = &self.command.secrets.secrets;
            let shared = &settings.shared_secrets;
            let namespace = &self.asked.namespace;
            let mut given = secrets::read(files, namespace, shared, stdin, findings)?;
            let shared = given.shared(shared, deadline);
            if settings.secrets != SecretsPolicy::Never {
                login_sources.push(Box::new(given.named(names, deadline)));
            }
            login_sources.push(Box::new(shared));
            login_sources.push(global_files);
            return select(sources, login_sources, findings);
        };
        let pod = PodLogins {
            settings,
            account,
            names,
            deadline,
        };
        let server = pod.needs_server();
        let server = server.then(|| find_server(settings, self.root, token, deadline));
        let server = server.transpose()?;
        let mut login_sources = pod.login_sources(server.as_ref());
        login_sources.push(global_files);
        sandbox::close(settings, login_sources.iter().map(|source| source.needs()));
        select(sources, login_sources, findings)
    }
}

/// The API server, with one attempt; a line shows what it waits for.
fn find_server(
    settings: &Settings,
    root: &Root,
    token: &Secret,
    deadline: Deadline,
) -> anyhow::Result<Server> {
    let mut endpoint = api_server::discover(&settings.cluster)?;
    root.apply_to_trust(&mut endpoint);
    let client = Client::new(&endpoint, token.clone(), deadline)?.once();
    announce(&root.as_on_node(endpoint.to_string()), deadline);
    Ok(Server::new(endpoint, client))
}

/// Reads a token from a file, with its service account.
pub(super) fn read_token(path: &Path) -> anyhow::Result<(ServiceAccount, Secret)> {
    let file = || format!("token file {}", path.display());
    let opened = File::open(path).with_context(file)?;
    let text = read_bounded(opened, MAX_TOKEN_BYTES).with_context(file)?;
    let token = Secret::from(text.trim_ascii().to_vec());
    let account = ServiceAccount::from_token(&token).with_context(file)?;
    Ok((account, token))
}
