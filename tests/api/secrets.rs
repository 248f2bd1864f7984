//! Passwords, private keys and certificates: created, referred to once, never shown, and gone when
//! nothing refers to them any more.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::{Client, Server, opened};

use crate::fixtures::{
    CERTIFICATES, DISK, HEALTH, MAIL, NO_KEY, PASSWORDS, PRIVATE_KEYS, Pair, TRAP, X509, body,
    changes, config_hash, create, health, is_uuid_4, issued_pair, mail, mail_with_password, metric,
    password, status, trap_3, violations, with, without,
};

/// The three collections, each with a body that can be created there.
fn samples() -> [(&'static str, Value); 4] {
    let pair = Pair::new();
    [
        (PASSWORDS, json!({"plain": "newpassword"})),
        (PASSWORDS, json!({"hash": "$6$salt$hash"})),
        (PRIVATE_KEYS, json!({"private_key": pair.private_key})),
        (X509, pair.body()),
    ]
}

#[test]
fn created_with_a_key_of_its_own_and_a_location() {
    let (_server, mut admin) = opened();
    for (collection, sample) in samples() {
        let answer = admin.post(collection, &sample).expect(201);
        let key = answer.at("/key").as_str().expect("a key").to_owned();
        assert!(is_uuid_4(&key), "{key}");
        let href = format!("{collection}/{key}");
        assert_eq!(answer.header("location"), Some(href.as_str()));
        let meta = json!({
            "href": href,
            "parent": collection,
            "remaining_seconds": 600,
            "transaction": "/api/transaction",
        });
        assert_eq!(answer.at("/meta"), meta);
        // A certificate is no secret, its key is.
        let shown = match collection {
            X509 => json!({"certificate": sample["certificate"], "issuer_chain": []}),
            _ => json!({}),
        };
        assert_eq!(answer.at("/body"), shown, "{collection}");
        assert_eq!(admin.get(&href).expect(200).json(), answer.json());
        let again = create(&mut admin, collection, &sample);
        assert_ne!(again, key, "the same text is another secret");
    }
}

#[test]
fn neither_listed_nor_changed_nor_deleted() {
    let (_server, mut admin) = opened();
    for (collection, sample) in samples() {
        let member = format!("{collection}/{}", create(&mut admin, collection, &sample));
        let before = changes(&mut admin);
        for (path, methods, allowed) in [
            (collection, ["GET", "HEAD", "PUT", "DELETE", "PATCH"], "OPTIONS, POST"),
            (&member, ["POST", "PUT", "DELETE", "PATCH", "TRACE"], "GET, HEAD, OPTIONS"),
        ] {
            for method in methods {
                let answer = admin.request(method, path).json(&sample).send().expect(405);
                assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
            }
        }
        assert_eq!(changes(&mut admin), before);
        admin.get(&member).expect(200);
    }
}

#[test]
fn bodies_that_are_no_secret_are_refused() {
    let (_server, mut admin) = opened();
    let (one, other) = (Pair::new(), Pair::new());
    let (leaf, authority) = issued_pair();
    let chain = |chain: &[&str]| with(&leaf.body(), "/issuer_chain", json!(chain));
    let encrypted = one.private_key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let key = |text: &str| json!({"private_key": text});
    type Case<'a> = (&'a str, Value, &'a [(&'a str, &'a str)]);
    let cases: Vec<Case<'_>> = vec![
        (PASSWORDS, json!({}), &[("", "exactly-one-of")]),
        (PASSWORDS, json!({"plain": "a", "hash": "b"}), &[("", "exactly-one-of")]),
        (PASSWORDS, json!({"plain": ""}), &[("/plain", "min-length")]),
        (PASSWORDS, json!({"plain": "x".repeat(1025)}), &[("/plain", "max-length")]),
        (PASSWORDS, json!({"plain": null}), &[("/plain", "type")]),
        (PASSWORDS, json!({"plain": 5}), &[("/plain", "type")]),
        (PASSWORDS, json!({"hash": ""}), &[("/hash", "min-length")]),
        (PASSWORDS, json!({"hash": "a b"}), &[("/hash", "format")]),
        (PASSWORDS, json!({"plain": "a", "key": "b"}), &[("/key", "unknown-member")]),
        (PASSWORDS, json!("newpassword"), &[("", "type")]),
        (PRIVATE_KEYS, json!({}), &[("/private_key", "required")]),
        (PRIVATE_KEYS, key(""), &[("/private_key", "format")]),
        (PRIVATE_KEYS, key(&one.certificate), &[("/private_key", "format")]),
        (PRIVATE_KEYS, key(&encrypted), &[("/private_key", "format")]),
        (PRIVATE_KEYS, key(&format!(" {}", one.private_key)), &[("/private_key", "format")]),
        (PRIVATE_KEYS, json!({"private_key": null}), &[("/private_key", "type")]),
        (X509, json!({}), &[("/certificate", "required"), ("/private_key", "required")]),
        (X509, without(&one.body(), "/private_key"), &[("/private_key", "required")]),
        (X509, without(&one.body(), "/certificate"), &[("/certificate", "required")]),
        (
            X509,
            with(&one.body(), "/private_key", json!(other.private_key)),
            &[("/private_key", "key-pair")],
        ),
        (X509, with(&one.body(), "/certificate", json!("x")), &[("/certificate", "format")]),
        (X509, with(&one.body(), "/private_key", json!("x")), &[("/private_key", "format")]),
        (X509, with(&one.body(), "/private_key", json!(encrypted)), &[("/private_key", "format")]),
        (X509, with(&one.body(), "/issuer_chain", json!(null)), &[("/issuer_chain", "type")]),
        (X509, chain(&["x"]), &[("/issuer_chain/0", "format")]),
        (X509, chain(&[&one.certificate]), &[("/issuer_chain/0", "issuer-chain")]),
        (X509, chain(&[&authority, &leaf.certificate]), &[("/issuer_chain/1", "issuer-chain")]),
        (X509, with(&one.body(), "/chain", json!([])), &[("/chain", "unknown-member")]),
    ];
    for (collection, body, expected) in cases {
        let refusal = admin.post(collection, &body).expect_error(400, "SyntacticError");
        let expected: Vec<_> =
            expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        assert_eq!(violations(&refusal), expected, "{refusal}");
        assert_eq!(refusal.header("location"), None);
    }
    assert_eq!(changes(&mut admin), [] as [Value; 0]);
    let taken = chain(&[&authority]);
    let answer = admin.post(X509, &taken).expect(201);
    assert_eq!(answer.at("/body/issuer_chain"), json!([authority]));
    create(&mut admin, PASSWORDS, &json!({"plain": "x".repeat(1024)}));
    create(&mut admin, PASSWORDS, &json!({"plain": " with spaces, ümlauts and \n lines "}));
}

