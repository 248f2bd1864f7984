//! Changing `/api/configuration`: what PUT takes and answers, and which bodies are refused before
//! anybody asks what they mean.

use serde_json::{Value, json};
use support::opened;

use crate::fixtures::{
    CERTIFICATES, CONFIGURATION, DISK, HEALTH, MAIL, MANAGEMENT, OBJECTS, PASSWORDS, Pair, SNMP,
    SYSLOG, TRAP, WEBINTERFACE, X509, body, changes, create, health, mail, mail_with_password,
    password, reference, status, trap_3, violations, with,
};

#[test]
fn put_answers_what_get_then_shows() {
    let (_server, mut admin) = opened();
    let changed = with(&health(), "/maximum_load1", json!(7));
    let answer = admin.put(HEALTH, &changed).expect(200);
    assert_eq!(answer.at("/body"), changed);
    assert_eq!(answer.at("/key"), json!("health_monitoring"));
    assert_eq!(answer.header("location"), None);
    assert_eq!(admin.get(HEALTH).expect(200).json(), answer.json());
}

// The idiom of every script: GET, edit, PUT back, references and all.
#[test]
fn body_of_every_object_can_be_put_back_as_it_was_read() {
    let (_server, mut admin) = opened();
    let (one, two) = (password(&mut admin, "long enough"), password(&mut admin, "also long"));
    let third = password(&mut admin, "third");
    admin.put(TRAP, &trap_3(&one, &two)).expect(200);
    admin.put(MAIL, &mail_with_password(&third)).expect(200);
    admin.put(SYSLOG, &json!({"servers": [{"address": "192.0.2.1", "port": 514}]})).expect(200);
    admin.commit().expect(200);
    admin.open().expect(200);
    for path in OBJECTS {
        let before = body(&mut admin, path);
        let answer = admin.put(path, &before).expect(200);
        assert_eq!(answer.at("/body"), before, "{path}");
    }
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
    admin.commit().expect(200);
}

#[test]
fn reference_is_taken_bare_and_embedded_and_shown_embedded() {
    let (_server, mut admin) = opened();
    let key = password(&mut admin, "secret");
    let shown = reference(PASSWORDS, &key);
    let elsewhere = json!({"href": "/api/configuration/passwords/other", "x": 1});
    for form in [
        json!(key),
        shown.clone(),
        json!({"key": key}),
        // The key counts; what is said about it does not.
        json!({"key": key, "meta": elsewhere}),
        json!({"key": key, "meta": null}),
    ] {
        let sent = with(&mail_with_password(&key), "/smtp_auth/password", form.clone());
        let answer = admin.put(MAIL, &sent).expect(200);
        assert_eq!(answer.at("/body/smtp_auth/password"), shown, "{form}");
    }
}

// Core protocol 3.4: an object with exactly `body` and optionally `key` and `meta` is unwrapped.
#[test]
fn whole_document_can_be_put_back() {
    let (_server, mut admin) = opened();
    let mut document = admin.get(HEALTH).expect(200).json();
    document["body"]["maximum_load1"] = json!(7);
    assert_eq!(admin.put(HEALTH, &document).expect(200).at("/body/maximum_load1"), json!(7));
    let bare = json!({"body": health()});
    assert_eq!(admin.put(HEALTH, &bare).expect(200).at("/body"), health());
    let other = json!({"body": health(), "other": 1});
    admin.put(HEALTH, &other).expect_error(400, "SyntacticError");
}

#[test]
fn put_replaces_the_whole_object() {
    let (_server, mut admin) = opened();
    let refusal = admin.put(HEALTH, &json!({"maximum_load1": 7}));
    let refusal = refusal.expect_error(400, "SyntacticError");
    assert_eq!(violations(&refusal).len(), 4, "{refusal}");
    assert_eq!(body(&mut admin, HEALTH), health());
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
}

