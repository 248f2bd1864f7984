//! Connection profiles: the key, creation, change, deletion.

use serde_json::{Value, json};
use support::Server;

use crate::{NAME, PROFILES, UNKNOWN, blamed, create, data, id_of, started, strict, total};

// proves
#[test]
fn every_request_needs_the_key() {
    let (server, mut admin) = started();
    let path = create(&mut admin, PROFILES, &strict());
    let mut client = server.client();
    for (method, path) in [
        ("GET", PROFILES),
        ("POST", PROFILES),
        ("PUT", PROFILES),
        ("GET", &path),
        ("PATCH", &path),
        ("DELETE", &path),
        ("GET", &format!("{path}/rules")),
        ("GET", UNKNOWN),
        ("GET", "/v2/nothing"),
        ("GET", "/v2/users/me"),
    ] {
        for key in [None, Some(""), Some("wrong"), Some("ADMIN"), Some("admin admin")] {
            // A body that is not JSON is looked at later.
            let mut request = client.request(method, path).text("{", "application/json");
            if let Some(key) = key {
                request = request.header("X-API-Key", key);
            }
            let answer = request.send().expect(401);
            assert_eq!(answer.at("/error/responseCode"), json!(401));
            assert_eq!(answer.at("/error/issues/0/type"), "authentication_failed");
        }
    }
    // Basic and bearer credentials are not a key.
    client.request("GET", PROFILES).basic("admin", "admin").send().expect(401);
    assert_eq!(total(&mut admin, PROFILES), 1);
    let me = admin.get("/v2/users/me").expect(200);
    assert!(me.at("/data/id").is_u64(), "{me}");
}

// proves
#[test]
fn a_profile_is_created_whole() {
    let (_server, mut admin) = started();
    let answer = admin.post(PROFILES, &strict()).expect(201);
    let made = answer.at("/data");
    let mut members: Vec<&String> = made.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(
        members,
        ["createdAt", "id", "name", "updatedAt", "withCookiesAction", "withoutCookiesAction"]
    );
    for (name, value) in strict().as_object().unwrap() {
        assert_eq!(&made[name], value);
    }
    let created = made["createdAt"].as_str().unwrap();
    assert!(is_seconds_utc(created), "{created}");
    assert_eq!(data(&mut admin, &format!("{PROFILES}/{}", made["id"])), made);
}

/// `2024-01-01T00:00:00Z`
fn is_seconds_utc(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z"
}

// proves: A-03
#[test]
fn ids_grow_and_are_not_used_twice() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Server::builder().appliance(NAME).serve(directory.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    let made: Vec<String> = (0..3).map(|_| create(&mut admin, PROFILES, &strict())).collect();
    assert!(made.iter().map(|path| id_of(path)).is_sorted_by(|a, b| a < b));
    admin.delete(&made[2]).expect(204);
    let next = create(&mut admin, PROFILES, &strict());
    assert!(id_of(&next) > id_of(&made[2]));
    let kept = data(&mut admin, &made[0]);
    admin.delete(&next).expect(204);
    server.kill();
    let server = builder.start();
    let mut admin = server.admin();
    assert_eq!(data(&mut admin, &made[0]), kept);
    assert!(id_of(&create(&mut admin, PROFILES, &strict())) > id_of(&next));
}

// proves
#[test]
fn the_time_of_the_update_is_null_until_there_is_one() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, PROFILES, &strict());
    assert_eq!(data(&mut admin, &path)["updatedAt"], Value::Null);
    admin.patch(&path, &json!({"name": "Other"})).expect(200);
    let updated = data(&mut admin, &path)["updatedAt"].take();
    assert!(is_seconds_utc(updated.as_str().unwrap()), "{updated}");
}

// proves
#[test]
fn each_missing_field_is_named() {
    let (_server, mut admin) = started();
    let fields = ["name", "withCookiesAction", "withoutCookiesAction"];
    for field in fields {
        let mut body = strict();
        body.as_object_mut().unwrap().remove(field);
        let answer = admin.post(PROFILES, &body);
        assert_eq!(blamed(&answer), [field]);
        assert_eq!(answer.at("/error/issues/0/type"), "field_required");
    }
    assert_eq!(blamed(&admin.post(PROFILES, &json!({}))), fields);
    assert_eq!(total(&mut admin, PROFILES), 0);
}

