//! The result as JSON.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use registries_conf::PullSource;
use serde::Serialize;
use serde_json::value::RawValue;

use super::findings::{Loser, Remark};
use super::masked::masked;
use super::settings::GivenSetting;
use super::{Credentials, Explained, ExplainedImage, Unmatched};
use crate::commands::node_providers::Serving;
use crate::commands::output::{JSON_VERSION, print_json};
use crate::commands::resolve::json::{WireCandidate, WirePull, WireSource};
use provider::excerpt::ShownKey;
use provider::logins::Origin;

#[derive(Serialize)]
struct Wire<'a> {
    version: u32,
    namespace: &'a str,
    #[serde(rename = "serviceAccounts")]
    accounts: Vec<&'a str>,
    images: Vec<WireImage<'a>>,
    skipped: Vec<WireRemark<'a>>,
    mistakes: Vec<WireRemark<'a>>,
    unmatched: Vec<WireUnmatched<'a>>,
    #[serde(rename = "unmatchedLeftOut")]
    unmatched_left_out: usize,
    settings: Vec<GivenSetting>,
}

#[derive(Serialize)]
struct WireImage<'a> {
    image: &'a str,
    verdict: WireVerdict<'a>,
    #[serde(flatten)]
    pull: WirePull<'a, WireOffered<'a>>,
    candidates: Vec<WireCandidate<'a, WireOffered<'a>>>,
    #[serde(rename = "authFile")]
    auth_file: WireAuthFile<'a>,
    kubelet: WireKubelet,
    #[serde(rename = "nodeProviders", skip_serializing_if = "<[_]>::is_empty")]
    providers: &'a [Serving],
}

#[derive(Serialize)]
struct WireVerdict<'a> {
    outcome: &'static str,
    text: &'a str,
}

/// A pull source with its logins.
#[derive(Serialize)]
struct WireOffered<'a> {
    #[serde(flatten)]
    source: WireSource<'a>,
    credential: Option<WireCredential<'a>>,
    #[serde(rename = "notUsed")]
    losers: Vec<WireLoser<'a>>,
    #[serde(rename = "notUsedLeftOut")]
    left_out: usize,
}

#[derive(Serialize)]
struct WireCredential<'a> {
    origin: WireOrigin<'a>,
    key: ShownKey<'a>,
    username: Cow<'a, str>,
}

#[derive(Serialize)]
struct WireLoser<'a> {
    origin: WireOrigin<'a>,
    key: ShownKey<'a>,
    reason: String,
}

/// The origin of a login.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
enum WireOrigin<'a> {
    Secret { namespace: &'a str, name: &'a str },
    SharedSecret { namespace: &'a str, name: &'a str },
    GlobalAuthFile { path: Cow<'a, str> },
    NodeProvider { name: &'a str },
}

#[derive(Serialize)]
struct WireRemark<'a> {
    origin: WireOrigin<'a>,
    /// `null` if it is about the whole Secret or file.
    key: Option<ShownKey<'a>>,
    reason: &'a str,
}

#[derive(Serialize)]
struct WireUnmatched<'a> {
    origin: WireOrigin<'a>,
    key: ShownKey<'a>,
    /// The pull source that it nearly matches; else `null`.
    nearly: Option<&'a str>,
    /// Why it does not match that one, or nothing at all; else `null`.
    reason: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct WireAuthFile<'a> {
    path: Cow<'a, str>,
    /// Its content without secrets; `null` if it is not written, for the reason.
    content: Option<Box<RawValue>>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct WireKubelet {
    /// Whether the response has an empty login for the image, so that kubelet records the
    /// service account.
    #[serde(rename = "emptyLogin")]
    empty_login: bool,
    reason: &'static str,
}

