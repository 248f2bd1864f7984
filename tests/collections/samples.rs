//! Every sample body of every endpoint, over the wire.
//!
//! The catalog's files hold the vendor's samples as defaults, built-in members and examples. Each
//! is sent and read back. A sample may refer to objects that only its author had: then exactly that
//! is what is said, and nothing else.

use catalog::{Catalog, Endpoint, EndpointKind};
use serde_json::{Value, json};
use support::{Client, Server};

/// Rules that speak of other objects than the one that was sent.
const ABOUT_OTHERS: [&str; 2] = ["reference-target", "secret-text"];

fn href(endpoint: Endpoint<'_>) -> String {
    match endpoint.path().to_string().as_str() {
        "/" => "/api/configuration".to_owned(),
        path => format!("/api/configuration{path}"),
    }
}

/// A body with references as bare keys, as one that was shown is compared with one that was sent.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.len() == 2 && members.contains_key("meta") => {
            members["key"].clone()
        }
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// Sends a sample; `true` when it was taken.
fn send(client: &mut Client, endpoint: Endpoint<'_>, title: &str, body: &Value) -> bool {
    let first = endpoint.members().next();
    let (method, path) = match (endpoint.kind(), first) {
        (EndpointKind::Collection, _) if endpoint.operations().create => ("POST", href(endpoint)),
        // Members that are fixed by the hardware are only changed.
        (EndpointKind::Collection, Some((key, _))) => ("PUT", format!("{}/{key}", href(endpoint))),
        _ => ("PUT", href(endpoint)),
    };
    let answer = client.request(method, &path).json(body).send();
    if answer.status == 400 {
        for error in answer.at("/error/details/errors").as_array().expect("a list") {
            let rule = error["rule"].as_str().unwrap_or("");
            assert!(ABOUT_OTHERS.contains(&rule), "{path}, {title}: {answer}");
        }
        return false;
    }
    assert!(matches!(answer.status, 200 | 201), "{path}, {title}: {answer}");
    let secret = ["/passwords", "/private_keys", "/x509"].map(|store| path.ends_with(store));
    if !secret.contains(&true) {
        let (shown, sent) = (plain(&answer.at("/body")), plain(body));
        // What has a default may be left out, so all that was sent must be there, and not only it.
        assert!(holds(&shown, &sent), "{path}, {title}: sent {sent}, shown {shown}");
        let read = client.get(answer.at("/meta/href").as_str().expect("a path")).expect(200);
        assert_eq!(plain(&read.at("/body")), shown, "{path}, {title}");
    }
    true
}

fn holds(shown: &Value, sent: &Value) -> bool {
    match (shown, sent) {
        (Value::Object(shown), Value::Object(sent)) => {
            sent.iter().all(|(name, value)| shown.get(name).is_some_and(|s| holds(s, value)))
        }
        (Value::Array(shown), Value::Array(sent)) => {
            shown.len() == sent.len() && shown.iter().zip(sent).all(|(s, v)| holds(s, v))
        }
        (shown, sent) => shown == sent,
    }
}

fn every_sample(appliance: &str) {
    let catalog = Catalog::builtin(appliance).expect("it is built in").expect("it has no faults");
    let server = Server::builder().appliance(appliance).http().start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let (mut taken, mut referring) = (0, 0);
    for endpoint in catalog.endpoints() {
        let operations = endpoint.operations();
        if !operations.replace && !operations.create {
            continue;
        }
        for example in endpoint.examples() {
            match send(&mut admin, endpoint, &example.title, &example.body) {
                true => taken += 1,
                false => referring += 1,
            }
        }
        let members = endpoint.members().map(|(key, _)| key.to_string());
        for key in members.collect::<Vec<_>>() {
            let path = format!("{}/{key}", href(endpoint));
            let body = admin.get(&path).expect(200).at("/body");
            let again = admin.put(&path, &body).expect(200).at("/body");
            assert_eq!(again, body, "{path}");
        }
    }
    assert!(
        taken >= 20 && referring >= 10,
        "{taken} taken, {referring} refer to what only their authors had"
    );
    let open = admin.get("/api/transaction").expect(200);
    assert_eq!(open.at("/body/status"), json!("open"));
}

#[test]
fn every_sample_of_6_2_is_taken_and_shown_as_it_was_sent() {
    every_sample("sps-6.2");
}

#[test]
fn every_sample_of_7_0_is_taken_and_shown_as_it_was_sent() {
    every_sample("sps-7.0");
}
