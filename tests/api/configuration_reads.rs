//! Reading `/api/configuration`: the shapes of answers and the links of every node.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use support::{Client, Server, opened};

use crate::fixtures::{
    CERTIFICATES, CONFIGURATION, DISK, HEALTH, MAIL, MANAGEMENT, OBJECTS, PASSWORDS, PRIVATE_KEYS,
    SNMP, SOAP, SYSLOG, TRAP, WEBINTERFACE, X509, body, health, mail, mail_with_password, password,
    trap,
};

/// Folders of 6.2 with their children in order.
const FOLDERS: [(&str, &[&str]); 3] = [
    (
        CONFIGURATION,
        &[
            "aaa",
            "alerting",
            "datetime",
            "http",
            "ica",
            "local_services",
            "management",
            "network",
            "passwords",
            "plugins",
            "policies",
            "private_keys",
            "rdp",
            "reporting",
            "ssh",
            "telnet",
            "troubleshooting",
            "vnc",
            "x509",
        ],
    ),
    (
        MANAGEMENT,
        &[
            "certificates",
            "disk_fillup_prevention",
            "email",
            "health_monitoring",
            "snmp",
            "soap",
            "splunk_forwarder",
            "syslog",
            "universal_siem_forwarder",
            "webinterface",
        ],
    ),
    (SNMP, &["trap"]),
];

const STORES: [&str; 3] = [PASSWORDS, PRIVATE_KEYS, X509];

fn names(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn folder_is_items_and_meta_without_a_key() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (path, children) in FOLDERS {
        let document = admin.get(path).expect(200).json();
        assert_eq!(names(&document), ["items", "meta"], "{path}");
        let items: Vec<Value> = children
            .iter()
            .map(|key| json!({"key": key, "meta": {"href": format!("{path}/{key}")}}))
            .collect();
        assert_eq!(document["items"], Value::Array(items), "{path}");
    }
}

#[test]
fn object_is_body_key_and_meta() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in OBJECTS {
        let document = admin.get(path).expect(200).json();
        assert_eq!(names(&document), ["body", "key", "meta"], "{path}");
        assert_eq!(document["key"], json!(path.rsplit('/').next()), "{path}");
        assert!(document["body"].is_object(), "{path}");
    }
}

// The third shape, a collection that can be listed, comes with the first such endpoint: those of
// today (passwords, private keys, certificates) are documented as not listable.
#[test]
fn collections_of_secrets_cannot_be_read() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in STORES {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let answer = admin.request(method, path).send().expect(405);
            assert_eq!(answer.header("allow"), Some("OPTIONS, POST"), "{method} {path}");
        }
    }
}

/// What the links of a node must be, given its siblings.
fn links(path: &str, parent: &str, siblings: &[String], place: usize) -> Map<String, Value> {
    let sibling = |place: Option<usize>| place.and_then(|place| siblings.get(place));
    let links = json!({
        "first": siblings.first(),
        "href": path,
        "last": siblings.last(),
        "next": sibling(place.checked_add(1)),
        "parent": parent,
        "previous": sibling(place.checked_sub(1)),
        "remaining_seconds": 600,
        "transaction": "/api/transaction",
    });
    links.as_object().expect("an object").clone()
}

/// Looks at every node below a folder; returns how many there are.
fn walk(client: &mut Client, folder: &str) -> usize {
    let document = client.get(folder).expect(200).json();
    let items = document["items"].as_array().expect("a folder").clone();
    let hrefs: Vec<String> = items
        .iter()
        .map(|item| item["meta"]["href"].as_str().expect("a link").to_owned())
        .collect();
    // Members of a collection come in the order of their making, and with their bodies.
    let is_collection = items.iter().any(|item| item.get("body").is_some());
    let mut sorted = hrefs.clone();
    sorted.sort();
    assert!(is_collection || hrefs == sorted, "fixed children are in alphabetical order");
    let mut seen = items.len();
    for (place, href) in hrefs.iter().enumerate() {
        let members: &[&str] =
            if is_collection { &["body", "key", "meta"] } else { &["key", "meta"] };
        assert_eq!(names(&items[place]), members, "{href}");
        assert_eq!(names(&items[place]["meta"]), ["href"]);
        if STORES.contains(&href.as_str()) {
            client.get(href).expect_error(405, "MethodNotAllowed");
            continue;
        }
        let document = client.get(href).expect(200).json();
        let meta = document["meta"].as_object().expect("meta");
        assert_eq!(*meta, links(href, folder, &hrefs, place), "{href}");
        if document["items"].is_array() {
            seen += walk(client, href);
        }
    }
    seen
}

