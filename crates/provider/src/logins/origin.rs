//! The origin of an entry, and the owner of its login.

use std::fmt;
use std::path::PathBuf;

use crate::excerpt::Excerpt;

/// The origin of an entry. Displays as `secret "NAME"`, `shared secret "NAMESPACE/NAME"`
/// or `global auth file "PATH"`, with escaped characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A Secret of the pod's namespace, by name.
    Secret(String),
    /// A Secret that was requested by name: its position among the names, and its name.
    /// Either all Secrets of a namespace are requested by name, or none.
    NamedSecret(usize, String),
    /// A Secret that the node's administrator shares among namespaces: its position among
    /// these, its namespace and its name.
    SharedSecret(usize, String, String),
    /// A global auth file: its position in the configured order, and its path.
    GlobalFile(usize, PathBuf),
    /// A credential provider of the node: its position in kubelet's configuration, and
    /// its name.
    NodeProvider(usize, String),
}

/// The owner of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The pod's: its token opened the Secret.
    Pod,
    /// The node's: every pod may use it.
    Node,
}

impl Origin {
    /// The owner of the login.
    pub fn owner(&self) -> Owner {
        match self {
            Self::Secret(_) | Self::NamedSecret(..) | Self::SharedSecret(..) => Owner::Pod,
            Self::GlobalFile(..) | Self::NodeProvider(..) => Owner::Node,
        }
    }

    /// The precedence of the login source; a greater one wins.
    pub(super) fn precedence(&self) -> u8 {
        match self {
            Self::Secret(_) | Self::NamedSecret(..) => 3,
            Self::SharedSecret(..) => 2,
            Self::GlobalFile(..) => 1,
            Self::NodeProvider(..) => 0,
        }
    }

    pub(super) fn secret_name(&self) -> Option<&str> {
        match self {
            Self::Secret(name) => Some(name),
            Self::NamedSecret(..)
            | Self::SharedSecret(..)
            | Self::GlobalFile(..)
            | Self::NodeProvider(..) => None,
        }
    }

    pub(super) fn secret_place(&self) -> Option<usize> {
        match self {
            Self::NamedSecret(place, _) | Self::SharedSecret(place, ..) => Some(*place),
            Self::Secret(_) | Self::GlobalFile(..) | Self::NodeProvider(..) => None,
        }
    }

    pub(super) fn file_index(&self) -> Option<usize> {
        match self {
            Self::GlobalFile(index, _) => Some(*index),
            Self::Secret(_)
            | Self::NamedSecret(..)
            | Self::SharedSecret(..)
            | Self::NodeProvider(..) => None,
        }
    }

    pub(super) fn provider_index(&self) -> Option<usize> {
        match self {
            Self::NodeProvider(index, _) => Some(*index),
            Self::Secret(_)
            | Self::NamedSecret(..)
            | Self::SharedSecret(..)
            | Self::GlobalFile(..) => None,
        }
    }
}

impl fmt::Display for Origin {
    #[expect(
        clippy::unnecessary_debug_formatting,
        reason = "a path may hold characters that would forge a line"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) | Self::NamedSecret(_, name) => {
                write!(f, "secret {:?}", Excerpt(name))
            }
            Self::SharedSecret(_, namespace, name) => {
                write!(f, "shared secret {:?}", format!("{namespace}/{name}"))
            }
            Self::GlobalFile(_, path) => write!(f, "global auth file {path:?}"),
            Self::NodeProvider(_, name) => write!(f, "node provider {:?}", Excerpt(name)),
        }
    }
}
