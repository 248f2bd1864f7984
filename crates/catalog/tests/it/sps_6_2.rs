//! The SPS 6.2 catalog: every rule of the mail, health and SNMP pages, and the stores of secrets.

use catalog::{EndpointKind, Fidelity, Layer};
use config_tree::{Change, Key, Kind, NodePath};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::support::{Sealed, body, brief, path, put, sps};

const PASSWORD: &str = "aec663b5-f5bd-4c93-bb51-36fea3328e58";
const IDENTITY: &str = "c3a23e32-d75b-461e-afc0-14d1f6692879";

fn example(endpoint: &str, title: &str) -> Value {
    let catalog = sps();
    let endpoint = catalog.endpoint(&path(endpoint)).unwrap();
    endpoint.examples().iter().find(|e| e.title.contains(title)).unwrap().body.clone()
}

fn default(endpoint: &str) -> Value {
    sps().endpoint(&path(endpoint)).unwrap().default().unwrap().clone()
}

/// What is wrong after a change of a body at a pointer; `None` removes what is there.
fn check(endpoint: &str, base: &Value, changes: &[(&str, Option<Value>)]) -> Vec<String> {
    let mut document = base.clone();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => drop(parent.insert(name.to_owned(), value.clone())),
            None => assert!(parent.remove(name).is_some(), "{pointer}"),
        }
    }
    match sps().check_body(&path(endpoint), document) {
        Ok(_) => Vec::new(),
        Err(violations) => {
            assert!(violations.is_sorted());
            assert!(violations.iter().all(|v| v.layer == Layer::Shape && v.path == path(endpoint)));
            brief(&violations)
        }
    }
}

