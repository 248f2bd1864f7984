//! Mail: every way to log in and to encrypt, and servers that misbehave.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use delivery::{Configuration, Host, Identity, Mail, Mode, Secret, Settings, Tls};

use crate::pki::{Authority, server};
use crate::site::{drain, settings, start};
use crate::smtp::{Rules, Server, listen};

pub(crate) fn mail() -> Mail {
    Mail {
        server: Host::Name("localhost".to_owned()),
        starttls: None,
        login: None,
        sender: Some("sps@example.com".to_owned()),
        alerts: Some("alerts@example.com".to_owned()),
        reports: None,
        administrator: None,
    }
}

pub(crate) fn with(mail: Mail) -> Configuration {
    Configuration { host: "sps.example.com".to_owned(), mail: Some(mail), ..Default::default() }
}

fn to(port: u16) -> Settings {
    Settings { smtp_port: port, ..settings() }
}

async fn taken(rules: Rules, mail: Mail) -> crate::smtp::Taken {
    let server = Server::start(rules);
    let site = start(to(server.port), with(mail));
    site.report("Revision 7 was committed by admin\n.\n. dots");
    let sent = site.messages("sent", 1).await;
    assert_eq!(sent[0]["reply"], "250 queued as 4711");
    let taken = server.taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 1);
    // What is shown is what went out.
    assert_eq!(sent[0]["mail"]["text"].as_str().unwrap().trim_end(), taken[0].text.trim_end());
    taken[0].clone()
}

#[tokio::test]
async fn in_clear_without_a_login() {
    let mail = taken(Rules::default(), mail()).await;
    assert_eq!(
        (mail.from.as_str(), mail.to),
        ("sps@example.com", vec!["alerts@example.com".to_owned()])
    );
    assert!(mail.text.contains("Subject: [sps.example.com] notice: Revision 7 was committed"));
    assert!(!mail.encrypted);
}

#[tokio::test]
async fn with_a_login_by_either_mechanism() {
    for auth_login in [false, true] {
        let rules = Rules { login: Some(("sps", "s3cret")), auth_login, ..Rules::default() };
        let login = Some(("sps".to_owned(), Secret::known("s3cret")));
        taken(rules, Mail { login, ..mail() }).await;
    }
}

#[tokio::test]
async fn with_starttls_a_login_and_certificates_on_both_sides() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let rules = Rules {
        tls: Some(server(&servers.issue("localhost"), Some(&clients))),
        login: Some(("sps", "s3cret")),
        ..Rules::default()
    };
    let own = clients.issue("sps.example.com");
    let identity = Identity { certificate: own.certificate, private_key: Secret::known(&own.key) };
    let mail = Mail {
        starttls: Some(Tls { authority: Some(servers.pem()), identity: Some(identity) }),
        login: Some(("sps".to_owned(), Secret::known("s3cret"))),
        ..mail()
    };
    let mail = taken(rules, mail).await;
    assert!(mail.encrypted && mail.with_certificate);
}

#[tokio::test]
async fn with_starttls_and_any_certificate() {
    let pair = Authority::new("unknown").issue_until("elsewhere.example.com", 2001);
    let rules = Rules { tls: Some(server(&pair, None)), ..Rules::default() };
    assert!(taken(rules, Mail { starttls: Some(Tls::default()), ..mail() }).await.encrypted);
}

