//! The story of one request, start to end (SPEC section 2): every statement is a
//! stage, takes what the one before it gave, and is told in its own room.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::SystemTime;

use anyhow::Context;
use registries_conf::Config as Registries;
use tracing::{info, warn};

use crate::auth_file::{self, AuthDir, FileName, GlobalText, StoreError};
use crate::cli::Config;
use crate::cluster::{self, Client, SecretDoc};
use crate::credentials::{DockerConfig, Origin, Selection};
use crate::deadline::{Deadline, Timed};
use crate::kubelet::{Request, Response};
use crate::sandbox;
use crate::secret::Secret;
use crate::service_account::ServiceAccount;
use crate::signals;
use crate::sources::Sources;

/// Reads kubelet's request from `stdin`, leaves the auth file for CRI-O, and
/// answers on `stdout`.
///
/// # Errors
/// One chain of causes, readable in one line; nothing is on `stdout` then, and no
/// auth file is half written.
pub fn run(
    config: &Config,
    deadline: Deadline,
    stdin: impl Read + AsFd,
    stdout: impl Write,
) -> anyhow::Result<()> {
    let request = Request::read(Timed::new(stdin, deadline))?;
    let response = match &request.token {
        Some(token) => serve(config, deadline, &request, token)?,
        None => without_namespace(&request),
    };
    response
        .write(stdout)
        .context("write the response to stdout")
}

/// Static pods, and providers with `requireServiceAccount: false`.
fn without_namespace(request: &Request) -> Response {
    warn!(
        image = %request.image,
        outcome = "no namespace",
        "the request has no serviceAccountToken, so there are no Secrets to look into"
    );
    Response::empty()
}

fn serve(
    config: &Config,
    deadline: Deadline,
    request: &Request,
    token: &Secret,
) -> anyhow::Result<Response> {
    let image = &request.image;
    let account = ServiceAccount::from_token(token)?;
    let namespace = &account.namespace;
    let name = FileName::new(namespace, image);

    let registries = Registries::load(&config.registries)?;
    let sources = Sources::of(image, &registries);
    let registry = sources.registry.map_or("", |registry| &registry.prefix);
    if !sources.need_login() {
        // Nothing is pulled from a mirror, so a directory that cannot be used is no
        // reason for this pod not to start.
        if let Err(error) = withdraw(config, &name) {
            warn!("an earlier auth file may still be there: {error:#}");
        }
        info!(%image, %namespace, registry, outcome = "no mirror", "{}", no_mirror(&registries));
        return Ok(Response::empty());
    }

    let mut selection = Selection::new(sources.names());
    offer_secrets(config, deadline, &account, token, &mut selection)?;

    let texts = auth_file::read_global(&config.global_auth_files);
    let globals: Vec<_> = texts.iter().filter_map(GlobalText::decode).collect();
    auth_file::offer_global(&globals, &mut selection);

    let content = auth_file::encode(&selection, &globals);
    let Some(content) = content else {
        withdraw(config, &name)?;
        info!(%image, %namespace, registry, outcome = "no credential", "no login matches a pull source");
        return Ok(Response::empty());
    };
    leave(config, &name, &content)?;
    for (source, chosen) in selection.chosen() {
        info!(%image, %namespace, registry, outcome = "login written", %source, origin = %chosen.origin, key = ?chosen.key, "login for a pull source");
    }
    let owned = selection.has_namespaced() && config.empty_login;
    Ok(if owned {
        Response::owned(image.clone())
    } else {
        Response::empty()
    })
}

/// Asks the API server for the namespace's Secrets, and offers what they hold.
fn offer_secrets(
    config: &Config,
    deadline: Deadline,
    account: &ServiceAccount,
    token: &Secret,
    selection: &mut Selection,
) -> anyhow::Result<()> {
    let endpoint = cluster::discover(&config.cluster)?;
    let client = Client::new(&endpoint, token.clone(), deadline)?;
    if config.sandbox {
        // From here on tenants write what is parsed.
        let port = endpoint.connects_to();
        sandbox::restrict_reads_and_ports(&config.global_auth_files, &config.auth_dir, port);
    }
    let listed = cluster::for_each_secret(&client, account, |secret| offer(&secret, selection));
    let (server, why, trust) = (&endpoint.server, &endpoint.why, &endpoint.trust);
    listed.with_context(|| {
        let namespace = account.namespace.as_str();
        format!("list secrets in namespace {namespace:?} at API server {server} (from {why}; trusts {trust})")
    })?;
    // Only now: a failure is told in one line, which says all this too.
    info!(%server, why, trust = trust.to_string(), "listed secrets");
    Ok(())
}

/// Offers the entries of one Secret; what cannot be used is a warning.
fn offer(secret: &SecretDoc, selection: &mut Selection) {
    let name = &secret.name;
    let config = match DockerConfig::parse(&secret.docker_config, secret.format) {
        Ok(config) => config,
        Err(error) => {
            warn!(secret = ?name, "skip secret: {error}");
            return;
        }
    };
    let Some(auths) = config.auths else {
        warn!(secret = ?name, "skip secret: its docker config has no \"auths\"");
        return;
    };
    let origin = Origin::Secret(name.clone());
    for (key, entry) in auths {
        if let Err(error) = selection.offer(&origin, &key, entry, |_| true) {
            let error = anyhow::Error::new(error);
            warn!(secret = ?name, ?key, "skip entry: {error:#}");
        }
    }
}

/// Leaves the auth file for CRI-O.
fn leave(config: &Config, name: &FileName, content: &[u8]) -> Result<(), StoreError> {
    let directory = AuthDir::create(&config.auth_dir)?;
    signals::held_back(|| directory.write(name, content))?;
    sweep(config, &directory);
    Ok(())
}

/// Removes the auth file of an earlier run: a login that was revoked, or is no
/// longer needed, must not be used.
fn withdraw(config: &Config, name: &FileName) -> anyhow::Result<()> {
    if let Some(directory) = AuthDir::open(&config.auth_dir)? {
        directory.remove(name)?;
        sweep(config, &directory);
    }
    Ok(())
}

fn sweep(config: &Config, directory: &AuthDir) {
    if let Some(age) = config.stale_after {
        directory.sweep(age, SystemTime::now());
    }
}

fn no_mirror(registries: &Registries) -> &'static str {
    if registries.files().is_empty() {
        "there is no registries.conf"
    } else {
        "registries.conf has nothing but the image itself to pull from, or blocks it"
    }
}