// ===== one reference each =====

#[track_caller]
fn expect_refused_commit(admin: &mut Client, pointers: &[(&str, &str)]) {
    let refusal = admin.commit().expect_error(400, "SemanticError");
    let mut found: Vec<(String, String)> = refusal
        .at("/error/details/errors")
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| {
            assert_eq!(error["rule"], json!("reference-exclusive"), "{refusal}");
            (error["paths"][0].to_string(), error["pointer"].to_string())
        })
        .collect();
    found.sort();
    let mut expected: Vec<(String, String)> = pointers
        .iter()
        .map(|(path, pointer)| {
            (json!(format!("{path}#{}", &pointer[1..])).to_string(), json!(pointer).to_string())
        })
        .collect();
    expected.sort();
    assert_eq!(found, expected, "{refusal}");
    assert_eq!(status(admin), "open");
}

#[test]
fn second_reference_is_refused_at_commit_in_one_body() {
    let (_server, mut admin) = opened();
    let key = password(&mut admin, "long enough");
    admin.put(TRAP, &trap_3(&key, &key)).expect(200);
    expect_refused_commit(
        &mut admin,
        &[(TRAP, "/version/value/auth_password"), (TRAP, "/version/value/encryption_password")],
    );
}

#[test]
fn second_reference_is_refused_at_commit_against_the_whole_tree() {
    let (_server, mut admin) = opened();
    let key = password(&mut admin, "long enough");
    let other = password(&mut admin, "also long");
    admin.put(MAIL, &mail_with_password(&key)).expect(200);
    let third = password(&mut admin, "third one");
    admin.put(TRAP, &trap_3(&other, &third)).expect(200);
    admin.commit().expect(200);

    // A later transaction that touches only the second place.
    admin.open().expect(200);
    admin.put(TRAP, &trap_3(&key, &third)).expect(200);
    let before = changes(&mut admin);
    let referrers = [(MAIL, "/smtp_auth/password"), (TRAP, "/version/value/auth_password")];
    expect_refused_commit(&mut admin, &referrers);
    assert_eq!(changes(&mut admin), before);

    // Moved instead of shared it is fine.
    admin.put(MAIL, &mail()).expect(200);
    admin.commit().expect(200);
    admin.get(&format!("{PASSWORDS}/{key}")).expect(200);
    admin.get(&format!("{PASSWORDS}/{other}")).expect_error(404, "NotFound");
}

