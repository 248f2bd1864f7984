//! What an appliance sends by itself, with receivers that the tests are, and seen from outside.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod mail_server;
mod modes;
mod observed;
#[path = "../../crates/delivery/tests/it/pki.rs"]
mod pki;
mod secured;
mod sent;
#[path = "../../crates/delivery/tests/it/smtp.rs"]
mod smtp;
mod trace;

use serde_json::{Value, json};
use support::Client;

pub(crate) const CONFIGURATION: &str = "/api/configuration";

/// What the page of mail takes, for a server at an address.
pub(crate) fn email(server: &str) -> Value {
    json!({
        "admin_address": "admin@example.com",
        "alerting_address": "alerts@example.com",
        "reporting_address": null,
        "sender_address": "sps@example.com",
        "smtp_auth": {"enabled": false},
        "smtp_encryption": {"selection": "disabled"},
        "smtp_server": {"selection": "ip", "value": server},
    })
}

pub(crate) fn trap(server: &str) -> Value {
    let server = json!({"selection": "ip", "value": server});
    let value = json!({"community": "public", "server": server});
    json!({"enabled": true, "version": {"selection": "2c", "value": value}})
}

/// Changes a node of the configuration and commits it.
pub(crate) fn commit(admin: &mut Client, path: &str, body: &Value) {
    admin.open().expect(200);
    admin.put(&format!("{CONFIGURATION}{path}"), body).expect(200);
    admin.commit().expect(200);
}

/// The messages of the outbox, with a query.
pub(crate) fn outbox(admin: &mut Client, query: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/boxwood/v1/outbox{query}")).expect(200);
    answer.at("/messages").as_array().unwrap().clone()
}