#[test]
fn object_of_unknown_members_takes_any_object() {
    let (_server, mut admin) = opened();
    for value in [
        json!({}),
        json!({"servers": [{"address": "192.0.2.1", "port": 514, "tls": null}], "hostname": true}),
        json!({"größe": {"ü": [[], {}, 1.5, -3, "text\n"]}}),
        json!({"a~b/c": 1, "@order": 2}),
    ] {
        assert_eq!(admin.put(SYSLOG, &value).expect(200).at("/body"), value);
    }
    for value in [json!([]), json!("x"), json!(null), json!(1)] {
        admin.put(SYSLOG, &value).expect_error(400, "SyntacticError");
    }
}

#[test]
fn operations_that_a_node_lacks_are_refused_with_those_it_has() {
    let (_server, mut admin) = opened();
    let folder = "GET, HEAD, OPTIONS";
    let object = "GET, HEAD, OPTIONS, PUT";
    for (path, methods, allowed) in [
        (CONFIGURATION, &["POST", "PUT", "DELETE", "PATCH"][..], folder),
        (MANAGEMENT, &["POST", "PUT", "DELETE", "PATCH"], folder),
        (SNMP, &["POST", "PUT", "DELETE", "PATCH"], folder),
        (MAIL, &["POST", "DELETE", "PATCH"], object),
        (HEALTH, &["POST", "DELETE", "PATCH"], object),
        (TRAP, &["POST", "DELETE", "PATCH"], object),
        (CERTIFICATES, &["POST", "DELETE"], object),
        (DISK, &["POST", "DELETE"], object),
    ] {
        for method in methods {
            // The body would be refused as well; the method comes first.
            let answer = admin.request(method, path).text("{", "application/json").send();
            let answer = answer.expect_error(405, "MethodNotAllowed");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
            assert_eq!(answer.at("/error/details/resource"), json!(path));
            let message = answer.at("/error/message");
            assert!(message.as_str().unwrap().contains(allowed), "{message}");
        }
    }
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
}

#[test]
fn key_cannot_be_chosen_by_the_client() {
    let (_server, mut admin) = opened();
    let path = format!("{PASSWORDS}/aec663b5-f5bd-4c93-bb51-36fea3328e58");
    admin.put(&path, &json!({"plain": "x"})).expect_error(404, "NotFound");
    admin.post(&path, &json!({"plain": "x"})).expect_error(404, "NotFound");
    admin.delete(&path).expect_error(404, "NotFound");
}

#[test]
fn rules_of_the_other_endpoints() {
    let (_server, mut admin) = opened();
    let identity = create(&mut admin, X509, &Pair::new().body());
    let secret = password(&mut admin, "secret");
    let certificates = body(&mut admin, CERTIFICATES);
    let disk = json!({"archiving_enabled": false, "enabled": true, "used_space_ratio_limit": 80});
    for (path, body, expected) in [
        (WEBINTERFACE, json!({}), ("/timeout", "required")),
        (WEBINTERFACE, json!({"timeout": 0}), ("/timeout", "minimum")),
        (WEBINTERFACE, json!({"timeout": 721}), ("/timeout", "maximum")),
        (WEBINTERFACE, json!({"timeout": "10"}), ("/timeout", "type")),
        (WEBINTERFACE, json!({"timeout": null}), ("/timeout", "type")),
        (WEBINTERFACE, json!({"timeout": 10.5}), ("/timeout", "type")),
        (WEBINTERFACE, json!({"timeout": 10, "x": 1}), ("/x", "unknown-member")),
        (
            DISK,
            with(&disk, "/used_space_ratio_limit", json!(101)),
            ("/used_space_ratio_limit", "maximum"),
        ),
        (
            DISK,
            with(&disk, "/used_space_ratio_limit", json!(-1)),
            ("/used_space_ratio_limit", "minimum"),
        ),
        (DISK, with(&disk, "/enabled", json!("true")), ("/enabled", "type")),
        (
            DISK,
            json!({"enabled": true, "used_space_ratio_limit": 80}),
            ("/archiving_enabled", "required"),
        ),
        ("/api/configuration/management/soap", json!({}), ("/enabled", "required")),
        ("/api/configuration/management/soap", json!({"enabled": 1}), ("/enabled", "type")),
        (CERTIFICATES, with(&certificates, "/server", json!(null)), ("/server", "reference-form")),
        (
            CERTIFICATES,
            with(&certificates, "/server", json!("none")),
            ("/server", "reference-target"),
        ),
        (
            CERTIFICATES,
            with(&certificates, "/server", json!(secret)),
            ("/server", "reference-target"),
        ),
        (
            CERTIFICATES,
            with(&certificates, "/ca/selection", json!("x")),
            ("/ca/selection", "union-tag"),
        ),
        (
            CERTIFICATES,
            with(&certificates, "/ca", json!({"selection": "identity"})),
            ("/ca/x509_identity", "required"),
        ),
        (MAIL, mail_with_password(&identity), ("/smtp_auth/password", "reference-target")),
    ] {
        let refusal = admin.put(path, &body).expect(400);
        let expected = [(expected.0.to_owned(), expected.1.to_owned())];
        assert_eq!(violations(&refusal), expected, "{refusal}");
    }
    for timeout in [1, 720] {
        admin.put(WEBINTERFACE, &json!({"timeout": timeout})).expect(200);
    }
    for limit in [0, 100] {
        admin.put(DISK, &with(&disk, "/used_space_ratio_limit", json!(limit))).expect(200);
    }
    admin.put(CERTIFICATES, &with(&certificates, "/tsa", json!(identity))).expect(200);
}

