//! Several appliances in one daemon and one data directory.

use std::fs;

use serde_json::json;
use support::{Client, Evidence, Server, ServerBuilder, refused, wait_for};

use crate::shared::begin_commit;

const FIRST: &str = "sps-6.2";
const SECOND: &str = "sps-7.0";
const WEB_INTERFACE: &str = "/api/configuration/management/webinterface";

fn both(evidence: &Evidence) -> ServerBuilder {
    let builder = Server::builder().serve(evidence.path().join("data")).http();
    builder.appliance(FIRST).appliance(SECOND).listen(&format!("{SECOND}=http://127.0.0.1:0"))
}

fn set_timeout(server: &Server, appliance: &str, minutes: u64) {
    let mut admin = server.admin_of(appliance);
    admin.open().expect(200);
    admin.put(WEB_INTERFACE, &json!({ "timeout": minutes })).expect(200);
    admin.commit().expect(200);
}

fn timeout(server: &Server, appliance: &str) -> serde_json::Value {
    server.admin_of(appliance).get(WEB_INTERFACE).expect(200).at("/body/timeout")
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
    let request = stranger.request("GET", WEB_INTERFACE).header("session_id", &token);
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
    assert_eq!(server.admin().get(WEB_INTERFACE).expect(200).at("/body/timeout"), 22);
}

#[test]
fn a_directory_of_one_appliance_takes_another_only_next_to_it() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let alone = |name: &str| Server::builder().serve(&data).http().appliance(name);
    drop(alone(FIRST).start());
    let exit = alone(SECOND).try_start().expect_err("refused");
    refused(&exit, 1, &["is of the appliance \"sps-6.2\"", "of \"sps-7.0\""]);
    assert!(!data.join("appliances").exists(), "a refused start leaves nothing");
    let mut server = both(&evidence).start();
    set_timeout(&server, SECOND, 33);
    assert!(server.kill().code().is_none(), "killed");
    drop(server);
    let server = alone(SECOND).start();
    assert_eq!(server.admin().get(WEB_INTERFACE).expect(200).at("/body/timeout"), 33);
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

#[test]
fn each_appliance_shows_its_own_certificate() {
    let server = Server::dev_of(&[FIRST, SECOND]);
    let pem = |name: &str| server.client_of(name).certificate_pem();
    let (first, second) = (pem(FIRST), pem(SECOND));
    assert_ne!(first, second);
    Client::verifying(server.url_of(FIRST), &first).login("admin", "admin");
    Client::verifying(server.url_of(SECOND), &second).login("admin", "admin");
    assert!(Client::verifying(server.url_of(SECOND), &first).try_connection().is_err());
}

#[test]
fn a_stop_lets_requests_of_every_appliance_finish() {
    let evidence = Evidence::new();
    let mut server = both(&evidence).set("limits.drain_seconds", 50).start();
    let mut clients = [FIRST, SECOND].map(|name| server.admin_of(name));
    let bodies = clients.each_mut().map(|client| {
        client.open().expect(200);
        client.put(WEB_INTERFACE, &json!({ "timeout": 44 })).expect(200);
        begin_commit(client)
    });
    server.request_termination();
    wait_for("the stop to begin", || server.log().contains("\"stopping\""));
    for (client, body) in clients.iter_mut().zip(bodies) {
        client.send_raw(body).expect(200);
    }
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    let server = both(&evidence).start();
    assert_eq!((timeout(&server, FIRST), timeout(&server, SECOND)), (json!(44), json!(44)));
}

#[test]
fn a_second_listener_gets_the_next_port_and_a_port_in_use_is_named() {
    // Any two ports in a row would do; others may take them meanwhile.
    let start = || {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = taken.local_addr().expect("it is bound").port();
        drop(taken);
        let url = format!("http://127.0.0.1:{port}");
        let next = format!("http://127.0.0.1:{}", u32::from(port) + 1);
        let server = Server::builder().bare().args(["dev", "--listen", &url]);
        (server.args(["--appliance", FIRST, "--appliance", SECOND]).spawn(), url, next)
    };
    for _ in 0..20 {
        let (mut server, url, next) = start();
        wait_for("two ready lines", || server.stdout().len() == 2 || !server.is_running());
        let expect =
            [format!("boxwood ready {url} {FIRST}"), format!("boxwood ready {next} {SECOND}")];
        if server.stdout() == expect {
            assert!(server.terminate().success());
            return;
        }
        assert!(server.log().contains("in use") || server.log().contains("no port"));
    }
    panic!("no two ports in a row are free");
}

