//! Every rule of every field, broken; and bodies that are no profile at all.

use serde_json::{Value, json};

use crate::{PROFILES, create, field_paths, ids, sample, started};

/// The sample with one member replaced, or removed.
fn with(pointer: &str, value: Option<Value>) -> Value {
    let mut profile = sample();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let members = profile.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    profile
}

// proves: C-06
#[test]
fn a_profile_needs_its_name_and_whole_credentials() {
    let (_server, mut admin) = started();
    let before = ids(&mut admin);
    for pointer in [
        "/name",
        "/clientCredentials/id",
        "/clientCredentials/secret",
        "/clientCredentials/authorizedRedirectUris",
    ] {
        admin.post(PROFILES, &with(pointer, None)).expect(400);
        admin.post(PROFILES, &with(pointer, Some(Value::Null))).expect(400);
    }
    admin.post(PROFILES, &with("/name", Some(json!("")))).expect(400);
    assert_eq!(ids(&mut admin), before);
}

#[test]
fn values_of_another_type_are_refused() {
    let (_server, mut admin) = started();
    let before = ids(&mut admin);
    let number = json!(5);
    let text = json!("true");
    for (pointer, bad) in [
        ("/name", vec![&number, &Value::Bool(true), &json!([]), &json!({})]),
        ("/allowClientCredentialsGrantType", vec![&number, &text, &json!([]), &json!({})]),
        ("/expiryDate", vec![&number, &text, &json!(""), &json!([]), &json!({})]),
        ("/clientCredentials", vec![&number, &text, &json!([])]),
        ("/clientCredentials/id", vec![&number, &json!([]), &json!({})]),
        ("/clientCredentials/secret", vec![&number, &json!([]), &json!({})]),
        (
            "/clientCredentials/authorizedRedirectUris",
            vec![&number, &text, &json!({}), &json!([5]), &json!([null]), &json!([["x"]])],
        ),
    ] {
        for value in bad {
            admin.post(PROFILES, &with(pointer, Some(value.clone()))).expect(400);
        }
    }
    assert_eq!(ids(&mut admin), before);
}

#[test]
fn fields_refuse_what_they_are_not() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let before = admin.get(&path).expect(200).json();
    let values = [json!(5), json!("x"), json!({}), json!([5]), json!([null]), json!(1.5)];
    for (field, _) in field_paths() {
        for value in &values {
            admin.patch(&format!("{path}/{field}"), value).expect(400);
        }
        let request = admin.request("PATCH", &format!("{path}/{field}"));
        request.text("", "application/json").send().expect(400);
    }
    assert_eq!(admin.get(&path).expect(200).json(), before);
}

// Input: members that nobody documents, at both levels.
// Output: taken, and not shown.
#[test]
fn unknown_and_read_only_members_are_ignored() {
    let (_server, mut admin) = started();
    let mut profile = sample();
    profile["other"] = json!({"deep": [1, 2, 18_446_744_073_709_551_615_u64]});
    profile["id"] = json!(4711);
    profile["isExpired"] = json!(true);
    profile["creationDate"] = json!("nonsense");
    profile["clientCredentials"]["more"] = Value::Null;
    let path = create(&mut admin, &profile);
    assert!(!path.ends_with("/4711"));
    let shown = admin.get(&path).expect(200).json();
    assert_eq!((&shown["isExpired"], shown.get("other")), (&json!(false), None));
    assert_eq!(shown["clientCredentials"].get("more"), None);
}

#[test]
fn bodies_that_are_no_profile_are_refused() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let before = ids(&mut admin);
    let deep = format!("{{\"name\": \"x\", \"a\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    let bodies: [&[u8]; 17] = [
        b"",
        b" ",
        b"{",
        b"{}",
        b"[]",
        b"7",
        b"null",
        b"\"name\"",
        b"name=x",
        b"{\"name\": \"x\"} x",
        b"{\"name\": \"x\", \"name\": \"y\"}",
        b"{\"name\": \"\\ud800\"}",
        b"{\"name\": \"\\udc00\\ud800\"}",
        b"{\"name\": \"\xff\"}",
        b"{'name': 'x'}",
        b"{\"name\": \"x\",}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let request = admin.request("POST", PROFILES).text(body, "application/json");
        request.send().expect(400);
        for (field, _) in field_paths() {
            // Some of them are values of a field, so the refusal is not the point here.
            let request = admin.request("PATCH", &format!("{path}/{field}"));
            let status = request.text(body, "application/json").send().status;
            assert!([200, 400].contains(&status), "{status}");
        }
    }
    assert_eq!(ids(&mut admin), before);
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let (_server, mut admin) = started();
    let before = ids(&mut admin);
    let large = json!({"name": "x".repeat(17 << 20)}).to_string();
    let request = admin.request("POST", PROFILES).text(large, "application/json");
    let status = request.send().status;
    assert!([400, 413].contains(&status), "{status}");
    assert_eq!(ids(&mut admin), before);
}

// Input: queries, with an escape that is broken or a name that stands twice.
// Output: they change nothing: this API has no query parameters.
#[test]
fn queries_are_ignored() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let plain = admin.get(&path).expect(200).json();
    for query in ["?", "?a", "?a=+&a=%20", "?=", "?name=x&name=y"] {
        assert_eq!(admin.get(&format!("{path}{query}")).expect(200).json(), plain);
    }
}
