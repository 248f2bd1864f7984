//! The profiles: made, read, replaced, deleted, listed, by both generations.

use serde_json::{Value, json};

use crate::{CURRENT, LEGACY, MOBILE, PROFILES, profile, refused, start, text};

fn full() -> Value {
    json!({
        "name": "full",
        "allow_list": ["a", "b"],
        "lockout": { "failed_attempts": 10, "lockout_time": 60 },
        "method": { "saml_idp": {
            "attribute_name_usergroup": "g",
            "attribute_name_username": "u",
            "certificate_profile": "c",
            "enable_single_logout": true,
            "request_signing_certificate": "r",
            "server_profile": "s",
        } },
        "multi_factor_auth": { "factors": ["f"], "mfa_enable": true },
        "single_sign_on": { "kerberos_keytab": "k", "realm": "r" },
        "user_domain": "d",
        "username_modifier": "%USERINPUT%@%USERDOMAIN%",
    })
}

/// An answer without what the service adds.
fn body_of(mut object: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    for name in ["id", "folder"] {
        assert!(members.remove(name).is_some(), "{name}");
    }
    object
}

// proves: D-04, D-20, D-30
#[test]
fn a_full_body_comes_back_with_its_id_from_both_bases() {
    let (_server, mut client) = start();
    let id = profile(&mut client, "p", "Mobile Users");
    let path = format!("{PROFILES}/{id}");
    // As an old answer is sent back: the id and the folder of the body mean nothing.
    let mut sent = full();
    sent["id"] = json!("00000000-0000-4000-8000-000000000000");
    sent["folder"] = json!("Remote Networks");
    let answer = client.put(&path, &sent).expect(200);
    assert_eq!(
        (text(&answer.at("/id")), answer.at("/folder")),
        (id.clone(), json!("Mobile Users"))
    );
    assert_eq!(body_of(answer.json()), full());
    for path in [path.clone(), format!("{path}?folder=Shared"), format!("{path}?folder=")] {
        assert_eq!(client.get(&path).expect(200).json(), answer.json());
    }
    let current = client.get(&format!("{CURRENT}/authentication-profiles/{id}")).expect(200);
    assert_eq!(current.json(), answer.json());
    client.put(&path, &json!({ "name": "p" })).expect(200);
    let bare = client.get(&path).expect(200).json();
    assert_eq!(body_of(bare), json!({ "name": "p", "allow_list": ["all"] }));
}

// proves: D-05, D-06, D-07
#[test]
fn bodies_that_are_missing_broken_or_incomplete_are_told_apart() {
    let (_server, mut client) = start();
    let id = profile(&mut client, "p", "Mobile Users");
    let path = format!("{PROFILES}/{id}");
    refused(client.put(&path, &json!({ "allow_list": [] })), 400, "E003", "Invalid Object");
    refused(client.request("PUT", &path).send(), 400, "E003", "Missing Body");
    let mismatch = "Input Format Mismatch: input-format=json";
    let deep = "[".repeat(100) + &"]".repeat(100);
    for broken in [
        "{",
        "",
        "{\"name\": \"a\", \"name\": \"b\"}",
        r#"{"name": "\ud800"}"#,
        &deep,
        "\u{feff}{}",
    ] {
        let answer = client.request("PUT", &path).text(broken, "application/json").send();
        let message = if broken.is_empty() { "Missing Body" } else { mismatch };
        refused(answer, 400, "E003", message);
    }
    let answer = client.request("PUT", &path).text("name=a", "application/x-www-form-urlencoded");
    refused(answer.send(), 400, "E003", mismatch);
    for body in [json!([]), json!("x"), json!(null), json!(1)] {
        refused(client.put(&path, &body), 400, "E003", "Invalid Object");
    }
    let body = json!({ "name": "q" });
    for id in ["00000000-0000-4000-8000-000000000000", "x", "1", "%20", "..%2F"] {
        let path = format!("{PROFILES}/{id}");
        for answer in [client.put(&path, &body), client.get(&path), client.delete(&path)] {
            refused(answer, 404, "E005", "Object Not Present");
        }
        // What is wrong with the body is said first.
        refused(client.put(&path, &json!({})), 400, "E003", "Invalid Object");
    }
    assert_eq!(client.get(&path).expect(200).at("/name"), "p", "nothing has changed");
}

// proves: D-08, D-14
#[test]
fn a_name_is_taken_once_in_each_folder() {
    let (_server, mut client) = start();
    let id = profile(&mut client, "a", "Mobile Users");
    assert_eq!(id.len(), 36);
    profile(&mut client, "b", "Mobile Users");
    let again = client.post(&format!("{PROFILES}{MOBILE}"), &json!({ "name": "a" }));
    refused(again, 409, "E006", "Name Not Unique");
    profile(&mut client, "a", "Remote Networks");
    // One folder under two names.
    profile(&mut client, "a", "Shared");
    let body = json!({ "name": "a", "folder": "All" });
    let again = client.post(&format!("{CURRENT}/authentication-profiles"), &body);
    refused(again, 409, "E006", "Name Not Unique");
    let path = format!("{PROFILES}/{id}");
    refused(client.put(&path, &json!({ "name": "b" })), 409, "E006", "Name Not Unique");
    client.put(&path, &json!({ "name": "a" })).expect(200);
    client.put(&path, &json!({ "name": "A" })).expect(200);
}

