//! Tokens, tenants, roles.

use serde_json::json;
use support::Server;

use crate::{
    APPLIANCE, MOBILE, PROFILES, builder, client_of, profile, refused, start, text, token,
};

// proves: D-01
#[test]
fn a_request_without_a_token_is_refused_first_of_all() {
    let (server, mut client) = start();
    for path in [PROFILES, "/sse/config/v1/nothing", "/", "/sse/config/v2/jobs"] {
        let answer = client.request("GET", path).no_credentials().send();
        let answer = refused(answer, 401, "E016", "Not Authenticated");
        let id = text(&answer.at("/_request_id"));
        support::wait_for("the log has the request's name", || server.log().contains(&id));
    }
    for wrong in ["Bearer x", "Bearer a.b.c", "Basic YWRtaW46YWRtaW4=", "Bearer"] {
        let answer = client.request("GET", PROFILES).no_credentials();
        refused(answer.header("authorization", wrong).send(), 401, "E016", "Invalid Credential");
    }
    let long = format!("Bearer {}", "x".repeat(9_000));
    let answer = client.request("GET", PROFILES).no_credentials().header("authorization", &long);
    refused(answer.send(), 401, "E016", "Key Too Long");
}

// proves: D-03
#[test]
fn both_ways_of_sending_credentials_give_a_token_that_verifies() {
    let (_server, mut client) = start();
    let form = "client_kwargs=x&grant_type=client_credentials&scope=profile+tsg_id%3A7";
    let by_form = format!("{form}&client_id=admin&client_secret=admin");
    for (path, basic) in [
        ("/oauth2/access_token", true),
        ("/auth/v1/oauth2/access_token", false),
        ("/am/oauth2/access_token", true),
    ] {
        let mut request = client.request("POST", path).no_credentials();
        if basic {
            request = request.basic("admin", "admin");
        }
        let body = if basic { form } else { &by_form };
        let answer = request.text(body, "application/x-www-form-urlencoded").send().expect(200);
        assert_eq!(answer.at("/token_type"), "Bearer");
        assert_eq!(answer.at("/expires_in"), 899);
        assert!(text(&answer.at("/scope")).starts_with("tsg_id:7"));
        let keys = format!("{}/connect/jwk_uri", path.strip_suffix("/access_token").unwrap());
        let keys = client.request("GET", &keys).no_credentials().send().expect(200);
        let claims = verified(&text(&answer.at("/access_token")), &keys.at("/keys/0"));
        assert_eq!(claims["aud"], "admin");
    }
    for (form, error) in [
        ("grant_type=password&scope=tsg_id:1", "unsupported_grant_type"),
        ("grant_type=client_credentials", "invalid_scope"),
        ("grant_type=client_credentials&scope=tsg_id:1&scope=%zz", "invalid_request"),
    ] {
        let request = client.request("POST", "/oauth2/access_token").basic("admin", "admin");
        let answer = request.text(form, "application/x-www-form-urlencoded").send().expect(400);
        assert_eq!(answer.at("/error"), error);
    }
    for (user, secret) in [("admin", "wrong"), ("nobody", "admin")] {
        assert_eq!(
            token(&mut client, user, secret, "1").expect(400).at("/error"),
            "invalid_client"
        );
    }
}

/// The claims of a token, verified as its receiver does.
fn verified(token: &str, key: &serde_json::Value) -> serde_json::Value {
    let decode = |text: &str| base64_url(text);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, body) = signed.split_once('.').unwrap();
    let head: serde_json::Value = serde_json::from_slice(&decode(head)).unwrap();
    assert_eq!((&head["alg"], &head["kid"]), (&json!("RS256"), &key["kid"]));
    let (n, e) = (decode(&text(&key["n"])), decode(&text(&key["e"])));
    ring::signature::RsaPublicKeyComponents { n, e }
        .verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature))
        .expect("the signature is the key's");
    serde_json::from_slice(&decode(body)).unwrap()
}

