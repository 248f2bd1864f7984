//! Who may log in, and what the committed configuration lets them see and change.
//!
//! There is one administrator who is not in the tree, so that no commit can lock everybody out.
//! All others are members of `aaa/local_database/users`. Groups have members and privileges have
//! groups (`aaa/acls`), both by name, as on the appliance. A privilege is either one of the
//! appliance's own (`/special/basic` is the "Basic Settings" part of its web interface) or a path
//! of the configuration; the right to a page of the web interface is the right to the REST paths
//! it shows (SPS REST guide, "Authentication and users").
//!
//! Rights are those of the running configuration: a commit that changes groups or privileges counts
//! at the next request of every session. A user who is deleted, renamed or given another password is
//! logged out, because then the login itself is no longer true.

use std::sync::{Arc, Weak};

use catalog::Catalog;
use config_tree::{Change, NodePath, Tree};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use transaction_engine::{Applier, Engine, Refusal, Revision};

use super::paths;
use crate::caller::{Access, Account, Grant, Proof, Rights, Standing};
use crate::session::Logins;

/// Members of these are only ever reached from elsewhere, by users who may change something there.
const REFERENCE_STORES: [&str; 3] = ["passwords", "private_keys", "x509"];

/// The appliance's privileges and the parts of the configuration that their pages show. Those of
/// pages that show no configuration give nothing here.
const SPECIAL: &[(&str, &[&str])] = &[
    (
        "/special/basic",
        &[
            "/alerting",
            "/datetime",
            "/local_services",
            "/management",
            "/network",
            "/plugins",
            "/troubleshooting",
        ],
    ),
    ("/special/auth", &["/aaa"]),
    ("/special/pol", &["/policies"]),
    ("/special/http", &["/http"]),
    ("/special/ica", &["/ica"]),
    ("/special/rdp", &["/rdp"]),
    ("/special/ssh", &["/ssh"]),
    ("/special/telnet", &["/telnet"]),
    ("/special/vnc", &["/vnc"]),
    ("/special/reporting", &["/reporting"]),
];

/// The user and the password with which a login was made.
struct UserAndPassword {
    user: NodePath,
    name: String,
    password: NodePath,
}

impl Proof for UserAndPassword {
    fn standing(&self, tree: &Tree) -> Option<Standing> {
        let body = tree.body(&self.user)?;
        let password = body.references().iter().find(|r| r.pointer == "/password")?;
        let holds = body.value()["name"] == self.name && password.target == self.password;
        holds.then(|| standing(tree, &self.user))
    }
}

/// The user of this name and password in the running configuration.
pub(crate) fn find(engine: &Engine, name: &str, password: &str) -> Option<Account> {
    let running = engine.running();
    let tree = &running.tree;
    let users = paths::users();
    let is_called = |body: &config_tree::Body| body.value()["name"] == name;
    // Indexed by name where the catalog says that names are unique; else one look at each.
    let indexed = tree.holders(users, "/name", &json!(name)).next().cloned();
    let key = indexed.or_else(|| {
        tree.members(users).find(|(_, body)| is_called(body)).map(|(key, _)| key.clone())
    })?;
    let user = users.join(&key);
    let reference = tree.body(&user)?.references().iter().find(|r| r.pointer == "/password")?;
    let target = reference.target.clone();
    if !matches(engine, tree, &target, password) {
        return None;
    }
    let standing = standing(tree, &user);
    let proof = UserAndPassword { user, name: name.to_owned(), password: target };
    Some(Account { proof: Some(Arc::new(proof)), standing })
}

fn standing(tree: &Tree, user: &NodePath) -> Standing {
    let groups = groups_of(tree, user);
    let rights = Rights::Granted { grants: grants(tree, &groups), stores: &REFERENCE_STORES };
    Standing { rights, groups }
}