#[test]
fn certificate_is_used_once_too() {
    let (_server, mut admin) = opened();
    let identity = create(&mut admin, X509, &Pair::new().body());
    let certificates = body(&mut admin, CERTIFICATES);
    let shared = with(&certificates, "/server", json!(identity));
    admin.put(CERTIFICATES, &with(&shared, "/tsa", json!(identity))).expect(200);
    expect_refused_commit(&mut admin, &[(CERTIFICATES, "/server"), (CERTIFICATES, "/tsa")]);
    admin.put(CERTIFICATES, &with(&certificates, "/tsa", json!(identity))).expect(200);
    admin.commit().expect(200);
}

// ===== how long they live =====

#[test]
fn unreferenced_ones_are_dropped_at_commit() {
    let (_server, mut admin) = opened();
    let paths: Vec<String> = samples()
        .iter()
        .map(|(collection, sample)| {
            format!("{collection}/{}", create(&mut admin, collection, sample))
        })
        .collect();
    let used = password(&mut admin, "used");
    admin.put(MAIL, &mail_with_password(&used)).expect(200);
    for path in &paths {
        admin.get(path).expect(200);
    }
    admin.commit().expect(200);
    for path in &paths {
        admin.get(path).expect_error(404, "NotFound");
    }
    admin.get(&format!("{PASSWORDS}/{used}")).expect(200);
    admin.open().expect(200);
    let gone = paths[0].rsplit('/').next().unwrap();
    let refusal = admin.put(MAIL, &mail_with_password(gone)).expect_error(400, "SemanticError");
    assert_eq!(refusal.at("/error/details/errors/0/rule"), json!("reference-target"));
}

#[test]
fn transaction_of_nothing_but_unreferenced_ones_commits_nothing() {
    let server = Server::dev();
    let mut admin = server.admin();
    let (hash, revision) =
        (config_hash(&mut admin), metric(&mut admin, "boxwood_running_revision"));
    admin.open().expect(200);
    let key = password(&mut admin, "secret");
    assert_eq!(changes(&mut admin).len(), 1);
    admin.commit().expect(200);
    assert_eq!(status(&mut admin), "closed");
    admin.get(&format!("{PASSWORDS}/{key}")).expect_error(404, "NotFound");
    assert_eq!(config_hash(&mut admin), hash);
    assert_eq!(metric(&mut admin, "boxwood_running_revision"), revision);
}

#[test]
fn refused_commit_drops_nothing() {
    let (_server, mut admin) = opened();
    let (unused, shared) = (password(&mut admin, "unused"), password(&mut admin, "long enough"));
    admin.put(TRAP, &trap_3(&shared, &shared)).expect(200);
    admin.commit().expect_error(400, "SemanticError");
    admin.get(&format!("{PASSWORDS}/{unused}")).expect(200);
    admin.put(MAIL, &mail_with_password(&unused)).expect(200);
    let (one, two) = (password(&mut admin, "another one"), password(&mut admin, "and another"));
    admin.put(TRAP, &trap_3(&one, &two)).expect(200);
    admin.commit().expect(200);
    admin.get(&format!("{PASSWORDS}/{unused}")).expect(200);
}

#[test]
fn replaced_and_switched_off_ones_go_with_the_commit() {
    let (_server, mut admin) = opened();
    let first = password(&mut admin, "first");
    admin.put(MAIL, &mail_with_password(&first)).expect(200);
    admin.commit().expect(200);

    admin.open().expect(200);
    let second = password(&mut admin, "second");
    admin.put(MAIL, &mail_with_password(&second)).expect(200);
    admin.get(&format!("{PASSWORDS}/{first}")).expect(200);
    admin.commit().expect(200);
    admin.get(&format!("{PASSWORDS}/{first}")).expect_error(404, "NotFound");
    admin.get(&format!("{PASSWORDS}/{second}")).expect(200);

    admin.open().expect(200);
    admin.put(MAIL, &mail()).expect(200);
    admin.commit().expect(200);
    admin.get(&format!("{PASSWORDS}/{second}")).expect_error(404, "NotFound");
}

