//! From an event to the other side: modes, the queue, kills, limits.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

use delivery::{
    Configuration, Event, EventKind, Figures, HealthLimits, Host, Mode, Settings, SyslogReceiver,
    SyslogTransport, TrapVersion, Traps, Wanted, Way,
};

use crate::mail::{mail, with};
use crate::site::{drain, settings, start, start_in};
use crate::smtp::{Rules, Server, listen};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn everything(server: &str) -> Configuration {
    let host = || Host::Address(server.parse().unwrap());
    let transport = SyslogTransport::Udp;
    Configuration {
        traps: Some(Traps { server: host(), version: TrapVersion::V2c("public".to_owned()) }),
        syslog: vec![SyslogReceiver { host: host(), port: 514, transport }],
        ..with(delivery::Mail { server: host(), ..mail() })
    }
}

#[tokio::test]
async fn record_and_loopback_keep_what_they_may_not_send() {
    for (mode, server, why) in [
        (Mode::Record, "127.0.0.1", "delivery.mode is record"),
        (Mode::Loopback, "192.0.2.1", "192.0.2.1 is not a loopback address"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let settings = Settings { mode, ..settings() };
        let site = start_in(Some(place.path()), settings, everything(server));
        site.report("Revision 7");
        let recorded = site.messages("recorded", 3).await;
        for message in &recorded {
            assert!(message["reason"].as_str().unwrap().contains(why), "{message}");
        }
        assert_eq!(recorded[0]["way"], "syslog");
        assert!(recorded[1]["mail"]["text"].as_str().unwrap().contains("Revision 7"));
        assert_eq!(recorded[2]["trap"]["name"], "boxwoodCommit");
        assert_eq!(recorded[2]["envelope"]["community"], "public");
        assert_eq!(site.delivery.waiting(), 0);
        site.delivery.clear_outbox();
        assert!(site.delivery.outbox(&Wanted::default()).is_empty());
    }
}

#[tokio::test]
async fn one_way_that_is_stuck_does_not_hold_up_another() {
    let mut held = Vec::new();
    let hanging = listen(move |stream| held.push(stream));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let trap_port = socket.local_addr().unwrap().port();
    let settings = Settings { smtp_port: hanging, trap_port, ..settings() };
    let site = start(settings, everything("127.0.0.1"));
    site.report("Revision 7");
    let wanted =
        Wanted { way: Some(Way::Trap), state: Some("sent".to_owned()), ..Wanted::default() };
    assert_eq!(site.delivery.outbox_within(&wanted, Duration::from_secs(20)).await.len(), 1);
    assert_eq!(site.messages("waiting", 1).await[0]["way"], "mail");
}

#[tokio::test]
async fn a_kill_before_delivery_loses_nothing() {
    let place = tempfile::tempdir().unwrap();
    let settings_at = |port| Settings { smtp_port: port, ..settings() };
    let site = start_in(Some(place.path()), settings_at(free_port()), with(mail()));
    for n in 1..=5 {
        site.report(&format!("Revision {n}."));
    }
    site.messages("waiting", 5).await;
    site.kill().await;
    let server = Server::start(Rules::default());
    let site = start_in(Some(place.path()), settings_at(server.port), with(mail()));
    site.messages("sent", 5).await;
    let taken = server.taken.lock().unwrap().clone();
    for (n, mail) in taken.iter().enumerate() {
        assert!(mail.text.contains(&format!("Revision {}.", n + 1)), "{}", mail.text);
    }
    site.kill().await;
    // And what was delivered does not come again.
    let site = start_in(Some(place.path()), settings_at(server.port), with(mail()));
    assert_eq!(site.delivery.waiting(), 0);
}

#[tokio::test]
async fn a_kill_before_the_acknowledgement_sends_the_message_again_and_whole() {
    let place = tempfile::tempdir().unwrap();
    let (out, got) = mpsc::channel();
    // Takes the whole mail and never says so.
    let silent = listen(move |mut stream| {
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        drop(stream.write_all(b"220 hi\r\n"));
        let mut said = String::new();
        while matches!(lines.read_line(&mut said), Ok(n) if n > 0) {
            if said == ".\r\n" {
                out.send(()).unwrap();
                return drain(stream);
            }
            if ["EHLO", "MAIL", "RCPT"].iter().any(|verb| said.starts_with(verb)) {
                drop(stream.write_all(b"250 ok\r\n"));
            }
            if said.starts_with("DATA") {
                drop(stream.write_all(b"354 go\r\n"));
            }
            said.clear();
        }
    });
    let settings_at = |port| Settings { smtp_port: port, ..settings() };
    let site = start_in(Some(place.path()), settings_at(silent), with(mail()));
    site.report("Revision 7");
    tokio::task::spawn_blocking(move || got.recv().unwrap()).await.unwrap();
    site.kill().await;
    let server = Server::start(Rules::default());
    let site = start_in(Some(place.path()), settings_at(server.port), with(mail()));
    site.messages("sent", 1).await;
    let taken = server.taken.lock().unwrap().clone();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].text.contains("Revision 7."), "{}", taken[0].text);
}

