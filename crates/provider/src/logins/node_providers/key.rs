//! The keys of the cache: the provider, and the images that kubelet would use a response
//! for.

use std::ffi::OsString;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use kubelet_credential_provider::CacheKeyType;
use sha2::{Digest, Sha256};

/// Digests of what a response depends on: the provider's entry and path, its executable,
/// and the files of kubelet's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    /// The digest of the path alone, which is part of file names.
    path: [u8; 32],
    /// The digest of everything else, in hexadecimal.
    pub(super) all: String,
}

/// How the last response of a provider was cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// For the images of this kind of key.
    Kept(CacheKeyType),
    /// It was not cached, or there was no response.
    NotKept,
}

/// The digest that identifies a cached response: the provider, the kind of key, and the
/// part of `source` that this kind uses.
pub(super) fn place(provider: &Fingerprint, kind: CacheKeyType, source: &str) -> [u8; 32] {
    let (kind, key) = match kind {
        CacheKeyType::Image => ("image", source),
        CacheKeyType::Registry => ("registry", registry_of(source)),
        CacheKeyType::Global => ("global", ""),
    };
    digest([&provider.path, kind.as_bytes(), key.as_bytes()])
}

/// The host of a source, with its port (kubelet: `parseRegistry`).
pub(super) fn registry_of(source: &str) -> &str {
    source.split_once('/').map_or(source, |(host, _)| host)
}

fn digest<const N: usize>(parts: [&[u8]; N]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

impl Fingerprint {
    /// The fingerprint of the provider at `path`; `all` has digested everything else that
    /// its responses depend on.
    pub(super) fn new(path: &Path, all: Sha256) -> Self {
        let mut hex = String::new();
        for byte in all.finalize() {
            write!(hex, "{byte:02x}").unwrap_or_default();
        }
        Self {
            path: digest([path.as_os_str().as_bytes()]),
            all: hex,
        }
    }
}

impl Habit {
    /// The byte to lock while the provider is asked; `None` if waiting for another run's
    /// response would not help.
    pub(super) fn lock(habit: Option<Self>, provider: &Fingerprint, source: &str) -> Option<i64> {
        let place = match habit {
            // Only the first response shows how responses are cached.
            None => digest([&provider.path, b"habit"]),
            Some(Self::NotKept) => return None,
            Some(Self::Kept(kind)) => place(provider, kind, source),
        };
        let first = place.iter().take(size_of::<i64>());
        let number = first.fold(0_u64, |number, &byte| (number << 8) | u64::from(byte));
        // The last byte of a file has the number i64::MAX - 1.
        i64::try_from(number >> 2).ok()
    }

    /// The name under which it is stored.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Kept(CacheKeyType::Image) => "Image",
            Self::Kept(CacheKeyType::Registry) => "Registry",
            Self::Kept(CacheKeyType::Global) => "Global",
            Self::NotKept => "NotKept",
        }
    }

    /// The value of that name.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let all = [
            Self::Kept(CacheKeyType::Image),
            Self::Kept(CacheKeyType::Registry),
            Self::Kept(CacheKeyType::Global),
            Self::NotKept,
        ];
        let mut all = all.into_iter();
        all.find(|habit| habit.as_str().as_bytes() == text)
    }
}

/// The name of the file with a cached response.
pub(super) fn file_name(place: &[u8; 32]) -> OsString {
    let mut name = String::from("provider-");
    for byte in place {
        write!(name, "{byte:02x}").unwrap_or_default();
    }
    name.into()
}

/// The name of the file that records how the provider's last response was cached.
pub(super) fn habit_name(provider: &Fingerprint) -> OsString {
    file_name(&digest([&provider.path, b"habit"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_for_one_image_one_registry_with_its_port_or_all_images() {
        let of = |path: &str| Fingerprint::new(Path::new(path), Sha256::new());
        let (one, other) = (of("/one"), of("/other"));
        for (kind, source, same) in [
            (CacheKeyType::Image, "a.x:5/b", false),
            (CacheKeyType::Image, "a.x/b", true),
            (CacheKeyType::Registry, "a.x/c", true),
            (CacheKeyType::Registry, "a.x:5/b", false),
            (CacheKeyType::Global, "b.y/c", true),
        ] {
            let first = place(&one, kind, "a.x/b");
            assert_eq!(
                place(&one, kind, source) == first,
                same,
                "{kind:?} {source}"
            );
            assert_ne!(place(&other, kind, source), first, "{kind:?} {source}");
        }
    }

    #[test]
    fn runs_wait_if_the_response_will_or_may_be_cached() {
        let provider = Fingerprint::new(Path::new("/one"), Sha256::new());
        let lock = |habit, source| Habit::lock(habit, &provider, source);
        assert_eq!(lock(Some(Habit::NotKept), "a.x/b"), None);
        assert_eq!(lock(None, "a.x/b"), lock(None, "b.y/c"));
        for (kind, same) in [
            (CacheKeyType::Image, false),
            (CacheKeyType::Registry, true),
            (CacheKeyType::Global, true),
        ] {
            let [one, other] = ["a.x/b", "a.x/c"].map(|s| lock(Some(Habit::Kept(kind)), s));
            assert_eq!(one == other, same, "{kind:?}");
            assert!(one.is_some_and(|byte| byte >= 0));
        }
    }

    #[test]
    fn habits_are_read_back() {
        for text in ["Image", "Registry", "Global", "NotKept"] {
            let habit = Habit::parse(text.as_bytes()).unwrap();
            assert_eq!(habit.as_str(), text);
        }
        assert_eq!(Habit::parse(b"Pod"), None);
    }
}