// proves
#[test]
fn values_outside_of_their_rules_are_named() {
    let (_server, mut admin) = started();
    for (field, bad) in [
        ("withCookiesAction", json!("block")),
        ("withoutCookiesAction", json!("")),
        ("withCookiesAction", json!("PASS")),
        ("withCookiesAction", json!(5)),
        ("withoutCookiesAction", Value::Null),
        ("withoutCookiesAction", json!(["pass"])),
        ("name", json!(5)),
        ("name", json!(true)),
        ("name", json!("")),
        ("name", Value::Null),
        ("name", json!([])),
        ("name", json!({})),
    ] {
        let mut body = strict();
        body[field] = bad;
        assert_eq!(blamed(&admin.post(PROFILES, &body)), [field], "{body}");
    }
    assert_eq!(total(&mut admin, PROFILES), 0);
    for action in ["pass", "warn", "fail"] {
        let body =
            json!({"name": "x", "withoutCookiesAction": action, "withCookiesAction": action});
        create(&mut admin, PROFILES, &body);
    }
}

// proves
#[test]
fn patch_changes_what_it_names() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, PROFILES, &strict());
    let before = data(&mut admin, &path);
    let answer = admin.patch(&path, &json!({"name": "Other"})).expect(200);
    let after = answer.at("/data");
    assert_eq!(after["name"], "Other");
    for same in ["id", "createdAt", "withCookiesAction", "withoutCookiesAction"] {
        assert_eq!(after[same], before[same]);
    }
    assert_eq!(data(&mut admin, &path), after);
    // Nothing named is nothing changed, the time included.
    assert_eq!(admin.patch(&path, &json!({})).expect(200).at("/data"), after);
    let other = json!({"withCookiesAction": "pass", "id": 7, "createdAt": "x", "more": [1]});
    let answer = admin.patch(&path, &other).expect(200);
    assert_eq!(answer.at("/data/withCookiesAction"), "pass");
    assert_eq!(answer.at("/data/id"), before["id"]);
    assert_eq!(answer.at("/data/createdAt"), before["createdAt"]);
}

// proves: A-12
#[test]
fn a_patch_with_one_bad_member_changes_nothing() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, PROFILES, &strict());
    let before = data(&mut admin, &path);
    let bad = json!({"name": "Other", "withCookiesAction": "block"});
    assert_eq!(blamed(&admin.patch(&path, &bad)), ["withCookiesAction"]);
    let both = json!({"name": 5, "withCookiesAction": "block"});
    assert_eq!(blamed(&admin.patch(&path, &both)), ["name", "withCookiesAction"]);
    assert_eq!(blamed(&admin.patch(&path, &json!({"name": null}))), ["name"]);
    assert_eq!(data(&mut admin, &path), before);
}

// proves: A-13
#[test]
fn an_unknown_id_is_a_404_on_each_verb() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, PROFILES, &strict());
    let before = data(&mut admin, &path);
    for id in ["999999", "0", "-1", "x", "1.5", "1e0", "99999999999999999999999"] {
        let unknown = format!("{PROFILES}/{id}");
        let answer = admin.get(&unknown).expect(404);
        assert_eq!(answer.at("/error/issues/0/type"), "not_found");
        admin.patch(&unknown, &json!({"name": "x"})).expect(404);
        // The object is looked for before the body is read.
        admin.patch(&unknown, &json!({"name": 5})).expect(404);
        admin.delete(&unknown).expect(404);
        admin.get(&format!("{unknown}/rules")).expect(404);
    }
    assert_eq!(data(&mut admin, &path), before);
    for path in ["/v2", "/v2/", "/v2/nothing", &format!("{path}/nothing")] {
        admin.get(path).expect(404);
    }
}

// proves: A-16
#[test]
fn two_profiles_may_share_a_name() {
    let (_server, mut admin) = started();
    let made = [(); 2].map(|()| create(&mut admin, PROFILES, &strict()));
    assert_ne!(made[0], made[1]);
    assert_eq!(total(&mut admin, PROFILES), 2);
}

#[test]
fn there_is_no_put() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, PROFILES, &strict());
    let answer = admin.put(&path, &strict()).expect(405);
    assert_eq!(answer.at("/error/issues/0/type"), "method_not_allowed");
    let allow = answer.header("allow").unwrap();
    for method in ["GET", "PATCH", "DELETE"] {
        assert!(allow.contains(method), "{allow}");
    }
    admin.put(PROFILES, &strict()).expect(405);
    admin.delete(PROFILES).expect(405);
    admin.put(&format!("{path}/rules"), &json!({})).expect(405);
}
