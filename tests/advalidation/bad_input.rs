//! Bodies that are no object of this API.

use serde_json::{Value, json};

use crate::{PROFILES, blamed, create, data, started, strict, total};

#[test]
fn bodies_that_are_no_object_blame_no_field() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, PROFILES, &strict());
    let before = data(&mut admin, &path);
    let deep = format!("{{\"name\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    let bodies: [&[u8]; 15] = [
        b"",
        b" ",
        b"{",
        b"[]",
        b"7",
        b"null",
        b"\"name\"",
        b"name=x",
        b"{\"name\": \"x\"} x",
        b"{\"name\": \"x\", \"name\": \"y\"}",
        b"{\"name\": \"\\ud800\"}",
        b"{\"name\": \"\xff\"}",
        b"{'name': 'x'}",
        b"{\"name\": \"x\",}",
        deep.as_bytes(),
    ];
    for body in bodies {
        for (method, path) in [("POST", PROFILES), ("PATCH", &path)] {
            let request = admin.request(method, path).text(body, "application/json");
            let answer = request.send();
            assert_eq!(blamed(&answer), [""], "{answer}");
            assert_eq!(answer.at("/error/issues/0/type"), "body_invalid");
        }
    }
    assert_eq!(data(&mut admin, &path), before);
    assert_eq!(total(&mut admin, PROFILES), 1);
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let (_server, mut admin) = started();
    let large = json!({"name": "x".repeat(17 << 20)}).to_string();
    let status = admin.request("POST", PROFILES).text(large, "application/json").send().status;
    assert!([413, 422].contains(&status), "{status}");
    assert_eq!(total(&mut admin, PROFILES), 0);
}

// Input: unknown members and read-only ones, of other types than answers have.
// Output: taken, and not shown. `body` and `key` are members like any other.
#[test]
fn unknown_and_read_only_members_are_ignored() {
    let (_server, mut admin) = started();
    let mut body = strict();
    for (name, value) in [
        ("id", json!(7777)),
        ("createdAt", json!(5)),
        ("updatedAt", json!({})),
        ("parent", json!("1")),
        ("body", json!({"name": "y"})),
        ("key", Value::Null),
        ("more", json!([{"deep": 1e40}])),
    ] {
        body[name] = value;
    }
    let answer = admin.post(PROFILES, &body).expect(201);
    let made = answer.at("/data");
    assert_eq!(made.as_object().unwrap().len(), 6);
    assert_eq!((&made["name"], &made["updatedAt"]), (&json!("Strict"), &Value::Null));
    assert!(made["id"].as_u64().unwrap() < 7777);
    let path = format!("{PROFILES}/{}", made["id"]);
    let change = json!({"id": 9, "createdAt": null, "parent": 5, "more": null});
    assert_eq!(admin.patch(&path, &change).expect(200).at("/data"), made);
    // What answers of another API are wrapped in is not a wrapper here.
    assert_eq!(blamed(&admin.post(PROFILES, &json!({"body": strict()}))).len(), 3);
}

// Input: numbers that neither 64 bits nor a double can hold, in members that do not matter.
// Output: the whole body is refused, since two readers could understand it differently.
#[test]
fn numbers_beyond_64_bits_are_refused_wherever_they_stand() {
    let (_server, mut admin) = started();
    for number in ["99999999999999999999999", "-9223372036854775809", "1e400"] {
        for member in ["id", "more", "name"] {
            let mut text = strict().to_string();
            text.replace_range(0..1, &format!("{{\"x{member}\": 1, \"{member}X\": {number},"));
            let answer = admin.request("POST", PROFILES).text(text, "application/json").send();
            assert_eq!(blamed(&answer), [""], "{answer}");
        }
    }
    assert_eq!(total(&mut admin, PROFILES), 0);
}

// Input: a body that says it is something else than JSON, or does not say what it is.
// Output: refused without a field; the second is taken as JSON.
#[test]
fn a_body_is_json_by_its_type_too() {
    let (_server, mut admin) = started();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let request = admin.request("POST", PROFILES).text(strict().to_string(), kind);
        let answer = request.send();
        assert_eq!(blamed(&answer), [""], "{answer}");
    }
    assert_eq!(total(&mut admin, PROFILES), 0);
    let kind = "application/json; charset=utf-8";
    admin.request("POST", PROFILES).text(strict().to_string(), kind).send().expect(201);
}

// Input: paths that cannot be decoded, and paths of other APIs.
// Output: 401 without a key, 404 with one, in this API's envelope.
#[test]
fn paths_that_are_none_of_this_api_are_not_found() {
    let (server, mut admin) = started();
    let mut stranger = server.client();
    for path in ["/v2/%ff", "/v2/%zz", "/", "/api", "/v1/connection-profiles", "/admin"] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = admin.request(method, path).send().expect(404);
            assert_eq!(answer.at("/error/responseCode"), json!(404), "{path}");
            stranger.request(method, path).send().expect(401);
        }
    }
}