type Row<'a> = (&'a [(&'a str, Option<Value>)], &'a [&'a str]);

fn table(endpoint: &str, base: &Value, rows: &[Row<'_>]) {
    assert_eq!(check(endpoint, base, &[]), [""; 0]);
    for (changes, expected) in rows {
        assert_eq!(check(endpoint, base, changes), *expected, "{changes:?}");
    }
}

// ===== The four endpoints of the page =====

#[test]
fn every_rule_of_the_mail_settings_is_enforced() {
    let mail = "/management/email";
    let ca = "/smtp_encryption/server_certificate_check/server_certificate_ca";
    let full = example(mail, "both sides");
    let mut rows: Vec<Row<'_>> = vec![
        (&[("/smtp_auth/password", None)], &["/smtp_auth/password required"]),
        (&[("/smtp_auth/username", None)], &["/smtp_auth/username required"]),
        (&[("/smtp_auth/enabled", None)], &["/smtp_auth/enabled required"]),
    ];
    let set = |pointer, value| [(pointer, Some(value))];
    let changes = [
        (
            set("/smtp_auth/enabled", json!(false)),
            &["/smtp_auth/password absent", "/smtp_auth/username absent"][..],
        ),
        (set("/smtp_auth/enabled", json!("true")), &["/smtp_auth/enabled type"]),
        (set("/smtp_auth/enabled", json!(null)), &["/smtp_auth/enabled type"]),
        (set("/smtp_auth/password", json!(null)), &["/smtp_auth/password reference-form"]),
        (set("/smtp_auth/password", json!("")), &["/smtp_auth/password reference-form"]),
        (set("/smtp_auth/password", json!("a/b")), &["/smtp_auth/password reference-form"]),
        (set("/smtp_auth/password", json!({"meta": {}})), &["/smtp_auth/password reference-form"]),
        (
            set("/smtp_auth/password", json!({"key": "k", "body": 1})),
            &["/smtp_auth/password reference-form"],
        ),
        (set("/smtp_auth/username", json!(null)), &["/smtp_auth/username type"]),
        (set("/smtp_auth/username", json!("")), &["/smtp_auth/username min-length"]),
        (set("/smtp_auth/username", json!("a\u{0}")), &["/smtp_auth/username pattern"]),
        (set("/smtp_auth/username", json!("u".repeat(256))), &["/smtp_auth/username max-length"]),
        (set("/smtp_auth/user", json!("u")), &["/smtp_auth/user unknown-member"]),
        (set("/smtp_auth", json!(null)), &["/smtp_auth type"]),
        (set("/smtp_auth", json!({})), &["/smtp_auth/enabled required"]),
        (set("/smtp_encryption", json!({})), &["/smtp_encryption/selection required"]),
        (
            set("/smtp_encryption/selection", json!("tls")),
            &["/smtp_encryption/selection union-tag"],
        ),
        (set("/smtp_encryption/selection", json!(1)), &["/smtp_encryption/selection type"]),
        (
            set("/smtp_encryption/selection", json!("disabled")),
            &[
                "/smtp_encryption/client_authentication absent",
                "/smtp_encryption/server_certificate_check absent",
            ],
        ),
        (
            set("/smtp_encryption", json!({"selection": "starttls"})),
            &[
                "/smtp_encryption/client_authentication required",
                "/smtp_encryption/server_certificate_check required",
            ],
        ),
        (
            set("/smtp_encryption/client_authentication/enabled", json!(false)),
            &["/smtp_encryption/client_authentication/x509_identity absent"],
        ),
        (
            set("/smtp_encryption/client_authentication", json!({"enabled": true})),
            &["/smtp_encryption/client_authentication/x509_identity required"],
        ),
        (
            set("/smtp_encryption/server_certificate_check/enabled", json!(false)),
            &["/smtp_encryption/server_certificate_check/server_certificate_ca absent"],
        ),
        (
            set("/smtp_encryption/server_certificate_check", json!({"enabled": true})),
            &["/smtp_encryption/server_certificate_check/server_certificate_ca required"],
        ),
        (
            set(ca, json!("no certificate")),
            &["/smtp_encryption/server_certificate_check/server_certificate_ca format"],
        ),
        (
            set(ca, json!({"key": "k"})),
            &["/smtp_encryption/server_certificate_check/server_certificate_ca type"],
        ),
        (set("/smtp_server", json!({"selection": "ip"})), &["/smtp_server/value required"]),
        (set("/smtp_server/value", json!("mail.example.com")), &["/smtp_server/value format"]),
        (set("/smtp_server/value", json!("2001:db8::25")), &[]),
        (set("/smtp_server/selection", json!("fqdn")), &["/smtp_server/value format"]),
        (set("/smtp_server/selection", json!("dns")), &["/smtp_server/selection union-tag"]),
        (set("/smtp_server/port", json!(25)), &["/smtp_server/port unknown-member"]),
        (set("/smtp_server", json!({"selection": "fqdn", "value": "mail.example.com"})), &[]),
        (set("/admin_address", json!(null)), &[]),
        (set("/admin_address", json!("root")), &["/admin_address format"]),
        (set("/alerting_address", json!(7)), &["/alerting_address type"]),
        (set("/reporting_address", json!("a b@example.com")), &["/reporting_address format"]),
        (set("/sender_address", json!("sps@example.com")), &[]),
        (set("/extra", json!(1)), &["/extra unknown-member"]),
    ];
    rows.extend(changes.iter().map(|(change, expected)| (&change[..], *expected)));
    table(mail, &full, &rows);
    for name in full.as_object().unwrap().keys() {
        let pointer = format!("/{name}");
        assert_eq!(check(mail, &full, &[(&pointer, None)]), [format!("{pointer} required")]);
    }
}

#[test]
fn every_rule_of_health_monitoring_is_enforced() {
    let health = "/management/health_monitoring";
    let base = default(health);
    for name in ["maximum_disk_utilization_ratio", "maximum_swap_utilization_ratio"] {
        let pointer = format!("/{name}");
        for (value, rule) in [
            (json!(0), None),
            (json!(100), None),
            (json!(80.0), None),
            (json!(null), None),
            (json!(-1), Some("minimum")),
            (json!(101), Some("maximum")),
            (json!(80.5), Some("type")),
            (json!("80"), Some("type")),
        ] {
            let expected: Vec<_> =
                rule.map(|rule| format!("{pointer} {rule}")).into_iter().collect();
            assert_eq!(check(health, &base, &[(&pointer, Some(value))]), expected);
        }
    }
    for name in ["maximum_load1", "maximum_load5", "maximum_load15"] {
        let pointer = format!("/{name}");
        for (value, rule) in [
            (json!(0), None),
            (json!(1_000_000), None),
            (json!(-1), Some("minimum")),
            (json!(0.5), Some("type")),
            (json!(true), Some("type")),
        ] {
            let expected: Vec<_> =
                rule.map(|rule| format!("{pointer} {rule}")).into_iter().collect();
            assert_eq!(check(health, &base, &[(&pointer, Some(value))]), expected);
        }
    }
    for name in base.as_object().unwrap().keys() {
        let pointer = format!("/{name}");
        assert_eq!(check(health, &base, &[(&pointer, None)]), [format!("{pointer} required")]);
    }
    assert_eq!(
        sps().check_body(&path(health), json!({"maximum_load": 1})).unwrap_err().len(),
        6,
        "five members are missing and one is unknown, all at once"
    );
}

#[test]
fn every_rule_of_snmp_traps_is_enforced() {
    let trap = "/management/snmp/trap";
    let set = |pointer, value| [(pointer, Some(value))];
    let v2 = default(trap);
    let changes = [
        (set("/enabled", json!(false)), &[][..]),
        (set("/enabled", json!("yes")), &["/enabled type"]),
        (set("/version/selection", json!("1")), &["/version/selection union-tag"]),
        (set("/version/selection", json!(3)), &["/version/selection type"]),
        (set("/version/value/community", json!("")), &["/version/value/community min-length"]),
        (set("/version/value/community", json!(null)), &["/version/value/community type"]),
        (set("/version/value/username", json!("u")), &["/version/value/username unknown-member"]),
        (set("/version/value/server", json!("192.0.2.40")), &["/version/value/server type"]),
        (
            set("/version/value/server/value", json!("192.0.2.400")),
            &["/version/value/server/value format"],
        ),
        (
            set("/version/value/server/selection", json!("fqdn")),
            &["/version/value/server/value format"],
        ),
        (
            set("/version/value", json!({})),
            &["/version/value/community required", "/version/value/server required"],
        ),
        (set("/version/community", json!("public")), &["/version/community unknown-member"]),
        (set("/version", json!(null)), &["/version type"]),
        (set("/port", json!(162)), &["/port unknown-member"]),
    ];
    let rows: Vec<Row<'_>> = changes.iter().map(|(c, e)| (&c[..], *e)).collect();
    table(trap, &v2, &rows);
    assert_eq!(check(trap, &v2, &[("/version", None)]), ["/version required"]);
    assert_eq!(check(trap, &v2, &[("/enabled", None)]), ["/enabled required"]);
    assert_eq!(check(trap, &v2, &[("/version/value", None)]), ["/version/value required"]);
    let off = [("/enabled", Some(json!(false))), ("/version", None)];
    assert_eq!(check(trap, &v2, &off), [""; 0], "nothing is sent, so nothing need be said");

    let v3 = example(trap, "AES");
    let changes = [
        (set("/version/value/auth_method", json!("md5")), &[][..]),
        (set("/version/value/auth_method", json!("sha1")), &[]),
        (set("/version/value/auth_method", json!("none")), &["/version/value/auth_method enum"]),
        (
            set("/version/value/auth_password", json!(null)),
            &["/version/value/auth_password reference-form"],
        ),
        (set("/version/value/encryption_method", json!("des")), &[]),
        (
            set("/version/value/encryption_method", json!("rc4")),
            &["/version/value/encryption_method enum"],
        ),
        (
            set("/version/value/encryption_method", json!("none")),
            &["/version/value/encryption_password null-when"],
        ),
        (
            set("/version/value/encryption_password", json!(null)),
            &["/version/value/encryption_password null-when"],
        ),
        (
            set("/version/value/encryption_password", json!(1)),
            &["/version/value/encryption_password reference-form"],
        ),
        (
            set("/version/value/engine_id", json!("0x123456789")),
            &["/version/value/engine_id pattern"],
        ),
        (set("/version/value/engine_id", json!("0x123456789a")), &[]),
        (
            set("/version/value/engine_id", json!("0123456789ABCDEF")),
            &["/version/value/engine_id pattern"],
        ),
        (
            set("/version/value/engine_id", json!("<0x0123456789ABCDEF>")),
            &["/version/value/engine_id pattern"],
        ),
        (
            set("/version/value/engine_id", json!(81_985_529_216_486_895_u64)),
            &["/version/value/engine_id type"],
        ),
        (set("/version/value/username", json!("")), &["/version/value/username min-length"]),
        (
            set("/version/value/community", json!("public")),
            &["/version/value/community unknown-member"],
        ),
    ];
    let rows: Vec<Row<'_>> = changes.iter().map(|(c, e)| (&c[..], *e)).collect();
    table(trap, &v3, &rows);
    for name in v3.pointer("/version/value").unwrap().as_object().unwrap().keys() {
        let pointer = format!("/version/value/{name}");
        assert_eq!(check(trap, &v3, &[(&pointer, None)]), [format!("{pointer} required")]);
    }
    // What follows from a broken member is not reported with it.
    let broken = [
        ("/version/value/encryption_method", Some(json!("rc4"))),
        ("/version/value/encryption_password", Some(json!(null))),
    ];
    assert_eq!(check(trap, &v3, &broken), ["/version/value/encryption_method enum"]);
}

#[test]
fn the_other_children_are_enforced_as_far_as_they_are_known() {
    let web = "/management/webinterface";
    for (value, rule) in [
        (json!(1), None),
        (json!(720), None),
        (json!(0), Some("/timeout minimum")),
        (json!(721), Some("/timeout maximum")),
        (json!("10"), Some("/timeout type")),
        (json!(null), Some("/timeout type")),
    ] {
        let found = check(web, &default(web), &[("/timeout", Some(value))]);
        assert_eq!(found, rule.into_iter().collect::<Vec<_>>());
    }
    let disk = "/management/disk_fillup_prevention";
    let off = [("/enabled", Some(json!(false)))];
    assert_eq!(check(disk, &default(disk), &off), [""; 0], "a plain flag, no optional group");
    let over = [("/used_space_ratio_limit", Some(json!(101)))];
    assert_eq!(check(disk, &default(disk), &over), ["/used_space_ratio_limit maximum"]);
    assert_eq!(
        check("/management/soap", &json!({"enabled": true}), &[("/enabled", None)]),
        ["/enabled required"]
    );
    let syslog = sps().check_body(&path("/management/syslog"), json!({"receivers": [{}]})).unwrap();
    assert_eq!(syslog.value, json!({"receivers": [{}]}));
    assert_eq!(
        brief(&sps().check_body(&path("/management/syslog"), json!([])).unwrap_err()),
        [" type"]
    );
    let certificates = "/management/certificates";
    let other = [("/ca/selection", Some(json!("certificate")))];
    assert_eq!(
        check(certificates, &example(certificates, "three"), &other),
        ["/ca/selection union-tag"]
    );
}

#[test]
fn sentences_can_be_acted_on_and_never_repeat_a_value() {
    let secret = "hunter2-hunter2";
    let mail = json!({
        "admin_address": secret,
        "alerting_address": null,
        "reporting_address": null,
        "sender_adress": null,
        "smtp_auth": {"enabled": true, "username": secret.repeat(20)},
        "smtp_encryption": {"selection": secret},
        "smtp_server": {"selection": "fqdn", "value": secret},
    });
    let messages: Vec<String> = sps()
        .check_body(&path("/management/email"), mail)
        .unwrap_err()
        .into_iter()
        .map(|violation| {
            assert!(!violation.to_string().contains("hunter2"), "{violation}");
            violation.message
        })
        .collect();
    assert_eq!(
        messages,
        [
            "`admin_address` must be an e-mail address, such as admin@example.com",
            "`sender_address` is required",
            "the body has a member that is not known here; did you mean `sender_address`?",
            "`smtp_auth.password` is required when `smtp_auth.enabled` is true",
            "`smtp_auth.username` must have at most 255 characters",
            "`smtp_encryption.selection` must be disabled or starttls",
            "`smtp_server.value` must be a fully qualified domain name, such as mail.example.com",
        ]
    );
    let trap = [
        (
            "/version/value/encryption_method",
            json!("none"),
            "`version.value.encryption_password` must be null when `version.value.encryption_method` is none",
        ),
        (
            "/version/value/encryption_password",
            json!(null),
            "`version.value.encryption_password` may be null only when `version.value.encryption_method` is none",
        ),
        (
            "/version/value/engine_id",
            json!("hunter2"),
            "`version.value.engine_id` must be 0x and at least ten hexadecimal digits, such as 0x0123456789ABCDEF",
        ),
        (
            "/version/value/auth_method",
            json!("hunter2"),
            "`version.value.auth_method` must be md5, sha1 or sha",
        ),
        (
            "/version/value/auth_password",
            json!([]),
            "`version.value.auth_password` must be the key of a member of /passwords",
        ),
        (
            "/enabled",
            json!(1.5),
            "`enabled` must be a boolean and is a number with a fraction or beyond 64 bits",
        ),
    ];
    for (pointer, value, expected) in trap {
        let mut document = example("/management/snmp/trap", "AES");
        *document.pointer_mut(pointer).unwrap() = value;
        let violations = sps().check_body(&path("/management/snmp/trap"), document).unwrap_err();
        assert_eq!(violations.iter().map(|v| v.message.as_str()).collect::<Vec<_>>(), [expected]);
    }
}

// ===== Forms of a body =====

#[test]
fn references_are_accepted_in_both_forms_and_kept_bare() {
    let mail = path("/management/email");
    let embedded = example("/management/email", "both sides");
    let checked = sps().check_body(&mail, embedded.clone()).unwrap();
    assert_eq!(
        checked.value.pointer("/smtp_auth/password"),
        Some(&json!("37716c4f-759d-4900-9740-ea22211498cf"))
    );
    let found: Vec<_> =
        checked.references.iter().map(|r| (r.pointer.as_str(), r.target.to_string())).collect();
    assert_eq!(
        found,
        [
            ("/smtp_auth/password", "/passwords/37716c4f-759d-4900-9740-ea22211498cf".to_owned()),
            ("/smtp_encryption/client_authentication/x509_identity", format!("/x509/{IDENTITY}")),
        ]
    );
    assert_eq!(sps().check_body(&mail, checked.value.clone()).unwrap(), checked);
}

#[test]
fn whole_numbers_have_one_spelling() {
    let checked =
        sps().check_body(&path("/management/webinterface"), json!({"timeout": 10.0})).unwrap();
    assert_eq!(checked.value.to_string(), r#"{"timeout":10}"#);
}

#[test]
fn places_without_a_body_are_named() {
    for place in ["/", "/management", "/nothing", "/management/email/x", "/passwords/a/b"] {
        let violations = sps().check_body(&path(place), json!({})).unwrap_err();
        assert_eq!(brief(&violations), [" endpoint"], "{place}");
    }
}

// ===== Stores of secrets =====

fn pair(name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.into()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn a_password_is_text_or_hash() {
    let catalog = sps();
    let passwords = path("/passwords");
    let checked = catalog.check_body(&passwords, json!({"plain": "newpassword"})).unwrap();
    assert_eq!(checked.secrets, ["/plain"]);
    assert!(!format!("{checked:?}").contains("newpassword"));
    let member = path(&format!("/passwords/{PASSWORD}"));
    assert_eq!(catalog.secrets(&member, &json!({"hash": "sealed"})), ["/hash"]);
    for (value, expected) in [
        (json!({}), &[" exactly-one-of"][..]),
        (json!({"plain": "a", "hash": "b"}), &[" exactly-one-of"]),
        (json!({"plain": ""}), &["/plain min-length"]),
        (json!({"plain": null}), &["/plain type"]),
        (json!({"plian": "a"}), &[" exactly-one-of", "/plian unknown-member"]),
        (json!("newpassword"), &[" type"]),
        (json!(null), &[" type"]),
    ] {
        assert_eq!(brief(&catalog.check_body(&passwords, value).unwrap_err()), expected);
    }
}

#[test]
fn a_certificate_comes_with_its_key() {
    let catalog = sps();
    let x509 = path("/x509");
    let (certificate, key) = pair("a.example");
    let (other, _) = pair("b.example");
    let good = json!({"certificate": certificate, "private_key": key});
    let checked = catalog.check_body(&x509, good).unwrap();
    assert_eq!(checked.value["issuer_chain"], json!([]), "the default is filled in");
    assert_eq!(checked.secrets, ["/private_key"]);
    for (value, expected) in [
        (json!({"certificate": other, "private_key": key}), &["/private_key key-pair"][..]),
        (json!({"certificate": certificate}), &["/private_key required"]),
        (json!({"private_key": key}), &["/certificate required"]),
        (
            json!({"certificate": key, "private_key": certificate}),
            &["/certificate format", "/private_key format"],
        ),
        (
            json!({"certificate": certificate, "private_key": key, "issuer_chain": [other]}),
            &["/issuer_chain/0 issuer-chain"],
        ),
        (
            json!({"certificate": certificate, "private_key": key, "issuer_chain": ["x"]}),
            &["/issuer_chain/0 format"],
        ),
    ] {
        assert_eq!(brief(&catalog.check_body(&x509, value).unwrap_err()), expected);
    }
    assert!(catalog.check_body(&path("/private_keys"), json!({"private_key": key})).is_ok());
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let refused = catalog.check_body(&path("/private_keys"), json!({"private_key": encrypted}));
    assert_eq!(
        refused.unwrap_err()[0].message,
        "`private_key` must be an unencrypted private key; remove its passphrase first"
    );
}

#[test]
fn stores_of_secrets_are_written_once_and_read_by_key() {
    let catalog = sps();
    for name in ["/passwords", "/private_keys", "/x509"] {
        let collection = catalog.endpoint(&path(name)).unwrap();
        assert_eq!(collection.kind(), EndpointKind::Collection);
        let operations = collection.operations();
        assert!(operations.create && !operations.list && !operations.replace && !operations.delete);
        assert!(collection.is_exclusive() && collection.is_lifetime_referenced());
        let member = catalog.endpoint(&path(&format!("{name}/{PASSWORD}"))).unwrap();
        assert_eq!(
            (member.kind(), member.pattern()),
            (EndpointKind::Member, format!("{name}/{{key}}"))
        );
        assert_eq!(member.path(), &path(name));
    }
}

// ===== The tree =====

#[test]
fn the_folders_are_those_of_the_guide() {
    let catalog = sps();
    let paths: Vec<String> = catalog.endpoints().map(|endpoint| endpoint.pattern()).collect();
    assert_eq!(
        paths,
        [
            "/",
            "/aaa",
            "/aaa/acls",
            "/aaa/local_database",
            "/aaa/local_database/groups",
            "/aaa/local_database/users",
            "/aaa/settings",
            "/alerting",
            "/alerting/system_alerts",
            "/alerting/traffic_alerts",
            "/datetime",
            "/datetime/ntp_servers",
            "/datetime/timezone",
            "/http",
            "/http/channel_policies",
            "/http/options",
            "/http/settings_policies",
            "/ica",
            "/ica/channel_policies",
            "/ica/options",
            "/ica/settings_policies",
            "/local_services",
            "/local_services/admin_web",
            "/local_services/analytics",
            "/local_services/cluster",
            "/local_services/indexer",
            "/local_services/postgresql",
            "/local_services/snmp_agent",
            "/local_services/ssh",
            "/local_services/user_web",
            "/management",
            "/management/certificates",
            "/management/disk_fillup_prevention",
            "/management/email",
            "/management/health_monitoring",
            "/management/snmp",
            "/management/snmp/trap",
            "/management/soap",
            "/management/splunk_forwarder",
            "/management/syslog",
            "/management/universal_siem_forwarder",
            "/management/webinterface",
            "/network",
            "/network/dns",
            "/network/ip_forwarding_rule_pairs",
            "/network/naming",
            "/network/nics",
            "/network/routing",
            "/passwords",
            "/plugins",
            "/plugins/aa",
            "/plugins/credentialstore",
            "/policies",
            "/policies/analytics",
            "/policies/archive_cleanup_policies",
            "/policies/audit_policies",
            "/policies/backup_policies",
            "/policies/content_policies",
            "/policies/credentialstores",
            "/policies/indexing",
            "/policies/ldap_servers",
            "/policies/signing_cas",
            "/policies/time_policies",
            "/policies/trusted_ca_lists",
            "/policies/user_databases",
            "/policies/userlists",
            "/policies/usermapping_policies",
            "/private_keys",
            "/rdp",
            "/rdp/channel_policies",
            "/rdp/connections",
            "/rdp/domain_membership",
            "/rdp/options",
            "/rdp/settings_policies",
            "/reporting",
            "/reporting/content_subchapters",
            "/reporting/custom_subchapters",
            "/reporting/predefined_reports",
            "/reporting/reports",
            "/reporting/statistics_subchapters",
            "/ssh",
            "/ssh/authentication_policies",
            "/ssh/channel_policies",
            "/ssh/connections",
            "/ssh/options",
            "/ssh/settings_policies",
            "/telnet",
            "/telnet/channel_policies",
            "/telnet/options",
            "/troubleshooting",
            "/vnc",
            "/vnc/channel_policies",
            "/vnc/options",
            "/x509",
        ]
    );
    assert_eq!((catalog.name(), catalog.default_mode()), ("sps-6.2", "exclusive"));
    assert_eq!(catalog.appliance("firmware_version"), Some("6.2.0"));
    let fidelity = |text| catalog.endpoint(&path(text)).unwrap().fidelity();
    assert_eq!(fidelity("/management/email"), Fidelity::Full);
    assert_eq!(fidelity("/management/certificates"), Fidelity::Partial);
    assert_eq!(fidelity("/management/syslog"), Fidelity::Opaque);
    let skeleton = catalog.skeleton();
    assert_eq!(skeleton.get(&path("/management/snmp")).unwrap().kind(), Kind::Folder);
    assert_eq!(skeleton.get(&path("/x509")).unwrap().kind(), Kind::Collection);
    assert!(skeleton.is_empty());
}

#[test]
fn a_fresh_appliance_is_valid_and_mints_its_certificates() {
    let catalog = sps();
    let mut asked = Vec::new();
    let bodies = catalog.factory(&mut |collection, name| {
        asked.push(format!("{collection} {name}"));
        let (certificate, private_key) = pair(name);
        let key = Key::parse(&format!("00000000-0000-4000-8000-00000000000{}", asked.len()));
        Some((key.unwrap(), json!({"certificate": certificate, "private_key": private_key})))
    });
    assert_eq!(asked, ["/x509 ca", "/x509 server", "/x509 tsa"]);
    let mut tree = catalog.skeleton();
    for (at, value) in bodies {
        let body = body(&catalog, &at, value).unwrap();
        let references = catalog.check_references(&tree, &at, body.references(), &Sealed);
        assert_eq!(references, [], "what is referred to comes first");
        tree.object_create(&at, body, None).unwrap();
    }
    assert_eq!(catalog.check_tree(&tree, &Sealed), []);
    assert_eq!(tree.len(), 71);
}

#[test]
fn what_cannot_be_minted_is_left_out_with_its_object() {
    let catalog = sps();
    let bodies = catalog.factory(&mut |_, _| None);
    assert!(!bodies.iter().any(|(at, _)| *at == path("/management/certificates")));
    assert_eq!(bodies.len(), 67);
}

#[test]
fn a_password_for_snmp_is_text_of_the_documented_kind() {
    let catalog = sps();
    let trap = path("/management/snmp/trap");
    let at = format!("/passwords/{PASSWORD}");
    let mut document = example("/management/snmp/trap", "no encryption");
    document["version"]["value"]["auth_password"] = json!(PASSWORD);
    let checked = catalog.check_body(&trap, document).unwrap();
    let verdict = |password: Value| {
        let mut tree = catalog.skeleton();
        put(&catalog, &mut tree, &at, password);
        let found = catalog.check_references(&tree, &trap, &checked.references, &Sealed);
        found.into_iter().map(|v| v.message).collect::<Vec<_>>()
    };
    let characters = "!\"#$%&'()*+,;<=&@[\\]^`{|}_./:?- azAZ09";
    for good in ["12345678", characters, &"x".repeat(150)] {
        assert_eq!(verdict(json!({"plain": good})), [""; 0], "{good}");
    }
    let place = "the secret that `version.value.auth_password` refers to must";
    assert_eq!(
        verdict(json!({"plain": "1234567"})),
        [format!("{place} have at least 8 characters")]
    );
    assert_eq!(
        verdict(json!({"plain": "x".repeat(151)})),
        [format!("{place} have at most 150 characters")]
    );
    for bad in ["1234567~", "1234567>", "1234567é", "1234567\t"] {
        assert_eq!(
            verdict(json!({"plain": bad})),
            [format!(
                "{place} be made of letters, digits, spaces and the characters !\"#$%&'()*+,;<=@[\\]^`{{|}}_./:?-"
            )]
        );
    }
    assert_eq!(
        verdict(json!({"hash": "0123456789abcdef"})),
        [format!("{place} be stored with `plain`, because its text is needed")]
    );
}

#[test]
fn a_secret_that_cannot_be_opened_is_told() {
    let catalog = sps();
    let trap = path("/management/snmp/trap");
    let mut tree = catalog.skeleton();
    let at = path(&format!("/passwords/{PASSWORD}"));
    let foreign = config_tree::Body::new(&json!({"plain": "sealed by another"}), Vec::new());
    tree.object_create(&at, foreign, None).unwrap();
    let mut document = example("/management/snmp/trap", "no encryption");
    document["version"]["value"]["auth_password"] = json!(PASSWORD);
    let references = catalog.check_body(&trap, document).unwrap().references;
    let found = catalog.check_references(&tree, &trap, &references, &Sealed);
    assert_eq!(brief(&found), ["/version/value/auth_password secret-text"]);
    assert!(!found[0].message.contains("another"));
}

#[test]
fn a_password_serves_one_place() {
    let catalog = sps();
    let mut tree = catalog.skeleton();
    let at = format!("/passwords/{PASSWORD}");
    put(&catalog, &mut tree, &at, json!({"plain": "long enough"}));
    let mut mail = example("/management/email", "authentication to");
    mail["smtp_auth"]["password"] = json!(PASSWORD);
    put(&catalog, &mut tree, "/management/email", mail);
    let mut trap = example("/management/snmp/trap", "AES");
    trap["version"]["value"]["auth_password"] = json!(PASSWORD);
    trap["version"]["value"]["encryption_password"] = json!(PASSWORD);
    put(&catalog, &mut tree, "/management/snmp/trap", trap);
    let change = Change::Create {
        path: path("/management/snmp/trap"),
        rank: None,
        after: tree.body(&path("/management/snmp/trap")).unwrap().clone(),
    };
    let found = catalog.check_changes(&tree, &[change], &Sealed);
    assert_eq!(
        brief(&found),
        [
            "/smtp_auth/password reference-exclusive",
            "/version/value/auth_password reference-exclusive",
            "/version/value/encryption_password reference-exclusive",
        ]
    );
    assert_eq!(
        found[0].message,
        "`smtp_auth.password` names something that may be used only once, and `version.value.auth_password` in /management/snmp/trap and 1 more uses it too; create another one"
    );
}

#[test]
fn a_missing_target_and_a_missing_object_are_told() {
    let catalog = sps();
    let mail = path("/management/email");
    let checked = catalog.check_body(&mail, example("/management/email", "both sides")).unwrap();
    let found = catalog.check_references(&catalog.skeleton(), &mail, &checked.references, &Sealed);
    assert_eq!(
        found.iter().map(|v| v.message.as_str()).collect::<Vec<_>>(),
        [
            "`smtp_auth.password` names a member of /passwords that does not exist",
            "`smtp_encryption.client_authentication.x509_identity` names a member of /x509 that does not exist",
        ]
    );
    let missing: Vec<NodePath> =
        catalog.check_tree(&catalog.skeleton(), &Sealed).into_iter().map(|v| v.path).collect();
    assert_eq!(missing.len(), 68);
    assert!(missing.contains(&mail));
}
