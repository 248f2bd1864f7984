//! Versions, logins, tokens, privileges.

use serde_json::json;
use support::{Client, Server};

use crate::{NAME, PROFILES, accept, create, fields, login_body, minimal, names, started};

/// A user with these privileges, logged in.
#[track_caller]
fn user_with(
    server: &Server,
    admin: &mut Client,
    name: &str,
    privileges: &serde_json::Value,
) -> Client {
    let role = json!({ "name": name, "privileges": privileges });
    let role = admin.post("/admin/administrative-roles", &role).expect(200).at("/id");
    let user = json!({ "name": name, "password": "hidden", "administrativeRoles": [role] });
    let made = admin.post("/admin/local-users", &user).expect(200);
    assert!(!made.text().contains("hidden"), "{made}");
    let mut client = server.client_of(NAME).credentials("accept", &accept(23));
    let token = client.post("/admin/login", &login_body(name, "hidden")).expect(200).at("/token");
    client.credentials("authorization", &format!("Bearer {}", token.as_str().unwrap()))
}

// proves: B-01, B-02
#[test]
fn a_version_must_be_accepted_everywhere_but_at_the_version() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &minimal("kept"));
    let before = admin.get(&path).expect(200).json();
    for sent in ["application/json", "*/*", &accept(5), &accept(24), "a,b;q=1,;;=,"] {
        for (method, asked) in [
            ("GET", PROFILES),
            ("POST", PROFILES),
            ("DELETE", &path),
            ("POST", "/admin/login"),
            ("GET", "/admin/identity-providers/names"),
        ] {
            let answer = admin.request(method, asked).header("accept", sent).send().expect(406);
            assert_eq!(answer.at("/minSupportedVersion"), json!(17));
            assert_eq!(answer.at("/maxSupportedVersion"), json!(23));
            assert_eq!(answer.at("/id"), "not acceptable");
            assert!(answer.at("/message").as_str().unwrap().contains(sent), "{answer}");
        }
    }
    assert_eq!(admin.get(&path).expect(200).json(), before);
    let several = format!("text/html, {};q=0.3, {}, {};q=0", accept(23), accept(17), accept(18));
    let answer = admin.request("GET", &path).header("accept", &several).send().expect(200);
    assert!(answer.json().get("type").is_none(), "{answer}");
}

// proves: B-03, B-06, B-07
#[test]
fn a_login_needs_a_version_then_its_fields_then_its_password() {
    let (server, _admin) = started();
    let mut client = server.client_of(NAME).credentials("accept", &accept(23));
    let wrong = login_body("admin", "wrong");
    let probe = client.request("POST", "/admin/login").header("accept", &accept(5));
    probe.json(&wrong).send().expect(406);
    for body in [&wrong, &login_body("stranger", "admin")] {
        let answer = client.post("/admin/login", body).expect(401);
        assert_eq!(
            (answer.at("/id"), answer.at("/failureType")),
            ("unauthorized".into(), "Login".into())
        );
    }
    let mut body = login_body("admin", "admin");
    body["deviceId"].take();
    assert_eq!(fields(&client.post("/admin/login", &body)), ["deviceId"]);
    client.post("/admin/login", &json!([])).expect(400);
}

// proves: B-04
#[test]
fn the_version_is_plain_json_without_a_token() {
    let (server, _admin) = started();
    let mut client = server.client_of(NAME);
    let answer = client.request("GET", "/admin/version").header("accept", "application/json");
    let expected = json!({ "peerVersion": 23, "lowestPeerVersionSupported": 17 });
    assert_eq!(answer.send().expect(200).json(), expected);
    let mut client = client.credentials("accept", &accept(23));
    let names = client.get("/admin/identity-providers/names").expect(200);
    assert_eq!(names.at("/data/0/name"), "local");
    assert_eq!(client.get("/admin/nothing").expect(404).at("/id"), "not found");
    client.delete(PROFILES).expect(405);
}

