//! Collections that users make, over the wire: create, list, order, change, delete, references,
//! names that are taken, built-in members, lists that are appended to, parts that are referred to.

mod samples;

use serde_json::{Value, json};
use support::{Client, Response, Server, opened};

const TIME: &str = "/api/configuration/policies/time_policies";
const USERLISTS: &str = "/api/configuration/policies/userlists";
const ROUTING: &str = "/api/configuration/network/routing";

/// The body that GET shows, with references as they are shown: what scripts send back.
fn body_of(client: &mut Client, path: &str) -> Value {
    client.get(path).expect(200).at("/body")
}

/// A new member made from the body of an existing one, under another name.
fn copy(client: &mut Client, collection: &str, name: &str) -> Response {
    let listing = client.get(collection).expect(200).json();
    let mut body = listing["items"][0]["body"].clone();
    assert!(body.is_object(), "members show their bodies: {listing}");
    body["name"] = json!(name);
    client.post(collection, &body)
}

fn keys(client: &mut Client, collection: &str) -> Vec<String> {
    let listing = client.get(collection).expect(200).json();
    let items = listing["items"].as_array().expect("a list").iter();
    items.map(|item| item["key"].as_str().expect("a key").to_owned()).collect()
}

#[test]
fn a_member_lives_from_post_to_delete() {
    let (_server, mut admin) = opened();
    let before = keys(&mut admin, TIME);
    let made = copy(&mut admin, TIME, "office").expect(201);
    let key = made.at("/key").as_str().expect("a key").to_owned();
    let path = format!("{TIME}/{key}");
    assert_eq!(made.header("location"), Some(path.as_str()));
    assert_eq!(made.at("/meta/parent"), TIME);
    assert_eq!(made.at("/meta/last"), json!(path));
    assert_eq!(made.at("/meta/next"), Value::Null);
    assert_eq!(keys(&mut admin, TIME), [before.clone(), vec![key.clone()]].concat());

    let mut body = body_of(&mut admin, &path);
    body["name"] = json!("night");
    admin.put(&path, &body).expect(200);
    admin.commit().expect(200);
    assert_eq!(body_of(&mut admin, &path)["name"], "night");

    admin.open().expect(200);
    let gone = admin.delete(&path).expect(200);
    assert_eq!(gone.at("/meta/href"), json!(path));
    assert_eq!(gone.at("/meta/last"), json!(path), "the navigation that it had");
    assert!(gone.json().get("body").is_none() && gone.json().get("key").is_none());
    admin.get(&path).expect_error(404, "NotFound");
    let changes = admin.get("/api/transaction/changes").expect(200);
    assert_eq!(changes.at("/changes/0/type"), "delete");
    admin.commit().expect(200);
    assert_eq!(keys(&mut admin, TIME), before);
}

#[test]
fn names_are_taken_once_and_freed_by_a_change_or_a_deletion() {
    let (_server, mut admin) = opened();
    let first = copy(&mut admin, TIME, "office").expect(201).at("/meta/href");
    copy(&mut admin, TIME, "office").expect(201);
    let refused = admin.commit().expect_error(400, "SemanticError");
    assert_eq!(refused.at("/error/details/errors/0/rule"), "unique");
    admin.delete(first.as_str().expect("a path")).expect(200);
    admin.commit().expect(200);
}

#[test]
fn built_in_members_can_be_changed_and_not_deleted() {
    let (_server, mut admin) = opened();
    let built_in = keys(&mut admin, TIME).into_iter().find(|key| key.starts_with('-'));
    let path = format!("{TIME}/{}", built_in.expect("a built-in member"));
    let refused = admin.delete(&path).expect_error(400, "SemanticError");
    assert_eq!(refused.at("/error/details/errors/0/rule"), "built-in");
    let body = body_of(&mut admin, &path);
    admin.put(&path, &body).expect(200);
}

#[test]
fn what_is_referred_to_cannot_be_deleted_and_every_referrer_is_named() {
    let (_server, mut admin) = opened();
    // A channel policy refers to a time policy; another one does from now on.
    let collection = "/api/configuration/rdp/channel_policies";
    let office = copy(&mut admin, TIME, "office").expect(201).at("/key");
    let mut policy = admin.get(collection).expect(200).at("/items/0/body");
    assert!(replace_key(&mut policy, TIME, &office), "no time policy in {policy}");
    policy["name"] = json!("evenings");
    let made = admin.post(collection, &policy).expect(201).at("/meta/href");
    let office = format!("{TIME}/{}", office.as_str().expect("a key"));
    let refused = admin.delete(&office).expect_error(400, "SemanticError");
    let named = refused.at("/error/details/errors/0/paths").to_string();
    assert!(named.contains(made.as_str().expect("a path")), "{named}");
    admin.delete(made.as_str().expect("a path")).expect(200);
    admin.delete(&office).expect(200);
    admin.commit().expect(200);
}

/// Points the first reference into a collection at another member.
fn replace_key(value: &mut Value, collection: &str, key: &Value) -> bool {
    let is_reference = value["meta"]["href"].as_str().is_some_and(|h| h.starts_with(collection));
    if is_reference {
        *value = key.clone();
        return true;
    }
    match value {
        Value::Object(members) => members.values_mut().any(|v| replace_key(v, collection, key)),
        Value::Array(items) => items.iter_mut().any(|v| replace_key(v, collection, key)),
        _ => false,
    }
}

