//! The rules of the fields, references between objects, secrets.

use serde_json::{Value, json};

use crate::{CURRENT, LEGACY, MOBILE, PROFILES, profile, refused, start, text};

// proves: D-09, D-10, D-11, D-12
#[test]
fn every_field_of_a_profile_is_held_to_its_rules() {
    let (_server, mut client) = start();
    let id = profile(&mut client, "p", "Mobile Users");
    let path = format!("{PROFILES}/{id}");
    let x = |n: usize| "é".repeat(n);
    let saml = |member: &str, value: Value| json!({ "method": { "saml_idp": { member: value } } });
    let lockout = |member: &str, value: Value| json!({ "lockout": { member: value } });
    let sso = |member: &str, value: Value| json!({ "single_sign_on": { member: value } });
    let good = [
        lockout("failed_attempts", json!(0)),
        lockout("failed_attempts", json!(10)),
        lockout("lockout_time", json!(60)),
        saml("attribute_name_username", json!(x(63))),
        saml("attribute_name_usergroup", json!("u")),
        saml("certificate_profile", json!(x(31))),
        saml("request_signing_certificate", json!(x(64))),
        saml("server_profile", json!(x(63))),
        json!({ "user_domain": x(63) }),
        sso("realm", json!(x(127))),
        sso("kerberos_keytab", json!(x(8_192))),
        json!({ "username_modifier": "%USERINPUT%" }),
        json!({ "username_modifier": "%USERDOMAIN%\\%USERINPUT%" }),
        json!({ "username_modifier": "%USERDOMAIN%\\\\%USERINPUT%" }),
        json!({ "method": {} }),
        json!({ "method": { "local_database": {} } }),
        json!({ "method": { "cloud": { "profile_name": "t" } } }),
        json!({ "method": { "kerberos": { "realm": "r", "server_profile": "s" } } }),
        json!({ "method": { "tacplus": { "checkgroup": true } } }),
        json!({ "allow_list": [] }),
    ];
    for part in good {
        let mut body = part.clone();
        body["name"] = json!("p");
        let answer = client.put(&path, &body).expect(200).json();
        for (name, value) in body.as_object().unwrap() {
            assert_eq!(answer[name], *value, "stored as it was sent");
        }
    }
    let before = client.get(&path).expect(200).json();
    let bad = [
        lockout("failed_attempts", json!(11)),
        lockout("failed_attempts", json!(-1)),
        lockout("failed_attempts", json!("1")),
        lockout("failed_attempts", json!(1.5)),
        lockout("failed_attempts", json!(true)),
        lockout("lockout_time", json!(61)),
        lockout("lockout_time", json!(-1)),
        lockout("other", json!(1)),
        saml("attribute_name_username", json!("")),
        saml("attribute_name_username", json!(x(64))),
        saml("attribute_name_usergroup", json!("")),
        saml("certificate_profile", json!(x(32))),
        saml("request_signing_certificate", json!(x(65))),
        saml("server_profile", json!(x(64))),
        saml("enable_single_logout", json!("yes")),
        saml("other", json!(1)),
        json!({ "user_domain": x(64) }),
        sso("realm", json!(x(128))),
        sso("kerberos_keytab", json!(x(8_193))),
        json!({ "username_modifier": "USER" }),
        json!({ "username_modifier": null }),
        json!({ "method": { "ldap": {}, "radius": {} } }),
        json!({ "method": { "other": {} } }),
        json!({ "method": { "ldap": null } }),
        json!({ "method": { "ldap": { "server_profile": { "key": "x" } } } }),
        json!({ "method": [] }),
        json!({ "allow_list": "all" }),
        json!({ "allow_list": [1] }),
        json!({ "multi_factor_auth": { "factors": [1] } }),
        json!({ "name": 7 }),
        json!({ "name": "" }),
        json!({ "name": null }),
        json!({ "other": 1 }),
        json!({ "container": "1:All" }),
    ];
    for part in bad {
        let mut body = json!({ "name": "p" });
        body.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        let answer = refused(client.put(&path, &body), 400, "E003", "Invalid Object");
        let errors = answer.at("/_errors/0/details/errors");
        assert_eq!(errors.as_array().unwrap().len(), 1, "{part}: {errors}");
        assert_eq!(errors[0]["type"], "Invalid Object");
    }
    // All at once, each with its place.
    let body = json!({ "lockout": { "failed_attempts": 11, "lockout_time": 61 }, "other": 1 });
    let answer = refused(client.put(&path, &body), 400, "E003", "Invalid Object");
    let errors = answer.at("/_errors/0/details/errors");
    assert_eq!(errors.as_array().unwrap().len(), 4);
    assert!(answer.text().contains("lockout.failed_attempts: must be at most 10"), "{errors}");
    assert_eq!(client.get(&path).expect(200).json(), before, "nothing has changed");
}