/// What is said of a server that does not take the mail.
async fn refused(port: u16, mail: Mail) -> String {
    let site = start(Settings { timeout: Duration::from_millis(700), ..to(port) }, with(mail));
    site.report("Revision 7");
    let error = site.failing().await;
    // A second attempt comes.
    site.until(|| {
        let all = site.delivery.outbox(&Default::default());
        (all[0]["attempts"].as_u64() >= Some(2)).then_some(())
    })
    .await;
    assert_eq!(site.delivery.waiting(), 1);
    error
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_refused() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let checked =
        || Mail { starttls: Some(Tls { authority: Some(ours.pem()), identity: None }), ..mail() };
    for (pair, said) in [
        (ours.issue_until("localhost", 2001), "expired"),
        (other.issue("localhost"), "UnknownIssuer"),
        (ours.issue("elsewhere.example.com"), "not valid for name"),
    ] {
        let rules = Rules { tls: Some(server(&pair, None)), ..Rules::default() };
        let server = Server::start(rules);
        let error = refused(server.port, checked()).await;
        assert!(error.contains(said), "{error}");
        assert!(server.taken.lock().unwrap().is_empty());
    }
    // The server asks for a certificate and gets none.
    let rules =
        Rules { tls: Some(server(&ours.issue("localhost"), Some(&other))), ..Rules::default() };
    let server = Server::start(rules);
    let error = refused(server.port, checked()).await;
    assert!(error.to_lowercase().contains("certificate"), "{error}");
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_clear() {
    let server = Server::start(Rules::default());
    let error = refused(server.port, Mail { starttls: Some(Tls::default()), ..mail() }).await;
    assert!(error.contains("does not offer STARTTLS"), "{error}");
    assert!(server.taken.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_login_is_named_without_the_password() {
    let rules = Rules { login: Some(("sps", "other")), ..Rules::default() };
    let login = Some(("sps".to_owned(), Secret::known("s3cret")));
    let error = refused(Server::start(rules).port, Mail { login, ..mail() }).await;
    assert!(error.contains("535") && error.contains("management/email"), "{error}");
    assert!(!error.contains("s3cret"));
    // A server that repeats what it was sent does not get it into the outbox.
    let parrot = listen(|mut stream| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        drop(stream.write_all(b"220 hi\r\n"));
        let mut said = String::new();
        while matches!(lines.read_line(&mut said), Ok(n) if n > 0) {
            let code = if said.starts_with("EHLO") { "250-AUTH PLAIN\r\n250" } else { "535" };
            drop(stream.write_all(format!("{code} {said}").as_bytes()));
            said.clear();
        }
    });
    let login = Some(("sps".to_owned(), Secret::known("s3cret")));
    let error = refused(parrot, Mail { login, ..mail() }).await;
    assert!(!error.contains("AHNwcwBzM2NyZXQ") && !error.contains("s3cret"), "{error}");
}

#[tokio::test]
async fn servers_that_are_not_there_hang_reset_or_talk_nonsense() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(free, mail()).await;
    assert!(error.contains("cannot connect to localhost"), "{error}");

    let mut held = Vec::new();
    let error = refused(listen(move |stream| held.push(stream)), mail()).await;
    assert!(error.contains("did not answer within 0.7 s"), "{error}");

    let error = refused(listen(drop), mail()).await;
    assert!(error.contains("did not greet"), "{error}");

    for starttls in [None, Some(Tls::default())] {
        let nonsense = listen(|mut stream| {
            drop(stream.write_all(b"\xff\xfe nonsense \x1b[2J\r\n"));
            drain(stream);
        });
        let error = refused(nonsense, Mail { starttls: starttls.clone(), ..mail() }).await;
        assert!(!error.contains('\u{1b}'), "{error}");

        let megabyte = listen(|mut stream| {
            drop(stream.write_all(&[b'2'; 1 << 20]));
            drain(stream);
        });
        refused(megabyte, Mail { starttls, ..mail() }).await;
    }
}

#[tokio::test]
async fn what_comes_in_clear_after_starttls_does_not_count() {
    let injected = listen(|mut stream| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        drop(stream.write_all(b"220 hi\r\n"));
        let mut said = String::new();
        drop(lines.read_line(&mut said));
        drop(stream.write_all(b"250-hi\r\n250 STARTTLS\r\n"));
        drop(lines.read_line(&mut said));
        drop(stream.write_all(b"220 go\r\n250 injected\r\n"));
        drain(stream);
    });
    let error = refused(injected, Mail { starttls: Some(Tls::default()), ..mail() }).await;
    assert!(error.contains("more than an answer"), "{error}");
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_does_not_hold_up_the_next() {
    let rules = Rules { data_answer: Some("554 5.7.1 spam\r\n"), ..Rules::default() };
    let site = start(to(Server::start(rules).port), with(mail()));
    site.report("a");
    site.report("b");
    let given_up = site.messages("given-up", 2).await;
    assert!(given_up[0]["error"].as_str().unwrap().contains("554"), "{given_up:?}");
    assert_eq!(site.delivery.waiting(), 0);
    // One that may pass is tried again.
    let rules = Rules { data_answer: Some("451 later\r\n"), ..Rules::default() };
    let error = refused(Server::start(rules).port, mail()).await;
    assert!(error.contains("451"), "{error}");
}

#[tokio::test]
async fn a_test_says_what_the_server_answered() {
    let server = Server::start(Rules::default());
    let site = start(to(server.port), Configuration::default());
    let results = site.delivery.test(delivery::Way::Mail, &with(mail())).await;
    assert_eq!(results[0]["outcome"], "sent");
    assert_eq!(results[0]["reply"], "250 queued as 4711");
    let elsewhere = Mail { server: Host::Name("mail.example.com".to_owned()), ..mail() };
    let results = site.delivery.test(delivery::Way::Mail, &with(elsewhere)).await;
    assert_eq!(results[0]["outcome"], "recorded");
    assert_eq!(site.delivery.outbox(&Default::default()).len(), 2);
    assert_eq!(site.delivery.test(delivery::Way::Trap, &with(mail())).await.len(), 0);
    assert_eq!(Mode::Loopback.word(), "loopback");
}
