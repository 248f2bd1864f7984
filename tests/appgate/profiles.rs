//! Client profiles and what refers to them: created, read, replaced, deleted.

use serde_json::{Value, json};

use crate::{PROFILES, UNKNOWN, accept, create, fields, minimal, started};

// A URL of a profile, as another collective would give it.
const URL: &str = "appgate://a.example.com/eyJwcm9maWxlTmFtZSI6Im90aGVyIn0=";

// proves: B-10
#[test]
fn a_minimal_profile_is_made_with_200() {
    let (_server, mut admin) = started();
    let made = admin.post(PROFILES, &minimal("acme")).expect(200).json();
    let (id, created) = (made["id"].as_str().unwrap(), made["created"].as_str().unwrap());
    assert!(created.len() == 27 && created.ends_with('Z'), "{created}");
    let expected = json!({
        "id": id,
        "name": "acme",
        "notes": "",
        "created": created,
        "updated": created,
        "tags": [],
        "type": "Profile",
        "spaKeyName": "acme",
        "identityProviderName": "local",
        "globalHostname": "appgate.company.com",
    });
    assert_eq!(made, expected);
    assert_eq!(admin.get(&format!("{PROFILES}/{id}")).expect(200).json(), expected);
}

// proves: B-11, B-12
#[test]
fn ids_and_names_are_taken_once() {
    let (_server, mut admin) = started();
    let mut chosen = minimal("a");
    chosen["id"] = json!("4C07BC67-57EA-42DD-B702-C2D6C45419FC");
    let made = admin.post(PROFILES, &chosen).expect(200);
    assert_eq!(made.at("/id"), "4c07bc67-57ea-42dd-b702-c2d6c45419fc");
    chosen["name"] = json!("b");
    assert_eq!(admin.post(PROFILES, &chosen).expect(409).at("/id"), "conflict");
    assert_eq!(admin.post(PROFILES, &minimal("a")).expect(409).at("/id"), "conflict");
    for bad in [json!("x"), json!(7), json!("")] {
        chosen["id"] = bad;
        assert_eq!(fields(&admin.post(PROFILES, &chosen)), ["id"]);
    }
    assert_eq!(admin.get(PROFILES).expect(200).at("/totalCount"), json!(1));
}

// proves: B-13, B-14
#[test]
fn wrong_bodies_are_refused_and_change_nothing() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &minimal("kept"));
    let before = admin.get(&path).expect(200).json();
    for body in [json!({}), json!({ "name": null, "identityProviderName": null })] {
        for answer in [admin.post(PROFILES, &body), admin.put(&path, &body)] {
            let mut named = fields(&answer);
            named.sort();
            assert_eq!(named, ["identityProviderName", "name"]);
            assert_eq!(answer.at("/errors/0/message"), "may not be null");
        }
    }
    let deep = "[".repeat(100);
    for text in ["{", "[]", "7", r#"{"name": "\ud800"}"#, r#"{"a":1,"a":2}"#, &deep] {
        for (method, at) in [("POST", PROFILES), ("PUT", path.as_str())] {
            let request = admin.request(method, at).text(text, "application/json");
            assert_eq!(request.send().expect(400).at("/id"), "bad request");
        }
    }
    for (member, bad) in [
        ("name", json!("")),
        ("name", json!(7)),
        ("identityProviderName", json!("")),
        ("identityProviderName", json!("nobody")),
        ("notes", json!(1)),
        ("tags", json!("x")),
        ("hostname", json!({})),
        ("spaKeyName", json!(true)),
        ("type", json!("Other")),
    ] {
        let mut body = minimal("x");
        body[member] = bad;
        assert!(fields(&admin.post(PROFILES, &body)).contains(&member.to_owned()), "{body}");
        assert!(fields(&admin.put(&path, &body)).contains(&member.to_owned()), "{body}");
    }
    assert_eq!(admin.get(&path).expect(200).json(), before);
    assert_eq!(admin.get(PROFILES).expect(200).at("/totalCount"), json!(1));
    create(&mut admin, &minimal(&"n".repeat(10_000)));
}

// proves: B-15, B-16
#[test]
fn a_group_has_urls_that_are_never_shown() {
    let (_server, mut admin) = started();
    create(&mut admin, &json!({ "name": "empty", "type": "Group" }));
    let other = json!({ "name": "g", "type": "Other" });
    assert!(fields(&admin.post(PROFILES, &other)).contains(&"type".to_owned()));
    let group = json!({ "name": "g", "type": "Group", "profileUrls": [{ "url": URL }] });
    let made = admin.post(PROFILES, &group).expect(200);
    assert!(!made.text().contains("appgate://"), "{made}");
    let id = made.at("/profileUrls/0/id");
    let expected = json!({
        "id": id, "hostname": "a.example.com", "profileName": "other", "weight": 100,
    });
    assert_eq!(made.at("/profileUrls/0"), expected);
    let path = format!("{PROFILES}/{}", made.at("/id").as_str().unwrap());
    // An entry that is known keeps its URL.
    let mut kept = group.clone();
    kept["profileUrls"] = json!([{ "id": id, "weight": 7 }]);
    let put = admin.put(&path, &kept).expect(200);
    assert_eq!(put.at("/profileUrls/0/hostname"), "a.example.com");
    // A version without groups keeps what it cannot know.
    let older = admin.request("PUT", &path).header("accept", &accept(18));
    let older = older.json(&json!({ "name": "renamed" })).send().expect(200).json();
    assert!(older.get("profileUrls").is_none() && older.get("type").is_none());
    let before = admin.get(&path).expect(200).json();
    assert_eq!(before["profileUrls"][0]["profileName"], "other");
    for (entries, field) in [
        (json!([{}]), "profileUrls[0].url"),
        (json!([{ "url": "https://x/y" }]), "profileUrls[0].url"),
        (json!([{ "url": URL, "weight": "x" }]), "profileUrls[0].weight"),
        (json!([{ "url": URL, "id": "x" }]), "profileUrls[0].id"),
        (json!("x"), "profileUrls"),
    ] {
        kept["profileUrls"] = entries;
        assert_eq!(fields(&admin.put(&path, &kept)), [field]);
    }
    assert_eq!(admin.get(&path).expect(200).json(), before);
    admin.get(&format!("{path}/url")).expect(404);
}