// ===== bodies that are no JSON, or not one document with one meaning =====

#[test]
fn bodies_that_are_no_unambiguous_json_are_refused_and_change_nothing() {
    let (_server, mut admin) = opened();
    let staged = with(&health(), "/maximum_load1", json!(7));
    admin.put(HEALTH, &staged).expect(200);
    let before = admin.get(HEALTH).expect(200).json();
    let text = health().to_string();
    let half = &text[..text.len() - 1];
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("white space", b" \r\n\t ".to_vec()),
        ("words", b"hello".to_vec()),
        ("an open object", half.as_bytes().to_vec()),
        ("two documents", format!("{text}{text}").into()),
        ("something behind", format!("{text};").into()),
        ("a trailing comma", format!("{half},}}").into()),
        ("single quotes", text.replace('"', "'").into()),
        ("a comment", format!("/* */{text}").into()),
        ("NaN", text.replace("80", "NaN").into()),
        ("a leading zero", text.replace("80", "080").into()),
        ("a plus", text.replace("80", "+80").into()),
        ("a byte-order mark", [b"\xEF\xBB\xBF".as_slice(), text.as_bytes()].concat()),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("Latin-1", b"{\"maximum_load1\": \"\xE4\"}".to_vec()),
        ("a cut UTF-8 sequence", b"{\"maximum_load1\": \"\xC3\"}".to_vec()),
        ("a surrogate in UTF-8", b"{\"maximum_load1\": \"\xED\xA0\x80\"}".to_vec()),
        ("a lone surrogate", b"{\"maximum_load1\": \"\\ud800\"}".to_vec()),
        ("a raw control character", b"{\"maximum_load1\": \"\x01\"}".to_vec()),
        ("a NUL", b"{\"maximum_load1\": \"\\u0000\"}".to_vec()),
        ("a member twice", format!("{half}, \"maximum_load1\": 3}}").into()),
        ("a member twice, one escaped", format!("{half}, \"maximum_loa\\u00641\": 3}}").into()),
        ("members that differ in case", format!("{half}, \"Maximum_load1\": 3}}").into()),
        ("an empty name", format!("{half}, \"\": 3}}").into()),
        ("too large a number", text.replace("80", "18446744073709551616").into()),
        ("too small a number", text.replace("80", "-9223372036854775809").into()),
        ("too many levels", [vec![b'['; 65], vec![b']'; 65]].concat()),
        ("far too many levels", vec![b'['; 100_000]),
        ("a form", b"status=commit".to_vec()),
    ];
    for (name, bytes) in bodies {
        let answer = admin.request("PUT", HEALTH).text(bytes, "application/json").send();
        let answer = answer.expect_error(400, "InvalidRequestBody");
        assert!(admin.is_connected(), "{name}: the connection is kept\n{answer}");
        assert_eq!(admin.get(HEALTH).expect(200).json(), before, "{name}");
    }
    assert_eq!(changes(&mut admin).len(), 1);
    admin.commit().expect(200);
}