/// Prints one object.
pub(super) fn print(explained: &Explained<'_>, stdout: impl Write) -> io::Result<()> {
    let images = explained.images.iter();
    let credentials: Vec<_> = images.clone().map(ExplainedImage::credentials).collect();
    let images = images.zip(&credentials);
    let images = images.map(|(image, credentials)| explained.wire_image(image, credentials));
    let images = images.collect::<io::Result<_>>()?;
    let (unmatched, unmatched_left_out) = explained.unmatched();
    let wire = Wire {
        version: JSON_VERSION,
        namespace: explained.asked.namespace.as_str(),
        accounts: explained
            .asked
            .accounts
            .iter()
            .map(String::as_str)
            .collect(),
        images,
        skipped: explained.wire_remarks(&explained.findings.skipped),
        mistakes: explained.wire_remarks(&explained.findings.mistakes),
        unmatched: unmatched
            .iter()
            .map(|one| explained.wire_unmatched(one))
            .collect(),
        unmatched_left_out,
        settings: GivenSetting::all(explained.settings),
    };
    print_json(stdout, &wire)
}

impl<'a> Explained<'a> {
    fn wire_image(
        &'a self,
        image: &'a ExplainedImage<'a>,
        credentials: &'a Credentials<'a>,
    ) -> io::Result<WireImage<'a>> {
        self.in_time()?;
        let offered = |source| self.wire_offered(source, credentials);
        let logins = &image.logins;
        let candidates = logins.sources.candidates.iter();
        let content = logins.content.as_ref().map(|content| masked(content));
        Ok(WireImage {
            image: logins.sources.image.as_str(),
            verdict: WireVerdict {
                outcome: image.verdict.outcome.as_str(),
                text: &image.verdict.text,
            },
            pull: WirePull::of(&logins.sources.own, offered),
            candidates: candidates
                .map(|one| WireCandidate::of(one, offered))
                .collect(),
            providers: &image.providers,
            auth_file: WireAuthFile {
                path: image.auth_file.to_string_lossy(),
                content: content.and_then(|content| RawValue::from_string(content).ok()),
                reason: image.why_no_file(),
            },
            kubelet: WireKubelet {
                empty_login: image.is_owned(self.settings),
                reason: image.why_response(self.settings),
            },
        })
    }

    fn wire_offered(
        &'a self,
        source: &'a PullSource<'a>,
        credentials: &'a Credentials<'a>,
    ) -> WireOffered<'a> {
        let chosen = credentials.get(&source.name).copied();
        let (losers, left_out) = self.findings.losers(&source.name, chosen);
        let loser = |loser: Loser<'a>| WireLoser {
            origin: self.wire_origin(loser.origin),
            key: ShownKey(loser.key),
            reason: loser.why,
        };
        WireOffered {
            source: WireSource::of(source),
            credential: chosen.map(|chosen| WireCredential {
                origin: self.wire_origin(&chosen.origin),
                key: ShownKey(&chosen.key),
                username: chosen.credential.username_lossy(),
            }),
            losers: losers.into_iter().map(loser).collect(),
            left_out,
        }
    }

    fn wire_remarks(&'a self, remarks: &'a BTreeSet<Remark>) -> Vec<WireRemark<'a>> {
        let wire = |remark: &'a Remark| WireRemark {
            origin: self.wire_origin(&remark.origin),
            key: remark.key.as_deref().map(ShownKey),
            reason: &remark.text,
        };
        remarks.iter().map(wire).collect()
    }

    fn wire_unmatched(&'a self, entry: &'a Unmatched<'a>) -> WireUnmatched<'a> {
        WireUnmatched {
            origin: self.wire_origin(entry.origin),
            key: ShownKey(entry.key),
            nearly: entry.near.as_ref().map(|near| near.source.as_str()),
            reason: entry.why(),
        }
    }

    fn node_path(&'a self, place: usize, here: &'a Path) -> Cow<'a, str> {
        let of_node = self.settings.global_auth_files.get(place);
        of_node.map_or(here, PathBuf::as_path).to_string_lossy()
    }

    fn wire_origin(&'a self, origin: &'a Origin) -> WireOrigin<'a> {
        match origin {
            Origin::Secret(name) | Origin::NamedSecret(_, name) => WireOrigin::Secret {
                namespace: self.asked.namespace.as_str(),
                name,
            },
            Origin::SharedSecret(_, namespace, name) => {
                WireOrigin::SharedSecret { namespace, name }
            }
            Origin::NodeProvider(_, name) => WireOrigin::NodeProvider { name },
            Origin::GlobalFile(place, here) => WireOrigin::GlobalAuthFile {
                path: self.node_path(*place, here),
            },
        }
    }
}
