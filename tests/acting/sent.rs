//! What is really sent, to receivers on loopback, also over kills.

use std::net::UdpSocket;
use std::time::Duration;

use serde_json::json;
use support::{Server, ServerBuilder, wait_for, wait_for_value};

use crate::mail_server::MailServer;
use crate::{CONFIGURATION, commit, email, outbox, trap};

fn loopback(builder: ServerBuilder) -> ServerBuilder {
    builder.set("delivery.mode", "loopback").set("delivery.retry_seconds", "0.05")
}

#[test]
fn mail_traps_and_syslog_go_out_as_the_committed_settings_say() {
    let mails = MailServer::start(true);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let lines = UdpSocket::bind("127.0.0.1:0").unwrap();
    lines.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let server = loopback(Server::builder())
        .set("delivery.smtp_port", mails.port)
        .set("delivery.trap_port", socket.local_addr().unwrap().port())
        .start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let password = json!({"plain": "horse battery"});
    let key = admin.post(&format!("{CONFIGURATION}/passwords"), &password).expect(201).at("/key");
    let mut with_login = email("127.0.0.1");
    with_login["smtp_auth"] = json!({"enabled": true, "username": "sps", "password": key});
    admin.put(&format!("{CONFIGURATION}/management/email"), &with_login).expect(200);
    admin.put(&format!("{CONFIGURATION}/management/snmp/trap"), &trap("127.0.0.1")).expect(200);
    let receiver = json!({
        "server": {"selection": "ip", "value": "127.0.0.1"},
        "port": lines.local_addr().unwrap().port(),
        "protocol": "syslog-udp",
    });
    let syslog = json!({"receivers": [receiver, {"protocol": "pigeon"}]});
    admin.put(&format!("{CONFIGURATION}/management/syslog"), &syslog).expect(200);
    admin.commit().expect(200);

    let sent = wait_for_value("three messages to be sent", || {
        let sent = outbox(&mut admin, "?state=sent&wait_seconds=5");
        (sent.len() == 3).then_some(sent)
    });
    let mail = wait_for_value("the mail", || mails.taken().pop());
    // \0sps\0horse battery
    assert!(mail.contains("AUTH PLAIN AHNwcwBob3JzZSBiYXR0ZXJ5"), "{mail}");
    assert!(mail.contains("RCPT TO:<alerts@example.com>") && mail.contains("paths: "), "{mail}");
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).unwrap();
    assert!(bytes[..length].windows(6).any(|part| part == b"public"));
    let length = lines.recv(&mut bytes).unwrap();
    let line = String::from_utf8(bytes[..length].to_vec()).unwrap();
    assert!(line.contains(" sps.example.com boxwood - commit [boxwood@32473 "), "{line}");
    assert!(!format!("{sent:?}{}", server.log()).contains("horse battery"));
    let problems = admin.get("/boxwood/v1/outbox").expect(200).at("/problems");
    assert!(problems.to_string().contains("receivers/1"), "{problems}");
}

#[test]
fn a_test_message_goes_by_the_committed_or_the_staged_settings() {
    let mails = MailServer::start(true);
    let server = loopback(Server::builder()).set("delivery.smtp_port", mails.port).start();
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(&format!("{CONFIGURATION}/management/email"), &email("127.0.0.1")).expect(200);
    let committed = admin.post("/boxwood/v1/test/mail", &json!({})).expect(200);
    assert_eq!(committed.at("/results/0/outcome"), "recorded");
    let staged = admin.post("/boxwood/v1/test/mail", &json!({"settings": "staged"})).expect(200);
    assert_eq!(staged.at("/results/0/outcome"), "sent", "{}", staged.text());
    assert_eq!(staged.at("/results/0/reply"), "250 queued");
    assert_eq!(mails.taken().len(), 1);
    admin.post("/boxwood/v1/test/mail", &json!({"settings": "future"})).expect(400);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = loopback(Server::builder()).set("delivery.smtp_port", free).start();
    let mut admin = server.admin();
    commit(&mut admin, "/management/email", &email("127.0.0.1"));
    let failed = admin.post("/boxwood/v1/test/mail", &json!({})).expect(200);
    assert_eq!(failed.at("/results/0/outcome"), "failed");
    assert!(failed.text().contains("cannot connect to 127.0.0.1"), "{}", failed.text());
}

#[test]
fn a_kill_before_delivery_and_before_the_acknowledgement_loses_no_mail() {
    let place = tempfile::tempdir().unwrap();
    let start =
        |port| loopback(Server::builder().serve(place.path())).set("delivery.smtp_port", port);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = start(free).start();
    commit(&mut server.admin(), "/management/email", &email("127.0.0.1"));
    let waiting = outbox(&mut server.admin(), "?state=waiting&way=mail&wait_seconds=20");
    assert_eq!(waiting.len(), 1);
    server.kill();
    // Taken by the server, and not acknowledged.
    let silent = MailServer::start(false);
    let mut server = start(silent.port).start();
    wait_for("the mail to be taken", || silent.taken().len() == 1);
    server.kill();
    let mails = MailServer::start(true);
    let mut server = start(mails.port).start();
    wait_for("the mail to be taken again", || mails.taken().len() == 1);
    let whole = mails.taken().remove(0);
    assert_eq!(whole, silent.taken().remove(0));
    wait_for("the queue to be empty", || {
        server.admin().get("/boxwood/v1/outbox").at("/queue/waiting") == 0
    });
    server.kill();
    let server = start(mails.port).start();
    assert!(outbox(&mut server.admin(), "").is_empty());
    assert_eq!(mails.taken().len(), 1);
}

#[test]
fn a_server_that_hangs_delays_neither_commits_nor_the_end() {
    let mut held = Vec::new();
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = hanging.local_addr().unwrap().port();
    std::thread::spawn(move || held.extend(hanging.incoming().flatten()));
    let place = tempfile::tempdir().unwrap();
    let builder = loopback(Server::builder().serve(place.path())).set("delivery.smtp_port", port);
    let mut server = builder.start();
    let mut admin = server.admin();
    for n in 1..=5 {
        let mut email = email("127.0.0.1");
        email["admin_address"] = json!(format!("admin{n}@example.com"));
        commit(&mut admin, "/management/email", &email);
    }
    assert_eq!(outbox(&mut admin, "?way=mail&state=waiting").len(), 5);
    assert!(server.terminate().success());
}
