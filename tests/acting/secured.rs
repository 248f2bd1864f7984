//! Passwords, certificates and keys of the configuration, in use: STARTTLS with certificates on both
//! sides and a login, TLS to a syslog receiver, traps of version 3.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use support::{Client, Server};

use crate::pki::{Authority, Pair, server};
use crate::smtp::{self, Rules, listen};
use crate::{CONFIGURATION, email, outbox};

fn made(admin: &mut Client, collection: &str, body: &Value) -> Value {
    admin.post(&format!("{CONFIGURATION}/{collection}"), body).expect(201).at("/key")
}

fn identity(admin: &mut Client, pair: &Pair) -> Value {
    let body = json!({"certificate": pair.certificate.trim(), "private_key": pair.key.trim()});
    made(admin, "x509", &body)
}

#[test]
fn mail_by_starttls_with_a_login_and_certificates_on_both_sides() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let rules = Rules {
        tls: Some(server(&servers.issue("127.0.0.1"), Some(&clients))),
        login: Some(("sps", "horse battery")),
        ..Rules::default()
    };
    let mails = smtp::Server::start(rules);
    let daemon = Server::builder()
        .set("delivery.mode", "loopback")
        .set("delivery.smtp_port", mails.port)
        .start();
    let mut admin = daemon.admin();
    admin.open().expect(200);
    let own = clients.issue("sps.example.com");
    let mut body = email("127.0.0.1");
    body["smtp_encryption"] = json!({
        "selection": "starttls",
        "client_authentication": {
            "enabled": true, "x509_identity": identity(&mut admin, &own),
        },
        "server_certificate_check": {
            "enabled": true, "server_certificate_ca": servers.pem().trim(),
        },
    });
    let password = made(&mut admin, "passwords", &json!({"plain": "horse battery"}));
    body["smtp_auth"] = json!({"enabled": true, "username": "sps", "password": password});
    admin.put(&format!("{CONFIGURATION}/management/email"), &body).expect(200);
    admin.commit().expect(200);
    let sent = outbox(&mut admin, "?state=sent&way=mail&wait_seconds=30");
    assert_eq!(sent[0]["reply"], "250 queued as 4711", "{sent:#?}");
    let taken = mails.taken.lock().unwrap().clone();
    assert!(taken[0].encrypted && taken[0].with_certificate, "{taken:?}");
    assert_eq!((taken[0].from.as_str(), taken[0].to.len()), ("sps@example.com", 1));
    assert!(taken[0].text.contains("was committed by admin"), "{taken:?}");
    // Nothing of it in what can be read.
    let shown = admin.get("/boxwood/v1/outbox").expect(200);
    let key_line = own.key.lines().nth(1).unwrap();
    for secret in ["horse battery", key_line] {
        assert!(!shown.text().contains(secret) && !daemon.log().contains(secret));
    }
}

#[test]
fn syslog_over_tls_with_the_identity_that_the_page_names() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let rules = server(&servers.issue("localhost"), Some(&clients));
    let (out, lines) = mpsc::channel();
    let port = listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&rules)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut bytes = Vec::new();
        if stream.read_to_end(&mut bytes).is_ok() {
            stream.conn.send_close_notify();
            drop(stream.flush());
            out.send(String::from_utf8(bytes).unwrap()).unwrap();
        }
    });
    let daemon = Server::builder().set("delivery.mode", "loopback").start();
    let mut admin = daemon.admin();
    admin.open().expect(200);
    let own = clients.issue("sps.example.com");
    let key = identity(&mut admin, &own);
    let receiver = json!({
        "server": {"selection": "fqdn", "value": "localhost"},
        "port": port,
        "protocol": "syslog-tls",
        "client_authentication": {"enabled": true, "x509_identity": key},
        "server_certificate_check": {
            "enabled": true, "server_certificate_ca": servers.pem().trim(),
        },
    });
    let body = json!({"receivers": [receiver]});
    admin.put(&format!("{CONFIGURATION}/management/syslog"), &body).expect(200);
    // By what is staged: the page does not hold a reference that would keep the identity.
    let staged = json!({"settings": "staged"});
    let tried = admin.post("/boxwood/v1/test/syslog", &staged).expect(200);
    assert_eq!(tried.at("/results/0/outcome"), "sent", "{}", tried.text());
    let line = lines.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(line.contains(" boxwood - test [boxwood@32473 appliance=\"sps-6.2\"]"), "{line}");
}

#[test]
fn traps_of_version_3_are_encrypted_with_the_passwords_of_the_configuration() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let daemon = Server::builder()
        .set("delivery.mode", "loopback")
        .set("delivery.trap_port", socket.local_addr().unwrap().port())
        .start();
    let mut admin = daemon.admin();
    admin.open().expect(200);
    let auth = made(&mut admin, "passwords", &json!({"plain": "authentic ation"}));
    let privacy = made(&mut admin, "passwords", &json!({"plain": "encrypt ion"}));
    let value = json!({
        "auth_method": "sha1", "auth_password": auth,
        "encryption_method": "aes", "encryption_password": privacy,
        "engine_id": "0x0123456789ABCDEF", "username": "trapper",
        "server": {"selection": "ip", "value": "127.0.0.1"},
    });
    let body = json!({"enabled": true, "version": {"selection": "3", "value": value}});
    admin.put(&format!("{CONFIGURATION}/management/snmp/trap"), &body).expect(200);
    admin.commit().expect(200);
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).unwrap();
    let has = |part: &[u8]| bytes[..length].windows(part.len()).any(|window| window == part);
    assert!(has(b"trapper") && has(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]));
    assert!(!has(b"committed"));
    let shown = outbox(&mut admin, "?way=trap&state=sent&wait_seconds=30");
    assert_eq!(shown[0]["envelope"]["authentication"], "sha1");
    assert_eq!(shown[0]["envelope"]["encryption"], "aes128");
    let text = &shown[0]["trap"]["bindings"][2]["value"];
    assert!(text.as_str().unwrap().contains("was committed by admin"), "{text}");
}

#[test]
fn a_certificate_that_expires_is_reported() {
    let daemon = Server::dev();
    let mut admin = daemon.admin();
    // The appliance's own certificate is fresh.
    assert!(outbox(&mut admin, "?event=certificate-expires").is_empty());
    admin.open().expect(200);
    let old = Authority::new("authority").issue_until("sps.example.com", 2001);
    let mut body = email("192.0.2.9");
    body["smtp_encryption"] = json!({
        "selection": "starttls",
        "client_authentication": {
            "enabled": true, "x509_identity": identity(&mut admin, &old),
        },
        "server_certificate_check": {"enabled": false},
    });
    admin.put(&format!("{CONFIGURATION}/management/email"), &body).expect(200);
    admin.commit().expect(200);
    let reported = outbox(&mut admin, "?event=certificate-expires&way=mail");
    assert_eq!(reported.len(), 1, "{reported:#?}");
    assert_eq!(reported[0]["mail"]["to"], json!(["alerts@example.com", "admin@example.com"]));
    let text = reported[0]["mail"]["text"].as_str().unwrap();
    assert!(text.contains("2001-01-01T00:00:00"), "{text}");
}
