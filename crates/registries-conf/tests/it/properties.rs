//! Matching, merging and rewriting, compared with a second, simpler implementation on
//! generated configurations.

use std::{collections::HashMap, fmt::Write};

use proptest::{prelude::*, sample::select};
use registries_conf::{Config, Source};

/// A registry from the generator, which makes valid ones only.
#[derive(Clone, Debug)]
struct Entry {
    prefix: String,
    location: String,
    by_digest: bool,
    mirrors: Vec<(String, Option<&'static str>)>,
}

fn name(hosts: Vec<&'static str>, paths: usize) -> impl Strategy<Value = String> {
    let path = prop::collection::vec(select(vec!["a", "b", "ab", "library"]), paths.min(1)..4);
    (select(hosts), path).prop_map(|(host, path)| {
        let mut name = host.to_owned();
        for component in path {
            name = format!("{name}/{component}");
        }
        name
    })
}

fn hosts() -> Vec<&'static str> {
    vec![
        "x.y",
        "a.x.y",
        "b.a.x.y",
        "x.y:5",
        "docker.io",
        "localhost",
        "ab",
        "xx.y",
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let wildcard = select(vec!["*.x.y", "*.y", "*.a.x.y", "*.io"]).prop_map(str::to_owned);
    let prefix = prop_oneof![3 => name(hosts(), 0), 1 => wildcard];
    let pull = select(vec![
        None,
        Some("all"),
        Some("digest-only"),
        Some("tag-only"),
    ]);
    let mirrors = prop::collection::vec((name(hosts(), 0), pull), 0..4);
    (prefix, name(hosts(), 0), any::<(bool, bool)>(), mirrors).prop_map(
        |(prefix, location, (by_digest, keep), mut mirrors)| {
            if by_digest {
                for (_, pull) in &mut mirrors {
                    *pull = None;
                }
            }
            let location = if keep && prefix.starts_with('*') {
                String::new()
            } else {
                location
            };
            Entry {
                prefix,
                location,
                by_digest,
                mirrors,
            }
        },
    )
}

fn text(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        writeln!(text, "[[registry]]\nprefix = {:?}", entry.prefix).unwrap();
        if !entry.location.is_empty() {
            writeln!(text, "location = {:?}", entry.location).unwrap();
        }
        writeln!(text, "mirror-by-digest-only = {}", entry.by_digest).unwrap();
        for (location, pull) in &entry.mirrors {
            writeln!(text, "[[registry.mirror]]\nlocation = {location:?}").unwrap();
            if let Some(pull) = pull {
                writeln!(text, "pull-from-mirror = {pull:?}").unwrap();
            }
        }
    }
    text
}

/// The entry that applies to each prefix: the first one of the last file.
fn merged(files: &[Vec<Entry>]) -> HashMap<&str, &Entry> {
    let mut merged = HashMap::new();
    for file in files {
        // Reverse the order, so that the first one of a file remains.
        merged.extend(
            file.iter()
                .rev()
                .map(|entry| (entry.prefix.as_str(), entry)),
        );
    }
    merged
}

/// The rest of an image after a prefix. The image is cut at every boundary, and the part
/// before the cut is compared with the prefix.
fn rest<'i>(image: &'i str, prefix: &str) -> Option<&'i str> {
    let cuts = image.match_indices(['/', ':', '@']).map(|(at, _)| at);
    cuts.chain([image.len()])
        .map(|at| image.split_at(at))
        .find(|(before, _)| match prefix.strip_prefix('*') {
            Some(domain) => !before.contains('/') && before.ends_with(domain),
            None => *before == prefix,
        })
        .map(|(_, rest)| rest)
}

/// Whether a name made of the generator's pieces can be pulled.
fn pullable(name: &str) -> bool {
    let mut components = name.split('/');
    let host = components.next().unwrap();
    let path: Vec<_> = components.collect();
    let registry = host.contains('.') || host.contains(':') || host == "localhost";
    let port = host.matches(':').count() <= 1;
    let clean = path.iter().all(|component| !component.contains(':'));
    let enough = if host == "docker.io" { 2 } else { 1 };
    registry && port && clean && path.len() >= enough
}

fn expected(entry: &Entry, image: &str) -> (Vec<String>, usize) {
    let rest = rest(image, &entry.prefix).unwrap();
    let mirrors = entry.mirrors.iter().map(|(location, pull)| {
        let pull = if entry.by_digest {
            "digest-only"
        } else {
            pull.unwrap_or("all")
        };
        (format!("{location}{rest}"), format!("mirror {pull}"))
    });
    let primary = if entry.location.is_empty() {
        image.to_owned()
    } else {
        format!("{}{rest}", entry.location)
    };
    let all: Vec<_> = mirrors
        .chain([(primary, "primary all".to_owned())])
        .collect();
    let usable: Vec<_> = all
        .iter()
        .filter(|(name, _)| pullable(name))
        .map(|(name, what)| format!("{name} {what}"))
        .collect();
    let unusable = all.len() - usable.len();
    (usable, unusable)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_crate_agrees_with_a_simpler_implementation(
        files in prop::collection::vec(prop::collection::vec(entry(), 0..6), 1..4),
        images in prop::collection::vec(name(hosts(), 1), 1..6),
    ) {
        let sources: Vec<_> = files.iter().map(|file| Source::new("f", text(file))).collect();
        let config = Config::parse(sources.first(), &sources[1..]).unwrap();
        let merged = merged(&files);
        prop_assert_eq!(config.registries().len(), merged.len());
        for image in images {
            let best = merged
                .values()
                .filter(|entry| rest(&image, &entry.prefix).is_some())
                .max_by(|a, b| {
                    let length = a.prefix.len().cmp(&b.prefix.len());
                    length.then_with(|| b.prefix.cmp(&a.prefix))
                });
            let found = config.find_registry(&image);
            prop_assert_eq!(found.map(|r| &r.prefix), best.map(|e| &e.prefix), "{}", image);
            prop_assert_eq!(config.matching_registries(&image).first().copied(), found);
            if let Some(best) = best {
                let sources = config.pull_sources(&image);
                let actual = (crate::support::lines(&sources), sources.unusable.len());
                prop_assert_eq!(actual, expected(best, &image), "{}", image);
            }
        }
    }
}
