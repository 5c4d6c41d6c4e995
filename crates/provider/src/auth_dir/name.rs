//! The file's name, `<namespace>-<lower-case hex SHA-256 of the image>.json`, as in
//! CRI-O's `internal/auth`, `FilePath`.

use std::fmt::Write;

use registries_conf::ImageName;
use sha2::{Digest, Sha256};

use crate::service_account::Namespace;

const SUFFIX: &str = ".json";
const HEX_DIGEST: usize = 64;

/// The name of an auth file: safe as a single path component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// The name CRI-O looks for when it pulls `image` for a pod of `namespace`.
    pub fn new(namespace: &Namespace, image: &ImageName) -> Self {
        let mut name = format!("{namespace}-");
        for byte in Sha256::digest(image.as_str().as_bytes()) {
            // Writing to a String cannot fail.
            let _ignored = write!(name, "{byte:02x}");
        }
        name.push_str(SUFFIX);
        Self(name)
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its suffix.
    pub(super) fn stem(&self) -> &str {
        self.0.strip_suffix(SUFFIX).unwrap_or(&self.0)
    }

    /// The name of a directory entry, if it has the form of an auth file's name.
    pub(super) fn of_existing(name: &str) -> Option<Self> {
        let (namespace, digest) = name.strip_suffix(SUFFIX)?.rsplit_once('-')?;
        let is_one = Namespace::parse(namespace).is_ok()
            && digest.len() == HEX_DIGEST
            && digest
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_the_one_cri_o_computes() {
        let namespace = Namespace::parse("team-a").unwrap();
        let image = ImageName::parse("nginx:1.27").unwrap();
        let name = FileName::new(&namespace, &image);
        assert_eq!(
            name.as_str(),
            "team-a-7e59ad64326bc321517fb6fc6586de5ee149178394d9edfa2a877176cdf6fad5.json"
        );
        assert_eq!(FileName::of_existing(name.as_str()), Some(name));
    }

    #[test]
    fn other_names_are_not_auth_files() {
        let digest = "7e59ad64326bc321517fb6fc6586de5ee149178394d9edfa2a877176cdf6fad5";
        for name in [
            "in-use".to_owned(),
            "config.json".to_owned(),
            format!("{digest}.json"),
            format!("-{digest}.json"),
            format!("a-{digest}"),
            format!("a-{digest}0.json"),
            format!("A-{digest}.json"),
            format!("a-{}.json", digest.to_uppercase()),
            format!("a.b-{digest}.json"),
            format!(".a-{digest}.json"),
        ] {
            assert_eq!(FileName::of_existing(&name), None, "{name}");
        }
    }
}