// proves: D-18
#[test]
fn what_is_referred_to_by_name_stays_and_takes_its_referrers_along() {
    let (_server, mut client) = start();
    let id = profile(&mut client, "p", "Shared");
    let path = format!("{PROFILES}/{id}");
    let kinds = [
        (
            "authentication-sequences",
            "authentication_profiles",
            json!(["x", "p"]),
            json!(["x", "q"]),
        ),
        ("authentication-portals", "authentication_profile", json!("p"), json!("q")),
        ("authentication-rules", "authentication_enforcement", json!("p"), json!("q")),
        ("mobile-agent/authentication-settings", "authentication_profile", json!("p"), json!("q")),
    ];
    let (mut name, mut other) = ("p", "q");
    for (kind, member, before, after) in kinds {
        let (before, after) = if name == "p" { (before, after) } else { (after, before) };
        let all = format!("{LEGACY}/{kind}");
        let made = client.post(&format!("{all}{MOBILE}"), &json!({ "name": "r", member: before }));
        let referrer = format!("{all}/{}", text(&made.expect(201).at("/id")));
        refused(client.delete(&path), 409, "E009", "Reference Not Zero");
        // Another one of the name, which nothing refers to.
        client.put(&path, &json!({ "name": other })).expect(200);
        assert_eq!(client.get(&referrer).expect(200).at(&format!("/{member}")), after, "{kind}");
        client.delete(&referrer).expect(200);
        (name, other) = (other, name);
    }
    // The nearest one is meant, and the other can go.
    let inner = profile(&mut client, name, "Mobile Users");
    let sequence = json!({ "name": "s", "authentication_profiles": [name] });
    client.post(&format!("{LEGACY}/authentication-sequences{MOBILE}"), &sequence).expect(201);
    client.delete(&path).expect(200);
    let inner = format!("{PROFILES}/{inner}");
    refused(client.delete(&inner), 409, "E009", "Reference Not Zero");
}

#[test]
fn the_secrets_of_servers_come_back_sealed_and_may_be_sent_back() {
    let (server, mut client) = start();
    let all = format!("{CURRENT}/radius-server-profiles");
    let (one, two) = ("a clear secret", "another clear secret");
    let body = json!({
        "name": "r", "folder": "All", "protocol": { "PAP": {} },
        "server": [{ "name": "a", "secret": one }, { "name": "b", "secret": two }],
    });
    let made = client.post(&all, &body).expect(201);
    let path = format!("{all}/{}", text(&made.at("/id")));
    for n in 0..2 {
        let form = text(&made.at(&format!("/server/{n}/secret")));
        assert!(form.starts_with("-AQ==") && form.len() > 128, "{form}");
    }
    // As it came, in another order: each server keeps its secret.
    let mut body = client.get(&path).expect(200).json();
    body["server"].as_array_mut().unwrap().reverse();
    let kept = client.put(&path, &body).expect(200).json();
    let again = client.get(&path).expect(200).json();
    assert_eq!(kept, again);
    let sent_again = client.put(&path, &again).expect(200).json();
    assert_eq!(sent_again, again, "a secret that stays the same is shown the same");
    // One that is not this object's.
    body["server"][0]["secret"] = json!("-AQ==abc");
    refused(client.put(&path, &body), 400, "E003", "Invalid Object");
    let other = json!({ "name": "t", "folder": "All", "protocol": "PAP", "server": [{ "secret": "-AQ==abc" }] });
    let tacacs = format!("{CURRENT}/tacacs-server-profiles");
    refused(client.post(&tacacs, &other), 400, "E003", "Invalid Object");
    for secret in [one, two] {
        assert!(!server.log().contains(secret));
        assert!(!client.get(&path).text().contains(secret));
    }
}

#[test]
fn each_kind_of_object_has_its_own_rules() {
    let (_server, mut client) = start();
    let all = json!({ "name": "n" });
    let ldap = json!({ "name": "n", "server": [] });
    let saml = json!({ "name": "n", "certificate": "c", "entity_id": "e", "sso_url": "u" });
    let with = |base: &Value, member: &str, value: Value| {
        let mut body = base.clone();
        body[member] = value;
        body
    };
    for (kind, good, bad) in [
        ("saml-server-profiles", saml.clone(), with(&saml, "max_clock_skew", json!(901))),
        ("saml-server-profiles", with(&saml, "name", json!("m")), all.clone()),
        (
            "ldap-server-profiles",
            with(&ldap, "bind_timelimit", json!("30")),
            with(&ldap, "bind_timelimit", json!("31")),
        ),
        (
            "ldap-server-profiles",
            with(&ldap, "name", json!("m")),
            with(&ldap, "bind_timelimit", json!(3)),
        ),
        (
            "kerberos-server-profiles",
            json!({ "name": "n", "server": [{ "name": "a", "host": "h", "port": 65535 }] }),
            json!({ "name": "m", "server": [{ "name": "a" }] }),
        ),
        (
            "certificate-profiles",
            json!({ "name": "n", "ca_certificates": [{ "name": "a" }] }),
            all.clone(),
        ),
        ("authentication-portals", json!({ "timer": 1440 }), json!({ "timer": 1441 })),
        ("authentication-sequences", all.clone(), json!({})),
        (
            "authentication-rules",
            all.clone(),
            json!({ "name": "m", "authentication_enforcement": 1 }),
        ),
        (
            "mfa-servers",
            json!({ "name": "n", "mfa_vendor_type": { "other": { "a": 1 } } }),
            json!({}),
        ),
        (
            "local-users",
            json!({ "name": "n", "password": "p" }),
            json!({ "name": "m", "password": 1 }),
        ),
    ] {
        let path = format!("{LEGACY}/{kind}{MOBILE}");
        client.post(&path, &good).expect(201);
        refused(client.post(&path, &bad), 400, "E003", "Invalid Object");
    }
    let radius = |protocol: Value| json!({ "name": "r", "server": [], "protocol": protocol });
    let path = format!("{LEGACY}/radius-server-profiles{MOBILE}");
    refused(client.post(&path, &radius(json!({}))), 400, "E003", "Invalid Object");
    refused(
        client.post(&path, &radius(json!({ "PAP": {}, "CHAP": {} }))),
        400,
        "E003",
        "Invalid Object",
    );
    client
        .post(&path, &radius(json!({ "PEAP_MSCHAPv2": { "allow_pwd_change": true } })))
        .expect(201);
}
