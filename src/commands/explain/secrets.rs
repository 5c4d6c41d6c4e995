//! Secrets from files, as `kubectl get secrets -o yaml` and `-o json` print them and
//! as people write them for `kubectl apply`: a `List`, a `SecretList`, single
//! Secrets, any number of documents in one file.
//!
//! They come out as the API server would list them: those of the namespace and of
//! the two types, by type and name.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::findings::Findings;
use super::yaml;
use crate::cluster::{
    Listed, SECRET_TYPES, SecretDoc, SecretProblem, SecretType, UnusableSecret, data_key,
    read_secret,
};
use crate::credentials::Origin;
use crate::json::Object;
use crate::secret::{DecodeError, read_bounded};
use crate::service_account::Namespace;

/// The largest file that is read: 64 MiB, more than most API servers hold.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Stands for stdin.
const STDIN: &str = "-";
/// The type of a Secret that names none.
const OPAQUE: &str = "Opaque";

/// A document of a file: a list, or one Secret.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

/// What is looked at before a Secret is decoded.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default, borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default, borrow, rename = "type")]
    kind_of_secret: Option<Cow<'a, str>>,
    #[serde(borrow)]
    metadata: &'a RawValue,
    #[serde(default, borrow, rename = "stringData")]
    string_data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    namespace: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads the Secrets of a namespace; the others are noted as skipped.
///
/// # Errors
/// A file that cannot be read, or is not what kubectl prints. Never quotes what is
/// in it.
pub(super) fn read(
    files: &[PathBuf],
    namespace: &Namespace,
    mut stdin: impl Read + IsTerminal,
    findings: &mut Findings,
) -> anyhow::Result<Vec<Listed>> {
    let texts: Vec<Zeroizing<Vec<u8>>> = files
        .iter()
        .map(|file| {
            let text = text(file, &mut stdin).with_context(|| called(file))?;
            as_json(text).with_context(|| called(file))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut items = Vec::new();
    for (file, text) in files.iter().zip(&texts) {
        items.extend(split(text).with_context(|| called(file))?);
    }
    Ok(listed(items, namespace, findings))
}

fn called(file: &Path) -> String {
    if file == Path::new(STDIN) {
        "Secrets on stdin".to_owned()
    } else {
        format!("Secrets in {}", file.display())
    }
}

fn text(file: &Path, stdin: &mut (impl Read + IsTerminal)) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    if file != Path::new(STDIN) {
        return Ok(read_bounded(File::open(file)?, MAX_BYTES)?);
    }
    if stdin.is_terminal() {
        bail!("it is a terminal: pipe \"kubectl get secrets -o yaml\" into this command");
    }
    Ok(read_bounded(stdin, MAX_BYTES)?)
}

/// One JSON text after the other.
fn as_json(text: Zeroizing<Vec<u8>>) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let as_it_is = documents(&text).map(drop);
    match as_it_is {
        Ok(()) => Ok(text),
        Err(broken_json) => {
            let utf8 = str::from_utf8(&text).context("not UTF-8")?;
            let begins_like_json = utf8.trim_start().starts_with('{');
            yaml::to_json(utf8).map_err(|error| {
                let error = if begins_like_json { broken_json } else { error };
                anyhow::Error::new(error)
            })
        }
    }
}

fn documents(text: &[u8]) -> Result<Vec<&RawValue>, DecodeError> {
    let documents = serde_json::Deserializer::from_slice(text).into_iter();
    documents
        .map(|document| document.map_err(DecodeError::from))
        .collect()
}

/// The items of lists, and objects that stand alone.
fn split(text: &[u8]) -> anyhow::Result<Vec<&RawValue>> {
    let documents = documents(text)?;
    let is_expected = "is this what \"kubectl get secrets -o yaml\" prints?";
    if documents.is_empty() {
        bail!("neither a list nor a Secret: {is_expected}");
    }
    let mut items = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let Ok(Object(Document {
            kind,
            items: of_list,
        })) = serde_json::from_str(document.get())
        else {
            let number = index + 1;
            bail!("document {number} is neither a list nor a Secret: {is_expected}");
        };
        if kind == "List" || kind == "SecretList" {
            items.extend(of_list.unwrap_or_default());
        } else {
            items.push(document);
        }
    }
    Ok(items)
}

/// The Secrets among the items that the API server would list, in its order.
fn listed(items: Vec<&RawValue>, namespace: &Namespace, findings: &mut Findings) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    // Backwards, since of two with the same name the last one counts.
    for item in items.into_iter().rev() {
        match one(item, namespace, &mut names) {
            Ok((order, listed)) => found.push((order, listed)),
            Err((name, reason)) => findings.skip(Origin::Secret(name).to_string(), reason),
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found.into_iter().map(|(_, listed)| listed).collect()
}

/// A Secret, usable or not, with its place in the lists; or its name, and why the
/// API server would not list it.
fn one(
    item: &RawValue,
    namespace: &Namespace,
    names: &mut BTreeSet<String>,
) -> Result<((usize, String), Listed), (String, String)> {
    let nameless = |error: serde_json::Error| {
        let error = anyhow::Error::new(SecretProblem::Name(error.into()));
        (String::new(), format!("{error:#}"))
    };
    let Object(envelope): Object<Envelope<'_>> =
        serde_json::from_str(item.get()).map_err(nameless)?;
    let meta = serde_json::from_str(envelope.metadata.get());
    if envelope
        .kind
        .as_deref()
        .is_some_and(|kind| kind != "Secret")
    {
        let name = meta.map_or_else(|_| String::new(), |Object(Meta { name, .. })| name.into());
        return Err((name, "not a Secret".to_owned()));
    }
    let Object(Meta {
        name,
        namespace: of,
    }) = meta.map_err(nameless)?;
    let name = name.into_owned();
    let not = |reason: String| Err((name.clone(), reason));
    let kind = envelope.kind_of_secret.as_deref().unwrap_or(OPAQUE);
    if let Some(of) = of.filter(|of| of != namespace.as_str()) {
        return not(format!("of namespace {of:?}"));
    }
    if !names.insert(name.clone()) {
        return not("given again later, which counts".to_owned());
    }
    let mut types = SECRET_TYPES.iter().enumerate();
    match types.find(|(_, known)| known.name == kind) {
        Some((order, known)) => {
            let listed = decode(item, &name, &envelope, *known);
            Ok(((order, name), listed))
        }
        None => not(format!("of type {kind:?}, which holds no registry logins")),
    }
}

/// `stringData` counts more than `data`, as for the API server that takes the one
/// and gives the other.
fn decode(item: &RawValue, name: &str, envelope: &Envelope<'_>, of: SecretType) -> Listed {
    let Some(string_data) = envelope.string_data else {
        return read_secret(item, of.format);
    };
    let fields: Result<BTreeMap<Cow<'_, str>, Text<'_>>, _> =
        serde_json::from_str(string_data.get());
    let mut fields = fields.map_err(|error| UnusableSecret {
        name: name.to_owned(),
        problem: SecretProblem::Data(error.into()),
    })?;
    match fields.remove(data_key(of.format)) {
        Some(Text(text)) => Ok(SecretDoc {
            name: name.to_owned(),
            docker_config: Zeroizing::new(text.into_owned().into_bytes()),
            format: of.format,
        }),
        None => read_secret(item, of.format),
    }
}
