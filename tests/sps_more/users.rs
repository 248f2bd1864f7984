//! `/api/user/info`, and the token that browsers send with their writes.

use serde_json::json;
use support::{Client, Server, opened};

use crate::create_user;

const INFO: &str = "/api/user/info";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101";

fn token(client: &mut Client) -> String {
    client.get(INFO).expect(200).at("/body/token").as_str().expect("a token").to_owned()
}

#[test]
fn the_user_of_a_session_is_shown_with_groups_and_a_token() {
    let (server, mut admin) = opened();
    create_user(&mut admin, "eve", &["basic-view"]);
    admin.commit().expect(200);
    let mut eve = server.client();
    eve.login("eve", "open sesame");
    let info = eve.get(INFO).expect(200).json();
    assert_eq!(info["body"]["name"], json!("eve"));
    assert_eq!(info["body"]["groups"], json!(["basic-view"]));
    assert_eq!(token(&mut eve), token(&mut eve));
    assert_ne!(token(&mut eve), token(&mut admin));
    server.client().get(INFO).expect_error(401, "Unauthenticated");
}

// proves: SPS-52
#[test]
fn browsers_send_the_token_where_the_setting_says_so() {
    let server = Server::builder().set("sps.x_token", true).start();
    let mut admin = server.admin();
    let mut write = |agent: &str, token: Option<&str>| {
        let request = admin.request("POST", "/api/transaction").header("User-Agent", agent);
        match token {
            Some(token) => request.header("X-Token", token).send(),
            None => request.send(),
        }
    };
    write(BROWSER, None).expect_error(403, "Unauthorized");
    write(BROWSER, Some("wrong")).expect_error(403, "Unauthorized");
    write("curl/8.5.0", None).expect(200);
    write("", None).expect(200);
    let right = token(&mut admin);
    let browser = |method: &str, path: &str, client: &mut Client| {
        client
            .request(method, path)
            .header("User-Agent", BROWSER)
            .header("X-Token", &right)
            .json(&json!({"status": "commit"}))
            .send()
    };
    browser("PUT", "/api/transaction", &mut admin).expect(200);
    // Reading and logging in take none.
    let read = admin.request("GET", "/api").header("User-Agent", BROWSER).send();
    read.expect(200);
    // The token of another session is none.
    let mut other = server.admin();
    browser("PUT", "/api/transaction", &mut other).expect_error(403, "Unauthorized");
}

#[test]
fn browsers_send_none_otherwise() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.request("POST", "/api/transaction").header("User-Agent", BROWSER).send().expect(200);
}
