//! Paths, bodies and certificates that many tests use.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use support::{Client, PATIENCE, Response, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::time::timeout;

pub(crate) const CONFIGURATION: &str = "/api/configuration";
pub(crate) const MANAGEMENT: &str = "/api/configuration/management";
pub(crate) const CERTIFICATES: &str = "/api/configuration/management/certificates";
pub(crate) const DISK: &str = "/api/configuration/management/disk_fillup_prevention";
pub(crate) const MAIL: &str = "/api/configuration/management/email";
pub(crate) const HEALTH: &str = "/api/configuration/management/health_monitoring";
pub(crate) const SNMP: &str = "/api/configuration/management/snmp";
pub(crate) const TRAP: &str = "/api/configuration/management/snmp/trap";
pub(crate) const SOAP: &str = "/api/configuration/management/soap";
pub(crate) const SYSLOG: &str = "/api/configuration/management/syslog";
pub(crate) const WEBINTERFACE: &str = "/api/configuration/management/webinterface";
pub(crate) const PASSWORDS: &str = "/api/configuration/passwords";
pub(crate) const PRIVATE_KEYS: &str = "/api/configuration/private_keys";
pub(crate) const X509: &str = "/api/configuration/x509";

/// Every object of the tree that is always there.
pub(crate) const OBJECTS: [&str; 8] =
    [CERTIFICATES, DISK, MAIL, HEALTH, TRAP, SOAP, SYSLOG, WEBINTERFACE];

/// A key of the right form that names nothing.
pub(crate) const NO_KEY: &str = "00000000-0000-4000-8000-000000000000";

/// The seed's mail settings, with harmless addresses: the default of a fresh appliance.
pub(crate) fn mail() -> Value {
    json!({
        "admin_address": "admin@example.com",
        "alerting_address": "alerts@example.com",
        "reporting_address": "reports@example.com",
        "sender_address": null,
        "smtp_auth": {"enabled": false},
        "smtp_encryption": {"selection": "disabled"},
        "smtp_server": {"selection": "ip", "value": "192.0.2.25"},
    })
}

/// Mail settings with a login to the server; the seed's first example.
pub(crate) fn mail_with_password(key: &str) -> Value {
    let auth = json!({"enabled": true, "password": key, "username": "appliance"});
    with(&mail(), "/smtp_auth", auth)
}

/// The seed's health monitoring, the default of a fresh appliance.
pub(crate) fn health() -> Value {
    json!({
        "maximum_disk_utilization_ratio": 80,
        "maximum_load1": null,
        "maximum_load15": null,
        "maximum_load5": null,
        "maximum_swap_utilization_ratio": 70,
    })
}

/// The seed's SNMP 2c trap, the default of a fresh appliance.
pub(crate) fn trap() -> Value {
    json!({
        "enabled": true,
        "version": {
            "selection": "2c",
            "value": {
                "community": "public",
                "server": {"selection": "ip", "value": "192.0.2.40"},
            },
        },
    })
}

/// The seed's SNMP 3 trap with AES.
pub(crate) fn trap_3(auth_password: &str, encryption_password: &str) -> Value {
    json!({
        "enabled": true,
        "version": {
            "selection": "3",
            "value": {
                "auth_method": "sha",
                "auth_password": auth_password,
                "encryption_method": "aes",
                "encryption_password": encryption_password,
                "engine_id": "0x0123456789ABCDEF",
                "server": {"selection": "ip", "value": "192.0.2.40"},
                "username": "traps",
            },
        },
    })
}

/// The value with another one at a JSON pointer, whose parent is there.
pub(crate) fn with(base: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = base.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    match changed.pointer_mut(parent).expect("the parent is there") {
        Value::Object(members) => _ = members.insert(name.to_owned(), value),
        Value::Array(items) => items[name.parse::<usize>().expect("a place")] = value,
        other => panic!("{other} has no members"),
    }
    changed
}

/// The value without a member.
pub(crate) fn without(base: &Value, pointer: &str) -> Value {
    let mut changed = base.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    let parent = changed.pointer_mut(parent).and_then(Value::as_object_mut);
    let removed = parent.expect("the parent is an object").remove(name);
    assert!(removed.is_some(), "there is nothing at {pointer} to remove");
    changed
}