const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64_url(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes() {
        let value = BASE64_URL.iter().position(|one| *one == digit).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

// proves: D-02
#[test]
fn an_expired_token_is_refused_with_its_own_message() {
    let folder = tempfile::tempdir().unwrap();
    let server = builder().data_dir(folder.path()).start();
    let mut client = server.admin();
    let fresh = token(&mut client, "admin", "admin", "1").expect(200).at("/access_token");
    let fresh = text(&fresh);
    // The same token as it was a day ago, signed with the same key.
    let mut parts = fresh.split('.');
    let (head, body) = (parts.next().unwrap(), parts.next().unwrap());
    let mut claims: serde_json::Value = serde_json::from_slice(&base64_url(body)).unwrap();
    for name in ["exp", "iat"] {
        claims[name] = json!(claims[name].as_i64().unwrap() - 86_400);
    }
    let signed = format!("{head}.{}", to_base64_url(claims.to_string().as_bytes()));
    let key = std::fs::read(folder.path().join("token-signing.key")).unwrap();
    let key = ring::signature::RsaKeyPair::from_pkcs8(&key).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    let padding = &ring::signature::RSA_PKCS1_SHA256;
    key.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
    let ask = |client: &mut support::Client, token: &str| {
        let request = client.request("GET", &format!("{PROFILES}{MOBILE}")).no_credentials();
        request.header("authorization", &format!("Bearer {token}")).send()
    };
    let expired = format!("{signed}.{}", to_base64_url(&signature));
    refused(ask(&mut client, &expired), 401, "E016", "Key Expired");
    ask(&mut client, &fresh).expect(200);
    let forged = format!("{signed}.{}", fresh.rsplit('.').next().unwrap());
    refused(ask(&mut client, &forged), 401, "E016", "Invalid Credential");
}

fn to_base64_url(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            let index = bits >> (18 - 6 * digit) & 63;
            encoded.push(char::from(BASE64_URL[usize::try_from(index).unwrap()]));
        }
    }
    encoded
}

#[test]
fn a_token_outlives_a_restart_and_its_key_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mut server = builder().serve(folder.path()).start();
    let answer = token(&mut server.client(), "admin", "admin", "1").expect(200);
    let token = text(&answer.at("/access_token"));
    assert!(server.terminate().success());
    let key = folder.path().join("token-signing.key");
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let server = builder().serve(folder.path()).start();
    let mut client = server.client();
    let request = client.request("GET", &format!("{PROFILES}{MOBILE}"));
    request.header("authorization", &format!("Bearer {token}")).send().expect(200);
    let request = client.request("GET", "/auth/v1/oauth2/userinfo");
    let answer = request.header("x-auth-jwt", &token).send().expect(200);
    assert_eq!(answer.at("/sub"), "admin");
    assert!(!server.log().contains(&token));
}

/// Makes a client by the own API, as the operator does.
fn new_client(server: &Server, name: &str, body: &serde_json::Value) {
    let mut operator = server.client().basic("admin", "admin");
    operator.put(&format!("/boxwood/v1/clients/{name}"), body).expect(200);
}

// proves: D-21
#[test]
fn a_read_only_client_reads_and_changes_nothing() {
    let server = Server::builder().http().appliance(APPLIANCE).start();
    let mut admin = server.admin();
    let id = profile(&mut admin, "p", "Mobile Users");
    let secret = "only to look at";
    new_client(&server, "viewer", &json!({ "secret": secret, "role": "view_only_admin" }));
    let mut viewer = client_of(&server, "viewer", secret, "1");
    let path = format!("{PROFILES}/{id}");
    viewer.get(&path).expect(200);
    let operations = "/sse/config/v1/config-versions";
    for answer in [
        viewer.put(&path, &json!({ "name": "q" })),
        viewer.request("PUT", &path).send(),
        viewer.delete(&path),
        viewer.post(&format!("{PROFILES}{MOBILE}"), &json!({ "name": "q" })),
        viewer.post(&format!("{operations}/candidate:push"), &json!({ "folders": ["All"] })),
        viewer.delete(&format!("{operations}/candidate")),
        viewer.post(&format!("{operations}:load"), &json!({ "version": 1 })),
    ] {
        refused(answer, 403, "E007", "Unauthorized");
    }
    viewer.get("/boxwood/v1/clients").expect(403);
    assert_eq!(admin.get(&path).expect(200).at("/name"), "p");
    let shown = server.client().basic("admin", "admin").get("/boxwood/v1/clients").expect(200);
    assert!(!shown.text().contains(secret) && !server.log().contains(secret));
    // Out at once, with the token that it has.
    server.client().basic("admin", "admin").delete("/boxwood/v1/clients/viewer").expect(200);
    refused(viewer.get(&path), 401, "E016", "Invalid Credential");
    token(&mut server.client(), "viewer", secret, "1").expect(400);
}