#[tokio::test]
async fn what_is_held_back_is_queued_when_the_daemon_stops() {
    let place = tempfile::tempdir().unwrap();
    let settings_at = |port| Settings {
        smtp_port: port,
        gather: Duration::from_secs(3_600),
        gather_after: 1,
        ..settings()
    };
    let site = start_in(Some(place.path()), settings_at(free_port()), with(mail()));
    for n in 1..=4 {
        site.report(&format!("Revision {n}"));
    }
    site.messages("waiting", 1).await;
    site.stop().await;
    let server = Server::start(Rules::default());
    let site = start_in(Some(place.path()), settings_at(server.port), with(mail()));
    site.messages("sent", 2).await;
    let taken = server.taken.lock().unwrap().clone();
    assert!(taken[1].text.contains("3 more events commit; the last: Revision 4"));
}

#[tokio::test]
async fn what_is_too_old_and_what_is_too_much_is_given_up_and_named() {
    let settings = Settings {
        smtp_port: free_port(),
        queue_messages: 2,
        max_age: Duration::ZERO,
        ..settings()
    };
    let site = start(settings.clone(), with(mail()));
    site.report("Revision 1");
    let given_up = site.messages("given-up", 1).await;
    let error = given_up[0]["error"].as_str().unwrap();
    assert!(error.starts_with("too old") && error.contains("cannot connect"), "{error}");
    assert_eq!(site.delivery.counts(Way::Mail)[2], ("given-up", 1));

    let settings = Settings { max_age: Duration::from_secs(60), ..settings };
    let site = start(settings, with(mail()));
    for n in 1..=3 {
        site.report(&format!("Revision {n}"));
    }
    let given_up = site.messages("given-up", 1).await;
    let error = given_up[0]["error"].as_str().unwrap();
    assert!(error.contains("delivery.queue_messages"), "{error}");
    assert_eq!(site.delivery.waiting(), 2);
}

#[tokio::test]
async fn a_server_that_is_corrected_in_the_configuration_gets_what_waits() {
    let server = Server::start(Rules::default());
    let elsewhere = delivery::Mail { server: Host::Name("nowhere.localhost".to_owned()), ..mail() };
    let site = start(Settings { smtp_port: free_port(), ..settings() }, with(elsewhere));
    site.report("Revision 1");
    site.failing().await;
    // Nothing is configured any more: the message has nowhere to go.
    site.given.0.lock().unwrap().mail = None;
    assert!(
        site.messages("given-up", 1).await[0]["error"].as_str().unwrap().contains("configured")
    );
    drop(server);
}

#[tokio::test]
async fn health_that_crosses_its_limit_is_reported_once_each_way() {
    let mut configuration = everything("192.0.2.1");
    configuration.health = HealthLimits { disk: Some(80.0), ..HealthLimits::default() };
    let site = start(settings(), configuration);
    let figures = |disk| Some(Figures { disk_percent: Some(disk), ..Figures::default() });
    for (disk, raised) in [(95.0, true), (10.0, false)] {
        site.delivery.replace_figures(figures(disk));
        for _ in 0..4 {
            site.delivery.measure().await;
        }
        assert_eq!(site.delivery.raised() == ["disk"], raised);
    }
    let recorded = site.messages("recorded", 6).await;
    let of = |kind: EventKind| recorded.iter().filter(|one| one["event"] == kind.name()).count();
    assert_eq!((of(EventKind::HealthLimit), of(EventKind::HealthRecovered)), (3, 3));
    assert_eq!(site.delivery.figures().unwrap().1.disk_percent, Some(10.0));
}

#[tokio::test]
async fn routes_say_which_event_goes_which_way_and_the_administrator_hears_what_concerns_them() {
    let mut configuration = everything("192.0.2.1");
    configuration.routes.insert((EventKind::Commit, Way::Mail), false);
    configuration.mail.as_mut().unwrap().administrator = Some("admin@example.com".to_owned());
    let site = start(settings(), configuration);
    site.report("Revision 1");
    site.delivery.report(Event::new(0, EventKind::StoreReadOnly, "The store takes no writes"));
    let recorded = site.messages("recorded", 5).await;
    let mails: Vec<_> = recorded.iter().filter(|one| one["way"] == "mail").collect();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        mails[0]["mail"]["to"],
        serde_json::json!(["alerts@example.com", "admin@example.com"])
    );
}

#[tokio::test]
async fn a_report_never_waits() {
    let site = start(settings(), everything("192.0.2.1"));
    // Nothing takes them, and the channel is full long before the end.
    site.delivery.stop();
    for _ in 0..100_000 {
        site.report("Revision");
    }
}
