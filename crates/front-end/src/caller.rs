//! Who asks, and what they may see and change.

use std::sync::Arc;

use config_tree::{NodePath, Tree};
use transaction_engine::Session;

/// Somebody who has proved to be who they are.
pub(crate) struct Caller {
    /// The engine's session in which the caller's changes are staged.
    pub(crate) session: Arc<Session>,
    /// The session's name in the log.
    pub(crate) name: Arc<str>,
    /// What the caller may see and change.
    pub(crate) rights: Rights,
}

impl Caller {
    /// The administrator, in a session.
    pub(crate) fn administrator(session: Arc<Session>) -> Self {
        Self { name: session.id().to_string().into(), session, rights: Rights::All }
    }
}

/// What a user may see and change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rights {
    /// Everything.
    All,
    /// What is granted, and the members of `stores` for those who may change anything.
    Granted {
        /// Parts of the configuration.
        grants: Vec<Grant>,
        /// Members of these collections of the root are only reached from elsewhere, by those who
        /// may change something there.
        stores: &'static [&'static str],
    },
}

/// One right on one part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The node and everything below it.
    pub(crate) part: NodePath,
    /// Whether it may be changed, too.
    pub(crate) write: bool,
}

/// What a request wants of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To see it.
    Read,
    /// To change it.
    Write,
}

impl Rights {
    /// Whether a node may be seen or changed.
    pub(crate) fn allow(&self, access: Access, path: &NodePath) -> bool {
        let Self::Granted { grants, stores } = self else {
            return true;
        };
        match access {
            _ if is_below(stores, path) => self.allow_changes(),
            Access::Write => {
                grants.iter().any(|grant| grant.write && path.starts_with(&grant.part))
            }
            // Folders on the way to a granted part must be seen, or it cannot be found.
            Access::Read => grants
                .iter()
                .any(|grant| path.starts_with(&grant.part) || grant.part.starts_with(path)),
        }
    }

    /// Whether the node may be seen with everything below it. Where it may not, what leads to it or
    /// lists it must be shown without the others.
    pub(crate) fn cover(&self, path: &NodePath) -> bool {
        match self {
            Self::All => true,
            Self::Granted { grants, .. } => {
                grants.iter().any(|grant| path.starts_with(&grant.part))
            }
        }
    }

    /// Whether the document of a node may be shown as the administrator sees it: with the links to
    /// its neighbours.
    pub(crate) fn cover_with_neighbours(&self, path: &NodePath) -> bool {
        *self == Self::All || path.parent().is_some_and(|parent| self.cover(&parent))
    }

    /// Whether a member of a store may be seen: one that was just made in the caller's transaction,
    /// or one that a node refers to which may be seen. Another one looks as if it were not there,
    /// since whether a key exists is part of what is protected.
    pub(crate) fn allow_stored(&self, running: &Tree, seen: &Tree, path: &NodePath) -> bool {
        let Self::Granted { stores, .. } = self else { return true };
        if !is_below(stores, path) || path.segments().len() < 2 {
            return true;
        }
        running.get(path).is_none()
            || seen.referrers(path).any(|referrer| self.allow(Access::Read, &referrer.path))
    }

    /// Whether a node is one that [`Rights::allow_stored`] is to be asked for.
    pub(crate) fn is_stored(&self, path: &NodePath) -> bool {
        matches!(self, Self::Granted { stores, .. } if is_below(stores, path))
    }

    /// Whether anything may be seen at all.
    pub(crate) fn allow_anything(&self) -> bool {
        !matches!(self, Self::Granted { grants, .. } if grants.is_empty())
    }

    /// Whether anything may be changed at all, which is what a transaction is for.
    pub(crate) fn allow_changes(&self) -> bool {
        match self {
            Self::All => true,
            Self::Granted { grants, .. } => grants.iter().any(|grant| grant.write),
        }
    }

    /// Whether the whole configuration may be seen and changed: history, import, export.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::All
    }
}

fn is_below(stores: &[&str], path: &NodePath) -> bool {
    path.segments().first().is_some_and(|key| stores.contains(&key.as_str()))
}

/// What a login rests on in the committed configuration: a user who is still there, say.
pub(crate) trait Proof: Send + Sync {
    /// What it gives in this configuration; `None` when it is no longer true.
    fn standing(&self, tree: &Tree) -> Option<Standing>;
}

/// What a user is in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What the user may see and change.
    pub(crate) rights: Rights,
    /// The names of the user's groups.
    pub(crate) groups: Vec<String>,
}

/// A user who has proved to be one.
#[derive(Clone)]
pub(crate) struct Account {
    /// What must stay true for the login to go on; `None` for the administrator.
    pub(crate) proof: Option<Arc<dyn Proof>>,
    /// What the user is at login. It may be another at the next commit.
    pub(crate) standing: Standing,
}

impl Account {
    /// The built-in administrator.
    pub(crate) fn administrator() -> Self {
        let standing = Standing { rights: Rights::All, groups: Vec::new() };
        Self { proof: None, standing }
    }
}
