//! How long sessions last, how many there may be, and when logins are blocked.

use serde_json::json;
use support::{Client, Response, Server, wait_for, wait_for_value};

use crate::fixtures::{HEALTH, MAIL, ask_from, config_hash, health, metric, status, with};

fn login(client: &mut Client, password: &str) -> Response {
    client.request("GET", "/api/authentication").basic("admin", password).send()
}

#[test]
fn idle_session_ends_with_its_transaction_and_an_active_one_does_not() {
    let server = Server::builder().set("login.idle_seconds", 1.5).start();
    let mut idle = server.admin();
    idle.open().expect(200);
    idle.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    let mut active = server.admin();
    let before = config_hash(&mut active);
    // Asking keeps this session alive, beyond the time that the other one has.
    wait_for("the end of the idle session's lock", || active.open().status == 200);
    idle.get(MAIL).expect_error(401, "Unauthenticated");
    assert_eq!(active.get(HEALTH).expect(200).at("/body"), health());
    assert_eq!(config_hash(&mut active), before);
    assert_eq!(metric(&mut active, "boxwood_sessions"), 1.0);
    assert_eq!(metric(&mut active, "boxwood_transactions_open"), 1.0);
    idle.clear_cookies();
    idle.login("admin", "admin");
    assert_eq!(status(&mut idle), "closed");
}

#[test]
fn lock_of_an_idle_session_goes_without_anybody_asking_for_it() {
    let server = Server::builder().set("login.idle_seconds", 0.3).start();
    let mut idle = server.admin();
    idle.open().expect(200);
    let mut watcher = server.client();
    assert_eq!(metric(&mut watcher, "boxwood_transactions_open"), 1.0);
    wait_for("no sessions", || metric(&mut watcher, "boxwood_sessions") == 0.0);
    assert_eq!(metric(&mut watcher, "boxwood_transactions_open"), 0.0);
    idle.get("/api/transaction").expect_error(401, "Unauthenticated");
}

#[test]
fn expired_session_is_told_without_a_challenge() {
    let server = Server::builder().set("login.idle_seconds", 0.2).start();
    let mut admin = server.admin();
    let mut watcher = server.client();
    wait_for("the end of the session", || metric(&mut watcher, "boxwood_sessions") == 0.0);
    let answer = admin.get(MAIL).expect_error(401, "Unauthenticated");
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.at("/error/details/resource"), json!(MAIL));
    // And the anonymous resources still take the old cookie for nothing.
    assert!(admin.get("/api/info").expect(200).json()["body"]["config_hash"].is_null());
    login(&mut admin, "admin").expect(200);
    admin.get(MAIL).expect(200);
}

#[test]
fn remaining_seconds_are_in_every_answer_of_a_session() {
    let server = Server::builder().set("login.idle_seconds", 120).start();
    let mut admin = server.admin();
    for path in [
        "/api",
        "/api/info",
        "/api/authentication",
        "/api/transaction",
        "/api/transaction/changes",
        "/api/configuration",
        "/api/configuration/management",
        MAIL,
    ] {
        let answer = admin.get(path).expect(200);
        assert_eq!(answer.at("/meta/remaining_seconds"), json!(120), "{path}");
    }
    assert_eq!(admin.open().expect(200).at("/meta/remaining_seconds"), json!(120));
    let answer = admin.put(HEALTH, &health()).expect(200);
    assert_eq!(answer.at("/meta/remaining_seconds"), json!(120));
    assert_eq!(admin.commit().expect(200).at("/meta/remaining_seconds"), json!(120));
}

#[test]
fn sessions_are_limited_and_one_that_ends_makes_room() {
    let server = Server::builder().set("limits.sessions", 2).start();
    let (mut first, mut second) = (server.admin(), server.admin());
    let mut third = server.client();
    let answer = login(&mut third, "admin").expect(503);
    assert_eq!(answer.header("set-cookie"), None);
    first.get(MAIL).expect(200);
    second.delete("/api/authentication").expect(200);
    login(&mut third, "admin").expect(200);
    third.get(MAIL).expect(200);
}

#[test]
fn idle_sessions_make_room_at_the_limit() {
    let server = Server::builder().set("limits.sessions", 1).set("login.idle_seconds", 0.3).start();
    let mut first = server.admin();
    let mut second = server.client();
    wait_for("room for a session", || login(&mut second, "admin").status == 200);
    first.get(MAIL).expect_error(401, "Unauthenticated");
}

#[test]
fn shutdown_discards_what_is_staged() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    let before = config_hash(&mut admin);
    admin.open().expect(200);
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    assert_eq!(server.terminate().code(), Some(0));

    let server = builder.start();
    let mut stale = server.client();
    stale.set_cookie(&format!("session_id={}", admin.cookie("session_id").unwrap()));
    stale.get(MAIL).expect_error(401, "Unauthenticated");
    let mut admin = server.admin();
    assert_eq!(config_hash(&mut admin), before);
    assert_eq!(status(&mut admin), "closed");
    admin.open().expect(200);
    assert_eq!(admin.get(HEALTH).expect(200).at("/body"), health());
}

// ===== guesses =====

/// Guesses until one has to wait for as many seconds, which is long enough to look around.
fn guess_until_waiting(mut guess: impl FnMut() -> Response) -> Response {
    wait_for_value("a long wait", || {
        let answer = guess().expect_error(401, "AuthenticationFailure");
        let seconds: u32 = answer.header("retry-after")?.parse().expect("seconds");
        assert!((1..=30).contains(&seconds), "{seconds}");
        (seconds >= 8).then_some(answer)
    })
}

