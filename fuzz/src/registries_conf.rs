//! `registries_conf::Config::parse` and the questions it answers.

use registries_conf::{Config, ImageName, PullFromMirror, Registry, Source, SourceKind};

use crate::presentable::{assert_one_line, line};

/// The separator of two files of an input. In TOML it is a comment.
const NEXT_FILE: &str = "### next file";

/// The most names that are looked up.
const NAMES: usize = 24;

/// `registries.conf` and its drop-ins, with `### next file` between them.
///
/// - The same files give the same result.
/// - A refusal is one line that begins with the file and one of its line numbers.
/// - Prefixes are unique and sorted; no registry and no mirror is without a name.
/// - For the strings of the input, and for names made of the prefixes: `find_registry` finds
///   what a simpler implementation of containers/image's prefix rule finds. `pull_sources`
///   returns the mirrors in file order, then the registry itself, each rewritten as in a
///   simpler implementation, listed exactly where it is a name in full, if only with a
///   digest, and blocked where its own registry is.
pub fn registries_conf(data: &[u8]) {
    let files = files(data);
    let (main, drop_ins) = files.split_first().expect("there is one file at least");
    let config = Config::parse(Some(main), drop_ins);
    match (&config, Config::parse(Some(main), drop_ins)) {
        (Ok(config), Ok(again)) => assert_eq!(config, &again),
        (Err(error), Err(again)) => assert_eq!(line(error), line(&again)),
        (one, other) => panic!("{one:?}, then {other:?}"),
    }
    match config {
        Ok(config) => answers(&config, &String::from_utf8_lossy(data)),
        Err(error) => refusal(&line(&error), &files),
    }
}

fn files(data: &[u8]) -> Vec<Source> {
    let mut files = vec![Vec::new()];
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if line.trim_ascii_end() == NEXT_FILE.as_bytes() {
            files.push(Vec::new());
        } else if let Some(file) = files.last_mut() {
            file.extend_from_slice(line);
        }
    }
    let named = |(at, content)| Source::new(format!("{at}.conf"), content);
    files.into_iter().enumerate().map(named).collect()
}

fn refusal(message: &str, files: &[Source]) {
    assert_one_line(message);
    let mut parts = message.splitn(3, ':');
    let (path, at) = (parts.next(), parts.next());
    let file = files.iter().find(|file| file.path.to_str() == path);
    let file = file.unwrap_or_else(|| panic!("names no file: {message}"));
    let lines = file.content.split(|byte| *byte == b'\n').count();
    let at = at.and_then(|at| at.parse().ok());
    assert!(at.is_some_and(|at| (1..=lines).contains(&at)), "{message}");
    assert!(
        parts.next().is_some_and(|reason| reason.len() > 1),
        "{message}"
    );
}

fn answers(config: &Config, text: &str) {
    let prefixes: Vec<_> = config.registries().iter().map(|r| &r.prefix).collect();
    assert!(prefixes.is_sorted_by(|a, b| a < b), "{prefixes:?}");
    assert_ne!(config.credential_helpers().len(), 0);
    for registry in config.registries() {
        let wildcard = registry.prefix.starts_with("*.");
        assert!(wildcard || !registry.location.is_empty(), "{registry:?}");
        assert!(registry.mirrors.iter().all(|m| !m.location.is_empty()));
        for location in registry.mirrors.iter().map(|m| &m.location) {
            assert!(!location.starts_with("http://"), "{registry:?}");
            assert!(!location.starts_with("https://"), "{registry:?}");
        }
    }
    let strings = text.split(['"', '\'', '\n']).filter(|s| !s.is_empty());
    for name in strings.take(NAMES).map(str::to_owned).chain(made(config)) {
        answer(config, &name);
        answer(config, &format!("{name}/app"));
    }
}

