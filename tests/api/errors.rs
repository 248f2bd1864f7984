//! Refusals: their shape, their order (401 before 404 before 405 before the body), and the headers
//! that every answer has.

use serde_json::{Value, json};
use support::{Response, Server, opened};

use crate::fixtures::{
    CONFIGURATION, HEALTH, MAIL, MANAGEMENT, PASSWORDS, SNMP, TRAP, X509, health, password,
};

const PROTECTED: [&str; 11] = [
    "/api",
    "/api/transaction",
    "/api/transaction/changes",
    CONFIGURATION,
    MANAGEMENT,
    MAIL,
    PASSWORDS,
    "/api/nothing",
    "/api/configuration/nothing/at/all",
    "/api/configuration/passwords/aec663b5-f5bd-4c93-bb51-36fea3328e58",
    "/api/user/info",
];

const OPEN: [&str; 5] = [
    "/api/authentication",
    "/api/authentication/types",
    "/api/authentication/login_methods",
    "/api/info",
    "/api/setup",
];

fn names(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[track_caller]
fn check_shape(answer: &Response, path: &str, parent: Option<&str>) {
    let document = answer.json();
    assert_eq!(names(&document), ["error", "meta"], "{answer}");
    assert_eq!(names(&document["error"]), ["details", "message", "type"], "{answer}");
    assert!(document["error"]["details"].is_object(), "{answer}");
    assert_eq!(document["meta"], json!({"href": path, "parent": parent}), "{answer}");
}

#[test]
fn strangers_are_asked_to_log_in_before_anything_else() {
    let server = Server::dev();
    let mut client = server.client();
    for path in PROTECTED {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"]
        {
            // Neither a bad body nor a bad type changes the order.
            let answer = client.request(method, path).text("{", "text/plain").send().expect(401);
            assert_eq!(answer.header("www-authenticate"), None, "{answer}");
            if method == "HEAD" {
                assert_eq!(answer.body, b"");
                continue;
            }
            let answer = answer.expect_error(401, "Unauthenticated");
            assert_eq!(answer.at("/error/details"), json!({"resource": path}), "{answer}");
        }
    }
}

#[test]
fn refusals_have_one_shape() {
    let server = Server::dev();
    let mut admin = server.admin();
    let nothing = admin.get("/api/configuration/management/nothing").expect_error(404, "NotFound");
    let path = "/api/configuration/management/nothing";
    check_shape(&nothing, path, Some(MANAGEMENT));
    assert_eq!(nothing.at("/error/details"), json!({"resource": path}));
    check_shape(&admin.get("/api/nothing").expect(404), "/api/nothing", Some("/api"));
    check_shape(&admin.get("//api///nothing//?x=y").expect(404), "/api/nothing", Some("/api"));
    check_shape(&admin.delete(MAIL).expect(405), MAIL, Some(MANAGEMENT));
    check_shape(&admin.put(MAIL, &json!({})).expect(409), MAIL, Some(MANAGEMENT));
    check_shape(&admin.commit().expect(409), "/api/transaction", Some("/api"));
    admin.open().expect(200);
    check_shape(&admin.put(MAIL, &json!({})).expect(400), MAIL, Some(MANAGEMENT));
    let broken = admin.request("PUT", MAIL).text("{", "application/json").send();
    check_shape(&broken.expect(400), MAIL, Some(MANAGEMENT));
    let form = admin.request("PUT", MAIL).text("a=b", "text/plain").send();
    check_shape(&form.expect(415), MAIL, Some(MANAGEMENT));
    let mut other = server.admin();
    check_shape(&other.open().expect(409), "/api/transaction", Some("/api"));
    let stranger = server.client().get(MAIL).expect(401);
    check_shape(&stranger, MAIL, Some(MANAGEMENT));
    let stranger = server.client().get("/api/authentication").expect(401);
    check_shape(&stranger, "/api/authentication", Some("/api"));
    let stranger = server.client().get("/api").expect(401);
    check_shape(&stranger, "/api", None);
}

#[test]
fn nothing_there_comes_before_the_method() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in
        ["/api/nothing", "/api/configuration/nothing", "/api/configuration/management/email/x"]
    {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"] {
            let answer = admin.request(method, path).text("{", "text/plain").send();
            answer.expect_error(404, "NotFound");
        }
    }
}

#[test]
fn method_comes_before_transaction_and_body() {
    let server = Server::dev();
    let mut admin = server.admin();
    for (method, path) in
        [("PUT", SNMP), ("DELETE", TRAP), ("POST", HEALTH), ("PUT", "/api/transaction/changes")]
    {
        let answer = admin.request(method, path).text("{", "text/plain").send();
        let answer = answer.expect_error(405, "MethodNotAllowed");
        let allowed = answer.header("allow").expect("Allow").to_owned();
        assert_eq!(answer.at("/error/details/allowed"), json!(allowed));
    }
}

#[test]
fn body_that_cannot_be_read_comes_before_the_transaction() {
    let server = Server::dev();
    let mut admin = server.admin();
    let answer = admin.request("PUT", HEALTH).text("{", "application/json").send();
    answer.expect_error(400, "InvalidRequestBody");
    admin.put(HEALTH, &health()).expect_error(409, "Conflict");
}

