//! What a page of another site has a browser send changes nothing.

use serde_json::json;
use support::Server;

const EMAIL: &str = "/api/configuration/management/email";

#[test]
fn changes_from_foreign_pages_are_refused() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.open().expect(200);
    let own = server.url().to_owned();
    let body = json!({ "format": "boxwood-configuration/1" });
    for (method, path) in [
        ("DELETE", "/api/transaction"),
        ("POST", "/boxwood/v1/import"),
        ("PUT", EMAIL),
        ("POST", "/api/transaction"),
        ("DELETE", "/api/authentication"),
    ] {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = admin.request(method, path).json(&body).header(name, value);
            request.send().expect(403);
        }
    }
    // Nothing has happened, and reading is no change.
    assert_eq!(admin.get("/api/transaction").expect(200).at("/body/status"), "open");
    admin.request("GET", EMAIL).header("origin", "https://evil.example").send().expect(200);

    // A page of our own, and one that says no type of its body.
    let email = admin.get(EMAIL).expect(200).at("/body");
    admin.request("PUT", EMAIL).json(&email).header("origin", &own).send().expect(200);
    let secret = json!({ "plain": "secret" }).to_string();
    let untyped = |body: &str| {
        format!(
            "POST /api/configuration/passwords HTTP/1.1\r\nHost: box\r\nOrigin: https://box\r\n\
             Cookie: session_id={}\r\nContent-Length: {}\r\n\r\n{body}",
            admin.cookie("session_id").expect("a session"),
            body.len()
        )
    };
    let untyped = untyped(&secret);
    let answer = server.client().send_raw(untyped.as_bytes());
    answer.expect_error(415, "InvalidRequestBody");
}
