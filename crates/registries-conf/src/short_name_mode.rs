//! `short-name-mode`, which this crate reads and checks; the caller applies it.

/// How to resolve a name without a registry: `short-name-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShortNameMode {
    /// Try every unqualified-search registry, without asking the user.
    Disabled,
    /// Ask the user; without a terminal, refuse a name that is ambiguous.
    Enforcing,
    /// Ask the user; without a terminal, try every unqualified-search registry.
    #[default]
    Permissive,
}

impl ShortNameMode {
    /// The value as the format spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
        }
    }

    pub(crate) fn from_value(value: &str) -> Option<Self> {
        [Self::Disabled, Self::Enforcing, Self::Permissive]
            .into_iter()
            .find(|mode| mode.as_str() == value)
    }
}

#[cfg(test)]
mod tests {
    use super::ShortNameMode;

    #[test]
    fn modes() {
        for mode in ["disabled", "enforcing", "permissive"] {
            assert_eq!(
                ShortNameMode::from_value(mode).map(ShortNameMode::as_str),
                Some(mode)
            );
        }
        assert_eq!(ShortNameMode::from_value("Permissive"), None);
    }
}
