//! kubelet's own logins: an image that kubelet can pull with one of them is recorded as
//! pulled with the node's credentials, and every pod of the node may then run it,
//! whatever the provider's response (kubelet: `pkg/credentialprovider`,
//! `ReadDockerConfigJSONFile`; `KubeletEnsureSecretPulledImages`).

use std::path::{Path, PathBuf};

use containers_auth::Key;
use registries_conf::Config as Registries;

use super::report::{Finding, listed};
use crate::cli::CheckName;
use crate::commands::root::Root;
use provider::logins::GlobalTexts;
use provider::settings::Settings;
use provider::sources::{has_elsewhere, image_below};

const NAME: CheckName = CheckName::NodeLogins;
/// The file that kubelet reads after the one in its own root directory.
const SECOND: &str = "/.docker/config.json";

/// Warns of logins of kubelet for registries whose images are pulled from elsewhere;
/// `kubelet_dir` is kubelet's root directory.
pub(super) fn check(
    root: &Root,
    settings: &Settings,
    registries: &Registries,
    kubelet_dir: &Path,
) -> Finding {
    if !settings.empty_login {
        let message = "with --no-empty-login, every pod of the node may run all its images";
        return Finding::pass(NAME, message);
    }
    let paths = [kubelet_dir.join("config.json"), PathBuf::from(SECOND)];
    let mut paths = paths.into_iter();
    let Some(path) = paths.find(|path| root.path(path).exists()) else {
        return Finding::pass(NAME, "kubelet has none of its own");
    };
    let texts = GlobalTexts::read(&[root.path(&path)], &mut ());
    let files = texts.decode(&mut ());
    let keys = files.iter().flat_map(|file| file.file.auths.iter());
    let keys: Vec<_> = keys.map(|(key, _)| key).collect();
    let shared: Vec<_> = registries
        .registries()
        .iter()
        .map(|registry| registry.prefix.as_str())
        .filter(|prefix| keys.iter().any(|key| is_for(key, prefix, registries)))
        .collect();
    let path = path.display();
    if shared.is_empty() {
        Finding::pass(NAME, format!("{path} has no login for them"))
    } else {
        Finding::warn(
            NAME,
            format!(
                "kubelet has a login for {} in {path}: it lets every pod of the node run their images that are already on the node",
                listed(shared)
            ),
            "move it into a Secret, or into a file that kubelet does not read: --global-auth-file",
        )
    }
}

/// Whether the login under that key is for images below the prefix, which are pulled
/// from elsewhere.
fn is_for(raw_key: &str, prefix: &str, registries: &Registries) -> bool {
    let (Ok(key), Ok(image)) = (Key::parse(raw_key), image_below(prefix)) else {
        return false;
    };
    let is_elsewhere = || has_elsewhere(&registries.pull_sources(image.as_str()), &image);
    let is_below = || {
        let path = prefix.split_once('/').map_or("", |(_, path)| path);
        key.matches_host(image.host()) && key.path().starts_with(path.as_bytes())
    };
    (key.matches(&image) || is_below()) && is_elsewhere()
}
