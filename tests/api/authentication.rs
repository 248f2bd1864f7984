//! `/api/authentication`: a password for a session, and the end of one.

use serde_json::json;
use support::{Response, Server, opened};

use crate::fixtures::{HEALTH, MAIL, config_hash, health, metric, status, with};

const AUTHENTICATION: &str = "/api/authentication";

#[track_caller]
fn expect_challenge(answer: &Response) {
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Basic realm=\""), "{answer}");
}

#[test]
fn without_credentials_there_is_a_challenge() {
    let server = Server::dev();
    let answer = server.client().get(AUTHENTICATION).expect_error(401, "AuthenticationFailure");
    expect_challenge(&answer);
    assert_eq!(answer.header("set-cookie"), None);
}

#[test]
fn login_answers_with_a_body_and_one_cookie() {
    let server = Server::dev();
    let answer = server.client().login("admin", "admin");
    let meta = json!({"href": AUTHENTICATION, "parent": "/api", "remaining_seconds": 600});
    assert_eq!(answer.json(), json!({"meta": meta}));
    assert_eq!(answer.headers_named("set-cookie").count(), 1);
    assert_eq!(answer.header("www-authenticate"), None);
}

#[test]
fn cookie_is_spelled_as_clients_parse_it() {
    let server = Server::dev();
    let answer = server.client().login("admin", "admin");
    let cookie = answer.header("set-cookie").expect("a cookie");
    let parts: Vec<&str> = cookie.split("; ").collect();
    let [id, expires, "HttpOnly", "Max-Age=43200", "Path=/", "Secure"] = parts[..] else {
        panic!("the cookie is {cookie}");
    };
    let token = id.strip_prefix("session_id=").expect("the name");
    assert_token(token);
    let expires = expires.strip_prefix("expires=").expect("the lower-case name");
    let now = answer.header("date").expect("a date");
    let lasts = seconds(expires) - seconds(now);
    assert!((43_199..=43_201).contains(&lasts), "{now} to {expires}");
}

#[track_caller]
fn assert_token(token: &str) {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    assert!(token.len() == 40 && token.bytes().all(hex), "{token}");
}

// Seconds of `Thu, 13 Aug 2026 17:34:50 GMT`, from some day on; refuses any other spelling.
fn seconds(date: &str) -> i64 {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = date.split(' ').collect();
    let [week_day, day, month, year, time, "GMT"] = words[..] else { panic!("{date}") };
    assert!(week_day.len() == 4 && week_day.ends_with(',') && day.len() == 2, "{date}");
    let number = |text: &str| text.parse::<i64>().unwrap();
    let month = MONTHS.iter().position(|name| *name == month).expect("a month") as i64 + 1;
    // Days by the civil calendar, the year beginning in March.
    let (year, month) =
        if month < 3 { (number(year) - 1, month + 9) } else { (number(year), month - 3) };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + number(day);
    let time: Vec<i64> = time.split(':').map(number).collect();
    let [hours, minutes, seconds] = time[..] else { panic!("{date}") };
    ((days * 24 + hours) * 60 + minutes) * 60 + seconds
}

#[test]
fn plain_http_cookie_is_not_secure() {
    let server = Server::builder().http().start();
    let mut client = server.client();
    let answer = client.login("admin", "admin");
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.ends_with("; HttpOnly; Max-Age=43200; Path=/"), "{cookie}");
    client.get(MAIL).expect(200);
}

#[test]
fn wrong_credentials_are_refused_and_not_told_apart() {
    let server = Server::dev();
    let mut client = server.client();
    let mut login = |user: &str, password: &str| {
        let answer = client.request("GET", AUTHENTICATION).basic(user, password).send();
        let answer = answer.expect_error(401, "AuthenticationFailure");
        expect_challenge(&answer);
        assert_eq!(answer.header("set-cookie"), None, "{answer}");
        answer.json()
    };
    let wrong_password = login("admin", "wrong");
    for (user, password) in [
        ("nobody", "admin"),
        ("", "admin"),
        ("admin", ""),
        ("Admin", "admin"),
        ("admin", "admin "),
        ("boxwood", ""),
    ] {
        assert_eq!(login(user, password), wrong_password, "{user:?} {password:?}");
    }
    client.get(MAIL).expect_error(401, "Unauthenticated");
    assert_eq!(metric(&mut client, "boxwood_sessions"), 0.0);
}

