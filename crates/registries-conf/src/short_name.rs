//! Short names: how to treat them, and what they stand for.
//!
//! The format has them in the same files, so they are read and checked; this
//! crate resolves none. Agrees with `shortnames.go` of `sysregistriesv2`.

use crate::{
    error::Invalid,
    image_name::ImageName,
    reference::{ImageNameError, Reference},
    registry::Origin,
};

/// What to do with a name that has no registry: `short-name-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ShortNameMode {
    /// Try every unqualified-search registry, ask nothing.
    Disabled,
    /// Ask the user; without a terminal, refuse a name that is ambiguous.
    Enforcing,
    /// Ask the user; without a terminal, try every unqualified-search registry.
    #[default]
    Permissive,
}

/// What a short name stands for: an entry of `[aliases]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name in full. `None` where the alias was reset with an empty value.
    pub target: Option<ImageName>,
    /// The entry this comes from.
    pub origin: Origin,
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

impl Alias {
    /// Checks one `name = target` of `[aliases]`.
    pub(crate) fn parse(name: &str, target: &str, origin: Origin) -> Result<Self, Invalid> {
        check_short_name(name)?;
        let target = if target.is_empty() {
            None
        } else {
            Some(parse_target(name, target)?)
        };
        Ok(Self { target, origin })
    }
}

fn check_short_name(name: &str) -> Result<(), Invalid> {
    let reference = Reference::parse(name).map_err(|problem| Invalid::AliasName {
        error: ImageNameError::new(name, problem),
    })?;
    if reference.tag_or_digest || reference.has_registry() {
        return Err(Invalid::AliasNotShort {
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn parse_target(name: &str, target: &str) -> Result<ImageName, Invalid> {
    let malformed = |error| Invalid::AliasTarget {
        name: name.to_owned(),
        error,
    };
    let reference = Reference::parse(target)
        .map_err(|problem| malformed(ImageNameError::new(target, problem)))?;
    if reference.tag_or_digest || !reference.has_registry() {
        return Err(Invalid::AliasTargetIncomplete {
            name: name.to_owned(),
            target: target.to_owned(),
        });
    }
    ImageName::parse(target).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use super::{Alias, ShortNameMode};
    use crate::registry::Origin;

    type Target = Result<Option<&'static str>, String>;

    #[test]
    fn aliases() {
        let not_short = |name: &str| {
            format!(
                "alias {name:?} is not a short name: no registry, tag or digest may stand in it"
            )
        };
        let incomplete = |target: &str| {
            format!(
                "target {target:?} of alias \"a\" is not registry/repository without tag or digest"
            )
        };
        let cases: &[(&str, &str, Target)] = &[
            ("a", "b.c/d", Ok(Some("b.c/d"))),
            ("a", "", Ok(None)),
            ("a", "docker.io/nginx", Ok(Some("docker.io/library/nginx"))),
            ("a", "localhost/b", Ok(Some("localhost/b"))),
            ("a", "b:5/c", Ok(Some("b:5/c"))),
            ("a/b", "b.c/d", Ok(Some("b.c/d"))),
            ("a.b", "b.c/d", Ok(Some("b.c/d"))),
            ("A/b", "b.c/d", Ok(Some("b.c/d"))),
            ("a.b/c", "b.c/d", Err(not_short("a.b/c"))),
            ("localhost/c", "b.c/d", Err(not_short("localhost/c"))),
            ("a:b", "b.c/d", Err(not_short("a:b"))),
            (
                "",
                "b.c/d",
                Err("alias \"\" is not an image name: malformed".to_owned()),
            ),
            ("a", "b", Err(incomplete("b"))),
            ("a", "b/c", Err(incomplete("b/c"))),
            ("a", "b.c/d:e", Err(incomplete("b.c/d:e"))),
            ("a", "b.c_d/e", Err(incomplete("b.c_d/e"))),
            (
                "a",
                "b.c/",
                Err("target of alias \"a\": \"b.c/\" is not an image name: malformed".to_owned()),
            ),
        ];
        for (name, target, expected) in cases {
            let file = Arc::from(Path::new("f"));
            let alias = Alias::parse(name, target, Origin { file, line: 1 });
            let target = match &alias {
                Ok(alias) => Ok(alias.target.as_ref().map(AsRef::as_ref)),
                Err(reason) => Err(reason.to_string()),
            };
            assert_eq!(&target, expected, "{name:?} = {target:?}");
        }
    }

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
