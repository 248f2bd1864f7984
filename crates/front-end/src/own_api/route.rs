//! What a path below `/boxwood/v1` names, and who may use it.

use transaction_engine::RevisionNumber;

use crate::caller::Rights;
use crate::http_path;
use crate::methods::Methods;

/// Who may use an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody, without a login.
    Anybody,
    /// Those who are logged in.
    Users,
    /// Those who may change something.
    Writers,
    /// Those who may see and change everything.
    Administrators,
}

impl Who {
    /// Whether these rights are enough.
    pub(super) fn admits(self, rights: Option<&Rights>) -> bool {
        match self {
            Self::Anybody => true,
            Self::Users => rights.is_some(),
            Self::Writers => rights.is_some_and(Rights::allow_changes),
            Self::Administrators => rights.is_some_and(Rights::is_all),
        }
    }
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// `transaction/plan`
    Plan,
    /// `transaction/rebase`
    Rebase,
    /// `revisions`
    Revisions,
    /// `revisions/N`
    Revision(RevisionNumber),
    /// `revisions/N/tree`
    Tree(RevisionNumber),
    /// `revisions/N/restore`
    Restore(RevisionNumber),
    /// `revisions/diff`
    Diff,
    /// `tags`
    Tags,
    /// `tags/NAME`
    Tag(String),
    /// `heads`
    Heads,
    /// `heads/NAME/changes`
    HeadChanges(String),
    /// `clients`
    Clients,
    /// `clients/NAME`
    Client(String),
    /// `confirmation`
    Confirmation,
    /// `confirmation/confirm`
    Confirm,
    /// `confirmation/extend`
    Extend,
    /// `confirmation/cancel`
    Cancel,
    /// `watch`
    Watch,
    /// `references`
    References,
    /// `export`
    Export,
    /// `import`
    Import,
    /// `health`
    Health,
    /// `ready`
    Ready,
    /// `metrics`
    Metrics,
}

impl Endpoint {
    /// Reads a path; `None` for another.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let segments = http_path::segments(path)?;
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        let ["boxwood", "v1", rest @ ..] = segments.as_slice() else { return None };
        Some(match rest {
            ["transaction", "plan"] => Self::Plan,
            ["transaction", "rebase"] => Self::Rebase,
            ["revisions"] => Self::Revisions,
            ["revisions", "diff"] => Self::Diff,
            ["revisions", n] => Self::Revision(number(n)?),
            ["revisions", n, "tree"] => Self::Tree(number(n)?),
            ["revisions", n, "restore"] => Self::Restore(number(n)?),
            ["tags"] => Self::Tags,
            ["tags", name] => Self::Tag((*name).to_owned()),
            ["heads"] => Self::Heads,
            ["heads", name, "changes"] => Self::HeadChanges((*name).to_owned()),
            ["clients"] => Self::Clients,
            ["clients", name] => Self::Client((*name).to_owned()),
            ["confirmation"] => Self::Confirmation,
            ["confirmation", "confirm"] => Self::Confirm,
            ["confirmation", "extend"] => Self::Extend,
            ["confirmation", "cancel"] => Self::Cancel,
            ["watch"] => Self::Watch,
            ["references"] => Self::References,
            ["export"] => Self::Export,
            ["import"] => Self::Import,
            ["health"] => Self::Health,
            ["ready"] => Self::Ready,
            ["metrics"] => Self::Metrics,
            _ => return None,
        })
    }

    /// The verb, as it is called in every layer below.
    pub(super) fn verb(&self, method: &hyper::Method) -> &'static str {
        match self {
            Self::Plan => "transaction_plan",
            Self::Rebase => "transaction_rebase",
            Self::Revisions => "revisions",
            Self::Revision(_) => "revision_read",
            Self::Tree(_) => "tree_at",
            Self::Restore(_) => "revision_restore",
            Self::Diff => "revision_diff",
            Self::Tags => "tags",
            Self::Tag(_) if *method == hyper::Method::PUT => "tag_set",
            Self::Tag(_) if *method == hyper::Method::DELETE => "tag_delete",
            Self::Tag(_) => "tag",
            Self::Heads => "heads",
            Self::HeadChanges(_) => "head_changes",
            Self::Clients => "clients",
            Self::Client(_) if *method == hyper::Method::PUT => "client_set",
            Self::Client(_) if *method == hyper::Method::DELETE => "client_delete",
            Self::Client(_) => "client",
            Self::Confirmation => "confirmation",
            Self::Confirm => "commit_confirm",
            Self::Extend => "commit_extend",
            Self::Cancel => "commit_cancel",
            Self::Watch => "watch",
            Self::References => "references",
            Self::Export => "export",
            Self::Import => "import",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Metrics => "metrics",
        }
    }

    /// Its methods.
    pub(super) fn allow(&self) -> Methods {
        match self {
            Self::Plan
            | Self::Rebase
            | Self::Restore(_)
            | Self::Confirm
            | Self::Extend
            | Self::Cancel
            | Self::Import => Methods::POST,
            Self::Tag(_) | Self::Client(_) => Methods::GET.and(Methods::PUT).and(Methods::DELETE),
            _ => Methods::GET,
        }
    }

    /// Who may use it: what shows or changes more than the caller's own transaction is for those who
    /// may see everything.
    pub(super) fn who(&self) -> Who {
        match self {
            Self::Health | Self::Ready | Self::Metrics => Who::Anybody,
            Self::References => Who::Users,
            Self::Plan
            | Self::Rebase
            | Self::Confirmation
            | Self::Confirm
            | Self::Extend
            | Self::Cancel => Who::Writers,
            Self::Revisions
            | Self::Revision(_)
            | Self::Tree(_)
            | Self::Restore(_)
            | Self::Diff
            | Self::Tags
            | Self::Tag(_)
            | Self::Heads
            | Self::HeadChanges(_)
            | Self::Clients
            | Self::Client(_)
            | Self::Watch
            | Self::Export
            | Self::Import => Who::Administrators,
        }
    }
}