#[test]
fn secret_in_use_stays_through_commits_about_other_things() {
    let (_server, mut admin) = opened();
    let key = password(&mut admin, "first");
    admin.put(MAIL, &mail_with_password(&key)).expect(200);
    admin.commit().expect(200);
    for load in 1..4 {
        admin.open().expect(200);
        admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(load))).expect(200);
        admin.commit().expect(200);
    }
    admin.open().expect(200);
    let changed = with(&mail_with_password(&key), "/admin_address", json!("b@example.com"));
    admin.put(MAIL, &changed).expect(200);
    admin.put(DISK, &body(&mut admin.fork(), DISK)).expect(200);
    admin.commit().expect(200);
    admin.get(&format!("{PASSWORDS}/{key}")).expect(200);
}

// ===== sealed at rest =====

// The text of a sealed password is asked for by the rule about SNMP passwords, also after a restart.
#[test]
fn sealed_secrets_are_opened_again_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let (long, short) = (password(&mut admin, "long enough"), password(&mut admin, "short"));
    admin.put(MAIL, &mail_with_password(&long)).expect(200);
    admin.commit().expect(200);
    assert!(server.terminate().success());

    let server = builder.start();
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(MAIL, &mail()).expect(200);
    let refusal = admin.put(TRAP, &trap_3(&short, &long)).expect_error(400, "SemanticError");
    assert_eq!(refusal.at("/error/details/errors/0/rule"), json!("reference-target"));
    let other = password(&mut admin, "also long");
    admin.put(TRAP, &trap_3(&long, &other)).expect(200);
    admin.commit().expect(200);
}

#[test]
fn another_key_opens_none_of_them_and_says_so() {
    let data = tempfile::tempdir().unwrap();
    let builder = |digit: &str| {
        Server::builder().serve(data.path()).env("BOXWOOD_SECRET_KEY", digit.repeat(64))
    };
    let mut server = builder("1").start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let key = password(&mut admin, "long enough");
    admin.put(MAIL, &mail_with_password(&key)).expect(200);
    admin.commit().expect(200);
    assert!(server.terminate().success());
    assert!(!data.path().join("secret.key").exists(), "a key that is given is written nowhere");

    // The served certificate cannot be opened either: whether that stops the start or only what
    // needs a secret, it must not be silent.
    match builder("2").try_start() {
        Err(exit) => assert!(exit.stderr.contains("key"), "{}", exit.stderr),
        Ok(mut server) => {
            let log = server.log();
            server.kill();
            assert!(log.contains("ERROR") || log.contains("WARN"), "{log}");
        }
    }
    // And with the right key all is as it was.
    let server = builder("1").start();
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(MAIL, &mail()).expect(200);
    let other = password(&mut admin, "also long");
    admin.put(TRAP, &trap_3(&key, &other)).expect(200);
}

#[test]
fn key_file_is_for_its_owner_alone() {
    let data = tempfile::tempdir().unwrap();
    let _server = Server::builder().serve(data.path()).start();
    for name in ["secret.key", "administrator.hash"] {
        let mode = std::fs::metadata(data.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let hash = std::fs::read_to_string(data.path().join("administrator.hash")).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
    let elsewhere = tempfile::tempdir().unwrap();
    let key = elsewhere.path().join("sealing.key");
    let _other = Server::builder()
        .serve(elsewhere.path().join("data"))
        .set("secrets.key_file", key.display())
        .start();
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!elsewhere.path().join("data/secret.key").exists());
}

#[test]
fn unknown_members_are_not_found() {
    let server = Server::dev();
    let mut admin = server.admin();
    for collection in [PASSWORDS, PRIVATE_KEYS, X509] {
        for key in [NO_KEY, "x", "-1"] {
            for method in ["GET", "PUT", "DELETE", "POST"] {
                let path = format!("{collection}/{key}");
                admin.request(method, &path).send().expect_error(404, "NotFound");
            }
        }
    }
}
