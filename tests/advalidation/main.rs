//! Advalidation over real sockets: chapter by chapter what its documentation states, by number.
//!
//! Every answer also follows the rules of the dialect in `support::Dialect`: its envelopes, the
//! code inside of an error equal to the status, the header of the rate limit, never 500.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod client;
mod key;
mod lists;
mod profiles;
mod rate_limit;
mod rules;
mod settings;

use serde_json::{Value, json};
use support::{Client, Response, Server};

const NAME: &str = "advalidation";
const PROFILES: &str = "/v2/connection-profiles";
const UNKNOWN: &str = "/v2/connection-profiles/999999";

/// A server of this appliance alone, and its administrator.
fn started() -> (Server, Client) {
    let server = Server::dev_of(&[NAME]);
    let admin = server.admin();
    (server, admin)
}

fn strict() -> Value {
    json!({"name": "Strict", "withoutCookiesAction": "warn", "withCookiesAction": "fail"})
}

/// Creates something and returns its path.
#[track_caller]
fn create(admin: &mut Client, collection: &str, body: &Value) -> String {
    let answer = admin.post(collection, body).expect(201);
    let id = answer.at("/data/id");
    let id = id.as_u64().unwrap_or_else(|| panic!("the id is not an integer\n{answer}"));
    format!("{collection}/{id}")
}

/// What stands at a path.
#[track_caller]
fn data(admin: &mut Client, path: &str) -> Value {
    admin.get(path).expect(200).at("/data")
}

fn id_of(path: &str) -> u64 {
    path.rsplit('/').next().unwrap().parse().unwrap()
}

#[track_caller]
fn total(admin: &mut Client, collection: &str) -> u64 {
    admin.get(collection).expect(200).at("/meta/pagination/totalCount").as_u64().unwrap()
}

/// The fields that the issues of a 422 name, sorted; an issue that names none is empty here.
#[track_caller]
fn blamed(answer: &Response) -> Vec<String> {
    assert_eq!(answer.status, 422, "{answer}");
    let issues = answer.at("/error/issues");
    let field = |issue: &Value| issue["relatedField"].as_str().unwrap_or_default().to_owned();
    let mut fields: Vec<String> = issues.as_array().unwrap().iter().map(field).collect();
    fields.sort();
    fields
}