#[test]
fn a_client_of_one_tenant_and_one_that_needs_a_new_secret() {
    let server = Server::builder().http().appliance(APPLIANCE).start();
    let body = json!({ "secret": "s", "role": "superuser", "tenants": ["7"] });
    new_client(&server, "seven", &body);
    token(&mut server.client(), "seven", "s", "1").expect(400);
    token(&mut server.client(), "seven", "t", "7").expect(400);
    let mut seven = client_of(&server, "seven", "s", "7");
    profile(&mut seven, "p", "Mobile Users");
    let body = json!({ "secret": "s", "role": "superuser", "needs_new_secret": true });
    new_client(&server, "old", &body);
    let mut old = client_of(&server, "old", "s", "1");
    let answer = old.get(&format!("{PROFILES}{MOBILE}"));
    refused(answer, 401, "E016", "The password needs to be changed.");
}

#[test]
fn the_own_api_shows_what_the_candidate_has_and_who_wrote_it() {
    let server = Server::builder().http().appliance(APPLIANCE).start();
    new_client(&server, "bob", &json!({ "secret": "s", "role": "superuser" }));
    let (mut admin, mut bob) = (server.admin(), client_of(&server, "bob", "s", "1"));
    profile(&mut admin, "a", "Mobile Users");
    profile(&mut bob, "b", "Mobile Users");
    let push = "/sse/config/v1/config-versions/candidate:push";
    let body = json!({ "folders": ["All"], "admin": ["bob"], "description": "of bob" });
    admin.post(push, &body).expect(201);
    let changes = admin.get("/boxwood/v1/heads/candidate/changes").expect(200).at("/changes");
    let changes = changes.as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((&changes[0]["author"], &changes[0]["type"]), (&json!("admin"), &json!("create")));
    assert_eq!(changes[0]["new_value"]["name"], "a");
    let heads = admin.get("/boxwood/v1/heads").expect(200);
    assert_eq!(heads.at("/items/1/name"), "candidate");
    let revisions = admin.get("/boxwood/v1/revisions").expect(200);
    assert_eq!(revisions.at("/items/0/author"), "admin");
    admin.post(push, &json!({ "folders": ["All"] })).expect(201);
    let changes = admin.get("/boxwood/v1/heads/candidate/changes").expect(200);
    assert_eq!(changes.at("/changes"), json!([]));
    admin.get("/boxwood/v1/heads/none/changes").expect(404);
}

#[test]
fn tenants_know_nothing_of_each_other() {
    let server = Server::builder().http().appliance(APPLIANCE).start();
    let mut one = client_of(&server, "admin", "admin", "1");
    let mut two = client_of(&server, "admin", "admin", "11");
    let id = profile(&mut one, "p", "Shared");
    profile(&mut two, "p", "Shared");
    let path = format!("{PROFILES}/{id}");
    one.get(&path).expect(200);
    for answer in [two.get(&path), two.put(&path, &json!({ "name": "q" })), two.delete(&path)] {
        refused(answer, 404, "E005", "Object Not Present");
    }
    assert_eq!(two.get(&format!("{PROFILES}{MOBILE}")).expect(200).at("/total"), 1);
    one.delete(&path).expect(200);
    assert_eq!(two.get(&format!("{PROFILES}{MOBILE}")).expect(200).at("/total"), 1);
}