#[test]
fn members_can_be_put_in_another_order_and_the_changelog_says_so() {
    let (_server, mut admin) = opened();
    for name in ["one", "two"] {
        copy(&mut admin, TIME, name).expect(201);
    }
    admin.commit().expect(200);
    let before = keys(&mut admin, TIME);
    let after: Vec<String> = before.iter().rev().cloned().collect();
    let order = format!("{TIME}/@order");
    assert_eq!(body_of(&mut admin, &order), json!(before));

    admin.put(&order, &json!(after)).expect_error(409, "Conflict");
    admin.open().expect(200);
    admin.put(&order, &json!(after[1..])).expect_error(400, "SyntacticError");
    admin.put(&order, &json!({"not": "an order"})).expect_error(400, "SyntacticError");
    admin.put(&order, &json!(after)).expect(200);
    let changes = admin.get("/api/transaction/changes").expect(200).at("/changes");
    let expected =
        json!([{"new_order": after, "old_order": before, "path": TIME, "type": "reorder"}]);
    assert_eq!(changes, expected);
    admin.commit().expect(200);
    assert_eq!(keys(&mut admin, TIME), after);
    admin.get("/api/configuration/management/@order").expect_error(404, "NotFound");
}

#[test]
fn a_list_takes_further_elements_by_post() {
    let (_server, mut admin) = opened();
    let before = body_of(&mut admin, ROUTING);
    let route = json!({"gateway": "192.0.2.1", "target_network": "198.51.100.0/24"});
    let shown = admin.post(ROUTING, &route).expect(201).at("/body");
    let count = before.as_array().expect("a list").len();
    assert_eq!(shown.as_array().map(Vec::len), Some(count + 1));
    assert_eq!(shown[count], route);
    let wrong = json!({"gateway": "nowhere", "target_network": "198.51.100.0/24"});
    let refused = admin.post(ROUTING, &wrong).expect_error(400, "SyntacticError");
    assert_eq!(
        refused.at("/error/details/errors/0/pointer"),
        json!(format!("/{}/gateway", count + 1))
    );
    assert_eq!(body_of(&mut admin, ROUTING), shown, "nothing changed");
    let options = admin.request("OPTIONS", ROUTING).send().expect(200);
    assert!(options.header("allow").is_some_and(|allow| allow.contains("POST")));
}

#[test]
fn a_part_of_an_object_can_be_referred_to_and_is_protected() {
    let server = Server::dev();
    let mut admin = server.admin();
    let nic = "/api/configuration/network/nics/nic1";
    let mut body = body_of(&mut admin, nic);
    let interface = body["interfaces"]["@order"][0].as_str().expect("an interface").to_owned();
    let addresses = &body["interfaces"][&interface]["addresses"];
    let address = addresses["@order"][0].as_str().expect("an address").to_owned();
    let key = format!("nic1.interfaces.{interface}.addresses.{address}");
    admin.open().expect(200);
    let cluster = "/api/configuration/local_services/cluster";
    let wanted = json!({"enabled": true, "listen_address": key});
    let shown = admin.put(cluster, &wanted).expect(200).at("/body/listen_address");
    let link = format!("{nic}#interfaces/{interface}/addresses/{address}");
    assert_eq!(shown, json!({"key": key, "meta": {"href": link}}));
    let echo = body_of(&mut admin, cluster);
    admin.put(cluster, &echo).expect(200);
    let nowhere = json!({"enabled": true, "listen_address": "nic1.interfaces.none.addresses.1"});
    admin.put(cluster, &nowhere).expect_error(400, "SemanticError");

    let interface = body["interfaces"][&interface].as_object_mut().expect("members");
    interface.insert("addresses".to_owned(), json!({"@order": []}));
    admin.put(nic, &body).expect(200);
    let refused = admin.commit().expect_error(400, "SemanticError");
    let referrer = format!("{cluster}#listen_address");
    let named = refused.at("/error/details/errors").to_string();
    assert!(named.contains(&referrer), "{named}");
    assert_eq!(body_of(&mut admin, cluster)["listen_address"]["key"], json!(key), "still staged");
    admin.rollback().expect(200);
}

#[test]
fn every_endpoint_answers_and_takes_back_what_it_shows() {
    let (_server, mut admin) = opened();
    let mut paths = vec!["/api/configuration".to_owned()];
    let mut objects = 0;
    while let Some(path) = paths.pop() {
        let node = admin.get(&path);
        if node.status == 405 {
            continue;
        }
        let node = node.expect(200);
        let document = node.json();
        for item in document["items"].as_array().into_iter().flatten() {
            paths.push(item["meta"]["href"].as_str().expect("a path").to_owned());
        }
        if let Some(body) = document.get("body")
            && node.header("allow").is_some_and(|allow| allow.contains("PUT"))
        {
            objects += 1;
            admin.put(&path, body).expect(200);
        }
    }
    assert!(objects > 30, "{objects}");
    let changes = admin.get("/api/transaction/changes").expect(200).at("/changes");
    assert_eq!(changes, json!([]), "what is put back is no change");
}

#[test]
fn a_thousand_members_in_one_transaction_are_one_revision() {
    let server = Server::builder().http().start();
    let mut admin = server.admin();
    admin.open().expect(200);
    for n in 0..1000 {
        let list = json!({"name": format!("list{n}"), "allow": "no_user", "except": []});
        admin.post(USERLISTS, &list).expect(201);
    }
    let before = admin.get("/boxwood/v1/health").expect(200).at("/revision").as_u64();
    admin.commit().expect(200);
    let after = admin.get("/boxwood/v1/health").expect(200).at("/revision").as_u64();
    assert_eq!(after, before.map(|n| n + 1));
    assert!(keys(&mut admin, USERLISTS).len() >= 1000);
}
