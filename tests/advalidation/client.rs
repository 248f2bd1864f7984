//! A driver of our own that does what the vendor's client for Node.js (npm `advalidation`) does: it
//! appends `/v2` to an origin, sends the key and what it takes, slows down when few requests are
//! left, repeats what was limited, and makes its exceptions from our answers.

use serde_json::{Value, json};
use support::{Client, Server};

use crate::{NAME, strict};

/// What the client throws.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    /// Whatever the 401 says.
    Authentication,
    /// By the first issue.
    Api { status: u16, kind: Option<String>, message: String },
    /// After so many repetitions.
    RateLimit(u32),
}

/// The repetitions of a request that was limited. The client waits before each, which only gives
/// the bucket time; this driver does not.
const RETRIES: u32 = 5;

struct Driver {
    client: Client,
    /// Whether it would wait a second before the next request.
    is_slowed: bool,
}

impl Driver {
    fn new(server: &Server, key: &str) -> Driver {
        let client = server.client().credentials("X-API-Key", key);
        Driver { client, is_slowed: false }
    }

    fn get(&mut self, path: &str) -> Result<Value, Exception> {
        self.request("GET", path, None)
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Value, Exception> {
        self.request("POST", path, Some(body))
    }

    fn request(
        &mut self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Exception> {
        for attempt in 0.. {
            let path = format!("/v2{path}");
            let request = self.client.request(method, &path).header("Accept", "application/json");
            let answer = match body {
                Some(body) => request.text(body.to_string(), "application/json").send(),
                None => request.send(),
            };
            match answer.status {
                429 if attempt < RETRIES => self.is_slowed = true,
                429 => return Err(Exception::RateLimit(attempt)),
                401 => return Err(Exception::Authentication),
                200..=299 => {
                    let left = answer.header("x-ratelimit-ipremaining");
                    let left = left.and_then(|left| left.parse::<u32>().ok());
                    self.is_slowed = left.map_or(self.is_slowed, |left| left <= 2);
                    return Ok(serde_json::from_slice(&answer.body).unwrap());
                }
                status => return Err(exception(status, &answer.body)),
            }
        }
        unreachable!("the attempts end")
    }
}

fn exception(status: u16, body: &[u8]) -> Exception {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let issue = &body["error"]["issues"][0];
    let Some(message) = issue["message"].as_str().filter(|message| !message.is_empty()) else {
        return Exception::Api { status, kind: None, message: format!("HTTP {status}") };
    };
    let related = issue.get("relatedId").map(|id| format!(" ({id})")).unwrap_or_default();
    let kind = issue["type"].as_str().map(str::to_owned);
    Exception::Api { status, kind, message: format!("{message}{related}") }
}

// proves: A-21
#[test]
fn the_clients_exceptions_are_made_from_our_answers() {
    let server = Server::dev_of(&[NAME]);
    let mut stranger = Driver::new(&server, "wrong");
    assert_eq!(stranger.get("/users/me").unwrap_err(), Exception::Authentication);
    let mut driver = Driver::new(&server, "admin");
    assert!(driver.get("/users/me").unwrap()["data"]["id"].is_u64());
    let mut unnamed = strict();
    unnamed.as_object_mut().unwrap().remove("name");
    let kind = Some("field_required".to_owned());
    let message = "`name` is required".to_owned();
    assert_eq!(
        driver.post("/connection-profiles", &unnamed).unwrap_err(),
        Exception::Api { status: 422, kind, message }
    );
    let Err(Exception::Api { status: 404, kind, .. }) = driver.get("/creatives/12") else {
        panic!("there are no creatives here")
    };
    assert_eq!(kind.as_deref(), Some("not_found"));
    let made = driver.post("/connection-profiles", &strict()).unwrap();
    assert_eq!(driver.get("/connection-profiles").unwrap()["data"], json!([made["data"]]));
    assert!(!driver.is_slowed);
}

#[test]
fn the_client_slows_down_and_gives_up_when_it_is_limited() {
    let server =
        Server::builder().appliance(NAME).set("appliances.advalidation.rate_limit", true).start();
    let mut driver = Driver::new(&server, "admin");
    // A slow machine refills the bucket on the way.
    let refused = (0..2000).find_map(|_| driver.get("/users/me").err());
    assert_eq!(refused, Some(Exception::RateLimit(RETRIES)));
    assert!(driver.is_slowed);
}
