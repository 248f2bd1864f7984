//! Traps, decoded by snmptrapd where the machine has it.

use std::fs;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use delivery::{Cipher, Configuration, Digest, Host, Secret, Settings, TrapVersion, Traps, User};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::site::{settings, start};

const ENGINE: &str = "0x0123456789ABCDEF";

fn to(version: TrapVersion) -> Configuration {
    let server = Host::Address("127.0.0.1".parse().unwrap());
    let traps = Some(Traps { server, version });
    Configuration { host: "sps.example.com".to_owned(), traps, ..Configuration::default() }
}

fn user(digest: Digest, cipher: Option<Cipher>, auth: &str, privacy: &str) -> User {
    User {
        name: "traps".to_owned(),
        engine_id: vec![0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
        digest,
        auth_password: Secret::known(auth),
        privacy: cipher.map(|cipher| (cipher, Secret::known(privacy))),
    }
}

/// A daemon of the distribution that writes down what it can decode.
struct Trapd {
    child: Child,
    place: TempDir,
    port: u16,
}

impl Trapd {
    /// Starts it; `None`, with a line that says so, where there is none.
    fn start(configuration: &str) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(place.path().join("snmptrapd.conf"), configuration).unwrap();
        let path = |name: &str| place.path().join(name).display().to_string();
        let child = Command::new("snmptrapd")
            .args(["-f", "-n", "-C", "-c", &path("snmptrapd.conf"), "-m", "", "-Onb"])
            .args(["-Lf", &path("log"), "-F", "%P|%v\n"])
            .arg(format!("udp:127.0.0.1:{port}"))
            .env("SNMP_PERSISTENT_DIR", place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            println!("left out: there is no snmptrapd on this machine");
            return None;
        };
        let trapd = Self { child, place, port };
        trapd.until(|log| log.contains("NET-SNMP version"));
        Some(trapd)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.path().join("log")).unwrap_or_default()
    }

    fn until(&self, condition: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition(&self.log()) {
            assert!(Instant::now() < deadline, "{}", self.log());
            std::thread::yield_now();
        }
    }
}

impl Drop for Trapd {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn send(port: u16, version: TrapVersion, text: &str) {
    let site = start(Settings { trap_port: port, ..settings() }, to(version));
    site.report(text);
    site.messages("sent", 1).await;
    site.stop().await;
}

#[tokio::test]
async fn version_2c_is_decoded() {
    let Some(trapd) = Trapd::start("authCommunity log public\n") else { return };
    send(trapd.port, TrapVersion::V2c("public".to_owned()), "Revision 7 was committed").await;
    trapd.until(|log| log.contains("Revision 7 was committed"));
    let log = trapd.log();
    assert!(log.contains("TRAP2"), "{log}");
    assert!(log.contains(".1.3.6.1.4.1.32473.66.0.1"), "{log}");
    assert!(log.contains(".1.3.6.1.4.1.32473.66.1.2.0 = INTEGER: 5"), "{log}");
    // Another community is not authorized.
    send(trapd.port, TrapVersion::V2c("private".to_owned()), "Revision 8").await;
    send(trapd.port, TrapVersion::V2c("public".to_owned()), "Revision 9").await;
    trapd.until(|log| log.contains("Revision 9"));
    assert!(!trapd.log().contains("Revision 8"));
}

#[tokio::test]
async fn version_3_is_decoded_in_every_combination_and_refused_with_a_wrong_password() {
    let combinations = [
        (Digest::Md5, "MD5", None, "", "auth"),
        (Digest::Sha1, "SHA", None, "", "auth"),
        (Digest::Md5, "MD5", Some(Cipher::Des), "DES", "priv"),
        (Digest::Sha1, "SHA", Some(Cipher::Des), "DES", "priv"),
        (Digest::Md5, "MD5", Some(Cipher::Aes128), "AES", "priv"),
        (Digest::Sha1, "SHA", Some(Cipher::Aes128), "AES", "priv"),
    ];
    for (digest, auth, cipher, privacy, level) in combinations {
        let privacy = cipher.map(|_| format!("{privacy} \"encrypt ion$1\"")).unwrap_or_default();
        let configuration = format!(
            "createUser -e {ENGINE} traps {auth} \"authentic ation\" {privacy}\n\
             authUser log traps {level}\n"
        );
        let Some(trapd) = Trapd::start(&configuration) else { return };
        let version =
            |auth: &str, privacy: &str| TrapVersion::V3(user(digest, cipher, auth, privacy));
        send(trapd.port, version("wrong password", "encrypt ion$1"), "Refused 1").await;
        if cipher.is_some() {
            send(trapd.port, version("authentic ation", "wrong password"), "Refused 2").await;
        }
        send(trapd.port, version("authentic ation", "encrypt ion$1"), "Revision 7").await;
        trapd.until(|log| log.contains("Revision 7"));
        let log = trapd.log();
        assert!(!log.contains("Refused"), "{auth} {privacy}: {log}");
        assert!(log.contains(".1.3.6.1.4.1.32473.66.0.1"), "{log}");
    }
}

#[tokio::test]
async fn boots_go_up_so_that_a_receiver_takes_traps_after_a_restart() {
    let configuration =
        format!("createUser -e {ENGINE} traps SHA \"authentic ation\"\nauthUser log traps auth\n");
    let Some(trapd) = Trapd::start(&configuration) else { return };
    let place = tempfile::tempdir().unwrap();
    for text in ["Revision 1", "Revision 2", "Revision 3"] {
        let version = TrapVersion::V3(user(Digest::Sha1, None, "authentic ation", ""));
        let settings = Settings { trap_port: trapd.port, ..settings() };
        let site = crate::site::start_in(Some(place.path()), settings, to(version));
        site.report(text);
        site.messages("sent", 1).await;
        site.stop().await;
        trapd.until(|log| log.contains(text));
    }
}
