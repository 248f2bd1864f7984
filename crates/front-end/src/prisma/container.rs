//! Where an object is: in a folder of a tenant, or for it alone in a snippet or a device.
//!
//! The tree keeps it as one text, `1:Mobile Users` or `1:snippet:Office`. The part before the first
//! colon is the tenant, a realm by the word of the catalog: names mean nothing across tenants.

use catalog::{Violation, rule};
use config_tree::NodePath;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::route::Base;
use crate::query;

/// The member that keeps it.
pub(super) const MEMBER: &str = "container";

/// The ways to say where an object is.
const KINDS: [&str; 3] = ["folder", "snippet", "device"];

/// The folders that the legacy generation lists, and the two around them.
const LEGACY: [&str; 8] = [
    "Shared",
    "Mobile Users",
    "Remote Networks",
    "Service Connections",
    "Mobile Users Container",
    "Mobile Users Explicit Proxy",
    "All",
    "Prisma Access",
];

/// The longest name of a folder, in characters.
const MOST: usize = 64;

/// The folder as the tree keeps it: `Shared` and `All` are one.
pub(super) fn kept(tenant: &str, kind: &str, name: &str) -> String {
    match kind {
        "folder" if name == "Shared" => format!("{tenant}:All"),
        "folder" => format!("{tenant}:{name}"),
        kind => format!("{tenant}:{kind}:{name}"),
    }
}

/// How a container is shown: the member and its text.
pub(super) fn shown(container: &str, base: Base) -> (&'static str, &str) {
    let (_, name) = container.split_once(':').unwrap_or_default();
    for kind in ["snippet", "device"] {
        if let Some(name) = name.strip_prefix(kind).and_then(|rest| rest.strip_prefix(':')) {
            return (kind, name);
        }
    }
    // The legacy list has the root under this name alone.
    if name == "All" && base == Base::Legacy { ("folder", "Shared") } else { ("folder", name) }
}

/// Whether a container is one of a tenant's.
pub(super) fn is_of(container: &str, tenant: &str) -> bool {
    container.strip_prefix(tenant).is_some_and(|rest| rest.starts_with(':'))
}

/// Whether a text can be the name of a folder.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    !name.is_empty() && name.chars().count() <= MOST && name.chars().all(fits)
}

/// What the query of a list or of a creation says.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) container: Option<String>,
    pub(super) name: Option<String>,
    pub(super) limit: usize,
    pub(super) offset: usize,
}

/// Pages that are larger are refused.
const MOST_LIMIT: usize = 5_000;
const LIMIT: usize = 200;

/// Reads a query. What it does not know is passed over: clients send more than they need to.
pub(super) fn asked(tenant: &str, query: Option<&str>, base: Base) -> Result<Asked, Refusal> {
    let undecodable = || Refusal::InvalidQuery("query".into(), "undecodable".into());
    let pairs = query::pairs(query.unwrap_or_default()).ok_or_else(undecodable)?;
    let mut asked = Asked { limit: LIMIT, ..Asked::default() };
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in &pairs {
        let bad = || Refusal::InvalidQuery(name.to_string(), value.to_string());
        let is_kind = KINDS.contains(&&**name);
        if !is_kind && !["name", "limit", "offset"].contains(&&**name) {
            continue;
        }
        if seen.contains(&&**name) || is_kind && asked.container.is_some() {
            return Err(bad());
        }
        seen.push(name);
        let number = || value.parse::<usize>().ok().filter(|_| !value.starts_with('+'));
        match &**name {
            "name" if !value.is_empty() => asked.name = Some(value.to_string()),
            "limit" => {
                let limit = number().filter(|limit| (1..=MOST_LIMIT).contains(limit));
                asked.limit = limit.ok_or_else(bad)?;
            }
            "offset" => asked.offset = number().ok_or_else(bad)?,
            kind if is_kind && is_name(value) => {
                let is_listed = kind == "folder" && LEGACY.contains(&&**value);
                if base == Base::Legacy && !is_listed {
                    return Err(bad());
                }
                asked.container = Some(kept(tenant, kind, value));
            }
            _ => return Err(bad()),
        }
    }
    Ok(asked)
}

/// Takes the members that say where an object is, and what else an answer has, out of a body.
pub(super) fn take_out(members: &mut Map<String, Value>) -> Vec<(&'static str, Value)> {
    members.remove("id");
    KINDS.iter().filter_map(|kind| Some((*kind, members.remove(*kind)?))).collect()
}

/// Where the body of a new object says that it is: one of the three.
pub(super) fn of_body(
    tenant: &str,
    said: &[(&'static str, Value)],
    path: &NodePath,
) -> Result<String, Violation> {
    let violation = |pointer: &str, rule, message: &str| Violation {
        path: path.clone(),
        pointer: pointer.to_owned(),
        rule,
        layer: catalog::Layer::Shape,
        message: message.to_owned(),
        also: Vec::new(),
    };
    match said {
        [] => {
            let message = "one of `folder`, `snippet` or `device` is required";
            Err(violation("", rule::EXACTLY_ONE_OF, message))
        }
        [(kind, name)] => match name.as_str().filter(|name| is_name(name)) {
            Some(name) => Ok(kept(tenant, kind, name)),
            None => {
                let message = format!(
                    "`{kind}` must be 1 to {MOST} letters, digits, spaces, dots, hyphens or underscores"
                );
                Err(violation(&format!("/{kind}"), rule::PATTERN, &message))
            }
        },
        _ => {
            let message = "only one of `folder`, `snippet` or `device` may be present";
            Err(violation("", rule::EXACTLY_ONE_OF, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_kept_with_its_tenant_and_shown_without() {
        for (kind, name, base, expected) in [
            ("folder", "Mobile Users", Base::Current, "Mobile Users"),
            ("folder", "Shared", Base::Current, "All"),
            ("folder", "All", Base::Legacy, "Shared"),
            ("snippet", "a.b", Base::Current, "a.b"),
            ("device", "x", Base::Current, "x"),
        ] {
            let container = kept("1", kind, name);
            assert_eq!(shown(&container, base), (kind, expected));
            assert!(is_of(&container, "1") && !is_of(&container, "11"));
        }
    }

    #[test]
    fn queries_are_read_strictly_where_they_are_known() {
        let read = |text, base| {
            let asked = asked("1", Some(text), base)?;
            Ok::<_, Refusal>((asked.container, asked.name, asked.limit, asked.offset))
        };
        let mobile = Some("1:Mobile Users".to_owned());
        let found = read("folder=Mobile+Users&location=x&limit=5000&offset=7", Base::Legacy);
        assert_eq!(found.unwrap(), (mobile.clone(), None, 5_000, 7));
        let found = read("folder=Mobile%20Users&name=a+b", Base::Current);
        assert_eq!(found.unwrap(), (mobile, Some("a b".to_owned()), 200, 0));
        for bad in [
            "limit=0",
            "limit=5001",
            "limit=-1",
            "limit=x",
            "limit=",
            "offset=-1",
            "folder=",
            "folder=a/b",
            "folder=All&folder=All",
            "folder=All&snippet=x",
            "name=",
            "limit=+1",
            "limit=1&limit=1",
            "folder=%zz",
        ] {
            assert!(matches!(read(bad, Base::Current), Err(Refusal::InvalidQuery(..))), "{bad}");
        }
        assert!(read("folder=Nowhere", Base::Legacy).is_err());
        assert!(read("folder=Nowhere", Base::Current).is_ok());
    }
}
