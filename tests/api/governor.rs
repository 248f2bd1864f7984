//! Where the committed configuration governs the daemon: how long sessions last, and which
//! certificate is shown.

use serde_json::json;
use support::{Client, Server};

use crate::fixtures::{
    CERTIFICATES, MAIL, Pair, WEBINTERFACE, X509, body, create, issued_pair, metric, with,
};

#[track_caller]
fn remaining(client: &mut Client) -> u64 {
    let answer = client.get(MAIL).expect(200);
    answer.at("/meta/remaining_seconds").as_u64().expect("a number")
}

#[test]
fn idle_time_follows_the_web_interface_after_a_commit() {
    let server = Server::dev();
    let (mut admin, mut other) = (server.admin(), server.admin());
    admin.open().expect(200);
    admin.put(WEBINTERFACE, &json!({"timeout": 20})).expect(200);
    assert_eq!((remaining(&mut admin), remaining(&mut other)), (600, 600), "only staged");
    admin.rollback().expect(200);
    assert_eq!(remaining(&mut admin), 600);
    for minutes in [20, 720, 1] {
        admin.open().expect(200);
        admin.put(WEBINTERFACE, &json!({"timeout": minutes})).expect(200);
        let answer = admin.commit().expect(200);
        assert_eq!(answer.at("/meta/remaining_seconds"), json!(minutes * 60));
        assert_eq!((remaining(&mut admin), remaining(&mut other)), (minutes * 60, minutes * 60));
        let login = server.client().login("admin", "admin");
        assert_eq!(login.at("/meta/remaining_seconds"), json!(minutes * 60));
    }
}

#[test]
fn idle_time_is_the_committed_one_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(WEBINTERFACE, &json!({"timeout": 33})).expect(200);
    admin.commit().expect(200);
    server.kill();
    let server = builder.start();
    assert_eq!(remaining(&mut server.admin()), 33 * 60);
}

#[test]
fn idle_time_of_a_setting_is_not_governed() {
    let server = Server::builder().set("login.idle_seconds", 77).start();
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(WEBINTERFACE, &json!({"timeout": 20})).expect(200);
    admin.commit().expect(200);
    assert_eq!(remaining(&mut admin), 77);
}

/// Without line ends, of which there are two kinds.
fn bare(pem: &str) -> String {
    pem.split_whitespace().collect()
}

#[test]
fn generated_certificate_is_the_configured_one() {
    let server = Server::dev();
    let mut admin = server.admin();
    let key = body(&mut admin, CERTIFICATES)["server"]["key"].as_str().unwrap().to_owned();
    let identity = body(&mut admin, &format!("{X509}/{key}"));
    assert_eq!(bare(identity["certificate"].as_str().unwrap()), bare(&admin.certificate_pem()));
}

#[test]
fn committed_certificate_is_shown_to_new_connections_while_open_ones_go_on() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    let former = admin.certificate_pem();
    let former_key = body(&mut admin, CERTIFICATES)["server"]["key"].as_str().unwrap().to_owned();
    let mut open = server.client();
    open.get("/api/info").expect(200);
    let pair = Pair::new();

    admin.open().expect(200);
    let key = create(&mut admin, X509, &pair.body());
    let certificates = with(&body(&mut admin, CERTIFICATES), "/server", json!(key));
    admin.put(CERTIFICATES, &certificates).expect(200);
    assert_eq!(server.client().certificate_pem(), former, "only staged");
    let connections = metric(&mut open, "boxwood_connections_open");
    admin.commit().expect(200);

    let mut trusting = Client::verifying(server.url(), &pair.certificate);
    trusting.login("admin", "admin");
    assert_eq!(bare(&trusting.certificate_pem()), bare(&pair.certificate));
    assert!(Client::verifying(server.url(), &former).try_connection().is_err());
    for client in [&mut open, &mut admin] {
        assert!(client.is_connected());
        client.get("/api/info").expect(200);
        assert_eq!(client.certificate_pem(), former, "it is the connection from before");
    }
    assert!(connections >= 2.0);
    admin.get(&format!("{X509}/{former_key}")).expect_error(404, "NotFound");

    server.kill();
    let server = builder.start();
    Client::verifying(server.url(), &pair.certificate).login("admin", "admin");
}

#[test]
fn certificate_is_sent_with_its_issuers_or_alone_and_verifies() {
    let server = Server::dev();
    let mut admin = server.admin();
    let (pair, authority) = issued_pair();
    admin.open().expect(200);
    let identity = with(&pair.body(), "/issuer_chain", json!([authority]));
    let key = create(&mut admin, X509, &identity);
    let certificates = with(&body(&mut admin, CERTIFICATES), "/server", json!(key));
    admin.put(CERTIFICATES, &certificates).expect(200);
    admin.commit().expect(200);
    // Whoever trusts the authority trusts the server.
    Client::verifying(server.url(), &authority).login("admin", "admin");
}

#[test]
fn other_certificates_leave_the_listener_alone() {
    let server = Server::dev();
    let mut admin = server.admin();
    let former = admin.certificate_pem();
    admin.open().expect(200);
    let key = create(&mut admin, X509, &Pair::new().body());
    let certificates = with(&body(&mut admin, CERTIFICATES), "/tsa", json!(key));
    admin.put(CERTIFICATES, &certificates).expect(200);
    admin.commit().expect(200);
    assert_eq!(server.client().certificate_pem(), former);
}

#[test]
fn certificate_of_files_is_served_and_not_governed() {
    let directory = tempfile::tempdir().unwrap();
    let (given, other) = (Pair::new(), Pair::new());
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    std::fs::write(&certificate, &given.certificate).unwrap();
    std::fs::write(&key, &given.private_key).unwrap();
    let server = Server::builder()
        .set("tls.certificate", certificate.display())
        .set("tls.private_key", key.display())
        .start();
    let mut admin = Client::verifying(server.url(), &given.certificate);
    admin.login("admin", "admin");
    admin.open().expect(200);
    let key = create(&mut admin, X509, &other.body());
    let certificates = with(&body(&mut admin, CERTIFICATES), "/server", json!(key));
    admin.put(CERTIFICATES, &certificates).expect(200);
    admin.commit().expect(200);
    Client::verifying(server.url(), &given.certificate).get("/api/info").expect(200);
}
