//! Certificates given as files.

use std::fs;
use std::path::{Path, PathBuf};

use support::{Client, Evidence, Server, ServerBuilder, wait_for};

use crate::shared::refused;

/// A self-signed certificate in a file, its key in another.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    pem: String,
}

fn pair(folder: &Path, name: &str) -> Pair {
    let hosts = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let made = rcgen::generate_simple_self_signed(hosts).expect("a certificate can be made");
    let (certificate, key) =
        (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
    let pem = made.cert.pem();
    fs::write(&certificate, &pem).expect("a file can be written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("a file can be written");
    Pair { certificate, key, pem }
}

fn serving(evidence: &Evidence, certificate: &Path, key: &Path) -> ServerBuilder {
    Server::builder()
        .serve(evidence.path().join("data"))
        .https()
        .set("tls.certificate", certificate.display())
        .set("tls.private_key", key.display())
}

#[test]
fn given_files_are_served_and_the_configuration_does_not_govern_them() {
    let evidence = Evidence::new();
    let given = pair(evidence.path(), "given");
    let server = serving(&evidence, &given.certificate, &given.key).start();
    let mut client = Client::verifying(server.url(), &given.pem);
    client.login("admin", "admin");
    client.get("/api/configuration/management/certificates").expect(200);
    drop(server);

    // Without them it is the configuration's own again.
    let server = Server::builder().serve(evidence.path().join("data")).https().start();
    let own = server.client().certificate_pem();
    assert_ne!(own.replace('\r', ""), given.pem.replace('\r', ""));
    Client::verifying(server.url(), &own).login("admin", "admin");
    assert!(Client::verifying(server.url(), &given.pem).try_connection().is_err());
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let evidence = Evidence::new();
    let (one, other) = (pair(evidence.path(), "one"), pair(evidence.path(), "other"));
    refused(&serving(&evidence, &one.certificate, &other.key).run(), 1, &["certificate", "key"]);
    // Each in the other's place.
    refused(&serving(&evidence, &one.key, &one.certificate).run(), 1, &["certificate"]);
}

#[test]
fn files_that_are_missing_or_empty_are_named() {
    let evidence = Evidence::new();
    let given = pair(evidence.path(), "given");
    let missing = evidence.path().join("missing.pem");
    let name = missing.to_str().expect("a path is text");
    for (certificate, key) in [(&missing, &given.key), (&given.certificate, &missing)] {
        refused(&serving(&evidence, certificate, key).run(), 1, &[name, "No such file"]);
    }
    let empty = evidence.path().join("empty.pem");
    fs::write(&empty, "").expect("a file can be written");
    for (certificate, key) in [(&empty, &given.key), (&given.certificate, &empty)] {
        let exit = serving(&evidence, certificate, key).run();
        refused(&exit, 1, &["certificate"]);
    }
}

#[test]
fn one_file_without_the_other_is_a_mistake_in_the_settings() {
    let evidence = Evidence::new();
    let given = pair(evidence.path(), "given");
    let builder = || Server::builder().serve(evidence.path().join("data")).https();
    let exit = builder().set("tls.certificate", given.certificate.display()).run();
    refused(&exit, 2, &["tls.certificate", "tls.private_key"]);
    let exit = builder().set("tls.private_key", given.key.display()).run();
    refused(&exit, 2, &["tls.certificate", "tls.private_key"]);
    // A key that was pasted is not repeated.
    let key = fs::read_to_string(&given.key).expect("it can be read");
    let exit = builder().set("tls.certificate", "x").set("tls.private_key", &key).run();
    let message = refused(&exit, 2, &["tls.private_key"]);
    assert!(!message.contains(key.lines().nth(1).expect("a key has lines")), "{message}");
}

#[test]
fn the_generated_certificate_is_for_localhost_and_the_listen_address() {
    let server = Server::dev();
    let pem = server.client().certificate_pem();
    let port = server.url().rsplit_once(':').expect("a port").1;
    for host in ["127.0.0.1", "localhost"] {
        Client::verifying(&format!("https://{host}:{port}"), &pem).login("admin", "admin");
    }
}

/// Writes a pair in the place of another one.
fn replace(old: &Pair, new: &Pair) {
    fs::copy(&new.key, &old.key).expect("a file can be written");
    fs::copy(&new.certificate, &old.certificate).expect("a file can be written");
}

/// A PEM text without line ends, of which there are two kinds.
fn bare(pem: &str) -> String {
    pem.split_whitespace().collect()
}

#[test]
fn files_are_read_again_when_they_change() {
    let evidence = Evidence::new();
    let given = pair(evidence.path(), "given");
    let other = pair(evidence.path(), "other");
    let mut server = serving(&evidence, &given.certificate, &given.key).start();
    let mut open = Client::verifying(server.url(), &given.pem);
    open.get("/api/info").expect(200);

    replace(&given, &other);
    let shown = |server: &Server| bare(&server.client().certificate_pem());
    wait_for("the other certificate", || shown(&server) == bare(&other.pem));
    Client::verifying(server.url(), &other.pem).login("admin", "admin");
    assert!(open.is_connected());
    open.get("/api/info").expect(200);

    // What cannot be served changes nothing, and is said.
    fs::write(&given.certificate, "nonsense").expect("a file can be written");
    server.signal(support::Signal::HUP);
    wait_for("a warning", || server.log().contains("stays the one before"));
    assert_eq!(shown(&server), bare(&other.pem));
    server.client().get("/api/info").expect(200);
    let third = pair(evidence.path(), "third");
    replace(&given, &third);
    server.signal(support::Signal::HUP);
    wait_for("the third certificate", || shown(&server) == bare(&third.pem));
    open.get("/api/info").expect(200);
}

#[test]
fn a_certificate_that_has_expired_is_reported() {
    let evidence = Evidence::new();
    let given = pair(evidence.path(), "given");
    let names = vec!["127.0.0.1".to_owned()];
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    let key = rcgen::KeyPair::generate().expect("a key");
    let expired = params.self_signed(&key).expect("a certificate");
    fs::write(&given.certificate, expired.pem()).expect("a file can be written");
    fs::write(&given.key, key.serialize_pem()).expect("a file can be written");
    let server = serving(&evidence, &given.certificate, &given.key).start();
    wait_for("a warning", || server.log().contains("must be replaced"));
    let health = server.client().get("/boxwood/v1/health").expect(200);
    assert_eq!(health.at("/certificate/status"), "expired");
    assert_eq!(health.at("/certificate/expires"), "2020-01-02T00:00:00.000000Z");
    let metrics = server.client().get("/boxwood/v1/metrics").expect(200);
    assert!(metrics.text().contains("boxwood_certificate_expires_seconds 1577923200\n"));
}

#[test]
fn the_generated_certificate_gets_the_names_that_are_set() {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    for appliance in ["sps-6.2", "ds-server"] {
        let evidence = Evidence::new();
        let builder =
            || Server::builder().serve(evidence.path().join("data")).https().appliance(appliance);
        let pem = builder().start().client().certificate_pem();
        let has_name = |pem: &str| {
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
            der.windows(11).any(|bytes| bytes == b"box.example")
        };
        assert!(!has_name(&pem), "{appliance}");
        let server = builder().set("tls.names", "box.example").start();
        wait_for("the name", || has_name(&server.client().certificate_pem()));
        let named = server.client().certificate_pem();
        drop(server);
        let server = builder().set("tls.names", "box.example").start();
        assert_eq!(server.client().certificate_pem(), named, "{appliance}: it stays");
    }
}
