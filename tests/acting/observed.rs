//! What becomes an event: commits, logins, health; and what the own API says of it.

use serde_json::json;
use support::{Server, opened};

use crate::{CONFIGURATION, commit, email, outbox};

#[test]
fn a_commit_is_in_the_outbox_as_soon_as_it_is_answered() {
    let (_server, mut admin) = opened();
    admin.put(&format!("{CONFIGURATION}/management/email"), &email("192.0.2.9")).expect(200);
    admin.commit_with("another server").expect(200);
    let messages = outbox(&mut admin, "?event=commit");
    let ways: Vec<&str> = messages.iter().map(|one| one["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["mail", "trap"], "{messages:#?}");
    let mail = &messages[0];
    assert_eq!(mail["state"], "recorded");
    assert_eq!(mail["reason"], "delivery.mode is record");
    assert_eq!(mail["envelope"]["server"], "192.0.2.9");
    assert_eq!(mail["mail"]["to"], json!(["alerts@example.com"]));
    let text = mail["mail"]["text"].as_str().unwrap();
    for line in
        ["From: sps@example.com", "paths:     /management/email", "message:   another server"]
    {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let trap = &messages[1]["trap"];
    assert_eq!(trap["oid"], "1.3.6.1.4.1.32473.66.0.1");
    assert_eq!(messages[1]["envelope"]["server"], "192.0.2.40");

    assert_eq!(outbox(&mut admin, "?event=commit&way=trap&state=recorded").len(), 1);
    let last = messages[1]["id"].as_u64().unwrap();
    assert!(outbox(&mut admin, &format!("?after={last}")).is_empty());
    admin.delete("/boxwood/v1/outbox").expect(200);
    assert!(outbox(&mut admin, "").is_empty());
    for query in
        ["?way=pigeon", "?state=lost", "?event=storm", "?after=x", "?wait_seconds=-1", "?a=b"]
    {
        admin.get(&format!("/boxwood/v1/outbox{query}")).expect_error(400, "SyntacticError");
    }
}

#[test]
fn only_the_administrator_sees_and_changes_what_is_sent() {
    let server = Server::dev();
    let mut stranger = server.client();
    for (method, path) in [
        ("GET", "/boxwood/v1/outbox"),
        ("DELETE", "/boxwood/v1/outbox"),
        ("GET", "/boxwood/v1/health/figures"),
        ("PUT", "/boxwood/v1/health/figures"),
        ("POST", "/boxwood/v1/test/mail"),
    ] {
        stranger.request(method, path).send().expect(401);
    }
    server.admin().post("/boxwood/v1/test/pigeon", &json!({})).expect(404);
    server.admin().post("/boxwood/v1/outbox", &json!({})).expect(405);
}

#[test]
fn routes_of_the_alerts_are_followed() {
    let (_server, mut admin) = opened();
    let alerts = json!({"commit": {"mail": false, "trap": false, "syslog": true}});
    admin.put(&format!("{CONFIGURATION}/alerting/system_alerts"), &alerts).expect(200);
    admin.commit().expect(200);
    assert!(outbox(&mut admin, "").is_empty());
}

#[test]
fn logins_that_are_refused_and_blocked_are_reported_without_names() {
    let server = Server::builder().set("login.failures", 2).start();
    let mut admin = server.admin();
    for _ in 0..2 {
        let mut other = server.client();
        other
            .request("GET", "/api/authentication")
            .basic("my password", "wrong")
            .send()
            .expect(401);
    }
    let refused = outbox(&mut admin, "?event=login-refused&way=mail");
    assert_eq!(refused.len(), 2, "{refused:#?}");
    let blocked = outbox(&mut admin, "?event=login-blocked&way=mail");
    assert_eq!(blocked.len(), 1, "{blocked:#?}");
    let text = blocked[0]["mail"]["text"].as_str().unwrap();
    assert!(text.contains("Logins from 127.0.0.1 are blocked"), "{text}");
    assert!(!format!("{refused:?}{blocked:?}").contains("my password"));
}

#[test]
fn health_beyond_its_limit_is_reported_and_shown() {
    let server = Server::builder().set("delivery.health_seconds", 0).start();
    let mut admin = server.admin();
    let shown = admin.get("/boxwood/v1/health/figures").expect(200);
    assert!(shown.at("/figures/load1").is_number(), "{}", shown.text());
    assert_eq!(shown.at("/limits/disk_percent"), 80.0);
    // Whatever the disk of this machine is like.
    admin.put("/boxwood/v1/health/figures", &json!({"disk_percent": 5})).expect(200);
    let full = json!({"disk_percent": 95});
    let first = admin.put("/boxwood/v1/health/figures", &full).expect(200);
    assert_eq!(first.at("/above_limit"), json!([]));
    let second = admin.put("/boxwood/v1/health/figures", &full).expect(200);
    assert_eq!(second.at("/above_limit"), json!(["disk"]));
    let messages = outbox(&mut admin, "?event=health-limit&way=trap");
    assert_eq!(messages.len(), 1);
    let text = messages[0]["trap"]["bindings"][2]["value"].as_str().unwrap();
    assert_eq!(text, "The disk utilization is 95.0 %, above its limit of 80 %");
    for _ in 0..3 {
        admin.put("/boxwood/v1/health/figures", &json!({"disk_percent": 5})).expect(200);
    }
    assert_eq!(outbox(&mut admin, "?event=health-recovered&way=mail").len(), 1);
    let metrics = admin.get("/boxwood/v1/metrics").expect(200);
    for line in [
        "boxwood_health{figure=\"disk_percent\"} 5.0",
        "boxwood_messages_total{way=\"trap\",outcome=\"recorded\"} 2",
        "boxwood_messages_waiting 0",
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
    let back = admin.delete("/boxwood/v1/health/figures").expect(200);
    assert!(back.at("/replaced").is_null());
    admin.put("/boxwood/v1/health/figures", &json!({"discs": 5})).expect(400);
}

#[test]
fn a_trap_that_no_receiver_would_take_is_refused_with_its_commit() {
    let (_server, mut admin) = opened();
    let key = |admin: &mut support::Client| {
        let body = json!({"plain": "authentic ation"});
        admin.post(&format!("{CONFIGURATION}/passwords"), &body).expect(201).at("/key")
    };
    let password = key(&mut admin);
    for engine_id in ["0x00000000000000", "0x0123456789A", &format!("0x{}", "ab".repeat(33))] {
        let value = json!({
            "auth_method": "sha1", "auth_password": password, "encryption_method": "none",
            "encryption_password": null, "engine_id": engine_id, "username": "traps",
            "server": {"selection": "ip", "value": "192.0.2.40"},
        });
        let body = json!({"enabled": true, "version": {"selection": "3", "value": value}});
        admin.put(&format!("{CONFIGURATION}/management/snmp/trap"), &body).expect(200);
        let refused = admin.commit().expect(400);
        assert!(refused.text().contains("engine ID"), "{}", refused.text());
    }
}

#[test]
fn other_appliances_have_an_outbox_and_send_nothing() {
    let server = Server::dev_of(&["ds-server"]);
    let mut admin = server.admin_of("ds-server");
    let shown = admin.get("/boxwood/v1/outbox").expect(200);
    assert_eq!(shown.at("/ways"), json!({"mail": false, "syslog": false, "trap": false}));
    let tried = admin.post("/boxwood/v1/test/mail", &json!({})).expect(200);
    assert_eq!(tried.at("/configured"), false);
}

#[test]
fn commits_in_a_flood_are_gathered() {
    let server = Server::builder().set("delivery.gather_after", 3).start();
    let mut admin = server.admin();
    for minutes in 1..=9 {
        commit(&mut admin, "/management/webinterface", &json!({"timeout": 10 + minutes}));
    }
    assert_eq!(outbox(&mut admin, "?way=mail&event=commit").len(), 3);
}