#[test]
fn credentials_that_cannot_be_read_are_challenged() {
    let server = Server::dev();
    for value in
        ["Bearer YWRtaW46YWRtaW4=", "Basic", "Basic !!!", "Basic YWRtaW4=", "YWRtaW46YWRtaW4="]
    {
        let mut client = server.client();
        let answer = client.request("GET", AUTHENTICATION).header("Authorization", value).send();
        expect_challenge(&answer.expect_error(401, "AuthenticationFailure"));
    }
}

#[test]
fn scheme_is_taken_in_any_case() {
    let server = Server::dev();
    let mut client = server.client();
    let request = client.request("GET", AUTHENTICATION);
    request.header("Authorization", "bAsIc YWRtaW46YWRtaW4=").send().expect(200);
}

#[test]
fn passwords_are_utf_8_and_may_hold_colons() {
    let password = "pä:ß 密码";
    let server = Server::builder().env("BOXWOOD_ADMIN_PASSWORD", password).start();
    let mut client = server.client();
    client.login("admin", password);
    // What an ASCII encoder makes of it (checklist 16).
    let mangled: String = password.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    let mut other = server.client();
    let answer = other.request("GET", AUTHENTICATION).basic("admin", &mangled).send();
    answer.expect_error(401, "AuthenticationFailure");
    client.get(MAIL).expect(200);
}

#[test]
fn query_keys_are_accepted_in_any_mix() {
    let server = Server::dev();
    for query in [
        "?login_method=local",
        "?type=password",
        "?return=/api/configuration",
        "?login_method=local&type=password&return=x",
        "?return=&login_method=local",
        "?",
    ] {
        let mut client = server.client();
        let path = format!("{AUTHENTICATION}{query}");
        client.request("GET", &path).basic("admin", "admin").send().expect(200);
        client.get(MAIL).expect(200);
    }
}

#[test]
fn each_login_is_a_session_of_its_own() {
    let server = Server::dev();
    let mut first = server.admin();
    let mut second = server.admin();
    let token = first.cookie("session_id").expect("a cookie").to_owned();
    assert_ne!(second.cookie("session_id"), Some(token.as_str()));
    first.open().expect(200);
    assert_eq!((status(&mut first), status(&mut second)), ("open".into(), "closed".into()));
    assert_eq!(metric(&mut first, "boxwood_sessions"), 2.0);
}

#[test]
fn login_with_an_old_cookie_leaves_the_other_session_alone() {
    let (_server, mut holder) = opened();
    holder.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    let mut again = holder.fork();
    again.login("admin", "admin");
    assert_ne!(again.cookie("session_id"), holder.cookie("session_id"));
    assert_eq!(again.get(HEALTH).expect(200).at("/body/maximum_load1"), json!(null));
    assert_eq!(holder.get(HEALTH).expect(200).at("/body/maximum_load1"), json!(7));
    holder.commit().expect(200);
}

#[test]
fn cookie_alone_is_enough_and_beats_credentials() {
    let (_server, mut admin) = opened();
    for password in ["admin", "wrong"] {
        let answer = admin.request("GET", "/api/transaction").basic("admin", password).send();
        let answer = answer.expect(200);
        assert_eq!(answer.at("/body/status"), json!("open"), "the cookie decides");
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(metric(&mut admin, "boxwood_sessions"), 1.0);
    admin.commit().expect(200);
}

#[test]
fn credentials_alone_open_nothing_elsewhere() {
    let server = Server::dev();
    let answer = server.client().request("GET", MAIL).basic("admin", "admin").send();
    let answer = answer.expect_error(401, "Unauthenticated");
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("set-cookie"), None);
}

