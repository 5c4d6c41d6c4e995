//! The names of the checks, for `--skip`; docs/checks.md has a paragraph on each.

use std::fmt;

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// The checks, in the order in which they are printed: each follows those that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[expect(missing_docs, reason = "docs/checks.md describes each check")]
pub enum CheckName {
    Proc,
    ConfigFile,
    #[value(name = "registries.conf")]
    RegistriesConf,
    Mirrors,
    Locations,
    Keys,
    CredentialHelpers,
    AuthDir,
    AuthFiles,
    Crio,
    CrioAuthDir,
    CrioGlobalAuthFile,
    CrioRegistries,
    RegistriesLayout,
    RegistriesEnv,
    RegistriesFormat,
    CrioVersion,
    ShortNames,
    Kubelet,
    KubeletVersion,
    ProviderConfig,
    KubeletStart,
    ProviderEntry,
    ProviderArgs,
    MatchImages,
    NodeLogins,
    NodeProviders,
    PullIntents,
    Binary,
    ApiServer,
    Audience,
    TokenRequests,
    Access,
}

impl CheckName {
    /// The checks that this one needs.
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Proc
            | Self::ConfigFile
            | Self::RegistriesConf
            | Self::AuthDir
            | Self::Crio
            | Self::Kubelet
            | Self::PullIntents
            | Self::ApiServer => &[],
            Self::Mirrors
            | Self::Locations
            | Self::Keys
            | Self::CredentialHelpers
            | Self::NodeLogins
            | Self::NodeProviders => &[Self::RegistriesConf],
            Self::AuthFiles => &[Self::AuthDir],
            Self::CrioAuthDir
            | Self::CrioGlobalAuthFile
            | Self::CrioRegistries
            | Self::RegistriesLayout
            | Self::RegistriesEnv
            | Self::CrioVersion => &[Self::Crio],
            Self::RegistriesFormat | Self::ShortNames => &[Self::RegistriesConf, Self::Crio],
            Self::KubeletVersion | Self::ProviderConfig | Self::Binary => &[Self::Kubelet],
            Self::KubeletStart => &[Self::Kubelet, Self::ProviderConfig],
            Self::ProviderEntry => &[Self::ProviderConfig],
            Self::ProviderArgs => &[Self::ProviderEntry],
            Self::MatchImages => &[Self::RegistriesConf, Self::ProviderEntry],
            Self::Audience | Self::TokenRequests => &[Self::ProviderEntry, Self::ApiServer],
            Self::Access => &[Self::ApiServer],
        }
    }

    /// Adds the checks that need one of these.
    pub fn with_dependants(mut names: Vec<Self>) -> Vec<Self> {
        for &name in Self::value_variants() {
            let needs_one = name.needs().iter().any(|need| names.contains(need));
            if needs_one && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_possible_value() {
            Some(value) => f.pad(value.get_name()),
            None => Ok(()),
        }
    }
}

impl Serialize for CheckName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_follows_those_that_it_needs() {
        for name in CheckName::value_variants() {
            assert!(name.needs().iter().all(|need| need < name), "{name}");
        }
        let skipped = CheckName::with_dependants(vec![CheckName::ProviderConfig]);
        let expected = [
            CheckName::ProviderConfig,
            CheckName::KubeletStart,
            CheckName::ProviderEntry,
            CheckName::ProviderArgs,
            CheckName::MatchImages,
            CheckName::Audience,
            CheckName::TokenRequests,
        ];
        assert_eq!(skipped, expected);
    }
}
