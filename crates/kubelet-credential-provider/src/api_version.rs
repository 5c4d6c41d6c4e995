//! The versions of the API.

use std::fmt;
use std::str::FromStr;

/// A version of `credentialprovider.kubelet.k8s.io`.
///
/// Requests and responses are the same in all versions, except that only [`V1`](Self::V1)
/// has service account tokens and annotations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// Since Kubernetes 1.26.
    #[default]
    V1,
    /// Since Kubernetes 1.24.
    V1Beta1,
    /// Since Kubernetes 1.20.
    V1Alpha1,
}

/// The text is not a version that kubelet supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a version of credentialprovider.kubelet.k8s.io")]
pub struct UnknownApiVersion;

impl ApiVersion {
    /// All versions that kubelet supports, newest first.
    pub const ALL: [Self; 3] = [Self::V1, Self::V1Beta1, Self::V1Alpha1];

    /// The version with its group, as in `apiVersion`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "credentialprovider.kubelet.k8s.io/v1",
            Self::V1Beta1 => "credentialprovider.kubelet.k8s.io/v1beta1",
            Self::V1Alpha1 => "credentialprovider.kubelet.k8s.io/v1alpha1",
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ApiVersion {
    type Err = UnknownApiVersion;

    fn from_str(text: &str) -> Result<Self, UnknownApiVersion> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|version| version.as_str() == text);
        found.ok_or(UnknownApiVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_back_and_others_are_unknown() {
        for version in ApiVersion::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        for text in ["", "v1", "credentialprovider.kubelet.k8s.io/v2"] {
            assert_eq!(text.parse::<ApiVersion>(), Err(UnknownApiVersion), "{text}");
        }
    }
}
