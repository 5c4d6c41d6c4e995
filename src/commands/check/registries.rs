//! registries.conf: whether CRI-O accepts it, whether it has mirrors, and whether
//! containers/image reads our auth file at all.

use registries_conf::{Config as Registries, ImageName, UnusableSource};

use super::report::{Finding, chain, listed};
use crate::cli::CheckName;
use crate::commands::match_images;
use provider::settings::Settings;
use provider::sources::{every, image_below};

/// The value of `credential-helpers` that stands for auth files.
const AUTH_FILES: &str = "containers-auth.json";

/// Checks the files, and returns the configuration if there is one.
pub(super) fn check(settings: &Settings) -> (Vec<Finding>, Option<Registries>) {
    const NAME: CheckName = CheckName::RegistriesConf;
    let registries = match settings.registries.load() {
        Ok(registries) => registries,
        Err(error) => {
            let remedy = "correct it: CRI-O does not start with it either";
            let finding = Finding::unreadable(NAME, &error, chain(&error), remedy);
            return (vec![finding], None);
        }
    };
    let files = match registries.files() {
        [] => Finding::warn(
            NAME,
            "there is neither a registries.conf nor a drop-in: nothing is pulled from elsewhere",
            "write the mirrors into a file of registries.conf.d, then: systemctl reload crio",
        ),
        files => Finding::pass(NAME, listed(files.iter().map(|file| file.display()))),
    };
    let mut findings = vec![files];
    findings.extend(mirrors(&registries));
    findings.push(unusable(&registries));
    findings.extend(unknown_keys(settings));
    findings.push(credential_helpers(&registries));
    (findings, Some(registries))
}

fn mirrors(registries: &Registries) -> Vec<Finding> {
    const NAME: CheckName = CheckName::Mirrors;
    let mut prefixes = Vec::new();
    let mut findings = Vec::new();
    for registry in registries.registries() {
        match match_images::patterns(registries, registry) {
            Ok(patterns) if patterns.is_empty() => {}
            Ok(_) => prefixes.push(registry.prefix.as_str()),
            Err(error) => findings.push(Finding::warn(
                NAME,
                chain(&error),
                format!("correct the prefix at {}", registry.origin),
            )),
        }
    }
    findings.insert(
        0,
        if prefixes.is_empty() {
            Finding::warn(
                NAME,
                "no registry has a mirror that could need a login: the provider has nothing to do",
                "add [[registry.mirror]] to the registries that have one, then: systemctl reload crio",
            )
        } else {
            Finding::pass(NAME, format!("for {}", listed(&prefixes)))
        },
    );
    findings
}

/// Checks for locations that give no valid image name: CRI-O then refuses the whole pull,
/// from all mirrors.
fn unusable(registries: &Registries) -> Finding {
    const NAME: CheckName = CheckName::Locations;
    let mut messages = Vec::new();
    for registry in registries.registries() {
        // A prefix without images is a finding about the mirrors.
        let Ok(image) = image_below(&registry.prefix) else {
            continue;
        };
        let below = registries.pull_sources_in(registry, image.as_str());
        let itself = ImageName::parse_canonical(&registry.prefix);
        let itself = itself.map(|image| registries.pull_sources_in(registry, image.as_str()));
        let itself = itself.map(|pull| pull.unusable).unwrap_or_default();
        let message = |source: &UnusableSource| {
            let UnusableSource {
                location,
                origin,
                error,
                ..
            } = source;
            let of_itself = itself
                .iter()
                .find(|one| one.origin == *origin && one.location == *location);
            let pulls = failing_pulls(&registry.prefix, source, of_itself);
            format!("{pulls} fails, for location {location:?} at {origin}: {error}")
        };
        messages.extend(below.unusable.iter().map(message));
    }
    if messages.is_empty() {
        return Finding::pass(NAME, "each gives names that CRI-O can pull");
    }
    let remedy = "correct the locations to host[:port][/path], then: systemctl reload crio";
    Finding::fail(NAME, listed(messages), remedy)
}

/// The pulls that fail for a source that images below the prefix cannot use. An image
/// with the name of the prefix may fare better: `m.example/a:tag` gives a name that takes
/// a digest, but no path below it.
fn failing_pulls(prefix: &str, below: &UnusableSource, itself: Option<&UnusableSource>) -> String {
    let every_below = every(below.pull);
    match itself.map(|source| every(source.pull)) {
        None => format!("{every_below} below {prefix}"),
        Some(every) if every == every_below => format!("{every} of {prefix} and below it"),
        Some(every) => format!("{every_below} below {prefix} and {every} of {prefix} itself"),
    }
}

/// Checks for keys that are misspelt, or in the wrong table.
fn unknown_keys(settings: &Settings) -> Option<Finding> {
    const NAME: CheckName = CheckName::Keys;
    // A file that cannot be read is already a finding.
    let keys = settings.registries.unknown_keys().ok()?;
    if keys.is_empty() {
        return Some(Finding::pass(NAME, "CRI-O supports all of them"));
    }
    let keys = keys
        .iter()
        .map(|unknown| format!("{:?} at {}", unknown.key, unknown.origin));
    let message = format!("CRI-O ignores {}", listed(keys));
    let remedy = "correct them by containers-registries.conf(5), or remove them";
    Some(Finding::warn(NAME, message, remedy))
}

/// Checks the list of helpers: without auth files in it, no auth file is read, and
/// helpers before them are asked first.
fn credential_helpers(registries: &Registries) -> Finding {
    const NAME: CheckName = CheckName::CredentialHelpers;
    let helpers = registries.credential_helpers();
    let place = helpers.iter().position(|helper| helper == AUTH_FILES);
    match place {
        Some(0) => Finding::pass(NAME, "CRI-O reads auth files first"),
        Some(_) => Finding::warn(
            NAME,
            format!("CRI-O asks helpers first: {}", listed(helpers)),
            format!("put \"{AUTH_FILES}\" first, unless the helpers' logins are to win"),
        ),
        None => Finding::fail(
            NAME,
            format!("CRI-O reads no auth file, only: {}", listed(helpers)),
            format!(
                "add \"{AUTH_FILES}\" to credential-helpers in registries.conf, then: systemctl reload crio"
            ),
        ),
    }
}