// proves: B-17, B-18
#[test]
fn a_put_replaces_the_whole_and_what_is_not_the_clients_is_ignored() {
    let (_server, mut admin) = started();
    let mut profile = minimal("a");
    profile["hostname"] = json!("a.example.com");
    let path = create(&mut admin, &profile);
    admin.get(&format!("{path}/url")).expect(200);
    let before = admin.get(&path).expect(200).json();
    let mut whole = before.clone();
    for (member, value) in [
        ("created", json!("2001-01-01T00:00:00Z")),
        ("updated", json!(7)),
        ("globalHostname", json!("x")),
        ("exported", json!("")),
        ("identity_provider_name", json!("stray")),
    ] {
        whole[member] = value;
    }
    let mut put = admin.put(&path, &whole).expect(200).json();
    assert!(put["updated"].as_str() > before["updated"].as_str(), "{put}");
    put["updated"] = before["updated"].clone();
    assert_eq!(put, before);
    let put = admin.put(&path, &minimal("a")).expect(200).json();
    assert!(put.get("hostname").is_none(), "{put}");
    assert_eq!((&put["created"], &put["exported"]), (&before["created"], &before["exported"]));
    let mut group = minimal("a");
    group["type"] = json!("Group");
    assert_eq!(fields(&admin.put(&path, &group)), ["type"]);
}

// proves: B-19, B-20
#[test]
fn a_taken_name_is_422_on_put_and_an_unknown_id_404() {
    let (_server, mut admin) = started();
    create(&mut admin, &minimal("a"));
    let path = create(&mut admin, &minimal("b"));
    assert_eq!(fields(&admin.put(&path, &minimal("a"))), ["name"]);
    assert_eq!(admin.get(&path).expect(200).at("/name"), "b");
    for unknown in [UNKNOWN, "/admin/client-profiles/x", "/admin/client-profiles/7"] {
        assert_eq!(admin.get(unknown).expect(404).at("/id"), "not found");
        admin.put(unknown, &minimal("c")).expect(404);
        admin.delete(unknown).expect(404);
        admin.get(&format!("{unknown}/url")).expect(404);
        admin.get(&format!("{unknown}/barcode")).expect(404);
    }
    assert!(admin.delete(&path).expect(204).body.is_empty());
    admin.delete(&path).expect(404);
}

// proves: B-27
#[test]
fn the_oldest_version_lacks_what_is_newer() {
    let (_server, mut admin) = started();
    let post = |client: &mut support::Client, body: &Value| {
        client.request("POST", PROFILES).header("accept", &accept(17)).json(body).send()
    };
    assert_eq!(fields(&post(&mut admin, &minimal("a"))), ["spaKeyName"]);
    let mut named = minimal("a");
    named["spaKeyName"] = json!("key");
    let id = post(&mut admin, &named).expect(200).at("/id");
    let path = format!("{PROFILES}/{}", id.as_str().unwrap());
    admin.get(&format!("{path}/url")).expect(200);
    for version in 17..=23 {
        let shown = admin.request("GET", &path).header("accept", &accept(version)).send();
        let shown = shown.expect(200).json();
        assert_eq!(shown.get("type").is_some(), version >= 20, "{version}");
        assert_eq!(shown.get("exported").is_some(), version >= 18, "{version}");
        assert_eq!(shown.get("globalHostname").is_some(), version >= 18, "{version}");
        let list = admin.request("GET", "/admin/client-profiles?query=a");
        let list = list.header("accept", &accept(version)).send().expect(200).json();
        assert_eq!(list.get("totalCount").is_some(), version >= 19, "{version}");
        assert_eq!(list.get("query").is_some(), version < 20, "{version}");
    }
}

#[test]
fn a_deleted_profile_is_taken_out_of_policies() {
    let (_server, mut admin) = started();
    let paths = ["a", "b"].map(|name| create(&mut admin, &minimal(name)));
    let ids = [&paths[0], &paths[1]].map(|path| path.rsplit('/').next().unwrap());
    let settings = json!({ "enabled": true, "profiles": ids, "force": true });
    let policy = json!({ "name": "p", "clientProfileSettings": settings });
    let made = admin.post("/admin/policies", &policy).expect(200);
    let policy = format!("/admin/policies/{}", made.at("/id").as_str().unwrap());
    admin.delete(&paths[0]).expect(204);
    let left = admin.get(&policy).expect(200).at("/clientProfileSettings");
    assert_eq!(left, json!({ "enabled": true, "profiles": [ids[1]], "force": true }));
    // Older versions neither see nor lose what is newer.
    for (version, hidden) in [(17, "/clientProfileSettings"), (18, "/clientProfileSettings/force")]
    {
        let shown = admin.request("GET", &policy).header("accept", &accept(version)).send();
        let shown = shown.expect(200).json();
        assert!(shown.pointer(hidden).is_none(), "{shown}");
        let put = admin.request("PUT", &policy).header("accept", &accept(version));
        put.json(&shown).send().expect(200);
        assert_eq!(admin.get(&policy).expect(200).at("/clientProfileSettings"), left);
    }
}
