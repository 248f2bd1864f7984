//! What the appliance says about itself: `/api`, `/api/info`, `/api/setup`, and how to log in.

use serde_json::{Value, json};
use support::Server;

use crate::fixtures::{
    HEALTH, MAIL, SOAP, config_hash, health, mail_with_password, password, with,
};

fn anonymous_info() -> Value {
    json!({
        "body": {
            "domainname": "example.com",
            "hostname": "sps",
            "nickname": null,
            "support_link": "mailto:administrator@example.com",
        },
        "key": "about_info",
        "meta": {"href": "/api/info", "parent": "/api"},
    })
}

#[test]
fn entry_point_links_to_everything() {
    let server = Server::dev();
    server.client().get("/api").expect_error(401, "Unauthenticated");
    let mut admin = server.admin();
    let document = admin.get("/api").expect(200).json();
    let meta = json!({
        "href": "/api",
        "parent": null,
        "remaining_seconds": 600,
        "transaction": "/api/transaction",
    });
    assert_eq!(document["meta"], meta);
    let items = document["items"].as_array().expect("items").clone();
    let keys: Vec<&str> = items.iter().map(|item| item["key"].as_str().unwrap()).collect();
    for key in ["authentication", "configuration", "info", "transaction"] {
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
    for item in &items {
        assert_eq!(item["meta"]["href"], json!(format!("/api/{}", item["key"].as_str().unwrap())));
        admin.get(item["meta"]["href"].as_str().unwrap()).expect(200);
    }
    for path in ["/api/", "/api//", "//api"] {
        let answer = admin.request("GET", path).unchecked().send().expect(200);
        assert_eq!(answer.json(), document, "{path}");
    }
}

#[test]
fn info_is_short_for_strangers() {
    let server = Server::dev();
    assert_eq!(server.client().get("/api/info").expect(200).json(), anonymous_info());
    let mut stale = server.client();
    stale.set_cookie("session_id=0000000000000000000000000000000000000000");
    assert_eq!(stale.get("/api/info").expect(200).json(), anonymous_info());
}

#[test]
fn info_says_more_to_those_who_are_logged_in() {
    let server = Server::dev();
    let document = server.admin().get("/api/info").expect(200).json();
    let body = document["body"].as_object().expect("a body");
    let names: Vec<&str> = body.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "analytics_enabled",
            "build_date",
            "config_hash",
            "domainname",
            "firmware_version",
            "hostname",
            "nickname",
            "roles",
            "support_link",
            "version",
        ]
    );
    assert_eq!(document["key"], json!("about_info"));
    let meta = json!({"href": "/api/info", "parent": "/api", "remaining_seconds": 600});
    assert_eq!(document["meta"], meta);
    assert_eq!(body["firmware_version"], json!("6.2.0"));
    assert_eq!(body["version"], json!("6 F2"));
    assert!(body["analytics_enabled"].is_boolean() && body["roles"].is_array());
    assert!(body["build_date"].as_str().unwrap().contains('T'), "{}", body["build_date"]);
}

#[test]
fn later_appliances_tell_their_plugin_kit_to_anybody() {
    let server = Server::builder().appliance("sps-7.0").start();
    let kit = json!({ "feature": "1.4", "full": "1.4.4" });
    assert_eq!(server.client().get("/api/info").expect(200).at("/body/plugin_sdk_version"), kit);
    assert_eq!(server.admin().get("/api/info").expect(200).at("/body/plugin_sdk_version"), kit);
}

#[test]
fn versions_are_settings() {
    let server = Server::builder()
        .set("sps.firmware_version", "7.3.1")
        .set("sps.version", "7.3.1 F1")
        .start();
    let body = server.admin().get("/api/info").expect(200).at("/body");
    assert_eq!(body["firmware_version"], json!("7.3.1"));
    assert_eq!(body["version"], json!("7.3.1 F1"));
}

#[test]
fn config_hash_changes_with_the_committed_configuration_only() {
    let server = Server::dev();
    let mut admin = server.admin();
    let factory = config_hash(&mut admin);
    assert!(factory.len() == 32 && factory.bytes().all(|b| b.is_ascii_hexdigit()), "{factory}");
    assert_eq!(config_hash(&mut admin), factory);
    assert_eq!(config_hash(&mut server.admin()), factory, "it is the same in every session");

    admin.open().expect(200);
    assert_eq!(config_hash(&mut admin), factory);
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    assert_eq!(config_hash(&mut admin), factory, "staging changes nothing");
    admin.commit().expect(200);
    let changed = config_hash(&mut admin);
    assert_ne!(changed, factory);

    admin.open().expect(200);
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(8))).expect(200);
    admin.rollback().expect(200);
    admin.open().expect(200);
    admin.commit().expect(200);
    assert_eq!(config_hash(&mut admin), changed, "neither a rollback nor an empty commit counts");

    admin.open().expect(200);
    admin.put(HEALTH, &health()).expect(200);
    admin.commit().expect(200);
    assert_eq!(config_hash(&mut admin), factory, "the same configuration has the same hash");

    // Secrets count as well.
    let mut hashes = Vec::new();
    for text in ["one", "two"] {
        admin.open().expect(200);
        let key = password(&mut admin, text);
        admin.put(MAIL, &mail_with_password(&key)).expect(200);
        admin.commit().expect(200);
        hashes.push(config_hash(&mut admin));
    }
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn config_hash_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(SOAP, &json!({"enabled": false})).expect(200);
    admin.commit().expect(200);
    let hash = config_hash(&mut admin);
    assert!(server.terminate().success());
    let server = builder.start();
    assert_eq!(config_hash(&mut server.admin()), hash);
}

#[test]
fn setup_is_completed_for_everybody() {
    let server = Server::dev();
    let expected = json!({
        "meta": {
            "eula": "https://www.oneidentity.com/legal/sta.aspx",
            "href": "/api/setup",
            "parent": "/api",
            "remaining_seconds": 0,
        },
        "status": "completed",
    });
    for mut client in [server.client(), server.admin()] {
        assert_eq!(client.get("/api/setup").expect(200).json(), expected);
    }
}

#[test]
fn ways_to_log_in_are_told_to_everybody() {
    let server = Server::dev();
    let mut client = server.client();
    assert_eq!(
        client.get("/api/authentication/types").expect(200).json(),
        json!({
            "meta": {"href": "/api/authentication/types", "parent": "/api/authentication"},
            "types": {"basic": {}},
        })
    );
    assert_eq!(
        client.get("/api/authentication/login_methods").expect(200).json(),
        json!({
            "login_methods": [{"display_name": "Local", "name": "local", "type": "password"}],
            "meta": {"href": "/api/authentication/login_methods", "parent": "/api/authentication"},
        })
    );
}

#[test]
fn information_takes_no_changes() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in [
        "/api",
        "/api/info",
        "/api/setup",
        "/api/authentication/types",
        "/api/authentication/login_methods",
    ] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = admin.request(method, path).send();
            let answer = answer.expect_error(405, "MethodNotAllowed");
            assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{method} {path}");
        }
    }
}