#[test]
fn links_of_every_node_are_symmetric() {
    let server = Server::dev();
    let mut admin = server.admin();
    let expected = walk(&mut admin, CONFIGURATION);
    assert!(expected > 100, "{expected}");
    // And the same in a transaction that has changes.
    admin.open().expect(200);
    let key = password(&mut admin, "secret");
    admin.put(MAIL, &mail_with_password(&key)).expect(200);
    assert_eq!(walk(&mut admin, CONFIGURATION), expected);
}

#[test]
fn siblings_are_reached_one_from_the_other_in_both_directions() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (folder, children) in FOLDERS {
        let mut follow = |from: &str, link: &str| {
            let mut place = format!("{folder}/{from}");
            let mut way = Vec::new();
            loop {
                way.push(place.rsplit('/').next().unwrap().to_owned());
                if STORES.contains(&place.as_str()) {
                    break way;
                }
                match admin.get(&place).expect(200).at(&format!("/meta/{link}")) {
                    Value::String(next) => place = next,
                    _ => break way,
                }
            }
        };
        if folder == CONFIGURATION {
            // The first collection that does not answer is as far as one gets.
            assert_eq!(follow(children[0], "next"), children[..9]);
            continue;
        }
        assert_eq!(follow(children[0], "next"), children);
        let backwards: Vec<&str> = children.iter().rev().copied().collect();
        assert_eq!(follow(children[children.len() - 1], "previous"), backwards);
    }
}

#[test]
fn root_has_the_odd_links_of_the_guide() {
    let server = Server::dev();
    let answer = server.admin().get(CONFIGURATION).expect(200);
    assert_eq!(
        answer.at("/meta"),
        json!({
            "first": CONFIGURATION,
            "href": CONFIGURATION,
            "last": CONFIGURATION,
            "next": null,
            "parent": null,
            "previous": null,
            "remaining_seconds": 600,
            "transaction": "/api/transaction",
        })
    );
}

#[test]
fn member_of_an_unlisted_collection_does_not_show_its_neighbours() {
    let (_server, mut admin) = opened();
    let keys = [password(&mut admin, "one"), password(&mut admin, "two")];
    for key in keys {
        let path = format!("{PASSWORDS}/{key}");
        let expected = json!({
            "body": {},
            "key": key,
            "meta": {
                "href": path,
                "parent": PASSWORDS,
                "remaining_seconds": 600,
                "transaction": "/api/transaction",
            },
        });
        assert_eq!(admin.get(&path).expect(200).json(), expected);
    }
}

#[test]
fn fresh_appliance_has_the_defaults_of_the_seed() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (path, expected) in [
        (MAIL, mail()),
        (HEALTH, health()),
        (TRAP, trap()),
        (DISK, json!({"archiving_enabled": false, "enabled": true, "used_space_ratio_limit": 80})),
        (SOAP, json!({"enabled": true})),
        (SYSLOG, json!({})),
        (WEBINTERFACE, json!({"timeout": 10})),
    ] {
        assert_eq!(body(&mut admin, path), expected, "{path}");
    }
    let certificates = body(&mut admin, CERTIFICATES);
    assert_eq!(certificates["ca"]["selection"], json!("identity"));
    for pointer in ["/ca/x509_identity", "/server", "/tsa"] {
        let reference = certificates.pointer(pointer).expect("a reference");
        assert_eq!(names(reference), ["key", "meta"], "{pointer}");
        let href = format!("{X509}/{}", reference["key"].as_str().unwrap());
        assert_eq!(reference["meta"], json!({"href": href}), "{pointer}");
        admin.get(&href).expect(200);
    }
}

#[test]
fn slashes_and_escapes_that_mean_nothing_make_no_difference() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (path, others) in [
        (
            MAIL,
            [
                "/api/configuration/management/email/",
                "//api//configuration///management/email//",
                "/api/configuration/management/%65mail",
            ],
        ),
        (CONFIGURATION, ["/api/configuration/", "/api//configuration", "/api/configuration//"]),
        (
            SNMP,
            [
                "/api/configuration/management/snmp/",
                "/api/configuration/management//snmp",
                "/api/%63onfiguration/management/snmp",
            ],
        ),
    ] {
        let expected = admin.get(path).expect(200).json();
        for other in others {
            let answer = admin.request("GET", other).unchecked().send().expect(200);
            assert_eq!(answer.json(), expected, "{other}");
        }
    }
}

