//! A configuration as it is seen from outside: every node, and that it hangs together.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::{Client, Server};

/// What all GETs together show.
#[derive(Debug, PartialEq)]
pub(crate) struct Tree {
    pub(crate) revision: u64,
    pub(crate) config_hash: String,
    /// By the paths of the nodes.
    pub(crate) bodies: BTreeMap<String, Value>,
}

/// The revision that the daemon says it runs.
pub(crate) fn revision(client: &mut Client) -> u64 {
    let health = client.get("/boxwood/v1/health").expect(200);
    health.at("/revision").as_u64().expect("the revision is a number")
}

impl Tree {
    /// Looks at everything there is, and demands of a daemon what must be so right after a start:
    ///
    /// - it is healthy and ready, and nobody holds the configuration;
    /// - every node can be read, and every reference leads to a node;
    /// - secrets can still be opened, where there is one to which a rule applies;
    /// - it can be changed.
    pub(crate) fn of(server: &Server) -> Tree {
        Tree::seen_by(&mut server.admin())
    }

    /// The same for one who is logged in already, and has no transaction open.
    pub(crate) fn seen_by(admin: &mut Client) -> Tree {
        let health = admin.get("/boxwood/v1/health").expect(200);
        assert_eq!((health.at("/status"), health.at("/store")), (json!("ok"), json!("ok")));
        admin.get("/boxwood/v1/ready").expect(200);
        let closed = admin.get("/api/transaction").expect(200);
        assert_eq!(closed.at("/body/status"), "closed", "{closed}");
        let tree = Tree::read_by(admin);
        for (path, body) in &tree.bodies {
            let mut references = Vec::new();
            references_in(body, &mut references);
            for href in references {
                // What may not be read is there all the same: only what is missing is 404.
                let status = admin.get(&href).status;
                assert!(matches!(status, 200 | 405), "{path} refers to {href}: {status}");
            }
        }

        admin.open().expect(200);
        let trap = "/api/configuration/management/snmp/trap";
        if let Some(body) = tree.bodies.get(trap)
            && body.pointer("/version/selection") == Some(&json!("3"))
        {
            // The length of a referenced password is checked, for which it has to be opened.
            let mut other = body.clone();
            other["version"]["value"]["username"] = json!("somebody else");
            admin.put(trap, &other).expect(200);
            let staged = admin.get("/api/transaction").expect(200);
            assert_eq!(staged.at("/meta/changes"), "/api/transaction/changes", "{staged}");
        }
        admin.rollback().expect(200);
        tree
    }

    /// What can be read, which a daemon that takes no further commits owes everybody too.
    pub(crate) fn read_by(admin: &mut Client) -> Tree {
        let info = admin.get("/api/info").expect(200);
        let config_hash = info.at("/body/config_hash").as_str().unwrap_or_default().to_owned();
        assert_eq!(config_hash.len(), 32, "{info}");
        let mut bodies = BTreeMap::new();
        walk(admin, "/api/configuration", &mut bodies);
        Tree { revision: revision(admin), config_hash, bodies }
    }

    /// The body of a node that must be there.
    pub(crate) fn body(&self, path: &str) -> &Value {
        self.bodies.get(path).unwrap_or_else(|| panic!("there is nothing at {path}"))
    }
}

/// The messages of all revisions, newest first, without a gap; what is listed was read and its hash
/// checked.
pub(crate) fn messages(client: &mut Client, tree: &Tree) -> Vec<String> {
    let (mut numbers, mut messages, mut oldest) = (Vec::new(), Vec::new(), None);
    let mut next = Some("/boxwood/v1/revisions?limit=500".to_owned());
    while let Some(page) = next {
        let page = client.get(&page).expect(200).json();
        for item in page["items"].as_array().expect("there are items") {
            numbers.push(item["revision"].as_u64().expect("a revision has a number"));
            messages.push(item["message"].as_str().unwrap_or_default().to_owned());
        }
        oldest = page["meta"]["oldest"].as_u64();
        next = page["meta"]["next"].as_str().map(str::to_owned);
    }
    let has_gap = numbers.windows(2).any(|pair| pair[0] != pair[1] + 1);
    assert!(!has_gap && numbers.first() == Some(&tree.revision), "{numbers:?}");
    // Meanwhile some may have been taken away.
    assert!(numbers.last().copied() <= oldest, "{numbers:?} begin after {oldest:?}");
    messages
}

fn walk(client: &mut Client, path: &str, bodies: &mut BTreeMap<String, Value>) {
    let answer = client.get(path);
    if answer.status == 405 {
        // A collection whose members may not be listed.
        return;
    }
    let document = answer.expect(200).json();
    assert_eq!(document["meta"]["href"], path);
    if let Some(body) = document.get("body") {
        bodies.insert(path.to_owned(), body.clone());
    }
    for item in document.get("items").and_then(Value::as_array).unwrap_or(&Vec::new()) {
        let href = item["meta"]["href"].as_str().expect("an item has a link");
        walk(client, href, bodies);
    }
}

fn references_in(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let href = value.pointer("/meta/href").and_then(Value::as_str);
            match (href, members.get("key")) {
                (Some(href), Some(_)) => found.push(href.to_owned()),
                _ => members.values().for_each(|member| references_in(member, found)),
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references_in(item, found)),
        _ => {}
    }
}
