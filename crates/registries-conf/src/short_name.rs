//! The repositories that a short name may mean.
//!
//! Agrees with `Resolve` of containers/image's `shortnames`. Aliases that Podman records
//! itself (`short-name-aliases.conf`) are not read.

use std::collections::BTreeSet;

use image_name::{DEFAULT_HOST, ImageName, OFFICIAL_PATH};

use crate::{config::Config, registry::Origin};

/// A repository that a short name may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The short name, which has no registry.
    pub short_name: String,
    /// The repository.
    pub name: ImageName,
    /// The alias that gives the repository. `None` if it is the name in one of the
    /// unqualified-search registries.
    pub alias: Option<Origin>,
}

impl Config {
    /// The repositories that an image may be pulled from if the user gave it by a short
    /// name: the target of its alias, else the name in each unqualified-search registry,
    /// in order. The image itself may be among them.
    ///
    /// A client that completes short names makes all of them images of `docker.io`, so
    /// there is no candidate for other images. `docker.io/library/a` may come from `a` or
    /// `library/a`; the candidates of `a` come first. `short-name-mode` has no effect: it
    /// decides whether several candidates are tried or refused, and CRI-O has a setting
    /// of its own for that.
    pub fn short_name_candidates(&self, image: &ImageName) -> Vec<Candidate> {
        if !self.has_aliases() && self.unqualified_search_registries().is_empty() {
            return Vec::new();
        }
        let mut candidates = Vec::new();
        let mut names = BTreeSet::new();
        for short_name in short_names(image) {
            let alias = self.alias(short_name);
            let target = alias.and_then(|alias| Some((alias.target?, alias.origin)));
            let found = match target {
                Some((name, origin)) => vec![(name, Some(origin))],
                None => self.searched(short_name),
            };
            for (name, alias) in found {
                if names.insert(name.clone()) {
                    candidates.push(Candidate {
                        short_name: short_name.to_owned(),
                        name,
                        alias,
                    });
                }
            }
        }
        candidates
    }

    /// The short name in each unqualified-search registry, without invalid names.
    fn searched(&self, short_name: &str) -> Vec<(ImageName, Option<Origin>)> {
        let registries = self.unqualified_search_registries().iter();
        let names =
            registries.map(|registry| ImageName::parse(&format!("{registry}/{short_name}")));
        names.flatten().map(|name| (name, None)).collect()
    }
}

/// The short names that are completed to this image, the shortest first.
fn short_names(image: &ImageName) -> impl Iterator<Item = &str> {
    let path = (image.host() == DEFAULT_HOST).then(|| image.path());
    let official = path
        .and_then(|path| path.strip_prefix(OFFICIAL_PATH)?.strip_prefix('/'))
        .filter(|name| !name.contains('/'));
    let is_completed =
        |name: &&str| ImageName::parse(name).is_ok_and(|completed| completed == *image);
    official.into_iter().chain(path).filter(is_completed)
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Source};
    use image_name::ImageName;

    #[test]
    fn candidates() {
        let text = "unqualified-search-registries = [\"s.x\", \"docker.io\", \"t.x:5000\"]\n\
                    [aliases]\na = \"x.y/z\"\nreset = \"\"\n\"library/b\" = \"x.y/b\"\n\
                    \"o/c\" = \"docker.io/o/c\"\n";
        let config = Config::parse(Some(&Source::new("f", text)), &[]).unwrap();
        for (image, expected) in [
            (
                "plain",
                &[
                    "plain: s.x/plain",
                    "plain: docker.io/library/plain",
                    "plain: t.x:5000/plain",
                    "library/plain: s.x/library/plain",
                    "library/plain: t.x:5000/library/plain",
                ][..],
            ),
            (
                "a",
                &[
                    "a: x.y/z (f:3)",
                    "library/a: s.x/library/a",
                    "library/a: docker.io/library/a",
                    "library/a: t.x:5000/library/a",
                ],
            ),
            (
                "library/b",
                &[
                    "b: s.x/b",
                    "b: docker.io/library/b",
                    "b: t.x:5000/b",
                    "library/b: x.y/b (f:5)",
                ],
            ),
            ("o/c", &["o/c: docker.io/o/c (f:6)"]),
            (
                "docker.io/o/d",
                &["o/d: s.x/o/d", "o/d: docker.io/o/d", "o/d: t.x:5000/o/d"],
            ),
            ("docker.io/o.x/d", &[]),
            ("docker.io/localhost/d", &[]),
            ("quay.io/o/d", &[]),
            ("index.docker.io/o/c", &["o/c: docker.io/o/c (f:6)"]),
        ] {
            let image = ImageName::parse(image).unwrap();
            let found: Vec<_> = config
                .short_name_candidates(&image)
                .into_iter()
                .map(|candidate| {
                    let alias = candidate.alias.map(|origin| format!(" ({origin})"));
                    let alias = alias.unwrap_or_default();
                    format!("{}: {}{alias}", candidate.short_name, candidate.name)
                })
                .collect();
            assert_eq!(found, expected, "{image}");
        }
        let reset = ImageName::parse("reset").unwrap();
        assert_eq!(config.short_name_candidates(&reset).len(), 5);
        let nothing = Config::parse(None, &[]).unwrap();
        assert_eq!(nothing.short_name_candidates(&reset), []);
    }
}
