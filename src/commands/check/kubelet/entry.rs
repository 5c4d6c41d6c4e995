//! kubelet's `CredentialProviderConfig`: whether kubelet accepts it, and whether our
//! entry has what the provider needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kubelet_credential_provider::API_VERSION;
use kubelet_credential_provider::provider_config::{
    self, CredentialProvider, File, LoadError, MatchImage,
};
use registries_conf::{Config as Registries, Registry};

use crate::cli::CheckName;
use crate::commands::check::report::{Finding, chain, listed};
use crate::commands::match_images;
use crate::commands::root::Root;
use crate::commands::{NAME as PROVIDER, ours};

const NAME: CheckName = CheckName::ProviderConfig;
const CORRECT: &str = "correct it: kubelet does not start with it";
/// The file that is suggested if kubelet reads a directory.
const OWN_FILE: &str = "crio-credential-provider.yaml";

/// The provider's entry, and its file on the node.
#[derive(Debug)]
pub(in crate::commands::check) struct Entry {
    /// The entry.
    pub(in crate::commands::check) provider: CredentialProvider,
    /// Its file.
    pub(in crate::commands::check) file: PathBuf,
}

impl Entry {
    /// Whether kubelet passes this annotation of service accounts.
    pub(in crate::commands::check) fn hands_over(&self, annotation: &str) -> bool {
        let token = self.provider.token_attributes.as_ref();
        token.is_some_and(|token| token.passes(annotation))
    }
}

/// The file or directory in kubelet's flag.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Its path on the node.
    pub(super) path: PathBuf,
    files: Result<Vec<File>, LoadError>,
}

impl Loaded {
    /// Reads the files that kubelet reads.
    pub(super) fn read(root: &Root, path: PathBuf) -> Self {
        let files = provider_config::load(&root.path(&path));
        Self { path, files }
    }

    /// The files, each with the time of its last change.
    pub(super) fn changes(&self, root: &Root) -> Option<Vec<(PathBuf, SystemTime)>> {
        let change = |file: &File| {
            let metadata = fs::metadata(&file.path).ok()?;
            Some((root.shown(&file.path), metadata.modified().ok()?))
        };
        self.files.as_ref().ok()?.iter().map(change).collect()
    }

    /// The provider's entry.
    pub(super) fn entry(&self, root: &Root) -> Option<Entry> {
        self.files.iter().flatten().find_map(|file| {
            let (_, provider) = ours(&file.document)?;
            Some(Entry {
                provider: provider.clone(),
                file: root.shown(&file.path),
            })
        })
    }

    /// Checks the files, and the entry in them.
    pub(super) fn check(
        &self,
        root: &Root,
        entry: Option<&Entry>,
        registries: Option<&Registries>,
    ) -> Vec<Finding> {
        let files = match &self.files {
            Ok(files) => files,
            Err(error) => return vec![unreadable(&self.path, error)],
        };
        let mut findings = vec![problems(root, &self.path, files)];
        match entry {
            None => findings.push(not_registered(&self.path, files, root)),
            Some(entry) => {
                findings.push(speaks(entry));
                findings.extend(registries.map(|registries| covered(entry, registries)));
            }
        }
        findings
    }
}

fn unreadable(path: &Path, error: &LoadError) -> Finding {
    let remedy = match error {
        LoadError::Empty { .. } => rewrite(&path.join(OWN_FILE)),
        _ if error.is_missing() => rewrite(path),
        LoadError::Read { .. } | LoadError::Parse { .. } | LoadError::TooMany { .. } => {
            CORRECT.to_owned()
        }
    };
    Finding::unreadable(NAME, error, chain(error), remedy)
}

fn problems(root: &Root, path: &Path, files: &[File]) -> Finding {
    let problems: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let shown = root.shown(&file.path);
            let problems = file.document.problems.iter();
            problems.map(move |problem| format!("{}: {problem}", shown.display()))
        })
        .collect();
    if problems.is_empty() {
        return Finding::pass(NAME, format!("kubelet accepts {}", path.display()));
    }
    let remedy = match files {
        [file] if file.document.is_blank() => rewrite(path),
        _ => CORRECT.to_owned(),
    };
    Finding::fail(NAME, listed(problems), remedy)
}

fn not_registered(path: &Path, files: &[File], root: &Root) -> Finding {
    const NAME: CheckName = CheckName::ProviderEntry;
    let is_file = matches!(files, [file] if root.shown(&file.path) == path);
    let remedy = if is_file {
        rewrite(path)
    } else {
        rewrite(&path.join(OWN_FILE))
    };
    let path = path.display();
    Finding::fail(
        NAME,
        format!("{path} has no provider {PROVIDER:?}: kubelet does not run it"),
        remedy,
    )
}

/// A remedy that ends in a command that can be run as it is.
pub(in crate::commands::check) fn rewrite(file: &Path) -> String {
    format!(
        "write it, then restart kubelet: {PROVIDER} config --write {}",
        file.display()
    )
}

/// Checks that the entry has `v1`, and a token of the pod's service account.
fn speaks(entry: &Entry) -> Finding {
    const NAME: CheckName = CheckName::ProviderEntry;
    let Entry { provider, file } = entry;
    let remedy = || rewrite(file);
    let version = &provider.api_version;
    if version != API_VERSION {
        let message = format!(
            "the entry has apiVersion {version:?}, the provider supports only {API_VERSION}"
        );
        return Finding::fail(NAME, message, remedy());
    }
    match &provider.token_attributes {
        None => Finding::fail(
            NAME,
            "no tokenAttributes: kubelet passes no token, so no Secret can be read",
            remedy(),
        ),
        Some(token) => {
            let audience = &token.service_account_token_audience;
            let handed: Vec<_> = token.annotation_keys().collect();
            let handed = match handed.as_slice() {
                [] => String::new(),
                handed => format!(
                    " and the annotations {} of service accounts",
                    handed.join(", ")
                ),
            };
            Finding::pass(
                NAME,
                format!("registered, with tokens for {audience:?}{handed}"),
            )
        }
    }
}

/// Whether kubelet runs the provider for every image that has a mirror.
fn covered(entry: &Entry, registries: &Registries) -> Finding {
    const NAME: CheckName = CheckName::MatchImages;
    let Entry { provider, file } = entry;
    let own = provider.match_images.iter();
    let own: Vec<_> = own.filter_map(|own| MatchImage::parse(own).ok()).collect();
    let (mut never, mut partly) = (Vec::new(), Vec::new());
    for registry in registries.registries() {
        // A registry without patterns is a finding about registries.conf.
        let patterns = match_images::patterns(registries, registry).unwrap_or_default();
        if patterns.iter().all(|pattern| provider.covers(pattern)) {
            continue;
        }
        let is_for =
            |registry: &Registry| own.iter().any(|own| match_images::is_for(own, registry));
        let list = if is_for(registry) {
            &mut partly
        } else {
            &mut never
        };
        list.push(registry.prefix.as_str());
    }
    let remedy = || rewrite(file);
    if !never.is_empty() {
        let names = listed(never);
        let message = format!("no matchImages for images that have a mirror: {names}");
        return Finding::fail(NAME, message, remedy());
    }
    if !partly.is_empty() {
        let names = listed(partly);
        let message = format!("matchImages for some images only of: {names}");
        return Finding::warn(NAME, message, remedy());
    }
    Finding::pass(
        NAME,
        "kubelet runs the provider for every image that has a mirror",
    )
}