#[test]
fn repeated_failures_have_to_wait_longer_and_longer() {
    let server = Server::builder().set("login.failures", 3).start();
    let mut known = server.admin();
    let mut guesser = server.client();
    for _ in 0..3 {
        let answer = login(&mut guesser, "guess").expect_error(401, "AuthenticationFailure");
        assert_eq!(answer.header("retry-after"), None);
    }
    let answer = guess_until_waiting(|| login(&mut guesser, "guess"));
    assert!(answer.at("/error/message").as_str().unwrap().contains("too many"), "{answer}");
    let answer = login(&mut guesser, "admin").expect_error(401, "AuthenticationFailure");
    assert!(answer.header("retry-after").is_some(), "{answer}");
    assert_eq!(answer.header("set-cookie"), None);
    // Who is in stays in, and another user is not meant.
    known.get(MAIL).expect(200);
    let other = guesser.request("GET", "/api/authentication").basic("other", "x").send();
    assert_eq!(other.expect(401).header("retry-after"), None);
    assert!(metric(&mut known, "boxwood_logins_total{outcome=\"blocked\"}") >= 2.0);
    assert!(metric(&mut known, "boxwood_logins_total{outcome=\"refused\"}") >= 4.0);
    assert_eq!(metric(&mut known, "boxwood_logins_total{outcome=\"granted\"}"), 1.0);
}

#[test]
fn strangers_do_not_shut_out_the_administrator() {
    let server = Server::builder()
        .http()
        .set("login.failures", 1)
        .set("proxies.trusted", "127.0.0.1")
        .start();
    let ask = |client: &str, credentials: &str| {
        let request = format!(
            "GET /api/authentication HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\
             X-Forwarded-For: {client}\r\nAuthorization: Basic {credentials}\r\n\r\n"
        );
        ask_from("127.0.0.1", &server, &request)
    };
    const RIGHT: &str = "YWRtaW46YWRtaW4=";
    const WRONG: &str = "YWRtaW46d3Jvbmc=";
    // Through the proxy each client is one of its own; those of a /64 are one.
    assert!(ask("192.0.2.1", RIGHT).starts_with("HTTP/1.1 200 "));
    assert!(ask("192.0.2.2", WRONG).starts_with("HTTP/1.1 401 "));
    assert!(ask("192.0.2.1", RIGHT).starts_with("HTTP/1.1 200 "));
    let log = server.log();
    assert!(log.contains("\"peer\":\"192.0.2.1 via 127.0.0.1:"), "{log}");
    wait_for("a wait of the whole /64", || {
        let answer = ask("2001:db8::1", WRONG);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        let again = ask("2001:db8::2", RIGHT);
        again.starts_with("HTTP/1.1 401 ") && again.contains("retry-after: ")
    });
    // Guesses from everywhere make strangers wait, and not those who were right before.
    wait_for("a wait of all strangers", || {
        (0..12).for_each(|n| drop(ask(&format!("198.51.100.{n}"), WRONG)));
        ask("203.0.113.9", RIGHT).contains("retry-after: ")
    });
    assert!(ask("192.0.2.1", RIGHT).starts_with("HTTP/1.1 200 "));
    // A stranger's own header is not believed.
    let spoofed = "GET /api/authentication HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\
                   X-Forwarded-For: 192.0.2.1\r\n\r\n";
    ask_from("127.0.0.2", &server, spoofed);
    wait_for("its line", || server.log().contains("\"peer\":\"127.0.0.2:"));
}

#[test]
fn the_emulator_lets_its_users_try() {
    let server = Server::dev();
    let mut client = server.client();
    for _ in 0..15 {
        assert_eq!(login(&mut client, "guess").expect(401).header("retry-after"), None);
    }
    login(&mut client, "admin").expect(200);
}

#[test]
fn wait_ends_by_itself() {
    let server = Server::builder().set("login.failures", 2).set("login.block_seconds", 1).start();
    let mut client = server.client();
    for _ in 0..2 {
        login(&mut client, "guess").expect(401);
    }
    wait_for("the end of the wait", || login(&mut client, "admin").status == 200);
}

#[test]
fn success_forgets_the_failures_before_it() {
    let server = Server::builder().set("login.failures", 3).start();
    let mut client = server.client();
    for _ in 0..3 {
        for _ in 0..2 {
            login(&mut client, "guess").expect(401);
        }
        login(&mut client, "admin").expect(200);
    }
}

// The settings take fractions of a second: they must not come to no lockout at all. Twenty failures
// in a row are enough to meet one that falls into the time, on a slow machine too.
fn check_blocks(setting: &str) {
    let server = Server::builder().set("login.failures", 2).set(setting, 0.9).start();
    let mut client = server.client();
    let mut blocked = || login(&mut client, "guess").expect(401).header("retry-after").is_some();
    assert!((0..20).any(|_| blocked()), "twenty failures and no block with {setting}=0.9");
}

#[test]
fn waits_of_less_than_a_second_are_waits() {
    check_blocks("login.block_seconds");
}

#[test]
fn window_of_less_than_a_second_counts() {
    check_blocks("login.window_seconds");
}

#[test]
fn waits_are_for_one_address() {
    let server = Server::builder().http().set("login.failures", 2).start();
    let mut client = server.client();
    guess_until_waiting(|| login(&mut client, "guess"));
    assert!(login(&mut client, "admin").expect(401).header("retry-after").is_some());
    let request = "GET /api/authentication HTTP/1.1\r\nHost: box\r\nConnection: close\r\n\
                   Authorization: Basic YWRtaW46YWRtaW4=\r\n\r\n";
    let answer = ask_from("127.0.0.2", &server, request);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
