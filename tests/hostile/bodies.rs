//! Bodies that break a rule very often.

use std::fmt::Write;

use serde_json::Value;
use support::Client;

use crate::{builder, peak_memory, scaled};

const MAIL: &str = "/api/configuration/management/email";
const X509: &str = "/api/configuration/x509";

/// An object of about this size with as many unknown members as fit.
fn strangers(bytes: usize) -> String {
    let mut text = String::from("{\"x\":1");
    for name in 0.. {
        write!(text, ",\"{name}\":1").unwrap();
        if text.len() + 16 > bytes {
            break;
        }
    }
    text + "}"
}

/// A list of about this size of empty objects.
fn nothings(bytes: usize) -> String {
    format!("{{\"issuer_chain\":[{}{{}}]}}", "{},".repeat(bytes / 3 - 16))
}

fn refused(client: &mut Client, method: &str, path: &str, body: &str) -> usize {
    let answer = client.request(method, path).text(body, "application/json").send().expect(400);
    let text = answer.text();
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    let details = answer.at("/error/details");
    assert_eq!(details["errors"].as_array().map(Vec::len), Some(100));
    assert!(details["cut"].as_str().is_some_and(|cut| cut.contains("the first 100 of")));
    usize::try_from(details["total"].as_u64().expect("a number")).unwrap()
}

/// By how much the peak grew, in KiB, after several clients at once had a body refused, while others
/// read.
fn attack(method: &str, path: &str, body: &str, clients: usize, least: usize) -> usize {
    let server = builder().set("transactions.mode", "concurrent").start();
    // Logging in takes memory of its own.
    let mut reader = server.admin();
    let clients: Vec<Client> = (0..clients).map(|_| server.admin()).collect();
    let before = peak_memory(&server);
    std::thread::scope(|threads| {
        for mut client in clients {
            threads.spawn(move || assert!(refused(&mut client, method, path, body) >= least));
        }
        (0..50).for_each(|_| drop(reader.get(MAIL).expect(200)));
    });
    peak_memory(&server) - before
}

#[test]
fn unknown_members_by_the_million_cost_a_small_factor_of_their_bytes() {
    let (bytes, clients) = (scaled(1 << 20, 10_000_000), scaled(4, 16));
    let body = strangers(bytes);
    let grown = attack("PUT", MAIL, &body, clients, bytes / 16);
    // The bytes of all that wait, and two at a time as values.
    let bound = 32 * 1024 + (clients * bytes + 2 * 60 * bytes) / 1024;
    assert!(grown < bound, "{grown} KiB of {bound}");
}

#[test]
fn a_list_of_empty_objects_costs_a_small_factor_of_its_bytes() {
    let (bytes, clients) = (scaled(1 << 20, 10_000_000), scaled(4, 16));
    let body = nothings(bytes);
    let grown = attack("POST", X509, &body, clients, bytes / 4);
    let bound = 32 * 1024 + (clients * bytes + 2 * 60 * bytes) / 1024;
    assert!(grown < bound, "{grown} KiB of {bound}");
}

#[test]
fn a_name_that_a_client_made_up_is_shown_once_and_cut() {
    let server = builder().start();
    let mut client = server.admin();
    client.open().expect(200);
    let mut body = client.get(MAIL).expect(200).at("/body");
    let (secret, long) = ("hunter2-as-a-name", "canary".repeat(100));
    let members = body.as_object_mut().expect("an object");
    members.insert(secret.to_owned(), Value::Null);
    members.insert(long.clone(), Value::Null);
    let answer = client.put(MAIL, &body).expect(400);
    let text = answer.text();
    assert_eq!(text.matches(secret).count(), 1, "{text}");
    assert_eq!(text.matches("canary").count(), 10, "{text}");
    assert!(!server.log().contains(secret) && !server.log().contains("canary"));
}

#[test]
fn an_answer_to_a_refusal_is_no_larger_than_the_setting() {
    let server = builder().set("limits.answer_bytes", 8192).set("limits.violations", 1000).start();
    let mut client = server.admin();
    client.open().expect(200);
    let body = strangers(100_000);
    let answer = client.request("PUT", MAIL).text(body, "application/json").send().expect(400);
    assert!(answer.text().len() < 8192, "{}", answer.text().len());
    assert!(answer.at("/error/details/cut").is_string());
    let few = builder().set("limits.violations", 3).start();
    let mut client = few.admin();
    client.open().expect(200);
    let body = strangers(1000);
    let answer = client.request("PUT", MAIL).text(body, "application/json").send().expect(400);
    assert_eq!(answer.at("/error/details/errors").as_array().map(Vec::len), Some(3));
}