// proves: D-13, D-15
#[test]
fn each_generation_says_in_its_own_way_where_an_object_is() {
    let (_server, mut client) = start();
    let body = json!({ "name": "p" });
    let missing = "Missing Query Parameter: folder";
    refused(client.post(PROFILES, &body), 400, "E003", missing);
    refused(client.get(PROFILES), 400, "E003", missing);
    for (folder, shown) in [("Nowhere", "Nowhere"), ("", ""), ("a%2Fb", "a/b")] {
        let answer = client.post(&format!("{PROFILES}?folder={folder}"), &body);
        let message = format!("Invalid Query Parameter: folder={shown}");
        refused(answer, 400, "E003", &message);
    }
    // The query wins.
    let sent = json!({ "name": "p", "id": "", "folder": 7, "snippet": "x" });
    let made = client.post(&format!("{PROFILES}{MOBILE}"), &sent).expect(201);
    assert_eq!(made.at("/folder"), "Mobile Users");
    let current = format!("{CURRENT}/authentication-profiles");
    for place in [
        json!({}),
        json!({ "folder": "All", "snippet": "x" }),
        json!({ "folder": "All", "device": "x", "snippet": "x" }),
        json!({ "folder": 7 }),
        json!({ "folder": "" }),
        json!({ "folder": "a/b" }),
        json!({ "folder": "a:b" }),
        json!({ "folder": null }),
        json!({ "snippet": "x".repeat(65) }),
    ] {
        let mut sent = place.clone();
        sent["name"] = json!("q");
        refused(client.post(&current, &sent), 400, "E003", "Invalid Object");
    }
    for (kind, place) in [("folder", "Elsewhere"), ("snippet", "s"), ("device", "d")] {
        let made = client.post(&current, &json!({ "name": "q", kind: place })).expect(201);
        assert_eq!(made.at(&format!("/{kind}")), place);
    }
    refused(client.get(&current), 400, "E003", missing);
    client.get(&format!("{current}?snippet=s&name=q")).expect(200);
}

// proves: D-16, D-23
#[test]
fn a_look_up_by_name_has_the_form_of_its_base_and_sees_what_is_inherited() {
    let (_server, mut client) = start();
    let current = format!("{CURRENT}/authentication-profiles");
    client.post(&current, &json!({ "name": "in all", "folder": "All" })).expect(201);
    let outer = client.get(&format!("{current}?folder=Prisma%20Access&name=in+all")).expect(200);
    assert_eq!(outer.at("/folder"), "All");
    let found = client.get(&format!("{PROFILES}{MOBILE}&name=in%20all")).expect(200);
    assert_eq!((found.at("/total"), found.at("/data/0/id")), (json!(1), outer.at("/id")));
    assert_eq!(found.at("/data/0/folder"), "Shared");
    let none = client.get(&format!("{PROFILES}{MOBILE}&name=none")).expect(200);
    assert_eq!(none.json(), json!({ "data": [], "limit": 200, "offset": 0, "total": 0 }));
    let none = client.get(&format!("{current}{MOBILE}&name=none"));
    refused(none, 404, "E005", "Object Not Present");
    // The nearest one hides the others of its name.
    let inner = profile(&mut client, "in all", "Mobile Users");
    let found = client.get(&format!("{current}{MOBILE}&name=in+all")).expect(200);
    assert_eq!(text(&found.at("/id")), inner);
    let list = client.get(&format!("{current}{MOBILE}")).expect(200);
    assert_eq!(list.at("/total"), 2);
    let outside = client.get(&format!("{current}?folder=Remote+Networks")).expect(200);
    assert_eq!(outside.at("/total"), 1);
}

// proves: D-17
#[test]
fn a_deletion_shows_what_was_deleted_once() {
    let (_server, mut client) = start();
    let id = profile(&mut client, "p", "Mobile Users");
    let path = format!("{LEGACY}/authentication-profiles/{id}");
    let object = client.get(&path).expect(200).json();
    assert_eq!(client.delete(&path).expect(200).json(), object);
    refused(client.delete(&path), 404, "E005", "Object Not Present");
}

// proves: D-19
#[test]
fn pages_and_their_bounds() {
    let (_server, mut client) = start();
    for n in 0..5 {
        profile(&mut client, &format!("p{n}"), "Mobile Users");
    }
    let list = format!("{PROFILES}{MOBILE}");
    for (query, names) in [
        ("", &["p0", "p1", "p2", "p3", "p4"][..]),
        ("&limit=2", &["p0", "p1"]),
        ("&limit=2&offset=4", &["p4"]),
        ("&offset=9", &[]),
        ("&limit=5000", &["p0", "p1", "p2", "p3", "p4"]),
    ] {
        let page = client.get(&format!("{list}{query}")).expect(200);
        let data = page.at("/data");
        let found: Vec<_> = data.as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
        assert_eq!(found, names, "{query}");
        assert_eq!(page.at("/total"), 5);
    }
    let page = client.get(&format!("{list}&limit=2&offset=4")).expect(200);
    assert_eq!((page.at("/limit"), page.at("/offset")), (json!(2), json!(4)));
    for bad in [
        "limit=0",
        "limit=5001",
        "limit=-1",
        "limit=x",
        "offset=-1",
        "offset=1.5",
        "limit=99999999999999999999",
    ] {
        let answer = client.get(&format!("{list}&{bad}"));
        refused(answer, 400, "E003", &format!("Invalid Query Parameter: {bad}"));
    }
    let twice = client.get(&format!("{list}&folder=Shared"));
    refused(twice, 400, "E003", "Invalid Query Parameter: folder=Shared");
}
