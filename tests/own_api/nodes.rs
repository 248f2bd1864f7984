//! Reading nodes: depth, fields, filters, pages, states, heads.

use serde_json::json;
use support::Server;

use crate::{admin, kind, v1};

#[test]
fn a_tree_is_read_as_deep_as_asked() {
    let server = Server::dev();
    let mut admin = admin(&server, "sps-6.2");
    let root = admin.get(&v1("nodes")).expect(200).json();
    assert!(root["path"] == "/" && root["key"].is_null() && root["kind"] == "folder");
    let management = root["children"].as_array().unwrap();
    let management = management.iter().find(|node| node["key"] == "management").unwrap();
    assert!(management["count"].as_u64().unwrap() > 5 && management.get("children").is_none());
    let alone = admin.get(&v1("nodes?depth=0")).expect(200).json();
    assert!(alone.get("children").is_none());
    let deep = admin.get(&v1("nodes/management?depth=2")).expect(200).json();
    let email = deep["children"].as_array().unwrap().iter().find(|it| it["key"] == "email");
    let mail = admin.get(&v1("nodes/management%2Femail")).expect(200);
    assert_eq!(email.unwrap()["body"], mail.at("/body"));
    assert_eq!(mail.header("etag"), mail.json()["etag"].as_str());
    let again = admin.request("GET", &v1("nodes/management/email"));
    again.header("If-None-Match", mail.header("etag").unwrap()).send().expect(304);
    let part = admin.get(&v1("nodes/management/email?fields=sender_address")).expect(200);
    assert_eq!(part.at("/body").as_object().unwrap().len(), 1, "{}", part.json());
}

#[test]
fn collections_come_in_pages_and_filtered() {
    let server = Server::dev_of(&["ds-server"]);
    let mut admin = admin(&server, "ds-server");
    let schema = admin.get(&v1("schema/security_profiles")).expect(200).json();
    assert!(schema["kind"] == "collection" && schema["schema"].is_object(), "{schema}");
    let edits: Vec<_> = (0..5)
        .map(|n| {
            let credentials =
                json!({ "id": format!("c{n}"), "secret": "s", "authorizedRedirectUris": [] });
            let body = json!({ "name": format!("profile {n}"), "clientCredentials": credentials });
            json!({ "op": "create", "path": "/security_profiles", "body": body })
        })
        .collect();
    admin.post(&v1("edits"), &json!({ "edits": edits, "commit": true })).expect(200);
    let names = |value: &serde_json::Value| -> Vec<String> {
        let children = value["children"].as_array().unwrap();
        children.iter().map(|one| one["body"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = admin.get(&v1("nodes/security_profiles?limit=3")).expect(200).json();
    let next = first["next"].as_str().unwrap();
    let second = admin.get(&v1(&format!("nodes/security_profiles?limit=3&after={next}")));
    let second = second.expect(200).json();
    assert!(second["next"].is_null());
    let all = [names(&first), names(&second)].concat();
    assert!(all.len() >= 5 && all.iter().filter(|name| name.starts_with("profile")).count() == 5);
    let path = v1("nodes/security_profiles?filter=name~profile&filter=name!=profile%202");
    assert_eq!(names(&admin.get(&path).expect(200).json()).len(), 4);
    for bad in ["limit=0", "limit=x", "depth=17", "filter=name", "after=nothing", "colour=red"] {
        let refused = admin.get(&v1(&format!("nodes/security_profiles?{bad}"))).expect(400).json();
        assert_eq!(kind(&refused), "syntactic-error", "{bad}");
    }
}

#[test]
fn states_and_heads_are_told_apart() {
    let server = Server::dev_of(&["sps-7.0", "prisma-access"]);
    let mut admin = admin(&server, "sps-7.0");
    let path = v1("nodes/management/email");
    let before = admin.get(&path).expect(200);
    let changed = admin.patch(&path, &json!({ "sender_address": "new@example.com" })).expect(200);
    assert!(changed.at("/committed").is_null());
    assert_eq!(admin.get(&path).expect(200).at("/body/sender_address"), "new@example.com");
    let running = admin.get(&format!("{path}?state=running")).expect(200);
    assert_eq!(running.at("/body"), before.at("/body"));
    let committed = admin.post(&v1("transaction/commit"), &json!({ "message": "why" }));
    let revision = committed.expect(200).at("/revision").as_u64().unwrap();
    let old = admin.get(&format!("{path}?state={}", revision - 1)).expect(200);
    assert_eq!(old.at("/body"), before.at("/body"));
    admin.get(&format!("{path}?state=99999")).expect(404);
    let blame = admin.get(&v1("blame/management/email")).expect(200).json();
    let items = blame["items"].as_array().unwrap();
    let sender = items.iter().find(|one| one["pointer"] == "/sender_address").unwrap();
    assert!(sender["revision"] == revision && sender["message"] == "why", "{sender}");
    assert!(items.iter().any(|one| one["revision"] != revision), "{blame}");

    let mut admin = crate::admin(&server, "prisma-access");
    let heads = admin.get(&v1("heads")).expect(200).json();
    assert_eq!(heads["items"][1]["name"], "candidate", "{heads}");
    admin.get(&v1("nodes?head=candidate")).expect(200);
    let refused = admin.get(&v1("nodes?head=other")).expect(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("running, candidate"), "{refused}");
}