#[test]
fn message_of_a_bad_body_says_where() {
    let (_server, mut admin) = opened();
    for (body, parts) in [
        ("{\n  \"a\": x\n}", &["line 2", "column"][..]),
        ("{\"a\": {\"b\": 1, \"b\": 2}}", &["/a", "b", "twice"]),
        ("{\"a\": {\"b\": 1, \"B\": 2}}", &["/a", "case"]),
        ("{\"a\": {\"\": 1}}", &["/a", "empty name"]),
        ("{\"a\": \"\\u0000\"}", &["/a", "NUL"]),
        ("{\"a\": 99999999999999999999}", &["out of range"]),
        ("", &["body"]),
    ] {
        let answer = admin.request("PUT", HEALTH).text(body, "application/json").send();
        let answer = answer.expect_error(400, "InvalidRequestBody");
        let message = answer.at("/error/message");
        let message = message.as_str().unwrap();
        assert!(parts.iter().all(|part| message.contains(part)), "{body}: {message}");
    }
}

#[test]
fn body_must_be_an_object() {
    let (_server, mut admin) = opened();
    for path in OBJECTS {
        for value in [json!(null), json!([]), json!("x"), json!(1), json!(true)] {
            let refusal = admin.put(path, &value).expect_error(400, "SyntacticError");
            assert_eq!(violations(&refusal), [(String::new(), "type".to_owned())], "{refusal}");
        }
    }
}

#[test]
fn declared_type_of_a_body_must_be_json() {
    let (_server, mut admin) = opened();
    let text = health().to_string();
    let mut put =
        |content_type: &str| admin.request("PUT", HEALTH).text(text.clone(), content_type).send();
    for good in [
        "",
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        "application/merge+json",
    ] {
        put(good).expect(200);
    }
    for bad in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
    ] {
        put(bad).expect_error(415, "InvalidRequestBody");
    }
}

#[test]
fn refused_change_leaves_what_was_staged_before() {
    let (_server, mut admin) = opened();
    let staged = with(&mail(), "/admin_address", json!("b@example.com"));
    admin.put(MAIL, &staged).expect(200);
    admin.put(MAIL, &with(&staged, "/smtp_server/value", json!("nonsense"))).expect(400);
    admin.put(MAIL, &json!({})).expect(400);
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(-1))).expect(400);
    assert_eq!(body(&mut admin, MAIL), staged);
    assert_eq!(status(&mut admin), "open");
    admin.commit().expect(200);
    assert_eq!(body(&mut admin, MAIL), staged);
    assert_eq!(body(&mut admin, HEALTH), health());
}

#[test]
fn every_violation_of_a_body_is_told_and_no_value_is_repeated() {
    let (_server, mut admin) = opened();
    let bad = json!({
        "admin_address": "value-that-is-no-address",
        "alerting_address": 5,
        "sender_address": null,
        "smtp_auth": {"enabled": true, "password": "value-that-is-no-key", "user": "x"},
        "smtp_encryption": {"selection": "value-that-is-no-branch"},
        "smtp_server": {"selection": "ip", "value": "value-that-is-no-ip"},
    });
    let refusal = admin.put(MAIL, &bad).expect_error(400, "SyntacticError");
    let expected = [
        ("/admin_address", "format"),
        ("/alerting_address", "type"),
        ("/reporting_address", "required"),
        ("/smtp_auth/user", "unknown-member"),
        ("/smtp_auth/username", "required"),
        ("/smtp_encryption/selection", "union-tag"),
        ("/smtp_server/value", "format"),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(violations(&refusal), expected, "{refusal}");
    assert!(!refusal.text().contains("value-that"), "{refusal}");
    let message = refusal.at("/error/message");
    assert!(message.as_str().unwrap().contains("6 more errors"), "{message}");
}
