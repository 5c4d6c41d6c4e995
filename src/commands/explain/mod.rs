//! `explain IMAGE -n NAMESPACE`: what the provider would do for a pod of that
//! namespace, and why, without writing anything to the node.
//!
//! It runs what the provider runs ([`Logins::choose`]), with Secrets from files or
//! from the API server, and prints what the provider logs.

mod findings;
mod json;
mod masked;
mod secrets;
mod text;
mod yaml;

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use registries_conf::PullSource;
use secret::{Secret, read_bounded};

use self::findings::Findings;
use super::output::{Printer, finish};
use super::patience::announce;
use super::resolve::parse_image;
use super::root::Root;
use crate::cli::{Explain, Output};
use provider::api_server::{self, Client};
use provider::auth_dir::FileName;
use provider::deadline::Deadline;
use provider::logins::Candidate;
use provider::logins::{
    GlobalFiles, GlobalTexts, LoginSource, Logins, Server, ask_server, asks_server, report_unusable,
};
use provider::sandbox;
use provider::secret_names::SecretNames;
use provider::service_account::{Namespace, ServiceAccount};
use provider::settings::{SecretsPolicy, Settings};
use provider::sources::Sources;

/// The largest token that is read: 1 MiB, as in a request.
const MAX_TOKEN_BYTES: usize = 1024 * 1024;

/// The result to print.
struct Explained<'a> {
    namespace: &'a Namespace,
    /// Where CRI-O looks for the auth file, be there one or not.
    auth_file: PathBuf,
    logins: Logins<'a>,
    findings: Findings,
}

impl Explained<'_> {
    /// The credential of a pull source.
    fn chosen(&self, source: &PullSource<'_>) -> Option<&Candidate> {
        let mut chosen = self.logins.selection.chosen();
        let found = chosen.find(|(name, _)| **name == source.name);
        found.map(|(_, candidate)| candidate)
    }
}

/// Prints what the provider would do, and why.
///
/// # Errors
/// A registries.conf that CRI-O would refuse, an image, Secrets or a token that
/// cannot be read, an API server that refuses; then nothing is printed.
pub fn explain(
    config: &Settings,
    deadline: Deadline,
    command: &Explain,
    stdin: impl Read + IsTerminal,
    stdout: impl Write + IsTerminal,
) -> anyhow::Result<()> {
    let image = parse_image(&command.image)?;
    let namespace = &command.namespace;
    let root = Root::new(command.root.directory.clone());
    let here = root.apply(config.clone());
    let registries = here.registries.load_by_hand()?;
    let mut sources = Sources::of(&image, &registries);
    if config.unmirrored {
        sources = sources.unmirrored();
    }
    let mut findings = Findings::default();
    let logins = if sources.no_login().is_some() {
        Logins::none(sources)
    } else {
        find(
            &here,
            &root,
            deadline,
            command,
            stdin,
            sources,
            &mut findings,
        )?
    };
    let name = FileName::new(namespace, &image);
    let explained = Explained {
        namespace,
        auth_file: config.auth_dir.join(name.as_str()),
        logins,
        findings,
    };
    let written = match command.output {
        Output::Text => text::print(&explained, config, Printer::new(stdout)),
        Output::Json => json::print(&explained, stdout),
    };
    finish(written)
}

/// Finds the logins as the provider does, with Secrets from files or the API server.
fn find<'a>(
    config: &Settings,
    root: &Root,
    deadline: Deadline,
    command: &Explain,
    stdin: impl Read + IsTerminal,
    sources: Sources<'a>,
    findings: &mut Findings,
) -> anyhow::Result<Logins<'a>> {
    let annotations = command.annotations.iter().cloned().collect();
    let names = SecretNames::wanted(
        config.secrets_annotation.as_deref(),
        &annotations,
        &config.secret_names,
    )?;
    let names = names.as_ref();
    report_unusable(names, findings);
    let texts = GlobalTexts::read(&config.global_auth_files, findings);
    let globals = texts.decode(findings);
    let global_files = GlobalFiles {
        files: &globals,
        deadline,
    };

    let Some(path) = &command.secrets.token_file else {
        let files = &command.secrets.secrets;
        let given = secrets::read(files, &command.namespace, stdin, findings)?;
        let mut places: Vec<Box<dyn LoginSource>> = Vec::new();
        if config.secrets != SecretsPolicy::Never {
            places.push(Box::new(given.named(names, deadline)));
        }
        places.push(Box::new(global_files));
        return Logins::choose(sources, places, &globals, findings);
    };
    let (account, token) = account(path, &command.namespace)?;
    let found = asks_server(config, names).then(|| server(config, root, &token, deadline));
    let found = found.transpose()?;
    let mut places = Vec::new();
    if let Some(server) = &found {
        places = ask_server(config, server, &account, names, deadline);
    }
    places.push(Box::new(global_files));
    sandbox::close(config, places.iter().map(|place| place.needs()));
    Logins::choose(sources, places, &globals, findings)
}

/// The API server, with one attempt; a line shows what it waits for.
fn server(
    config: &Settings,
    root: &Root,
    token: &Secret,
    deadline: Deadline,
) -> anyhow::Result<Server> {
    let mut endpoint = api_server::discover(&config.cluster)?;
    root.apply_to_trust(&mut endpoint);
    let client = Client::new(&endpoint, token.clone(), deadline)?.once();
    announce(&root.told(endpoint.to_string()), deadline);
    Ok(Server::new(endpoint, client))
}

/// Whose token is in the file, and the token.
pub(super) fn read_token(path: &Path) -> anyhow::Result<(ServiceAccount, Secret)> {
    let file = || format!("token file {}", path.display());
    let opened = File::open(path).with_context(file)?;
    let text = read_bounded(opened, MAX_TOKEN_BYTES).with_context(file)?;
    let token = Secret::from(text.trim_ascii().to_vec());
    let account = ServiceAccount::from_token(&token).with_context(file)?;
    Ok((account, token))
}

/// The same, for that namespace alone.
fn account(path: &Path, namespace: &Namespace) -> anyhow::Result<(ServiceAccount, Secret)> {
    let (account, token) = read_token(path)?;
    let of = &account.namespace;
    if of != namespace {
        let error = anyhow!("it is for namespace {of}, not for {namespace}");
        return Err(error.context(format!("token file {}", path.display())));
    }
    Ok((account, token))
}