fn matches(engine: &Engine, tree: &Tree, stored: &NodePath, password: &str) -> bool {
    let Some(body) = tree.body(stored).map(config_tree::Body::value) else {
        return false;
    };
    if body.get("plain").is_some() {
        let plain = engine.secret_reveal(stored, "/plain");
        return plain.is_some_and(|plain| same(plain.as_bytes(), password.as_bytes()));
    }
    // Up to 7.0 a hash is the SHA-256 of the password, in hexadecimal digits (SPS REST guide).
    let hash = engine.secret_reveal(stored, "/hash");
    hash.is_some_and(|hash| {
        let digest = Sha256::digest(password.as_bytes());
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        same(hash.to_ascii_lowercase().as_bytes(), digits.as_bytes())
    })
}

// Compares digests, so that neither the length nor a common beginning shows in the time.
fn same(left: &[u8], right: &[u8]) -> bool {
    blake3::hash(left).as_bytes().ct_eq(blake3::hash(right).as_bytes()).into()
}

fn groups_of(tree: &Tree, user: &NodePath) -> Vec<String> {
    let groups = paths::groups();
    let names = tree.referrers(user).filter_map(|referrer| {
        let is_group = referrer.path.parent().as_ref() == Some(groups)
            && referrer.pointer.starts_with("/members/");
        let name =
            tree.body(&referrer.path).filter(|_| is_group)?.value()["name"].as_str()?.to_owned();
        Some(name)
    });
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn grants(tree: &Tree, groups: &[String]) -> Vec<Grant> {
    let Some(acls) = tree.body(paths::acls()).map(config_tree::Body::value) else {
        return Vec::new();
    };
    let mut grants = Vec::new();
    for entry in acls.as_array().into_iter().flatten() {
        let is_mine = |group: &String| entry["group"] == group.as_str();
        if !groups.iter().any(is_mine) {
            continue;
        }
        let write = entry["permission"] == "write";
        let objects = entry["objects"].as_array().into_iter().flatten();
        for part in objects.filter_map(Value::as_str).flat_map(parts) {
            grants.push(Grant { part, write });
        }
    }
    grants
}

/// Whether one of these groups has a privilege, such as `/special/basic`.
pub(crate) fn holds(tree: &Tree, groups: &[String], privilege: &str, access: Access) -> bool {
    let acls = tree.body(paths::acls()).map(config_tree::Body::value).unwrap_or_default();
    acls.as_array().into_iter().flatten().any(|entry| {
        let is_mine = groups.iter().any(|group| entry["group"] == group.as_str());
        let mut objects = entry["objects"].as_array().into_iter().flatten();
        is_mine
            && (access == Access::Read || entry["permission"] == "write")
            && objects.any(|object| object == privilege)
    })
}

// The parts of the configuration that a privilege object stands for.
fn parts(object: &str) -> Vec<NodePath> {
    match SPECIAL.iter().find(|(name, _)| *name == object) {
        Some((_, parts)) => parts.iter().filter_map(|part| NodePath::parse(part).ok()).collect(),
        None if object.starts_with("/special/") => Vec::new(),
        None => NodePath::parse(object).into_iter().collect(),
    }
}

/// Lets logins follow what is committed about users, groups and privileges, and keeps the administrator's name
/// for the administrator.
pub(crate) struct Accounts {
    administrator: String,
    catalog: Arc<Catalog>,
    // Added when they exist, which needs the engine, which needs this. Several services over one
    // engine have logins of their own.
    watched: Mutex<Vec<Weak<Logins>>>,
}

impl Accounts {
    /// For an appliance whose built-in administrator has this name.
    pub(crate) fn new(administrator: &str, catalog: Arc<Catalog>) -> Self {
        Self { administrator: administrator.to_owned(), catalog, watched: Mutex::default() }
    }

    // Why a user cannot be so: the administrator's name belongs to one user, whose password is the
    // daemon's.
    fn refusal(&self, path: &NodePath, user: &Value) -> Option<Refusal> {
        let refusal = |pointer: &str, message: String| {
            Some(Refusal { path: path.clone(), pointer: pointer.to_owned(), message })
        };
        let name = &self.administrator;
        let is_name = user["name"] == name.as_str();
        match (self.is_administrator(path), is_name) {
            (false, true) => refusal(
                "/name",
                format!(
                    "The name {name} belongs to the built-in administrator; give the user another"
                ),
            ),
            (true, false) => {
                refusal("/name", format!("The built-in administrator keeps the name {name}"))
            }
            (true, true) if !user["password"].is_null() => refusal(
                "/password",
                format!("The password of {name} is set when the daemon starts, not here"),
            ),
            _ => None,
        }
    }

    fn is_administrator(&self, path: &NodePath) -> bool {
        let users = self.catalog.endpoint(paths::users());
        users.is_some_and(|users| {
            users.members().any(|(key, body)| {
                path.key() == Some(key) && body["name"] == self.administrator.as_str()
            })
        })
    }

    /// Lets the logins of this table follow, too.
    pub(crate) fn watch_over(&self, logins: &Arc<Logins>) {
        let mut watched = self.watched.lock();
        watched.retain(|logins| logins.strong_count() > 0);
        watched.push(Arc::downgrade(logins));
    }
}

impl Applier for Accounts {
    fn prepare(&self, _next: &Revision, changes: &[Change]) -> Result<(), Refusal> {
        let users = paths::users();
        let mut refusals = changes.iter().filter_map(|change| match change {
            Change::Create { path, after, .. } | Change::Replace { path, after, .. }
                if path.parent().as_ref() == Some(users) =>
            {
                self.refusal(path, &after.value())
            }
            _ => None,
        });
        refusals.next().map_or(Ok(()), Err)
    }

    fn apply(&self, revision: &Revision, changes: &[Change]) {
        let governing = [paths::users(), paths::groups(), paths::acls()];
        let governs = |path: &NodePath| governing.iter().any(|part| path.starts_with(part));
        if !changes.iter().any(|change| governs(change.path())) {
            return;
        }
        let watched: Vec<_> = self.watched.lock().iter().filter_map(Weak::upgrade).collect();
        watched.iter().for_each(|logins| logins.follow(&revision.tree));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    fn granted(objects: &[(&str, bool)]) -> Rights {
        let grant = |(object, write): &(&str, bool)| {
            parts(object).into_iter().map(|part| Grant { part, write: *write }).collect::<Vec<_>>()
        };
        let grants = objects.iter().flat_map(grant).collect();
        Rights::Granted { grants, stores: &REFERENCE_STORES }
    }

    #[test]
    fn a_privilege_reaches_its_part_and_the_folders_on_the_way() {
        let rights = granted(&[("/special/basic", false), ("/ssh/connections", true)]);
        let may = |access, text: &str| rights.allow(access, &path(text));
        for seen in ["/", "/management", "/management/email", "/ssh", "/ssh/connections/1"] {
            assert!(may(Access::Read, seen), "{seen}");
        }
        for hidden in ["/aaa", "/aaa/acls", "/ssh/options", "/policies"] {
            assert!(!may(Access::Read, hidden), "{hidden}");
        }
        assert!(may(Access::Write, "/ssh/connections") && may(Access::Write, "/ssh/connections/1"));
        for fixed in ["/", "/ssh", "/management/email"] {
            assert!(!may(Access::Write, fixed), "{fixed}");
        }
    }

    #[test]
    fn secrets_are_made_by_whoever_may_change_something() {
        let (reader, writer) = (granted(&[("/special/basic", false)]), granted(&[("/ssh", true)]));
        for store in ["/passwords", "/x509/1"] {
            assert!(!reader.allow(Access::Write, &path(store)));
            assert!(!reader.allow(Access::Read, &path(store)));
            assert!(writer.allow(Access::Write, &path(store)));
        }
        assert!(!granted(&[]).allow(Access::Read, &path("/")), "no group, no right");
        assert!(!granted(&[("/special/unknown", true)]).allow_changes());
    }
}