// proves: B-05
#[test]
fn a_login_gives_a_base64_token_that_expires() {
    let (server, mut admin) = started();
    let settings = json!({ "administrationTokenExpiration": 2 });
    let mut client = server.client_of(NAME).credentials("accept", &accept(23));
    for (path, most) in [("/admin/login", 43_201), ("/admin/authentication", 121)] {
        let answer = client.post(path, &login_body("admin", "admin")).expect(200).json();
        let token = answer["token"].as_str().unwrap();
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        assert!(token.len() % 4 == 0 && token.bytes().all(base64), "{token}");
        let expires: jiff::Timestamp = answer["expires"].as_str().unwrap().parse().unwrap();
        let left = expires.duration_since(jiff::Timestamp::now()).as_secs();
        assert!(left > 0 && left <= most, "{left}");
        let asked = client.request("GET", "/admin/authorization");
        let asked = asked.header("authorization", &format!("Bearer {token}"));
        assert_eq!(asked.send().expect(200).json(), answer);
        admin.put("/admin/global-settings", &settings).expect(204);
    }
}

// proves: B-08, B-09
#[test]
fn a_token_is_needed_and_may_have_its_scheme_twice() {
    let (server, _admin) = started();
    let mut client = server.client_of(NAME).credentials("accept", &accept(23));
    assert_eq!(client.get(PROFILES).expect(401).at("/id"), "unauthorized");
    let token = client.post("/admin/login", &login_body("admin", "admin")).expect(200).at("/token");
    let token = token.as_str().unwrap().to_owned();
    let twice = format!("Bearer Bearer {token}");
    client.request("GET", PROFILES).header("authorization", &twice).send().expect(200);
    let pair = format!("Bearer {token} {token}");
    for bad in [&token, "Bearer", "Bearer x", "Basic YWRtaW46YWRtaW4=", &pair] {
        client.request("GET", PROFILES).header("authorization", bad).send().expect(401);
    }
    let logout = client.request("POST", "/admin/authentication/logout");
    logout.header("authorization", &twice).send().expect(204);
    let answer = client.request("GET", PROFILES).header("authorization", &twice).send();
    assert!(answer.expect(401).at("/message").is_string());
}

// proves: B-28, B-29
#[test]
fn privileges_say_what_may_be_done_and_which_tags_it_gets() {
    let (server, mut admin) = started();
    let path = create(&mut admin, &minimal("one"));
    create(&mut admin, &minimal("two"));
    let view = json!([{ "type": "View", "target": "ClientProfile" }]);
    let mut viewer = user_with(&server, &mut admin, "viewer", &view);
    viewer.get(&path).expect(200);
    viewer.get(PROFILES).expect(200);
    assert_eq!(viewer.post(PROFILES, &minimal("x")).expect(403).at("/id"), "forbidden");
    viewer.put(&path, &minimal("x")).expect(403);
    viewer.delete(&path).expect(403);
    viewer.get(&format!("{path}/url")).expect(403);
    viewer.get("/admin/policies").expect(403);
    assert!(admin.get(&path).expect(200).json().get("exported").is_none());

    let scope = json!({ "all": false, "ids": [path.rsplit('/').next()], "tags": ["mine"] });
    let scoped = json!([
        { "type": "View", "target": "ClientProfile", "scope": scope },
        { "type": "Create", "target": "ClientProfile", "defaultTags": ["mine"] },
    ]);
    let mut scoped = user_with(&server, &mut admin, "scoped", &scoped);
    assert_eq!(scoped.post(PROFILES, &minimal("made")).expect(200).at("/tags"), json!(["mine"]));
    let list = scoped.get(PROFILES).expect(200).json();
    assert_eq!(names(&list), ["made", "one"]);
    assert_eq!(list["totalCount"], json!(2));
    let user = admin.get("/admin/local-users?name=scoped").expect(200).at("/data/0/id");
    admin.delete(&format!("/admin/local-users/{}", user.as_str().unwrap())).expect(204);
    scoped.get(&path).expect(401);
}
