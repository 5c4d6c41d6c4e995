//! `containers_auth::Key`.

use containers_auth::Key;
use registries_conf::ImageName;

/// The parts that `Key::specificity` compares, in order.
type Rank = (usize, bool, usize);

/// Matches keys of a docker config with image names.
///
/// The first line of the input is a key, the second another key, every other
/// line an image.
///
/// - A key matches an image exactly where a simpler implementation of the rule does: equal
///   ports; equal hosts, or a glob that matches label by label; the same path or a parent
///   of it at a component boundary.
/// - A key without a glob that matches contains the image's host, letter by letter, unless
///   both are Docker Hub.
/// - Keys are ordered by how specific a simpler implementation finds them.
pub fn key_matcher(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let mut lines = text.split('\n');
    let (one, other) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    for line in lines.take(32) {
        if let Ok(image) = ImageName::parse(line) {
            matches(one, &image);
            matches(other, &image);
        }
    }
    for raw in [one, other] {
        // Add images made from the key itself: the fuzzer would hardly ever find a match.
        let (host, port, path) = restated(raw);
        let host = host.replace('*', "a");
        for path in [path, "a"] {
            for tail in ["", "a", "/a"] {
                for name in [
                    format!("{host}/{path}{tail}"),
                    format!("{host}:{port}/{path}{tail}"),
                    format!("{host}/{path}{tail}").to_ascii_lowercase(),
                    format!("b.{host}/{path}{tail}"),
                ] {
                    if let Ok(image) = ImageName::parse(&name) {
                        matches(one, &image);
                        matches(other, &image);
                    }
                }
            }
        }
    }
    if let (Some(a), Some(b)) = (parse(one), parse(other)) {
        let order = a.specificity().cmp(&b.specificity());
        assert_eq!(order, rank(one).cmp(&rank(other)), "{one:?} {other:?}");
    }
    for raw in [one, other] {
        if let Some(key) = parse(raw) {
            let (host, ..) = restated(raw);
            assert_eq!(key.is_glob(), host.contains('*'), "{raw:?}");
        }
    }
}

/// Parses a key to which the simpler rule applies: one without escapes, which kubelet can
/// parse.
fn parse(raw: &str) -> Option<Key<'_>> {
    let key = Key::parse(raw);
    let (host, port, _) = restated(raw);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.*".contains(c);
    if host.chars().all(plain) && port.chars().all(|c| c.is_ascii_digit()) {
        let rest = raw.replace(host, "");
        let odd = |c: char| c.is_control() || "%@".contains(c);
        assert!(key.is_ok() || rest.contains(odd), "{raw:?}");
    }
    key.ok().filter(|_| !raw.contains('%'))
}

fn matches(raw: &str, image: &ImageName) {
    let Some(key) = parse(raw) else {
        return;
    };
    let (name, port, path) = restated(raw);
    let (image_host, image_port) = image
        .host()
        .split_once(':')
        .unwrap_or_else(|| (image.host(), ""));
    let hub = |name: &str, port: &str| port.is_empty() && is_hub(name);
    let host = !name.is_empty()
        && (name == image_host
            || fits(name, image_host)
            || (hub(name, port) && hub(image_host, image_port)));
    let own: Vec<_> = image.path().split('/').collect();
    let wanted: Vec<_> = path.split('/').collect();
    let below = path.is_empty() || own.starts_with(&wanted);
    let expected = host && port == image_port && below;
    assert_eq!(key.matches(image), expected, "{raw:?} {image}");
    if expected && !key.is_glob() {
        assert!(
            raw.contains(image_host) || is_hub(image_host),
            "{raw:?} {image}"
        );
    }
}

fn is_hub(name: &str) -> bool {
    ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&name)
}

/// Host without port, port, and path of a key.
fn restated(raw: &str) -> (&str, &str, &str) {
    let mut key = raw;
    for scheme in ["https://", "http://"] {
        key = raw.strip_prefix(scheme).unwrap_or(key);
    }
    let end = key.find(|c| "?#".contains(c)).unwrap_or(key.len());
    let key = &key[..end];
    let slash = key.find('/').unwrap_or(key.len());
    let (host, mut path) = key.split_at(slash);
    let host = &host[host.rfind('@').map_or(0, |at| at + 1)..];
    path = path.strip_prefix('/').unwrap_or_default();
    if path.starts_with("v1/") || path.starts_with("v2/") {
        path = &path[3..];
    }
    while let Some(shorter) = path.strip_suffix('/') {
        path = shorter;
    }
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => (&host[..colon], &host[colon + 1..], path),
        _ => (host, "", path),
    }
}

/// Whether a glob fits, label by label, each `*` standing for any characters.
fn fits(glob: &str, host: &str) -> bool {
    let (globs, labels): (Vec<_>, Vec<_>) = (glob.split('.').collect(), host.split('.').collect());
    glob.contains('*')
        && globs.len() == labels.len()
        && globs.iter().zip(&labels).all(|(glob, label)| {
            // The beginnings of the label that the glob has matched so far.
            let label: Vec<char> = label.chars().collect();
            let mut eaten = vec![false; label.len() + 1];
            eaten[0] = true;
            for piece in glob.chars() {
                let mut next = vec![false; label.len() + 1];
                for at in 0..=label.len() {
                    next[at] = if piece == '*' {
                        eaten[at] || (at > 0 && next[at - 1])
                    } else {
                        at > 0 && eaten[at - 1] && label[at - 1] == piece
                    };
                }
                eaten = next;
            }
            eaten[label.len()]
        })
}

fn rank(raw: &str) -> Rank {
    let (host, _, path) = restated(raw);
    let components = path.split('/').filter(|part| !part.is_empty()).count();
    let glob = host.contains('*');
    (components, !glob, if glob { host.len() } else { 0 })
}