/// A body as GET shows it.
#[track_caller]
pub(crate) fn body(client: &mut Client, path: &str) -> Value {
    client.get(path).expect(200).at("/body")
}

/// Creates a member and returns its key.
#[track_caller]
pub(crate) fn create(client: &mut Client, collection: &str, body: &Value) -> String {
    client.post(collection, body).expect(201).at("/key").as_str().expect("a key").to_owned()
}

/// Stores a password and returns its key.
#[track_caller]
pub(crate) fn password(client: &mut Client, plain: &str) -> String {
    create(client, PASSWORDS, &json!({"plain": plain}))
}

/// A reference as answers show it.
pub(crate) fn reference(collection: &str, key: &str) -> Value {
    json!({"key": key, "meta": {"href": format!("{collection}/{key}")}})
}

/// The status of the session's transaction, both spellings of it.
#[track_caller]
pub(crate) fn status(client: &mut Client) -> String {
    let answer = client.get("/api/transaction").expect(200);
    let status = answer.at("/body/status");
    assert_eq!(status, answer.at("/transaction/status"), "{answer}");
    status.as_str().expect("a text").to_owned()
}

/// The entries of the changelog.
#[track_caller]
pub(crate) fn changes(client: &mut Client) -> Vec<Value> {
    match client.get("/api/transaction/changes").expect(200).at("/changes") {
        Value::Array(entries) => entries,
        other => panic!("`changes` is {other}"),
    }
}

/// The pointers and rules of a refusal, sorted.
#[track_caller]
pub(crate) fn violations(refusal: &Response) -> Vec<(String, String)> {
    let Value::Array(errors) = refusal.at("/error/details/errors") else {
        panic!("the errors are no list\n{refusal}");
    };
    let text = |error: &Value, name: &str| match &error[name] {
        Value::String(text) => text.clone(),
        _ => panic!("an error has no `{name}`\n{refusal}"),
    };
    let mut found: Vec<_> =
        errors.iter().map(|error| (text(error, "pointer"), text(error, "rule"))).collect();
    found.sort();
    found
}

/// The hash of the committed configuration.
#[track_caller]
pub(crate) fn config_hash(client: &mut Client) -> String {
    client.get("/api/info").expect(200).at("/body/config_hash").as_str().expect("a text").to_owned()
}

/// A metric's value; the name with its labels, as the text has them.
#[track_caller]
pub(crate) fn metric(client: &mut Client, name: &str) -> f64 {
    let answer = client.get("/boxwood/v1/metrics").expect(200);
    let line = answer.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    match line {
        Some(value) => value.parse().expect("a number"),
        None => panic!("there is no {name}\n{answer}"),
    }
}

/// Sends a request from another address of this machine, to a server that speaks plain http, and
/// reads until the server closes.
pub(crate) fn ask_from(address: &str, server: &Server, request: &str) -> String {
    let place = server.url().split_once("://").expect("a scheme").1.parse().expect("an address");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let mut stream = socket.connect(place).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let reading = stream.read_to_string(&mut answer);
        timeout(PATIENCE, reading).await.expect("an answer in time").unwrap();
        answer
    })
}

/// A certificate with its private key, both PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) private_key: String,
}

impl Pair {
    /// A new one that is its own issuer, for localhost.
    pub(crate) fn new() -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params().self_signed(&key).unwrap();
        Pair { certificate: certificate.pem(), private_key: key.serialize_pem() }
    }

    /// A body for `/api/configuration/x509`.
    pub(crate) fn body(&self) -> Value {
        json!({"certificate": self.certificate, "private_key": self.private_key})
    }
}

/// A new pair and the certificate of the authority that issued it.
pub(crate) fn issued_pair() -> (Pair, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params().signed_by(&key, &authority).unwrap();
    let pair = Pair { certificate: certificate.pem(), private_key: key.serialize_pem() };
    (pair, authority.pem())
}

fn params() -> CertificateParams {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    CertificateParams::new(names).unwrap()
}

/// A UUID of version 4, in lower case.
pub(crate) fn is_uuid_4(text: &str) -> bool {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            14 => b == b'4',
            19 => b"89ab".contains(&b),
            _ => lower_hex(b),
        })
}
