//! Several appliances in one daemon and one data directory.

use serde_json::json;
use support::{Evidence, Server, ServerBuilder};

const FIRST: &str = "sps-6.2";
const SECOND: &str = "sps-7.0";
const EMAIL: &str = "/api/configuration/management/webinterface";

fn both(evidence: &Evidence) -> ServerBuilder {
    let builder = Server::builder().serve(evidence.path().join("data")).http();
    builder.appliance(FIRST).appliance(SECOND).listen(&format!("{SECOND}=http://127.0.0.1:0"))
}

fn set_timeout(server: &Server, appliance: &str, minutes: u64) {
    let mut admin = server.admin_of(appliance);
    admin.open().expect(200);
    admin.put(EMAIL, &json!({ "timeout": minutes })).expect(200);
    admin.commit().expect(200);
}

fn timeout(server: &Server, appliance: &str) -> serde_json::Value {
    server.admin_of(appliance).get(EMAIL).expect(200).at("/body/timeout")
}

#[test]
fn each_appliance_has_its_listener_its_state_and_its_sessions() {
    let evidence = Evidence::new();
    let mut server = both(&evidence).start();
    let lines = server.stdout();
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, name) in lines.iter().zip([FIRST, SECOND]) {
        assert!(line.starts_with("boxwood ready http://127.0.0.1:"), "{line}");
        assert!(line.ends_with(&format!(" {name}")), "{line}");
    }
    set_timeout(&server, FIRST, 21);
    set_timeout(&server, SECOND, 22);
    // A session of one means nothing to the other.
    let first = server.admin_of(FIRST);
    let token = first.cookie("session_id").expect("a session").to_owned();
    let mut stranger = server.client_of(SECOND);
    let request = stranger.request("GET", EMAIL).header("session_id", &token);
    request.send().expect_error(401, "Unauthenticated");
    // Metrics and the log say of whom they speak.
    let metrics = server.client_of(SECOND).get("/boxwood/v1/metrics").expect(200);
    assert!(metrics.text().contains("boxwood_running_revision{appliance=\"sps-7.0\"}"));
    assert!(server.terminate().success());
    assert!(server.log().contains("\"appliance\":\"sps-7.0\""), "{}", server.log());

    // Both are there again, in another order, and each alone.
    let again = Server::builder().serve(evidence.path().join("data")).http();
    let mut server = again.clone().appliance(SECOND).appliance(FIRST).start();
    assert_eq!((timeout(&server, FIRST), timeout(&server, SECOND)), (json!(21), json!(22)));
    assert!(server.terminate().success());
    let server = again.clone().appliance(SECOND).start();
    assert_eq!(server.admin().get(EMAIL).expect(200).at("/body/timeout"), 22);
}

#[test]
fn a_directory_of_one_appliance_takes_another_only_next_to_it() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let alone = |name: &str| Server::builder().serve(&data).http().appliance(name);
    drop(alone(FIRST).start());
    let exit = alone(SECOND).try_start().expect_err("refused");
    support::refused(&exit, 1, &["is of the appliance \"sps-6.2\"", "of \"sps-7.0\""]);
    assert!(!data.join("appliances").exists(), "a refused start leaves nothing");
    let mut server = both(&evidence).start();
    set_timeout(&server, SECOND, 33);
    assert!(server.kill().code().is_none(), "killed");
    drop(server);
    let server = alone(SECOND).start();
    assert_eq!(server.admin().get(EMAIL).expect(200).at("/body/timeout"), 33);
}

#[test]
fn a_secret_sealed_by_one_appliance_is_not_opened_by_another() {
    let evidence = Evidence::new();
    let server = both(&evidence).start();
    let mut admin = server.admin_of(FIRST);
    admin.open().expect(200);
    let password = json!({ "plain": "a secret of the first" });
    let key = admin.post("/api/configuration/passwords", &password).expect(201).at("/key");
    let user = json!({ "name": "eve", "password": key });
    admin.post("/api/configuration/aaa/local_database/users", &user).expect(201);
    admin.commit().expect(200);
    let document = admin.get("/boxwood/v1/export").expect(200).text().to_owned();
    // The same paths, and the same key of the daemon: only the appliance is another.
    let document = document.replace("\"sps-6.2\"", "\"sps-7.0\"");
    let mut other = server.admin_of(SECOND);
    let import = other.request("POST", "/boxwood/v1/import?dry_run=true");
    let refused = import.text(document, "application/json").send().expect(400);
    assert!(refused.text().contains("sealed"), "{}", refused.text());
}