#[test]
fn tables_in_the_file_configure_each_appliance() {
    let evidence = Evidence::new();
    let file = evidence.path().join("boxwood.toml");
    let text = format!(
        "appliance = [\"{FIRST}\", \"{SECOND}\"]\n[sps]\nversion = \"all\"\n\
         [appliances.\"{SECOND}\"]\nversion = \"own\"\nlenient_commit = true\n"
    );
    fs::write(&file, text).expect("a file can be written");
    let builder = Server::builder().http().listen(&format!("{SECOND}=http://127.0.0.1:0"));
    let server = builder.arg("--config").arg(&file).start();
    for (name, version) in [(FIRST, "all"), (SECOND, "own")] {
        let info = server.admin_of(name).get("/api/info").expect(200);
        assert_eq!(info.at("/body/version"), version);
    }
    for (name, status) in [(FIRST, 400), (SECOND, 200)] {
        let mut admin = server.admin_of(name);
        admin.open().expect(200);
        admin.put(WEB_INTERFACE, &json!({ "timeout": 15 })).expect(200);
        admin.request("PUT", "/api/transaction").send().expect(status);
    }
}

#[test]
fn mistakes_about_appliances_are_reported_at_once() {
    let exit = Server::builder()
        .listen("sps-9.9=http://127.0.0.1:0")
        .args(["--appliance", FIRST, "--appliance", "sps-9.9", "--appliance", FIRST])
        .env("BOXWOOD_APPLIANCES_SPS_7_0_VERSION", "x\n")
        .set("appliances.sps-6.2.colour", "red")
        .run();
    let words = [
        "appliances.sps-7.0.version",
        "`appliance` cannot be \"sps-9.9\": it is none of ",
        "`appliance` cannot be \"sps-6.2\": it is named twice",
        "there is no setting `appliances.sps-6.2.colour`",
        "sps-9.9 is not served",
    ];
    let message = refused(&exit, 2, &words);
    assert!(message.contains("5 settings cannot be used"), "{message}");
}

#[test]
fn the_appliance_that_cannot_start_is_named() {
    let evidence = Evidence::new();
    let mut server = both(&evidence).start();
    assert!(server.terminate().success());
    let checkpoints = evidence.path().join("data/appliances").join(SECOND).join("checkpoints");
    fs::remove_dir_all(&checkpoints).expect("it can be removed");
    fs::write(&checkpoints, "").expect("a file can be written");
    let exit = both(&evidence).try_start().expect_err("refused");
    refused(&exit, 1, &["the appliance sps-7.0 cannot be started", "checkpoints"]);
    fs::remove_file(&checkpoints).expect("it can be removed");
    both(&evidence).start();
}

#[test]
fn export_and_import_work_on_the_appliance_that_is_named() {
    let evidence = Evidence::new();
    let mut server = both(&evidence).start();
    set_timeout(&server, SECOND, 55);
    assert!(server.terminate().success());
    let data = evidence.path().join("data");
    let run =
        |args: &[&str]| Server::builder().bare().args(args).arg("--data-dir").arg(&data).run();
    let exported = |name: &str| {
        let exit = run(&["export", "--appliance", name]);
        assert!(exit.status.success(), "{}", exit.stderr);
        serde_json::from_str::<serde_json::Value>(&exit.stdout).expect("a document")
    };
    assert_eq!(exported(FIRST)["appliance"], FIRST);
    let document = exported(SECOND);
    assert_eq!(document["appliance"], SECOND);
    let file = evidence.path().join("second.json");
    let text = document.to_string().replace("\"timeout\":55", "\"timeout\":56");
    fs::write(&file, text).expect("a file can be written");
    let file = file.to_str().expect("a path is text");
    // Not into the first, and its secrets are opened with the key of the second.
    refused(&run(&["import", file, "--appliance", FIRST]), 1, &[FIRST, SECOND]);
    for more in [&["--dry-run"][..], &[]] {
        let exit = run(&[&["import", file, "--appliance", SECOND], more].concat());
        assert!(exit.status.success(), "{}", exit.stderr);
        assert!(exit.stdout.contains("1 changed"), "{}", exit.stdout);
    }
    assert_eq!(timeout(&both(&evidence).start(), SECOND), 56);
    refused(
        &run(&["export", "--appliance", FIRST, "--appliance", SECOND]),
        1,
        &["several appliances", "--appliance NAME"],
    );
}
