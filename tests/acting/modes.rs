//! Nothing leaves that may not, as the operating system sees it.

use support::Server;

use crate::mail_server::MailServer;
use crate::trace::Trace;
use crate::{commit, email, outbox, trap};

#[test]
fn record_opens_no_connection() {
    let Some(trace) = Trace::new() else { return };
    let mut server = trace.start(Server::builder());
    let mut admin = server.admin();
    commit(&mut admin, "/management/email", &email("127.0.0.1"));
    commit(&mut admin, "/management/snmp/trap", &trap("192.0.2.41"));
    let mut named = email("127.0.0.1");
    named["smtp_server"] = serde_json::json!({"selection": "fqdn", "value": "mail.example.com"});
    commit(&mut admin, "/management/email", &named);
    for way in ["mail", "trap", "syslog"] {
        admin.post(&format!("/boxwood/v1/test/{way}"), &serde_json::json!({})).expect(200);
    }
    assert_eq!(outbox(&mut admin, "?state=recorded").len(), 8);
    server.terminate();
    assert_eq!(trace.destinations(), Vec::<String>::new());
}

#[test]
fn loopback_opens_connections_to_loopback_addresses_only() {
    let Some(trace) = Trace::new() else { return };
    let mails = MailServer::start(true);
    let builder =
        Server::builder().set("delivery.mode", "loopback").set("delivery.smtp_port", mails.port);
    let mut server = trace.start(builder);
    let mut admin = server.admin();
    commit(&mut admin, "/management/email", &email("127.0.0.1"));
    let sent = outbox(&mut admin, "?state=sent&way=mail&wait_seconds=30");
    assert_eq!(sent.len(), 1);
    let mut named = email("127.0.0.1");
    named["smtp_server"] = serde_json::json!({"selection": "fqdn", "value": "mail.example.com"});
    commit(&mut admin, "/management/email", &named);
    assert_eq!(outbox(&mut admin, "?state=recorded&way=mail").len(), 1);
    server.terminate();
    assert_eq!(trace.destinations(), [format!("127.0.0.1:{}", mails.port)]);
}