#[test]
fn paths_that_cannot_be_decoded_are_refused() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in [
        "/api/configuration/%",
        "/api/configuration/%4",
        "/api/configuration/%zz",
        "/api/configuration/%ff",
        "/api/configuration/%00",
        "/api/configuration/%0a",
        "/api/configuration/%c3",
    ] {
        admin.get(path).expect(400);
    }
    admin.get("/api/configuration/%C3%BC").expect_error(404, "NotFound");
}

#[test]
fn every_resource_says_what_can_be_done_with_it() {
    let (_server, mut admin) = opened();
    let secret = format!("{PASSWORDS}/{}", password(&mut admin, "secret"));
    for (path, allowed) in [
        ("/api", "GET, HEAD, OPTIONS"),
        ("/api/authentication", "GET, HEAD, OPTIONS, DELETE"),
        ("/api/authentication/types", "GET, HEAD, OPTIONS"),
        ("/api/authentication/login_methods", "GET, HEAD, OPTIONS"),
        ("/api/info", "GET, HEAD, OPTIONS"),
        ("/api/setup", "GET, HEAD, OPTIONS"),
        ("/api/transaction", "GET, HEAD, OPTIONS, POST, PUT, DELETE"),
        ("/api/transaction/changes", "GET, HEAD, OPTIONS"),
        (CONFIGURATION, "GET, HEAD, OPTIONS"),
        (MANAGEMENT, "GET, HEAD, OPTIONS"),
        (MAIL, "GET, HEAD, OPTIONS, PUT"),
        (TRAP, "GET, HEAD, OPTIONS, PUT"),
        (PASSWORDS, "OPTIONS, POST"),
        (X509, "OPTIONS, POST"),
        (&secret, "GET, HEAD, OPTIONS"),
        ("/boxwood/v1/health", "GET, HEAD, OPTIONS"),
        ("/boxwood/v1/ready", "GET, HEAD, OPTIONS"),
        ("/boxwood/v1/metrics", "GET, HEAD, OPTIONS"),
    ] {
        let options = admin.request("OPTIONS", path).send().expect(200);
        assert_eq!(options.header("allow"), Some(allowed), "{path}");
        assert_eq!(options.at("/meta/href"), json!(path));
        if allowed.starts_with("GET") {
            assert_eq!(admin.get(path).expect(200).header("allow"), Some(allowed), "{path}");
        }
        let refused = admin.request("PATCH", path).send().expect_error(405, "MethodNotAllowed");
        assert_eq!(refused.header("allow"), Some(allowed), "{path}");
    }
}

#[test]
fn open_resources_answer_options_to_strangers() {
    let server = Server::dev();
    for path in OPEN {
        let answer = server.client().request("OPTIONS", path).send().expect(200);
        assert!(answer.header("allow").expect("Allow").contains("OPTIONS"));
    }
}

/// The headers of an answer without those that differ from one to the next.
fn lasting(answer: &Response) -> Vec<(String, String)> {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id"));
    headers
}

#[test]
fn head_is_get_without_a_body() {
    let server = Server::dev();
    let mut admin = server.admin();
    for path in [
        "/api",
        "/api/info",
        "/api/setup",
        "/api/authentication",
        "/api/authentication/types",
        "/api/transaction",
        "/api/transaction/changes",
        CONFIGURATION,
        MAIL,
        "/api/nothing",
        "/boxwood/v1/health",
    ] {
        let get = admin.get(path);
        let head = admin.request("HEAD", path).send();
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(lasting(&head), lasting(&get), "{path}");
        assert_eq!(head.body, b"");
        let length = head.header("content-length").expect("a length").parse();
        assert_eq!(length, Ok(get.body.len()), "{path}");
    }
    let mut client = server.client();
    let (get, head) = (client.get(MAIL), client.request("HEAD", MAIL).send());
    assert_eq!((head.status, lasting(&head)), (401, lasting(&get)));
}

// `Client` checks of each answer below /api: Allow, Content-Language, Content-Type, and the shape
// of errors. This test holds them where nothing emulated is.
#[test]
fn outside_of_the_api_is_nothing_in_the_same_shape() {
    let server = Server::dev();
    for mut client in [server.client(), server.admin()] {
        for path in [
            "/",
            "/index.html",
            "/favicon.ico",
            "/apix",
            "/boxwood",
            "/boxwood/v1/nothing",
            "/boxwood/v2/health",
        ] {
            let answer = client.get(path).expect_error(404, "NotFound");
            assert!(answer.header("allow").is_some(), "{answer}");
            assert_eq!(answer.header("content-language"), Some("en"));
            let kind = match path.starts_with("/boxwood") {
                true => "application/problem+json",
                false => "application/json; charset=utf-8",
            };
            assert_eq!(answer.header("content-type"), Some(kind));
            assert_eq!(answer.at("/meta/href"), json!(path));
        }
    }
}

#[test]
fn answers_may_not_be_cached_and_have_a_request_id() {
    let server = Server::dev();
    let mut admin = server.admin();
    let mut ids = Vec::new();
    for path in [MAIL, "/api/info", "/api/nothing", "/boxwood/v1/health", "/"] {
        let answer = admin.get(path);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        ids.push(answer.header("x-request-id").expect("an id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}