#[test]
fn login_call_with_the_cookie_alone_answers_for_the_same_session() {
    let (_server, mut admin) = opened();
    let answer = admin.get(AUTHENTICATION).expect(200);
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.at("/meta/href"), json!(AUTHENTICATION));
    assert_eq!(status(&mut admin), "open");
}

#[test]
fn token_is_taken_from_the_cookie_among_others_and_from_a_header() {
    let server = Server::dev();
    let admin = server.admin();
    let token = admin.cookie("session_id").expect("a cookie").to_owned();
    let mut client = server.client();
    let mut ask = |name: &str, value: &str| client.request("GET", MAIL).header(name, value).send();
    ask("Cookie", &format!("a=b; session_id={token}; x=y")).expect(200);
    ask("Cookie", &format!("session_id=\"{token}\"")).expect(200);
    ask("session_id", &token).expect(200);
    for wrong in [
        "session_id=",
        "session_id",
        "session_id=0000000000000000000000000000000000000000",
        "session_id=' or 1=1",
        &format!("SESSION_ID={token}"),
        &format!("xsession_id={token}"),
        &format!("session_id={}", token.to_uppercase()),
        &format!("session_id={token}0"),
    ] {
        // A token in letters only would be equal in upper case; 40 digits never are in practice.
        ask("Cookie", wrong).expect_error(401, "Unauthenticated");
    }
}

#[test]
fn cookie_beats_the_header() {
    let server = Server::dev();
    let admin = server.admin();
    let token = admin.cookie("session_id").expect("a cookie").to_owned();
    let mut client = server.client();
    let request = client.request("GET", MAIL).header("session_id", &token);
    request.header("Cookie", "session_id=unknown").send().expect_error(401, "Unauthenticated");
}

#[test]
fn logout_ends_the_session_with_its_transaction_and_lock() {
    let server = Server::dev();
    let mut admin = server.admin();
    let mut other = server.admin();
    let before = config_hash(&mut other);
    admin.open().expect(200);
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    other.open().expect_error(409, "Conflict");
    let token = admin.cookie("session_id").expect("a cookie").to_owned();

    let answer = admin.delete(AUTHENTICATION).expect(200);
    assert_eq!(answer.json(), json!({"meta": {"href": AUTHENTICATION, "parent": "/api"}}));
    assert_eq!(admin.cookie("session_id"), None, "the cookie is taken back");

    other.open().expect(200);
    assert_eq!(other.get(HEALTH).expect(200).at("/body"), health());
    assert_eq!(config_hash(&mut other), before);
    let stale = format!("session_id={token}");
    let answer = admin.request("GET", MAIL).header("Cookie", &stale).send();
    answer.expect_error(401, "Unauthenticated");
    let answer = admin.request("DELETE", AUTHENTICATION).header("Cookie", &stale).send();
    answer.expect_error(401, "Unauthenticated");
}

#[test]
fn other_methods_are_refused() {
    let server = Server::dev();
    let mut admin = server.admin();
    for method in ["POST", "PUT", "PATCH"] {
        let answer = admin.request(method, AUTHENTICATION).send();
        let answer = answer.expect_error(405, "MethodNotAllowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS, DELETE"));
    }
    status(&mut admin);
}

#[test]
fn odd_bytes_in_another_cookie_do_not_hide_the_session() {
    let server = Server::builder().http().start();
    let admin = server.admin();
    let token = admin.cookie("session_id").expect("a session");
    let mut request =
        b"GET /api/configuration HTTP/1.1\r\nHost: box\r\nCookie: other=\xe9; ".to_vec();
    request.extend(format!("session_id={token}\r\n\r\n").bytes());
    server.client().send_raw(&request).expect(200);
}

#[test]
fn an_encoded_body_is_refused_with_what_to_do() {
    let server = Server::dev();
    let mut admin = server.admin();
    let request = admin.request("POST", "/api/configuration/passwords");
    let request = request.text("\u{1f}", "application/json").header("content-encoding", "gzip");
    let refused = request.send().expect_error(415, "InvalidRequestBody");
    let message = refused.at("/error/message");
    assert!(message.as_str().is_some_and(|text| text.contains("Content-Encoding")), "{message}");
}
