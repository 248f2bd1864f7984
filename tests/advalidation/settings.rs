//! The statuses of a success, which the vendor does not document.

use serde_json::{Value, json};
use support::Server;

use crate::{NAME, PROFILES, strict};

#[test]
fn the_statuses_of_a_success_are_settings() {
    let builder = Server::builder().appliance(NAME);
    let builder = builder.set("appliances.advalidation.create_status", 200);
    let builder = builder.set("appliances.advalidation.update_status", 202);
    let server = builder.set("appliances.advalidation.delete_status", 200).start();
    let mut admin = server.admin();
    let made = admin.post(PROFILES, &strict()).expect(200).at("/data");
    let path = format!("{PROFILES}/{}", made["id"]);
    admin.patch(&path, &json!({"name": "Other"})).expect(202);
    assert_eq!(admin.delete(&path).expect(200).at("/data"), Value::Null);
    admin.get(&path).expect(404);
}

#[test]
fn a_status_that_is_no_success_is_refused() {
    for value in ["404", "204", "199", "x"] {
        let builder = Server::builder().appliance(NAME);
        let exit =
            builder.set("appliances.advalidation.create_status", value).try_start().unwrap_err();
        assert!(exit.stderr.contains("create_status"), "{}", exit.stderr);
    }
}