#[test]
fn query_is_ignored() {
    let server = Server::dev();
    let mut admin = server.admin();
    let expected = admin.get(MAIL).expect(200).json();
    for query in ["?", "?fields=admin_address", "?limit=1&offset=5", "?%zz", "?a=b?c=/d"] {
        assert_eq!(admin.get(&format!("{MAIL}{query}")).expect(200).json(), expected, "{query}");
    }
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in [
        "/api/configuration/nothing",
        "/api/configuration/management/nothing",
        "/api/configuration/management/email/smtp_server",
        "/api/configuration/management/email/admin_address",
        "/api/configuration/management/Email",
        "/api/configuration/management/e-mail",
        "/api/configuration/management/..",
        "/api/configuration/management/../management/email",
        "/api/configuration/./management",
        "/api/configuration/management%2Femail",
        "/api/configuration/management/%2565mail",
        "/api/configuration/management/email%20",
        "/api/configuration/passwords/unknown",
        "/api/configuration/passwords/00000000-0000-4000-8000-000000000000/x",
        "/api/configuration/management/@order",
        "/api/configuration/passwords/@order",
        "/api/configuration/management/email@order",
        "/api/configurations",
        "/api/configuration;x=1",
    ] {
        let answer = admin.get(path).expect_error(404, "NotFound");
        assert_eq!(answer.at("/error/details/resource"), json!(path), "{answer}");
    }
}

#[test]
fn members_of_answers_are_in_alphabetical_order() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in [MAIL, SNMP, TRAP, CERTIFICATES] {
        let answer = admin.get(path).expect(200);
        // A map of serde_json is sorted, so its text is what a sorted answer looks like.
        assert_eq!(answer.text(), answer.json().to_string(), "{path}");
    }
}

/// The document of a node, read often enough for the daemon to keep it. Every answer has the same
/// headers, and a number of its own.
fn over_and_over(client: &mut Client, path: &str) -> Value {
    let mut numbers = BTreeSet::new();
    let mut read = || {
        let answer = client.get(path).expect(200);
        let mut document = answer.json();
        document["meta"]["remaining_seconds"] = json!(null);
        let (own, mut shared): (Vec<_>, Vec<_>) =
            answer.headers.into_iter().partition(|(name, _)| name == "x-request-id");
        shared.retain(|(name, _)| name != "date");
        shared.sort();
        assert!(own.len() == 1 && numbers.insert(own), "a number of its own");
        (document, shared)
    };
    let first = read();
    for _ in 0..3 {
        assert_eq!(read(), first);
    }
    first.0
}

#[test]
fn what_is_read_over_and_over_is_never_old() {
    const LISTS: &str = "/api/configuration/policies/userlists";
    let server = Server::builder().set("transactions.mode", "concurrent").start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let make = |client: &mut Client, name: &str| {
        let made = client.post(LISTS, &json!({ "name": name })).expect(201);
        made.at("/meta/href").as_str().expect("a path").to_owned()
    };
    let one = make(&mut admin, "one");
    admin.commit().expect(200);
    let (list, member) = (over_and_over(&mut other, LISTS), over_and_over(&mut other, &one));
    assert_eq!(member["body"]["name"], "one");
    assert_eq!(member["meta"]["next"], json!(null));

    // A transaction sees its own, before and after others have read, and others do not.
    let two = make(&mut admin, "two");
    admin.put(&one, &json!({ "name": "uno" })).expect(200);
    assert_eq!(over_and_over(&mut admin, &one)["body"]["name"], "uno");
    assert_eq!(over_and_over(&mut other, &one), member);
    assert_eq!(over_and_over(&mut other, LISTS), list);
    other.get(&two).expect(404);
    assert_eq!(over_and_over(&mut admin, &one)["meta"]["next"], json!(two));

    // A commit is seen at once: the body, and the neighbours of what did not change.
    admin.commit().expect(200);
    let now = over_and_over(&mut other, &one);
    assert_eq!((&now["body"]["name"], &now["meta"]["next"]), (&json!("uno"), &json!(two)));
    assert_eq!(over_and_over(&mut other, LISTS)["items"].as_array().map(Vec::len), Some(2));
    admin.delete(&two).expect(200);
    admin.commit().expect(200);
    other.get(&two).expect(404);
    assert_eq!(over_and_over(&mut other, &one)["meta"]["next"], json!(null));

    // What is kept answers as anything else: conditions, HEAD, and nobody without a session.
    let tag = other.get(&one).expect(200).header("etag").expect("a tag").to_owned();
    let again = other.request("GET", &one).header("If-None-Match", &tag).unchecked().send();
    assert_eq!((again.status, again.body.is_empty()), (304, true));
    assert!(other.request("HEAD", &one).send().expect(200).body.is_empty());
    server.client().get(&one).expect(401);
}
