//! The catalogue of errors, and the flavours in which they are shown.

use serde_json::json;

use crate::{
    APPLIANCE, CURRENT, LEGACY, MOBILE, PROFILES, builder, profile, refused, start, text, token,
};

// proves: D-22
#[test]
fn a_client_that_takes_no_json_is_refused() {
    let (_server, mut client) = start();
    let path = format!("{PROFILES}{MOBILE}");
    for (accept, shown) in [("application/xml", "xml"), ("text/html, image/png", "html")] {
        let answer = client.request("GET", &path).header("accept", accept).send();
        let message = format!("Output Format Mismatch: output-format=json Accept={shown}");
        refused(answer, 400, "E003", &message);
    }
    for accept in ["*/*", "application/json", "application/xml, */*;q=0.1"] {
        client.request("GET", &path).header("accept", accept).send().expect(200);
    }
}

#[test]
fn the_rest_of_the_catalogue() {
    let (_server, mut client) = start();
    for (method, path, status, code, message) in [
        ("PATCH", PROFILES, 501, "E012", "Method Not Supported"),
        ("DELETE", PROFILES, 501, "E012", "Method Not Supported"),
        ("OPTIONS", PROFILES, 501, "E012", "Method Not Supported"),
        ("GET", "/sse/config/v2/jobs", 501, "E012", "Version Not Supported"),
        (
            "POST",
            "/sse/config/v1/config-versions/candidate:move",
            405,
            "E012",
            "Action Not Supported: move",
        ),
        ("GET", "/sse/config/v1/%zz", 400, "E013", "Bad XPath"),
        ("GET", "/sse/config/v1/nothing", 404, "E005", "Object Not Present"),
        ("GET", "/", 404, "E005", "Object Not Present"),
        ("GET", "/api/configuration", 404, "E005", "Object Not Present"),
    ] {
        let answer = client.request(method, path).header("content-length", "0").unchecked().send();
        answer.check();
        refused(answer, status, code, message);
    }
    let answer = client.send_raw(b"POST /sse/config/v1/jobs HTTP/1.1\r\n\r\n");
    refused(answer, 400, "E003", "Malformed Command");
}

#[test]
fn a_body_that_never_comes_is_the_one_error_whose_code_is_a_number() {
    let server = builder().arg("--set").arg("limits.body_seconds=0.2").start();
    let mut client = server.admin();
    let token = token(&mut client, "admin", "admin", "1").expect(200).at("/access_token");
    let token = format!("Bearer {}", text(&token));
    let head = format!(
        "POST {PROFILES}{MOBILE} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n\
         content-type: application/json\r\ncontent-length: 10\r\n\r\n{{"
    );
    let answer = client.send_raw(head.as_bytes()).expect(504);
    assert_eq!(answer.at("/_errors/0/code"), 4);
    assert_eq!(answer.at("/_errors/0/message"), "Session Timeout");
}

#[test]
fn a_setting_adds_the_kind_and_another_gives_the_live_form() {
    let setting = |name: &str| format!("appliances.{APPLIANCE}.{name}=true");
    let server = builder().arg("--set").arg(setting("error_types")).start();
    let mut client = server.admin();
    let id = profile(&mut client, "p", "Mobile Users");
    let answer = client.post(&format!("{PROFILES}{MOBILE}"), &json!({ "name": "p" }));
    let answer = refused(answer, 409, "E006", "Name Not Unique");
    assert_eq!(answer.at("/_errors/0/details"), json!({ "errorType": "Name Not Unique" }));
    let answer = refused(client.get(PROFILES), 400, "E003", "Missing Query Parameter: folder");
    assert_eq!(answer.at("/_errors/0/details/errorType"), "Missing Query Parameter");
    client.delete(&format!("{PROFILES}/{id}")).expect(200);

    let server = builder().arg("--set").arg(setting("live_errors")).start();
    let mut client = server.admin();
    let id = profile(&mut client, "p", "Mobile Users");
    let sequence = json!({ "name": "s", "authentication_profiles": ["p"] });
    client.post(&format!("{LEGACY}/authentication-sequences{MOBILE}"), &sequence).expect(201);
    let current = format!("{CURRENT}/authentication-profiles");
    for (answer, status, code, kind) in [
        (client.get(&format!("{PROFILES}/x")), 404, "API_I00013", "Object Not Present"),
        (
            client.post(&format!("{PROFILES}{MOBILE}"), &json!({ "name": "p" })),
            409,
            "API_I00013",
            "Object Already Exists",
        ),
        (client.delete(&format!("{PROFILES}/{id}")), 409, "API_I00013", "Reference Not Zero"),
    ] {
        let answer = answer.expect(status);
        assert_eq!(answer.at("/_errors/0/code"), code);
        assert_eq!(answer.at("/_errors/0/details/errorType"), kind);
    }
    let answer = client.get(&current);
    let answer = refused(answer, 400, "API_I00035", "Invalid Request Payload ");
    assert_eq!(answer.at("/_errors/0/details"), json!(["\"folder\" is required"]));
}
