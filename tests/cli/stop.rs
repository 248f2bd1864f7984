//! SIGTERM and SIGINT: requests under way are answered, everybody else goes, and the code is 0.

use std::time::{Duration, Instant};

use serde_json::json;
use support::{Client, Evidence, Server, wait_for};

use crate::shared::{begin_commit, config_hash};

/// How long something took; the limits below are far from what is usual.
#[expect(clippy::disallowed_methods, reason = "that it ends in time is what is tested")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let outcome = work();
    (outcome, start.elapsed())
}

fn stops_in_order(stop: impl FnOnce(&mut Server), name: &str) {
    let evidence = Evidence::new();
    let builder = Server::builder()
        .serve(evidence.path().join("data"))
        .http()
        .https()
        .set("limits.drain_seconds", 50)
        .set("limits.header_seconds", 300)
        .set("limits.body_seconds", 300);
    let mut server = builder.start();

    // Idle connections, of those who have asked and of those who never will, over both listeners.
    let mut idle: Vec<Client> = server.urls().iter().map(|url| Client::new(url)).collect();
    idle.iter_mut().for_each(|client| {
        client.get("/boxwood/v1/health").expect(200);
    });
    let mut silent: Vec<Client> = server.urls().iter().map(|url| Client::new(url)).collect();
    silent.iter_mut().for_each(|client| {
        client.connection();
    });

    // And one in the middle of a commit.
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put("/api/configuration/management/soap", &json!({ "enabled": false })).expect(200);
    let body = begin_commit(&mut admin);

    let ((), taken) = timed(|| {
        stop(&mut server);
        wait_for("the stop to begin", || server.log().contains("\"stopping\""));
        let signal = format!("\"signal\":\"{name}\"");
        assert!(server.log().contains(&signal), "{}", server.log());
        wait_for("the port to close", || Client::new(server.url()).try_connection().is_err());
        wait_for("idle connections to be closed", || {
            idle.iter_mut().all(|client| !client.is_connected())
        });
        assert!(server.is_running(), "it waits for the request");

        let answer = admin.send_raw(body);
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(answer.at("/body/status"), "closed", "{answer}");
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    });
    assert!(taken < Duration::from_secs(40), "{taken:?}: it waited for somebody else");
    assert!(!server.log().contains("panicked"), "{}", server.log());

    let server = builder.start();
    let soap = server.admin().get("/api/configuration/management/soap").expect(200);
    assert_eq!(soap.at("/body/enabled"), false, "what was answered is there: {soap}");
}

#[test]
fn sigterm_lets_a_request_finish_and_idle_connections_do_not_matter() {
    stops_in_order(Server::request_termination, "SIGTERM");
}

#[test]
fn sigint_does_the_same() {
    stops_in_order(|server| server.signal(support::Signal::INT), "SIGINT");
}

#[test]
fn a_client_that_never_finishes_is_cut_off_in_time() {
    let evidence = Evidence::new();
    let builder = Server::builder()
        .serve(evidence.path().join("data"))
        .http()
        .set("limits.drain_seconds", 0.3)
        .set("limits.body_seconds", 300);
    let mut server = builder.start();
    let mut admin = server.admin();
    let before = config_hash(&mut admin);
    admin.open().expect(200);
    admin.put("/api/configuration/management/soap", &json!({ "enabled": false })).expect(200);
    begin_commit(&mut admin);
    let (status, taken) = timed(|| server.terminate());
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(taken < Duration::from_secs(30), "{taken:?}");
    let log = server.log();
    let line = log.lines().find(|line| line.contains("listeners drained")).unwrap_or_default();
    assert!(line.contains("\"cut_off\":1"), "{log}");
    // Open transactions are discarded.
    let server = builder.start();
    assert_eq!(config_hash(&mut server.admin()), before);
}

#[test]
fn a_second_signal_hurries_the_stop() {
    let evidence = Evidence::new();
    let mut server = Server::builder()
        .serve(evidence.path().join("data"))
        .http()
        .set("limits.drain_seconds", 300)
        .set("limits.body_seconds", 300)
        .start();
    let mut admin = server.admin();
    admin.open().expect(200);
    begin_commit(&mut admin);
    server.request_termination();
    wait_for("the stop to begin", || server.log().contains("\"stopping\""));
    let (status, taken) = timed(|| server.interrupt());
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(taken < Duration::from_secs(60), "{taken:?}");
    assert!(server.log().contains("\"cut_off\":1"), "{}", server.log());
}

#[test]
fn signals_that_mean_nothing_do_not_end_the_daemon() {
    let evidence = Evidence::new();
    let mut server = Server::builder().serve(evidence.path().join("data")).http().start();
    for (signal, word) in [
        (support::Signal::USR1, "SIGUSR1"),
        (support::Signal::USR2, "SIGUSR2"),
        (support::Signal::HUP, "reading the TLS certificate again"),
    ] {
        server.signal(signal);
        wait_for("word of the signal", || server.log().contains(word));
        server.client().get("/boxwood/v1/health").expect(200);
    }
    server.signal(support::Signal::QUIT);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
}

#[test]
fn the_emulator_leaves_nothing_behind() {
    let temporary = Evidence::new();
    let left = || {
        let entries = std::fs::read_dir(temporary.path()).expect("it can be read");
        entries
            .filter(|entry| {
                let name = entry.as_ref().expect("an entry").file_name();
                name.to_string_lossy().starts_with("boxwood-")
            })
            .count()
    };
    let builder = Server::builder().http().env("TMPDIR", temporary.path());
    for signal in
        [support::Signal::TERM, support::Signal::INT, support::Signal::QUIT, support::Signal::HUP]
    {
        let mut server = builder.start();
        assert_eq!(left(), 1);
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
        assert_eq!(left(), 0, "{signal:?}");
    }
    // What a killed one could not remove, the next one does, and leaves that of another alone.
    builder.start().kill();
    assert_eq!(left(), 1);
    let _one = builder.start();
    assert_eq!(left(), 1);
    let _other = builder.start();
    assert_eq!(left(), 2);
}

#[test]
fn a_signal_during_the_start_is_followed() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let builder = Server::builder().serve(&data).http();
    let mut server = builder.spawn();
    wait_for("the start", || data.join("lock").exists() || !server.is_running());
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "{status}\n{}", server.log());
    builder.start();
}
