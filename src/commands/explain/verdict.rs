//! What will happen when a pod pulls the image, in one line.

use std::collections::{BTreeMap, BTreeSet};

use registries_conf::{ImageName, PullFromMirror, PullSource, PullSources, SourceKind};

use crate::commands::output::Style;
use provider::logins::Candidate;
use provider::sources::{NoLogin, Sources, every, has_elsewhere};

/// The verdict on a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The outcome, for programs.
    pub(super) outcome: Outcome,
    /// The verdict in one line.
    pub(super) text: String,
}

/// The outcome of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The first pull source gets a login.
    Login,
    /// The node's credential helper is asked for the first pull source.
    Helper,
    /// The first pull source gets no login.
    NoLogin,
    /// CRI-O contacts nothing.
    Blocked,
    /// CRI-O refuses the pull for a name that does not parse.
    Fails,
    /// The image has no mirror, so no login is looked for.
    NothingToDo,
}

/// The logins that pull sources get.
#[derive(Debug)]
pub(super) struct Chosen<'a> {
    /// The credential of each pull source that has one.
    pub(super) credentials: BTreeMap<&'a ImageName, &'a Candidate>,
    /// The hosts for which the node has a credential helper.
    pub(super) helpers: BTreeSet<&'a str>,
}

impl Outcome {
    /// The name of the outcome in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Helper => "helper",
            Self::NoLogin => "no-login",
            Self::Blocked => "blocked",
            Self::Fails => "fails",
            Self::NothingToDo => "nothing-to-do",
        }
    }

    /// The style in which it is printed.
    pub(super) fn style(self) -> Style {
        match self {
            Self::Login | Self::Helper => Style::Good,
            Self::NoLogin => Style::Warning,
            Self::Blocked | Self::Fails => Style::Bad,
            Self::NothingToDo => Style::Plain,
        }
    }
}

impl Verdict {
    /// The verdict for an image whose pull sources get these logins. `origin` returns the
    /// origin of a login for messages.
    pub(super) fn of(
        sources: &Sources<'_>,
        chosen: &Chosen<'_>,
        origin: &dyn Fn(&Candidate) -> String,
    ) -> Self {
        let pulls = Pulls { chosen, origin };
        Self::after_failing(&sources.own, |kind| pulls.of(sources, kind))
    }

    /// The verdict on pulls of which some may fail because of an invalid name. `others`
    /// returns the verdict on pulls of the kind that does not fail.
    fn after_failing(pull: &PullSources<'_>, others: impl FnOnce(PullFromMirror) -> Self) -> Self {
        let (Some(failing), Some(first)) = (pull.failing(), pull.unusable.first()) else {
            return others(PullFromMirror::All);
        };
        let fails = format!(
            "{} fails: {}: {}",
            every(failing),
            first.origin,
            first.error
        );
        let (other, outcome) = match failing {
            PullFromMirror::All => return Self::new(Outcome::Fails, fails),
            // Pulls by digest are rare, so the other kind comes first.
            PullFromMirror::DigestOnly => ("tag", others(PullFromMirror::TagOnly)),
            PullFromMirror::TagOnly => (
                "digest",
                Self {
                    outcome: Outcome::Fails,
                    ..others(PullFromMirror::DigestOnly)
                },
            ),
        };
        let text = format!("{fails}; by {other}: {}", outcome.text);
        Self { text, ..outcome }
    }

    fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self {
            outcome,
            text: text.into(),
        }
    }
}

/// The pulls that do not fail because of an invalid name.
struct Pulls<'a> {
    chosen: &'a Chosen<'a>,
    origin: &'a dyn Fn(&Candidate) -> String,
}

impl Pulls<'_> {
    fn of(&self, sources: &Sources<'_>, kind: PullFromMirror) -> Verdict {
        match sources.no_login() {
            Some(why @ NoLogin::Blocked) => {
                return Verdict::new(Outcome::Blocked, format!("blocked: {why}"));
            }
            Some(why) => {
                let text = format!("nothing for the provider to do: {why}");
                return Verdict::new(Outcome::NothingToDo, text);
            }
            None => {}
        }
        let mut candidates = sources.candidates.iter();
        let candidate = candidates.find(|one| has_elsewhere(&one.pull, &one.candidate.name));
        match candidate {
            Some(one) if !has_elsewhere(&sources.own, sources.image) => {
                let verdict = Verdict::after_failing(&one.pull, |kind| self.from(&one.pull, kind));
                let short = &one.candidate.short_name;
                let text = format!("as {short:?} in a pod, {}", verdict.text);
                Verdict { text, ..verdict }
            }
            _ => self.from(&sources.own, kind),
        }
    }

    /// The verdict on pulls of a kind. Those by tag and by digest may have different
    /// sources.
    fn from(&self, pull: &PullSources<'_>, kind: PullFromMirror) -> Verdict {
        let among = |allows: fn(PullFromMirror) -> bool| {
            let sources = pull.sources.iter();
            let usable = sources.filter(|source| !source.is_blocked() && allows(source.pull));
            self.first_of(&usable.collect::<Vec<_>>())
        };
        let by_tag = among(PullFromMirror::allows_tag);
        let by_digest = among(PullFromMirror::allows_digest);
        if !kind.allows_tag() {
            return by_digest;
        }
        if !kind.allows_digest() || by_tag == by_digest {
            return by_tag;
        }
        let text = format!("by tag: {}; by digest: {}", by_tag.text, by_digest.text);
        Verdict { text, ..by_tag }
    }

    /// The verdict if CRI-O tries these sources, one after the other.
    fn first_of(&self, sources: &[&PullSource<'_>]) -> Verdict {
        let Some((first, others)) = sources.split_first() else {
            let text = "blocked: there is nothing to pull from";
            return Verdict::new(Outcome::Blocked, text);
        };
        let name = named(first);
        if let Some(candidate) = self.login(first) {
            let origin = (self.origin)(candidate);
            let text = format!("pulls from {name} with the login of {origin}");
            return Verdict::new(Outcome::Login, text);
        }
        if self.chosen.helpers.contains(first.name.host()) {
            let text = format!("pulls from {name} with the login of the node's credential helper");
            return Verdict::new(Outcome::Helper, text);
        }
        let mut text = format!(
            "no login for {name}: the pull from there fails unless it allows anonymous pulls"
        );
        let next = others.iter().find_map(|source| {
            let origin = (self.origin)(self.login(source)?);
            Some(format!("{} with the login of {origin}", named(source)))
        });
        let last = || Some(format!("{} without a login", named(others.last()?)));
        if let Some(next) = next.or_else(last) {
            text = format!("{text}; then CRI-O tries {next}");
        }
        Verdict::new(Outcome::NoLogin, text)
    }

    fn login(&self, source: &PullSource<'_>) -> Option<&Candidate> {
        self.chosen.credentials.get(&source.name).copied()
    }
}

fn named(source: &PullSource<'_>) -> String {
    match source.kind {
        SourceKind::Mirror => format!("the mirror {}", source.name),
        SourceKind::Primary => source.name.to_string(),
    }
}