/// Names that the prefixes are for, or just not.
fn made(config: &Config) -> impl Iterator<Item = String> {
    let prefixes = config.registries().iter().map(|r| r.prefix.as_str());
    prefixes.take(NAMES).flat_map(|prefix| {
        let below = prefix.replacen('*', "a", 1);
        let twice = format!("{below}{}", prefix.trim_start_matches('*'));
        [
            format!("{below}:5"),
            format!("{below}@5"),
            format!("{below}x"),
            twice,
            below,
        ]
    })
}

fn answer(config: &Config, name: &str) {
    let mut best: Option<(&Registry, &str)> = None;
    // An empty prefix, which slashes alone leave behind, is longer than nothing
    // only, and so is never found.
    let prefixed = config.registries().iter().filter(|r| !r.prefix.is_empty());
    for registry in prefixed {
        if let Some(rest) = rest(&registry.prefix, name)
            && best.is_none_or(|(best, _)| best.prefix.len() < registry.prefix.len())
        {
            best = Some((registry, rest));
        }
    }
    let found = config.find_registry(name);
    assert_eq!(found, best.map(|(registry, _)| registry), "{name:?}");
    let Some((registry, rest)) = best else {
        return;
    };
    let mut expected = Vec::new();
    for mirror in &registry.mirrors {
        let pull = match mirror.pull_from_mirror {
            _ if registry.mirror_by_digest_only => PullFromMirror::DigestOnly,
            None => PullFromMirror::All,
            Some(pull) => pull,
        };
        let name = format!("{}{rest}", mirror.location);
        expected.push((name, SourceKind::Mirror, pull, mirror.insecure));
    }
    let primary = match registry.location.as_str() {
        "" => name.to_owned(),
        location => format!("{location}{rest}"),
    };
    let all = PullFromMirror::All;
    expected.push((primary, SourceKind::Primary, all, registry.insecure));

    let sources = config.pull_sources(name);
    let failing = expected.iter().filter(|(name, _, pull, _)| {
        let takes_digest = *pull == PullFromMirror::DigestOnly && by_digest(name).is_some();
        ImageName::parse_canonical(name).is_err() && !takes_digest
    });
    assert_eq!(sources.unusable.len(), failing.count(), "{name:?}");
    expected.retain_mut(|(name, _, pull, _)| {
        if ImageName::parse_canonical(name).is_ok() {
            return true;
        }
        let of_digest = by_digest(name).filter(|_| *pull != PullFromMirror::TagOnly);
        *pull = PullFromMirror::DigestOnly;
        of_digest.map(|of_digest| *name = of_digest).is_some()
    });
    let found: Vec<_> = sources
        .sources
        .into_iter()
        .map(|source| {
            let own = config.find_registry(source.name.as_str());
            assert_eq!(source.blocked_by, own.filter(|own| own.blocked), "{name:?}");
            let name = source.name.as_str().to_owned();
            (name, source.kind, source.pull, source.insecure)
        })
        .collect();
    assert_eq!(found, expected, "{name:?}");
    for source in sources.unusable {
        assert_one_line(&line(&source.error));
    }
}

/// The name that a pull by digest gets from a rewritten name that does not parse by
/// itself.
fn by_digest(name: &str) -> Option<String> {
    let named = format!("{name}@sha256:{}", "0".repeat(64));
    Some(ImageName::parse_named(&named).ok()?.to_string())
}

/// What is behind a prefix in a name: `refMatchingPrefix` of containers/image,
/// byte by byte.
fn rest<'n>(prefix: &str, name: &'n str) -> Option<&'n str> {
    let end = if prefix.starts_with("*.") {
        let domain = &prefix[1..];
        let host =
            (0..name.len()).find(|at| name.as_bytes()[*at..].starts_with(domain.as_bytes()))?;
        if name.as_bytes()[..host].contains(&b'/') {
            return None;
        }
        host + domain.len()
    } else {
        let begins = name.as_bytes().get(..prefix.len()) == Some(prefix.as_bytes());
        begins.then_some(prefix.len())?
    };
    match name.as_bytes().get(end) {
        None | Some(b'/' | b':' | b'@') => Some(&name[end..]),
        Some(_) => None,
    }
}
