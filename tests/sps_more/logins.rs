//! Kinds of logins, what `Allow` lists, and what the configuration has from the beginning.

use serde_json::json;
use support::{Server, opened};

use crate::{GROUPS, USERS, texts};

const LOGIN: &str = "/api/authentication";
const MAIL: &str = "/api/configuration/management/email";

// proves: SPS-56
#[test]
fn a_login_that_is_not_served_never_becomes_one_by_password() {
    let server = Server::dev();
    for query in [
        "login_method=ldap",
        "login_method=nothing",
        "type=x509",
        "type=x509&login_method=local",
        "type=kerberos",
        "return=/&type=x509",
    ] {
        let mut client = server.client();
        let path = format!("{LOGIN}?{query}");
        let refused = client.request("GET", &path).basic("admin", "admin").send();
        let refused = refused.expect_error(401, "AuthenticationFailure");
        assert_eq!(refused.header("set-cookie"), None, "{query}");
        client.get(MAIL).expect_error(401, "Unauthenticated");
    }
    let path = format!("{LOGIN}?login_method=local&type=password&return=x");
    server.client().request("GET", &path).basic("admin", "admin").send().expect(200);
}

// proves: SPS-57
#[test]
fn every_refusal_lists_what_the_path_takes() {
    let server = Server::dev();
    let mut admin = server.admin();
    let object = Some("GET, HEAD, OPTIONS, PUT");
    let allowed = |answer: support::Response| answer.header("allow").map(str::to_owned);
    let is = |answer: support::Response, status: u16, expected: Option<&str>| {
        assert_eq!(allowed(answer.expect(status)).as_deref(), expected);
    };
    is(server.client().get(MAIL), 401, object);
    is(admin.put(MAIL, &json!({})), 409, object);
    admin.open().expect(200);
    is(admin.put(MAIL, &json!({})), 400, object);
    is(admin.request("PUT", MAIL).text("x", "text/plain").send(), 415, object);
    is(server.client().get(LOGIN), 401, Some("GET, HEAD, OPTIONS, DELETE"));
    let member = "/api/configuration/ssh/connections/nothing";
    is(admin.get(member), 404, Some("GET, HEAD, OPTIONS, PUT, DELETE"));
    is(admin.commit(), 200, Some("GET, HEAD, OPTIONS, POST, PUT, DELETE"));
    is(admin.commit(), 409, Some("GET, HEAD, OPTIONS, POST, PUT, DELETE"));
    is(
        admin.request("POST", "/api/configuration/passwords").no_length().send(),
        411,
        Some("OPTIONS, POST"),
    );
    let mut admin = server.admin();
    let bad = admin.post("/api/firmware/upgrade", &json!({}));
    is(bad, 400, Some("OPTIONS, POST"));
}

// proves: SPS-58
#[test]
fn the_groups_that_have_privileges_exist() {
    let (_server, mut admin) = opened();
    let acls = admin.get("/api/configuration/aaa/acls").expect(200).at("/body");
    let groups = admin.get(GROUPS).expect(200).at("/items");
    let bodies: serde_json::Value =
        groups.as_array().expect("a list").iter().map(|item| item["body"].clone()).collect();
    let names = texts(&bodies, "name");
    for group in texts(&acls, "group") {
        assert!(names.contains(&group), "{group} is not among {names:?}");
    }
    let href = groups[0]["meta"]["href"].as_str().expect("a path");
    admin.delete(href).expect_error(400, "SemanticError");
}

#[test]
fn the_administrator_is_a_user_who_stays() {
    let (server, mut admin) = opened();
    let users = admin.get(USERS).expect(200).at("/items");
    assert_eq!(users[0]["body"], json!({"name": "admin", "password": null}));
    let href = users[0]["meta"]["href"].as_str().expect("a path").to_owned();
    admin.delete(&href).expect_error(400, "SemanticError");
    let password = admin.post("/api/configuration/passwords", &json!({"plain": "x"})).expect(201);
    for (body, pointer) in [
        (json!({"name": "root", "password": null}), "/name"),
        (json!({"name": "admin", "password": password.at("/key")}), "/password"),
    ] {
        admin.put(&href, &body).expect(200);
        let refused = admin.commit().expect_error(400, "SemanticError");
        assert_eq!(refused.at("/error/details/errors/0/pointer"), json!(pointer));
        admin.put(&href, &json!({"name": "admin", "password": null})).expect(200);
    }
    admin.commit().expect(200);
    server.client().login("admin", "admin");
}

// proves: SPS-59
#[test]
fn a_time_zone_exists_or_is_refused() {
    const ZONE: &str = "/api/configuration/datetime/timezone";
    let (_server, mut admin) = opened();
    for zone in ["Europe/Vienna", "UTC", "America/Indiana/Knox", "America/New_York"] {
        admin.put(ZONE, &json!(zone)).expect(200);
    }
    for zone in ["Europe/Atlantis", "europe/vienna", "EUROPE", "", "Europe/Vienna ", "+02:00"] {
        let refused = admin.put(ZONE, &json!(zone)).expect_error(400, "SyntacticError");
        assert!(refused.text().contains("America/New_York"), "{refused}");
    }
}

#[test]
fn later_appliances_have_connections_and_a_build_date_of_their_own() {
    let server = Server::builder().appliance("sps-7.0").start();
    let mut admin = server.admin();
    for path in [
        "/api/configuration/ica/connections",
        "/api/configuration/telnet/connections",
        "/api/configuration/telnet/authentication_policies",
    ] {
        assert_eq!(admin.get(path).expect(200).at("/items"), json!([]), "{path}");
    }
    admin
        .post("/api/configuration/ica/connections", &json!({}))
        .expect_error(405, "MethodNotAllowed");
    let policies = "/api/configuration/telnet/authentication_policies";
    admin.post(policies, &json!({"name": "by hand"})).expect(201);
    admin.commit().expect(200);
    let date =
        |admin: &mut support::Client| admin.get("/api/info").expect(200).at("/body/build_date");
    let later = date(&mut admin);
    assert_ne!(later, date(&mut Server::dev().admin()));
    assert!(later.as_str().is_some_and(|date| date.contains('T')));
}
