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
    GlobalFiles, GlobalTexts, LoginSource, Logins, Needs, NodeProviders, PodLogins, Server,
    report_unusable, select,
};
use crate::run_log::{RunLog, log_outcome};
use crate::sandbox;
use crate::secret_names::SecretNames;
use crate::service_account::ServiceAccount;
use crate::settings::Settings;
use crate::sources::Sources;

const ANSWER: &str = "write the response to stdout";
/// The age from which an auth file does not wait for a pull any more.
const NOT_WAITING: Duration = Duration::from_secs(2 * 60);

/// One request of kubelet, for a pod with a token.
struct Pull<'a> {
    settings: &'a Settings,
    deadline: Deadline,
    request: &'a Request,
    token: &'a Secret,
    account: &'a ServiceAccount,
}

/// Reads kubelet's request from `stdin`, leaves the auth file for CRI-O, and writes the
/// response to `stdout`.
///
/// # Errors
/// One chain of causes, readable in one line. Then `stdout` has no response, and the auth
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
    let pull = Pull {
        settings,
        deadline,
        request: &request,
        token,
        account: &account,
    };
    let served = serve(&pull, &file, stdout);
    if let Err(error) = &served {
        clear(&file, error);
    }
    served
}

/// Logs that there is no token: static pods have none, if the provider has
/// `requireServiceAccount: false`.
fn without_namespace(request: &Request) {
    warn!(
        image = %request.image,
        outcome = "no namespace",
        "the request has no serviceAccountToken, so no Secrets are read"
    );
}

fn serve(pull: &Pull<'_>, file: &AuthFile<'_>, stdout: impl AsFd) -> anyhow::Result<()> {
    let &Pull {
        settings, deadline, ..
    } = pull;
    let image = &pull.request.image;
    let registries = settings.registries.load()?;
    let sources = Sources::of(image, &registries).unmirrored(settings.unmirrored);
    sources.warn_of_unusable();

    let mut log = RunLog::default();
    let is_wanted = sources.no_login().is_none();
    let global_auth_files = is_wanted.then_some(&settings.global_auth_files[..]);
    let texts = GlobalTexts::read(global_auth_files.unwrap_or_default(), &mut log);
    let files = &texts.decode(&mut log);
    let globals = GlobalFiles { files, deadline };
    let node_providers = NodeProviders::start(&settings.node_providers, &sources, &globals)?;
    if settings.node_providers.is_on() {
        // The sandbox forbids starting programs; those that run already continue.
        sandbox::enter(settings, &node_providers.needs());
    }
    let logins = if is_wanted {
        find(pull, sources, globals, node_providers, log)?
    } else {
        Logins::none(sources)
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
    log_outcome(&pull.account.namespace, image, &logins);
    if let (Some(directory), Some(age)) = (directory, settings.stale_after) {
        directory.sweep(age, file.locks);
    }
    Ok(())
}

/// Finds the logins that could help the pull, in a closed sandbox.
fn find<'a>(
    pull: &Pull<'_>,
    sources: Sources<'a>,
    globals: GlobalFiles<'_>,
    node_providers: NodeProviders,
    mut log: RunLog,
) -> anyhow::Result<Logins<'a>> {
    let &Pull {
        settings,
        deadline,
        request,
        token,
        account,
    } = pull;
    let names = SecretNames::wanted(
        settings.secrets_annotation.as_deref(),
        &request.annotations,
        &settings.secret_names,
    )?;
    report_unusable(names.as_ref(), &mut log);
    let pod = PodLogins {
        settings,
        account,
        names: names.as_ref(),
        deadline,
    };
    let server = pod.needs_server();
    let server = server.then(|| Server::find(settings, token, deadline));
    let server = server.transpose()?;
    let files = globals.files;

    let mut login_sources = pod.login_sources(server.as_ref());
    login_sources.push(Box::new(globals));
    login_sources.push(Box::new(node_providers));
    // From here on the input comes from tenants.
    sandbox::close(settings, login_sources.iter().map(|source| source.needs()));
    let selection = select(sources.names(), login_sources, &mut log)?;
    Logins::of(sources, selection, files, &mut log)
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
