//! One request, start to end: each statement runs one stage on the result of the previous
//! stage.

use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::Context;
use secret::Secret;
use tracing::warn;

use crate::answer::answer;
use crate::api_server::SecretsError;
use crate::auth_dir::{AuthDir, AuthFile, FileName, Intents, Locks, StoreError};
use crate::deadline::{Deadline, Timed};
use crate::kubelet::{Request, Response};
use crate::logins::{
    GlobalFiles, GlobalTexts, LoginSource, Logins, Needs, NodeProviders, Server, ask_server,
    asks_server, report_unusable,
};
use crate::run_log::{RunLog, log_outcome};
use crate::sandbox;
use crate::secret_names::SecretNames;
use crate::service_account::ServiceAccount;
use crate::settings::Settings;
use crate::sources::Sources;

const ANSWER: &str = "write the response to stdout";
/// An older file does not wait for a pull any more.
const NOT_WAITING: Duration = Duration::from_secs(2 * 60);

/// Reads kubelet's request from `stdin`, leaves the auth file for CRI-O, and writes the
/// response to `stdout`.
///
/// # Errors
/// One chain of causes, readable in one line. Nothing is on `stdout` then, and the auth
/// file of this run is removed.
pub fn run(
    settings: &Settings,
    deadline: Deadline,
    stdin: impl Read + AsFd,
    stdout: impl AsFd,
) -> anyhow::Result<()> {
    let locks = Locks::open(&settings.lock_file);
    if !settings.node_providers.is_on() {
        sandbox::enter(settings, &Needs::default());
    }
    let request = Request::read(Timed::new(stdin, deadline))?;
    let Some(token) = &request.token else {
        without_namespace(&request);
        return answer(stdout, &Response::empty(), deadline).context(ANSWER);
    };
    let account = ServiceAccount::from_token(token)?;
    let file = AuthFile {
        directory: &settings.auth_dir,
        name: &FileName::new(&account.namespace, &request.image),
        image: &request.image,
        locks: &locks,
        intents: &Intents::open(settings.pull_intents_dir.as_deref()),
        deadline,
    };
    let served = serve(settings, deadline, &request, token, &account, &file, stdout);
    if let Err(error) = &served {
        clear(&file, error);
    }
    served
}

/// Static pods, and providers with `requireServiceAccount: false`.
fn without_namespace(request: &Request) {
    warn!(
        image = %request.image,
        outcome = "no namespace",
        "the request has no serviceAccountToken, so there are no Secrets to look into"
    );
}

fn serve(
    settings: &Settings,
    deadline: Deadline,
    request: &Request,
    token: &Secret,
    account: &ServiceAccount,
    file: &AuthFile<'_>,
    stdout: impl AsFd,
) -> anyhow::Result<()> {
    let image = &request.image;
    let registries = settings.registries.load()?;
    let mut sources = Sources::of(image, &registries);
    if settings.unmirrored {
        sources = sources.unmirrored();
    }
    sources.warn_of_unusable();

    let node_providers = NodeProviders::start(&settings.node_providers, &sources, deadline);
    if settings.node_providers.is_on() {
        // The sandbox forbids starting programs; those that run already go on.
        sandbox::enter(settings, &node_providers.needs());
    }
    let logins = if sources.no_login().is_some() {
        Logins::none(sources)
    } else {
        find(
            settings,
            deadline,
            request,
            token,
            account,
            sources,
            node_providers,
        )?
    };

    let response = logins.response(settings);
    let answer = || answer(stdout, &response, deadline);
    let directory = if let Some(content) = &logins.content {
        Some(file.place(content)?.answered(answer).context(ANSWER)?)
    } else {
        let directory = withdraw(file, &logins)?;
        answer().context(ANSWER)?;
        directory
    };
    log_outcome(&account.namespace, image, &logins);
    if let (Some(directory), Some(age)) = (directory, settings.stale_after) {
        directory.sweep(age, file.locks);
    }
    Ok(())
}

/// Finds the logins that could help the pull, in a closed sandbox.
fn find<'a>(
    settings: &Settings,
    deadline: Deadline,
    request: &Request,
    token: &Secret,
    account: &ServiceAccount,
    sources: Sources<'a>,
    mut node_providers: NodeProviders,
) -> anyhow::Result<Logins<'a>> {
    let mut log = RunLog::default();
    let names = SecretNames::wanted(
        settings.secrets_annotation.as_deref(),
        &request.annotations,
        &settings.secret_names,
    )?;
    report_unusable(names.as_ref(), &mut log);
    let texts = GlobalTexts::read(&settings.global_auth_files, &mut log);
    let globals = texts.decode(&mut log);
    node_providers.leave_to_helpers(&globals);

    let server = asks_server(settings, names.as_ref());
    let server = server.then(|| Server::find(settings, token, deadline));
    let server = server.transpose()?;
    let global_files = GlobalFiles {
        files: &globals,
        deadline,
    };

    let mut places = Vec::new();
    if let Some(server) = &server {
        places = ask_server(settings, server, account, names.as_ref(), deadline);
    }
    places.push(Box::new(global_files));
    places.push(Box::new(node_providers));
    // From here on the input comes from tenants.
    sandbox::close(settings, places.iter().map(|place| place.needs()));
    Logins::choose(sources, places, &globals, &mut log)
}

/// Removes the auth file of an earlier run: a login that was revoked or is not needed any
/// more must not be used.
fn withdraw(file: &AuthFile<'_>, logins: &Logins<'_>) -> anyhow::Result<Option<AuthDir>> {
    match file.remove() {
        // Nothing is pulled from a mirror, so this pod can start without a usable
        // directory.
        Err(error) if logins.sources.no_login().is_some() => {
            let error = anyhow::Error::new(error);
            warn!("an earlier auth file may still be there: {error:#}");
            Ok(None)
        }
        removed => Ok(removed?),
    }
}

/// Removes the auth file of an earlier run after a failure: kubelet still pulls, and
/// CRI-O would use that login, perhaps of an account that is no longer allowed to.
fn clear(file: &AuthFile<'_>, failure: &anyhow::Error) {
    if failure
        .downcast_ref()
        .is_some_and(StoreError::is_of_directory)
    {
        // It would only be reported once more.
        return;
    }
    let refused = failure.downcast_ref().is_some_and(SecretsError::is_refusal);
    let cleared = if refused {
        file.remove().map(drop)
    } else {
        file.remove_older_than(NOT_WAITING)
    };
    if let Err(error) = cleared {
        let error = anyhow::Error::new(error);
        warn!("an earlier auth file may still be there: {error:#}");
    }
}