/// A revision's number as it is written in a path or a query; no sign, no leading zeros.
pub(super) fn number(text: &str) -> Option<RevisionNumber> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then(|| RevisionNumber::new(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_endpoint() {
        let manual = include_str!("../../../../docs/reference/own-api.md");
        for path in [
            "transaction/plan",
            "transaction/rebase",
            "revisions",
            "revisions/N",
            "revisions/N/tree",
            "revisions/N/restore",
            "revisions/diff",
            "tags",
            "tags/NAME",
            "heads",
            "heads/NAME/changes",
            "clients",
            "clients/NAME",
            "confirmation",
            "confirmation/confirm",
            "confirmation/extend",
            "confirmation/cancel",
            "watch",
            "references",
            "export",
            "import",
            "health",
            "ready",
            "metrics",
        ] {
            let path = format!("/boxwood/v1/{path}");
            assert!(Endpoint::parse(&path.replace("/N/", "/1/").replace("/N", "/1")).is_some());
            let is_told = |after: &str| manual.contains(&format!("{path}{after}"));
            assert!(["`", "?"].into_iter().any(is_told), "{path}");
        }
    }

    #[test]
    fn paths_and_what_they_name() {
        let n = RevisionNumber::new;
        for (path, expected) in [
            ("/boxwood/v1/transaction/plan", Some(Endpoint::Plan)),
            ("/boxwood/v1/revisions/", Some(Endpoint::Revisions)),
            ("/boxwood/v1/revisions/12", Some(Endpoint::Revision(n(12)))),
            ("/boxwood/v1/revisions/12/tree", Some(Endpoint::Tree(n(12)))),
            ("/boxwood/v1/revisions/0/restore", Some(Endpoint::Restore(n(0)))),
            ("/boxwood/v1/revisions/diff", Some(Endpoint::Diff)),
            ("/boxwood/v1/tags/a%20b", Some(Endpoint::Tag("a b".to_owned()))),
            ("/boxwood/v1/watch", Some(Endpoint::Watch)),
            ("/boxwood/v1/revisions/+1", None),
            ("/boxwood/v1/revisions/012", None),
            ("/boxwood/v1/revisions/1/nothing", None),
            ("/boxwood/v2/revisions", None),
            ("/boxwood/v1/health", Some(Endpoint::Health)),
        ] {
            assert_eq!(Endpoint::parse(path), expected, "{path}");
        }
    }
}
