//! The four endpoints of the seed, rule by rule: which bodies are refused, at which place, by which
//! rule, and that nothing staged changes; and which bodies at the edge of each rule are taken.

use serde_json::{Value, json};
use support::{Client, Server, opened};

use crate::fixtures::{
    HEALTH, MAIL, NO_KEY, PASSWORDS, Pair, SNMP, TRAP, X509, changes, create, health, mail,
    mail_with_password, password, trap, trap_3, violations, with, without,
};

/// A body, and the places and rules for which it is refused.
type Refused = (Value, &'static [(&'static str, &'static str)]);

/// The rules that speak of other nodes and not of the body alone.
const TREE_RULES: [&str; 2] = ["reference-target", "secret-text"];

/// Puts each body and holds the refusal against what is expected.
fn check_refused(client: &mut Client, path: &str, cases: &[Refused]) {
    let before = (client.get(path).expect(200).json(), changes(client));
    let mut faults = Vec::new();
    for (body, expected) in cases {
        let answer = client.put(path, body);
        if answer.status != 400 {
            faults.push(format!("{body} is not refused: {}", answer.status));
            continue;
        }
        let mut expected: Vec<(String, String)> =
            expected.iter().map(|(at, rule)| ((*at).to_owned(), (*rule).to_owned())).collect();
        expected.sort();
        let found = violations(&answer);
        if found != expected {
            faults.push(format!("{body}\n  expected {expected:?}\n     found {found:?}"));
        }
        let of_tree = expected.iter().all(|(_, rule)| TREE_RULES.contains(&rule.as_str()));
        let kind = if of_tree { "SemanticError" } else { "SyntacticError" };
        if answer.at("/error/type") != json!(kind) {
            faults.push(format!("{body} is no {kind}"));
        }
        for error in answer.at("/error/details/errors").as_array().expect("a list") {
            let pointer = error["pointer"].as_str().unwrap_or("?");
            // A name that a client made up is shown once.
            let known = match error["rule"].as_str() {
                Some("unknown-member") => pointer.rsplit_once('/').map_or("", |(object, _)| object),
                _ => pointer,
            };
            let place = match known.strip_prefix('/') {
                Some(inner) => format!("{path}#{inner}"),
                None => path.to_owned(),
            };
            if error["paths"] != json!([place]) {
                faults.push(format!("{body} has the paths {}", error["paths"]));
            }
            if error["message"].as_str().is_none_or(|text| text.len() < 10) {
                faults.push(format!("{body} has the message {}", error["message"]));
            }
        }
        let after = (client.get(path).expect(200).json(), changes(client));
        if after != before {
            faults.push(format!("{body} changed what is staged"));
        }
    }
    assert!(faults.is_empty(), "{} faults at {path}:\n{}", faults.len(), faults.join("\n"));
}

/// Puts each body and expects it to be shown as it was sent.
fn check_taken(client: &mut Client, path: &str, bodies: &[Value]) {
    let mut faults = Vec::new();
    for body in bodies {
        let answer = client.put(path, body);
        if answer.status != 200 {
            faults.push(format!("{body} is refused\n{answer}"));
        } else if answer.at("/body") != *body {
            faults.push(format!("{body} is shown as {}", answer.at("/body")));
        }
    }
    assert!(faults.is_empty(), "{} faults at {path}:\n{}", faults.len(), faults.join("\n"));
}

/// A session with a transaction in which something is staged.
fn staging(server: &Server, path: &str, body: &Value) -> Client {
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(path, body).expect(200);
    admin
}

// ===== mail =====

#[test]
fn mail_members_and_addresses() {
    let server = Server::dev();
    let staged = with(&mail(), "/admin_address", json!("staged@example.com"));
    let mut admin = staging(&server, MAIL, &staged);
    let mut cases: Vec<Refused> = Vec::new();
    for (pointer, required) in [
        ("/admin_address", &[("/admin_address", "required")] as &[_]),
        ("/alerting_address", &[("/alerting_address", "required")]),
        ("/reporting_address", &[("/reporting_address", "required")]),
        ("/sender_address", &[("/sender_address", "required")]),
        ("/smtp_auth", &[("/smtp_auth", "required")]),
        ("/smtp_encryption", &[("/smtp_encryption", "required")]),
        ("/smtp_server", &[("/smtp_server", "required")]),
    ] {
        cases.push((without(&mail(), pointer), required));
    }
    for (pointer, of_type, of_format, of_length) in [
        (
            "/admin_address",
            &[("/admin_address", "type")] as &[_],
            &[("/admin_address", "format")] as &[_],
            &[("/admin_address", "max-length")] as &[_],
        ),
        (
            "/alerting_address",
            &[("/alerting_address", "type")],
            &[("/alerting_address", "format")],
            &[("/alerting_address", "max-length")],
        ),
        (
            "/reporting_address",
            &[("/reporting_address", "type")],
            &[("/reporting_address", "format")],
            &[("/reporting_address", "max-length")],
        ),
        (
            "/sender_address",
            &[("/sender_address", "type")],
            &[("/sender_address", "format")],
            &[("/sender_address", "max-length")],
        ),
    ] {
        for value in [json!(1), json!(false), json!({}), json!(["a@example.com"])] {
            cases.push((with(&mail(), pointer, value), of_type));
        }
        for text in ["", "admin", "@example.com", "a@", "a b@example.com", "a@@b.c", "a@b.c\n"] {
            cases.push((with(&mail(), pointer, json!(text)), of_format));
        }
        cases.push((with(&mail(), pointer, json!(address_of_length(255))), of_length));
    }
    cases.push((
        with(&mail(), "/admin_adress", json!("a@b.c")),
        &[("/admin_adress", "unknown-member")],
    ));
    cases.push((
        json!({}),
        &[
            ("/admin_address", "required"),
            ("/alerting_address", "required"),
            ("/reporting_address", "required"),
            ("/sender_address", "required"),
            ("/smtp_auth", "required"),
            ("/smtp_encryption", "required"),
            ("/smtp_server", "required"),
        ],
    ));
    check_refused(&mut admin, MAIL, &cases);
    check_taken(
        &mut admin,
        MAIL,
        &[
            mail(),
            with(&mail(), "/sender_address", json!("box@example.com")),
            with(&mail(), "/sender_address", json!(null)),
            with(&mail(), "/admin_address", json!("first.last+tag@mail.example.com")),
            with(&mail(), "/admin_address", json!(address_of_length(254))),
        ],
    );
}

/// An address of so many characters whose parts are no longer than they may be.
fn address_of_length(length: usize) -> String {
    let label = "b".repeat(60);
    let mut text = format!("{}@{label}.{label}.{label}.", "a".repeat(64));
    text.push_str(&"c".repeat(length - text.len()));
    text
}

#[test]
fn mail_authentication() {
    let (_server, mut admin) = opened();
    let key = password(&mut admin, "secret");
    let identity = create(&mut admin, X509, &Pair::new().body());
    let on = mail_with_password(&key);
    admin.put(MAIL, &on).expect(200);
    let auth = |value: Value| with(&mail(), "/smtp_auth", value);
    let set = |pointer: &str, value: Value| with(&on, pointer, value);
    check_refused(
        &mut admin,
        MAIL,
        &[
            (auth(json!(null)), &[("/smtp_auth", "type")]),
            (auth(json!(true)), &[("/smtp_auth", "type")]),
            (auth(json!([])), &[("/smtp_auth", "type")]),
            (auth(json!({})), &[("/smtp_auth/enabled", "required")]),
            (auth(json!({"enabled": "true"})), &[("/smtp_auth/enabled", "type")]),
            (auth(json!({"enabled": null})), &[("/smtp_auth/enabled", "type")]),
            (auth(json!({"enabled": 1})), &[("/smtp_auth/enabled", "type")]),
            // The members exist only when the group is enabled.
            (
                auth(json!({"enabled": false, "password": key})),
                &[("/smtp_auth/password", "absent")],
            ),
            (
                auth(json!({"enabled": false, "username": "x"})),
                &[("/smtp_auth/username", "absent")],
            ),
            (
                auth(json!({"enabled": false, "password": null})),
                &[("/smtp_auth/password", "absent")],
            ),
            (
                auth(json!({"enabled": false, "password": key, "username": "x"})),
                &[("/smtp_auth/password", "absent"), ("/smtp_auth/username", "absent")],
            ),
            (
                auth(json!({"enabled": true})),
                &[("/smtp_auth/password", "required"), ("/smtp_auth/username", "required")],
            ),
            (without(&on, "/smtp_auth/password"), &[("/smtp_auth/password", "required")]),
            (without(&on, "/smtp_auth/username"), &[("/smtp_auth/username", "required")]),
            (set("/smtp_auth/user", json!("x")), &[("/smtp_auth/user", "unknown-member")]),
            (set("/smtp_auth/username", json!("")), &[("/smtp_auth/username", "min-length")]),
            (set("/smtp_auth/username", json!("a\nb")), &[("/smtp_auth/username", "pattern")]),
            (
                set("/smtp_auth/username", json!("ü".repeat(256))),
                &[("/smtp_auth/username", "max-length")],
            ),
            (set("/smtp_auth/username", json!(null)), &[("/smtp_auth/username", "type")]),
            (set("/smtp_auth/username", json!(5)), &[("/smtp_auth/username", "type")]),
            (set("/smtp_auth/password", json!(null)), &[("/smtp_auth/password", "reference-form")]),
            (set("/smtp_auth/password", json!(5)), &[("/smtp_auth/password", "reference-form")]),
            (set("/smtp_auth/password", json!("")), &[("/smtp_auth/password", "reference-form")]),
            (
                set("/smtp_auth/password", json!([key])),
                &[("/smtp_auth/password", "reference-form")],
            ),
            (set("/smtp_auth/password", json!({})), &[("/smtp_auth/password", "reference-form")]),
            (
                set("/smtp_auth/password", json!({"key": null})),
                &[("/smtp_auth/password", "reference-form")],
            ),
            (
                set("/smtp_auth/password", json!({"meta": {}})),
                &[("/smtp_auth/password", "reference-form")],
            ),
            (
                set("/smtp_auth/password", json!({"key": key, "plain": "x"})),
                &[("/smtp_auth/password", "reference-form")],
            ),
            (
                set("/smtp_auth/password", json!(NO_KEY)),
                &[("/smtp_auth/password", "reference-target")],
            ),
            (
                set("/smtp_auth/password", json!("secret")),
                &[("/smtp_auth/password", "reference-target")],
            ),
            (
                set("/smtp_auth/password", json!(key.to_uppercase())),
                &[("/smtp_auth/password", "reference-target")],
            ),
            // A key of the wrong collection is no key here.
            (
                set("/smtp_auth/password", json!(identity)),
                &[("/smtp_auth/password", "reference-target")],
            ),
        ],
    );
    admin.put(MAIL, &set("/smtp_auth/username", json!("ü".repeat(255)))).expect(200);
    check_taken(&mut admin, MAIL, &[mail()]);
}

#[test]
fn mail_encryption() {
    let (_server, mut admin) = opened();
    let pair = Pair::new();
    let identity = create(&mut admin, X509, &pair.body());
    let secret = password(&mut admin, "secret");
    let starttls = |client: Value, server: Value| {
        let encryption = json!({
            "client_authentication": client,
            "selection": "starttls",
            "server_certificate_check": server,
        });
        with(&mail(), "/smtp_encryption", encryption)
    };
    let off = || json!({"enabled": false});
    let plain = starttls(off(), off());
    let full = starttls(
        json!({"enabled": true, "x509_identity": identity}),
        json!({"enabled": true, "server_certificate_ca": pair.certificate}),
    );
    admin.put(MAIL, &full).expect(200);
    let encryption = |value: Value| with(&mail(), "/smtp_encryption", value);
    let client = |value: Value| starttls(value, off());
    let check = |value: Value| starttls(off(), value);
    let ca = |text: &str| check(json!({"enabled": true, "server_certificate_ca": text}));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const SELECTION: &str = "/smtp_encryption/selection";
    const CLIENT: &str = "/smtp_encryption/client_authentication";
    const CHECK: &str = "/smtp_encryption/server_certificate_check";
    const IDENTITY: &str = "/smtp_encryption/client_authentication/x509_identity";
    const CA: &str = "/smtp_encryption/server_certificate_check/server_certificate_ca";
    check_refused(
        &mut admin,
        MAIL,
        &[
            (encryption(json!(null)), &[("/smtp_encryption", "type")]),
            (encryption(json!("starttls")), &[("/smtp_encryption", "type")]),
            (encryption(json!({})), &[(SELECTION, "required")]),
            (encryption(json!({"selection": "tls"})), &[(SELECTION, "union-tag")]),
            (encryption(json!({"selection": "STARTTLS"})), &[(SELECTION, "union-tag")]),
            (encryption(json!({"selection": ""})), &[(SELECTION, "union-tag")]),
            (encryption(json!({"selection": null})), &[(SELECTION, "type")]),
            (encryption(json!({"selection": true})), &[(SELECTION, "type")]),
            // These groups are allowed with STARTTLS only, and required there.
            (
                encryption(json!({"selection": "disabled", "client_authentication": off()})),
                &[(CLIENT, "absent")],
            ),
            (
                encryption(json!({"selection": "disabled", "server_certificate_check": off()})),
                &[(CHECK, "absent")],
            ),
            (with(&plain, SELECTION, json!("disabled")), &[(CLIENT, "absent"), (CHECK, "absent")]),
            (
                encryption(json!({"selection": "disabled", "x": 1})),
                &[("/smtp_encryption/x", "unknown-member")],
            ),
            (
                encryption(json!({"selection": "starttls"})),
                &[(CLIENT, "required"), (CHECK, "required")],
            ),
            (without(&plain, CLIENT), &[(CLIENT, "required")]),
            (without(&plain, CHECK), &[(CHECK, "required")]),
            (
                with(&plain, "/smtp_encryption/x", json!(1)),
                &[("/smtp_encryption/x", "unknown-member")],
            ),
            (client(json!(null)), &[(CLIENT, "type")]),
            (client(json!(false)), &[(CLIENT, "type")]),
            (client(json!({})), &[("/smtp_encryption/client_authentication/enabled", "required")]),
            (
                client(json!({"enabled": "no"})),
                &[("/smtp_encryption/client_authentication/enabled", "type")],
            ),
            (client(json!({"enabled": true})), &[(IDENTITY, "required")]),
            (client(json!({"enabled": false, "x509_identity": identity})), &[(IDENTITY, "absent")]),
            (
                client(json!({"enabled": true, "x509_identity": null})),
                &[(IDENTITY, "reference-form")],
            ),
            (
                client(json!({"enabled": true, "x509_identity": NO_KEY})),
                &[(IDENTITY, "reference-target")],
            ),
            (
                client(json!({"enabled": true, "x509_identity": secret})),
                &[(IDENTITY, "reference-target")],
            ),
            (
                client(json!({"enabled": false, "x": 1})),
                &[("/smtp_encryption/client_authentication/x", "unknown-member")],
            ),
            (check(json!([])), &[(CHECK, "type")]),
            (
                check(json!({})),
                &[("/smtp_encryption/server_certificate_check/enabled", "required")],
            ),
            (check(json!({"enabled": true})), &[(CA, "required")]),
            (
                check(json!({"enabled": false, "server_certificate_ca": pair.certificate})),
                &[(CA, "absent")],
            ),
            (check(json!({"enabled": true, "server_certificate_ca": null})), &[(CA, "type")]),
            (check(json!({"enabled": true, "server_certificate_ca": identity})), &[(CA, "format")]),
            // A certificate must parse, and nothing may stand around it.
            (ca(""), &[(CA, "format")]),
            (ca(broken), &[(CA, "format")]),
            (ca(&pair.private_key), &[(CA, "format")]),
            (ca(&format!("subject=x\n{}", pair.certificate)), &[(CA, "format")]),
            (ca(&format!("{}{}", pair.certificate, pair.certificate)), &[(CA, "format")]),
            (ca(&pair.certificate[..pair.certificate.len() / 2]), &[(CA, "format")]),
            (ca(&pair.certificate.replace("CERTIFICATE", "CERTIFICAT")), &[(CA, "format")]),
        ],
    );
    check_taken(
        &mut admin,
        MAIL,
        &[
            plain,
            ca(&pair.certificate),
            ca(pair.certificate.trim_end()),
            // The guide's own certificate, of 2016 and by SHA-1.
            ca(GUIDE_CERTIFICATE),
        ],
    );
    let shown = admin.put(MAIL, &full).expect(200).at("/body/smtp_encryption");
    let link = json!({"key": identity, "meta": {"href": format!("{X509}/{identity}")}});
    assert_eq!(shown["client_authentication"]["x509_identity"], link);
}

#[test]
fn mail_server() {
    let server = Server::dev();
    let staged = with(&mail(), "/admin_address", json!("staged@example.com"));
    let mut admin = staging(&server, MAIL, &staged);
    let long_label = format!("{}.example.com", "a".repeat(64));
    let long_name = ["a".repeat(63).as_str(); 4].join(".") + ".c";
    const SELECTION: &str = "/smtp_server/selection";
    const VALUE: &str = "/smtp_server/value";
    let place = |value: Value| with(&mail(), "/smtp_server", value);
    let mut cases: Vec<Refused> = vec![
        (place(json!(null)), &[("/smtp_server", "type")]),
        (place(json!("192.0.2.25")), &[("/smtp_server", "type")]),
        (place(json!({})), &[(SELECTION, "required")]),
        (place(json!({"value": "192.0.2.25"})), &[(SELECTION, "required")]),
        (place(json!({"selection": "ip"})), &[(VALUE, "required")]),
        (place(json!({"selection": "fqdn"})), &[(VALUE, "required")]),
        (place(json!({"selection": "host", "value": "x"})), &[(SELECTION, "union-tag")]),
        (place(json!({"selection": "IP", "value": "192.0.2.25"})), &[(SELECTION, "union-tag")]),
        (place(json!({"selection": 4, "value": "192.0.2.25"})), &[(SELECTION, "type")]),
        (place(json!({"selection": "ip", "value": null})), &[(VALUE, "type")]),
        (place(json!({"selection": "fqdn", "value": 1})), &[(VALUE, "type")]),
        (
            place(json!({"selection": "ip", "value": "192.0.2.25", "port": 25})),
            &[("/smtp_server/port", "unknown-member")],
        ),
    ];
    let ip = |text: &str| place(json!({"selection": "ip", "value": text}));
    let fqdn = |text: &str| place(json!({"selection": "fqdn", "value": text}));
    for text in [
        "",
        "192.0.2",
        "192.0.2.256",
        "192.0.2.25:25",
        "192.0.2.0/24",
        " 192.0.2.25",
        "[::1]",
        "fe80::1%eth0",
        "mail.example.com",
        "01.2.3.4",
        "1",
        ":::",
    ] {
        cases.push((ip(text), &[(VALUE, "format")]));
    }
    for text in [
        "",
        "localhost",
        "192.0.2.25",
        "2001:db8::1",
        "-a.example.com",
        "a-.example.com",
        "a..example.com",
        ".example.com",
        "a b.example.com",
        "a_b.example.com",
        "mail.example.com:25",
        "mail.example.com/",
        "größe.example.com",
        &long_label,
        &long_name,
    ] {
        cases.push((fqdn(text), &[(VALUE, "format")]));
    }
    check_refused(&mut admin, MAIL, &cases);
    check_taken(
        &mut admin,
        MAIL,
        &[
            ip("192.0.2.25"),
            ip("2001:db8::1"),
            ip("::1"),
            fqdn("mail.example.com"),
            fqdn("xn--nxasmq6b.example"),
            fqdn("1.mail-2.example"),
        ],
    );
}

// ===== health monitoring =====

#[test]
fn health_monitoring() {
    let server = Server::dev();
    let staged = with(&health(), "/maximum_load1", json!(7));
    let mut admin = staging(&server, HEALTH, &staged);
    let set = |pointer: &str, value: Value| with(&health(), pointer, value);
    let mut cases: Vec<Refused> = vec![
        (set("/maximum_load2", json!(1)), &[("/maximum_load2", "unknown-member")]),
        (
            json!({}),
            &[
                ("/maximum_disk_utilization_ratio", "required"),
                ("/maximum_load1", "required"),
                ("/maximum_load15", "required"),
                ("/maximum_load5", "required"),
                ("/maximum_swap_utilization_ratio", "required"),
            ],
        ),
    ];
    for (pointer, required, of_type, minimum, maximum) in [
        (
            "/maximum_disk_utilization_ratio",
            &[("/maximum_disk_utilization_ratio", "required")] as &[_],
            &[("/maximum_disk_utilization_ratio", "type")] as &[_],
            &[("/maximum_disk_utilization_ratio", "minimum")] as &[_],
            Some(&[("/maximum_disk_utilization_ratio", "maximum")] as &[_]),
        ),
        (
            "/maximum_swap_utilization_ratio",
            &[("/maximum_swap_utilization_ratio", "required")],
            &[("/maximum_swap_utilization_ratio", "type")],
            &[("/maximum_swap_utilization_ratio", "minimum")],
            Some(&[("/maximum_swap_utilization_ratio", "maximum")]),
        ),
        (
            "/maximum_load1",
            &[("/maximum_load1", "required")],
            &[("/maximum_load1", "type")],
            &[("/maximum_load1", "minimum")],
            None,
        ),
        (
            "/maximum_load5",
            &[("/maximum_load5", "required")],
            &[("/maximum_load5", "type")],
            &[("/maximum_load5", "minimum")],
            None,
        ),
        (
            "/maximum_load15",
            &[("/maximum_load15", "required")],
            &[("/maximum_load15", "type")],
            &[("/maximum_load15", "minimum")],
            None,
        ),
    ] {
        cases.push((without(&health(), pointer), required));
        for value in [json!("80"), json!(true), json!(1.5), json!({}), json!([80])] {
            cases.push((set(pointer, value), of_type));
        }
        cases.push((set(pointer, json!(-1)), minimum));
        cases.push((set(pointer, json!(i64::MIN)), minimum));
        if let Some(maximum) = maximum {
            cases.push((set(pointer, json!(101)), maximum));
            cases.push((set(pointer, json!(u64::MAX)), maximum));
        }
    }
    check_refused(&mut admin, HEALTH, &cases);
    let mut taken = vec![health()];
    for pointer in ["/maximum_disk_utilization_ratio", "/maximum_swap_utilization_ratio"] {
        taken.extend([json!(0), json!(100), json!(null)].map(|value| set(pointer, value)));
    }
    for pointer in ["/maximum_load1", "/maximum_load5", "/maximum_load15"] {
        taken.extend([json!(0), json!(1000), json!(null)].map(|value| set(pointer, value)));
    }
    check_taken(&mut admin, HEALTH, &taken);
}

// ===== SNMP =====

#[test]
fn snmp_folder_takes_no_changes() {
    let server = Server::dev();
    let mut admin = staging(&server, TRAP, &trap());
    for method in ["PUT", "POST", "DELETE"] {
        let answer = admin.request(method, SNMP).json(&json!({"trap": trap()})).send();
        answer.expect_error(405, "MethodNotAllowed");
    }
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
}

#[test]
fn trap_switch_version_and_2c() {
    let server = Server::dev();
    let staged = with(&trap(), "/version/value/community", json!("staged"));
    let mut admin = staging(&server, TRAP, &staged);
    let set = |pointer: &str, value: Value| with(&trap(), pointer, value);
    const COMMUNITY: &str = "/version/value/community";
    const SERVER: &str = "/version/value/server";
    check_refused(
        &mut admin,
        TRAP,
        &[
            (json!({}), &[("/enabled", "required")]),
            (without(&trap(), "/enabled"), &[("/enabled", "required")]),
            (set("/enabled", json!("true")), &[("/enabled", "type")]),
            (set("/enabled", json!(null)), &[("/enabled", "type")]),
            (without(&trap(), "/version"), &[("/version", "required")]),
            (set("/version", json!(null)), &[("/version", "type")]),
            (set("/version", json!("2c")), &[("/version", "type")]),
            (set("/trap", json!(1)), &[("/trap", "unknown-member")]),
            (set("/version/selection", json!("1")), &[("/version/selection", "union-tag")]),
            (set("/version/selection", json!("2C")), &[("/version/selection", "union-tag")]),
            (set("/version/selection", json!(3)), &[("/version/selection", "type")]),
            (set("/version/selection", json!(null)), &[("/version/selection", "type")]),
            (without(&trap(), "/version/selection"), &[("/version/selection", "required")]),
            (without(&trap(), "/version/value"), &[("/version/value", "required")]),
            (set("/version/value", json!(null)), &[("/version/value", "type")]),
            (set("/version/value", json!([])), &[("/version/value", "type")]),
            (set("/version/value", json!({})), &[(COMMUNITY, "required"), (SERVER, "required")]),
            (set("/version/x", json!({})), &[("/version/x", "unknown-member")]),
            (without(&trap(), COMMUNITY), &[(COMMUNITY, "required")]),
            (set(COMMUNITY, json!("")), &[(COMMUNITY, "min-length")]),
            (set(COMMUNITY, json!(null)), &[(COMMUNITY, "type")]),
            (set(COMMUNITY, json!(1)), &[(COMMUNITY, "type")]),
            (set(COMMUNITY, json!("a\tb")), &[(COMMUNITY, "pattern")]),
            (set(COMMUNITY, json!("c".repeat(256))), &[(COMMUNITY, "max-length")]),
            (without(&trap(), SERVER), &[(SERVER, "required")]),
            (set(SERVER, json!("192.0.2.40")), &[(SERVER, "type")]),
            (
                set(SERVER, json!({"selection": "x", "value": "y"})),
                &[("/version/value/server/selection", "union-tag")],
            ),
            (
                set("/version/value/server/value", json!("traps.example.com")),
                &[("/version/value/server/value", "format")],
            ),
            (
                set("/version/value/server/selection", json!("fqdn")),
                &[("/version/value/server/value", "format")],
            ),
            // What belongs to version 3 is unknown in 2c.
            (
                set("/version/value/username", json!("x")),
                &[("/version/value/username", "unknown-member")],
            ),
            (
                set("/version/value/engine_id", json!("0x0123456789ABCDEF")),
                &[("/version/value/engine_id", "unknown-member")],
            ),
            // And 2c's community in 3, which misses its own.
            (
                set("/version/selection", json!("3")),
                &[
                    (COMMUNITY, "unknown-member"),
                    ("/version/value/auth_method", "required"),
                    ("/version/value/auth_password", "required"),
                    ("/version/value/encryption_method", "required"),
                    ("/version/value/encryption_password", "required"),
                    ("/version/value/engine_id", "required"),
                    ("/version/value/username", "required"),
                ],
            ),
        ],
    );
    check_taken(
        &mut admin,
        TRAP,
        &[
            trap(),
            json!({"enabled": false}),
            with(&trap(), "/enabled", json!(false)),
            set(SERVER, json!({"selection": "fqdn", "value": "traps.example.com"})),
            set(SERVER, json!({"selection": "ip", "value": "2001:db8::40"})),
            set(COMMUNITY, json!("c".repeat(255))),
            set(COMMUNITY, json!("with spaces and ümlauts")),
        ],
    );
}

#[test]
fn trap_version_3() {
    let (_server, mut admin) = opened();
    let (auth, encryption) =
        (password(&mut admin, "long enough"), password(&mut admin, "also long"));
    let identity = create(&mut admin, X509, &Pair::new().body());
    let aes = trap_3(&auth, &encryption);
    admin.put(TRAP, &aes).expect(200);
    let set = |pointer: &str, value: Value| with(&aes, pointer, value);
    const METHOD: &str = "/version/value/auth_method";
    const PASSWORD: &str = "/version/value/auth_password";
    const CIPHER: &str = "/version/value/encryption_method";
    const KEY: &str = "/version/value/encryption_password";
    const ENGINE: &str = "/version/value/engine_id";
    const USER: &str = "/version/value/username";
    const SERVER: &str = "/version/value/server";
    let unencrypted = with(&set(CIPHER, json!("none")), KEY, json!(null));
    let mut cases: Vec<Refused> = vec![
        (without(&aes, METHOD), &[(METHOD, "required")]),
        (without(&aes, PASSWORD), &[(PASSWORD, "required")]),
        (without(&aes, CIPHER), &[(CIPHER, "required")]),
        (without(&aes, KEY), &[(KEY, "required")]),
        (without(&aes, ENGINE), &[(ENGINE, "required")]),
        (without(&aes, USER), &[(USER, "required")]),
        (without(&aes, SERVER), &[(SERVER, "required")]),
        (without(&unencrypted, KEY), &[(KEY, "required")]),
        (
            set("/version/value", json!({})),
            &[
                (METHOD, "required"),
                (PASSWORD, "required"),
                (CIPHER, "required"),
                (KEY, "required"),
                (ENGINE, "required"),
                (USER, "required"),
                (SERVER, "required"),
            ],
        ),
        (
            set("/version/value/community", json!("x")),
            &[("/version/value/community", "unknown-member")],
        ),
        (
            set("/version/selection", json!("2c")),
            &[
                ("/version/value/community", "required"),
                (METHOD, "unknown-member"),
                (PASSWORD, "unknown-member"),
                (CIPHER, "unknown-member"),
                (KEY, "unknown-member"),
                (ENGINE, "unknown-member"),
                (USER, "unknown-member"),
            ],
        ),
        // The password belongs to the cipher: null for none and only then.
        (set(KEY, json!(null)), &[(KEY, "null-when")]),
        (with(&set(CIPHER, json!("des")), KEY, json!(null)), &[(KEY, "null-when")]),
        (set(CIPHER, json!("none")), &[(KEY, "null-when")]),
        (set(SERVER, json!(null)), &[(SERVER, "type")]),
        (
            set("/version/value/server/value", json!("nowhere")),
            &[("/version/value/server/value", "format")],
        ),
        (set(USER, json!("")), &[(USER, "min-length")]),
        (set(USER, json!(null)), &[(USER, "type")]),
        (set(PASSWORD, json!(null)), &[(PASSWORD, "reference-form")]),
        (set(PASSWORD, json!(8)), &[(PASSWORD, "reference-form")]),
        (set(PASSWORD, json!(NO_KEY)), &[(PASSWORD, "reference-target")]),
        (set(PASSWORD, json!(identity)), &[(PASSWORD, "reference-target")]),
        (set(KEY, json!(8)), &[(KEY, "reference-form")]),
        (set(KEY, json!(NO_KEY)), &[(KEY, "reference-target")]),
        (set(ENGINE, json!(null)), &[(ENGINE, "type")]),
        (set(ENGINE, json!(1)), &[(ENGINE, "type")]),
    ];
    for name in ["", "none", "MD5", "sha256", "sha512"] {
        cases.push((set(METHOD, json!(name)), &[(METHOD, "enum")]));
    }
    for name in ["", "AES", "aes128", "3des"] {
        cases.push((set(CIPHER, json!(name)), &[(CIPHER, "enum")]));
    }
    for text in [
        "",
        "0x",
        "0x123456789",
        "0123456789ABCDEF",
        "0xGHIJKLMNOP",
        "0x01234 56789",
        "x0123456789",
        " 0x0123456789",
        "0x0123456789\n",
        "<0x0123456789ABCDEF>",
    ] {
        cases.push((set(ENGINE, json!(text)), &[(ENGINE, "pattern")]));
    }
    check_refused(&mut admin, TRAP, &cases);

    // Shown with its references embedded; the rest as it was sent.
    let mut check_shown = |pointer: &str, body: &Value| {
        let answer = admin.put(TRAP, body).expect(200);
        let (sent, shown) = (body.pointer(pointer).unwrap(), answer.at("/body"));
        assert_eq!(shown.pointer(pointer), Some(sent));
        let link = |key: &str| json!({"key": key, "meta": {"href": format!("{PASSWORDS}/{key}")}});
        assert_eq!(shown.pointer(PASSWORD), Some(&link(&auth)));
    };
    for name in ["md5", "sha1", "sha"] {
        check_shown(METHOD, &set(METHOD, json!(name)));
    }
    for name in ["aes", "des"] {
        check_shown(CIPHER, &set(CIPHER, json!(name)));
    }
    check_shown(KEY, &unencrypted);
    for text in ["0x0123456789", "0xabcdefABCDEF", "0x0123456789ABCDEF0123456789ABCDEF"] {
        check_shown(ENGINE, &set(ENGINE, json!(text)));
    }
}

#[test]
fn trap_passwords() {
    let (_server, mut admin) = opened();
    let good = password(&mut admin, "long enough");
    let use_for_both = |key: &str| [trap_3(key, &good), trap_3(&good, key)];
    const AUTH: &[(&str, &str)] = &[("/version/value/auth_password", "secret-text")];
    const ENCRYPTION: &[(&str, &str)] = &[("/version/value/encryption_password", "secret-text")];
    let mut cases: Vec<Refused> = Vec::new();
    let bad = [
        "1234567",
        "seven77",
        "größer 8",
        "tab\tinside",
        "tilde ~ inside",
        "euro € inside",
        "nine\u{a0}char",
    ];
    let mut keys: Vec<String> = bad.iter().map(|text| password(&mut admin, text)).collect();
    // Only a hash of it is known, so nobody can say whether it would do, nor use it.
    keys.push(create(&mut admin, PASSWORDS, &json!({"hash": "$6$salt$0123456789"})));
    for key in &keys {
        let [auth, encryption] = use_for_both(key);
        cases.push((auth, AUTH));
        cases.push((encryption, ENCRYPTION));
    }
    check_refused(&mut admin, TRAP, &cases);

    let documented = "!\"#$%&'()*+,;<=&@[\\]^`{|}_./:?-";
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    for text in ["12345678", "        ", documented, letters, "with a space in it"] {
        let key = password(&mut admin, text);
        for body in use_for_both(&key) {
            admin.put(TRAP, &body).expect(200);
        }
    }
}

/// The certificate that the 6.2 guide prints.
const GUIDE_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIDnDCCAoQCCQDc536Ob5tPQTANBgkqhkiG9w0BAQUFADCBjzELMAkGA1UEBhMC
Q0ExEDAOBgNVBAgTB09udGFyaW8xEDAOBgNVBAcTB1Rvcm9udG8xEDAOBgNVBAoT
B0JhbGFiaXQxFjAUBgNVBAsTDURvY3VtZW50YXRpb24xEDAOBgNVBAMTB2JhbGFi
aXQxIDAeBgkqhkiG9w0BCQEWEWNhdGFpbEBiYWxhYml0Lmh1MB4XDTE2MDQyMjE2
MDAyNloXDTE3MDQyMjE2MDAyNlowgY8xCzAJBgNVBAYTAkNBMRAwDgYDVQQIEwdP
bnRhcmlvMRAwDgYDVQQHEwdUb3JvbnRvMRAwDgYDVQQKEwdCYWxhYml0MRYwFAYD
VQQLEw1Eb2N1bWVudGF0aW9uMRAwDgYDVQQDEwdiYWxhYml0MSAwHgYJKoZIhvcN
AQkBFhFjYXRhaWxAYmFsYWJpdC5odTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCC
AQoCggEBAOGa9I2jmVlVdVWEI/Wy7ahTeyaIjK52FQUXqxG8okOSD+nV74ZFUuiS
59X+2Ow1aDqVGrDMgPNhSVpYXUvDUAUOILJW4rAIoxDY6vDU9/4v9dDiQfEPlauw
0qNRjPS1MLzjSOQDSKqPkdivkS6HKZeX3+TFq3OxO+vIrF9zFfp9T+eDG2oSobPc
3mV2zkvtD61CXzbezAVdArDl6WnysRyzxyH8WEhFwZepWxFD9Y5N1dzKody7Hncs
X5kVIv0+Z6bBHfg/7wHWysJdwNuLr0ByTOvPM6WdA83k3Fy2gYNk7Rc0BbRFbQTX
hJVfUzSUWHVhFQtAb4diKU5voqepfNMCAwEAATANBgkqhkiG9w0BAQUFAAOCAQEA
R5DIwOHsEKoGkiI3cHC2VMnxP2rRhpTneh6El+DFnQPdjrXa+tnqV4TdnNaD+FvP
AB1kqbmC4hJAsjMLU2b1ne6m+SLmzhRuMxcA6x+fnYvcQT57IbRdq2E/4oJGeyuy
0jQE+nmoVD3lDytIOxCfQvZhl1tcbBE5hp5USme4PmNhY6QfUlgjsFjPfoVG7XDB
uNaUoWS6RvZPmL5IuvF9tqe96ES6DTjC8rBfQYvSoVNjjPnUMx0C8xstRSEG7oJc
N5+4ImYnFNxSG20hZpFy0OFDf2g7Fx+W50/NtXamUF1Sf8WlPZc03oVl1/Fzo7mt
qYyyD1ld89OUEYZ+aJQd/A==
-----END CERTIFICATE-----
";
