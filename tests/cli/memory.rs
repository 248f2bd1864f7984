//! What stays in the daemon's memory of secrets that it no longer needs: nothing. The memory of the
//! real process is read, as its debugger would read it.

use std::fs::File;
use std::os::unix::fs::FileExt;

use serde_json::json;
use support::{Evidence, Server};

/// What a process can write to of its memory, as text; `None` where the system does not show it.
fn memory_of(pid: u32) -> Option<Vec<String>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut regions = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        let mut bytes = vec![0; usize::try_from(end - start).ok()?];
        // A region may be gone by now, or may not be readable.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            regions.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    Some(regions)
}

#[test]
fn secrets_do_not_stay_in_memory() {
    let evidence = Evidence::new();
    let server = Server::builder()
        .serve(evidence.path().join("data"))
        .http()
        .https()
        .env("BOXWOOD_ADMIN_PASSWORD", "canary-of-the-administrator")
        .start();
    if memory_of(server.pid()).is_none_or(|regions| regions.is_empty()) {
        eprintln!("left out: this system does not show the memory of another process");
        return;
    }
    let mut tokens = Vec::new();
    for url in server.urls() {
        let mut admin = support::Client::new(url);
        admin.login("admin", "canary-of-the-administrator").expect(200);
        tokens.push(admin.cookie("session_id").expect("a session").to_owned());
        admin.open().expect(200);
        const PASSWORDS: &str = "/api/configuration/passwords";
        let refused = json!({ "plain": "canary-that-was-refused", "plian": 1 });
        admin.post(PASSWORDS, &refused).expect(400);
        let broken = "{\"plain\": \"canary-in-a-broken-body\"";
        admin.request("POST", PASSWORDS).text(broken, "application/json").send().expect(400);
        let typed = json!({ "plain": "canary-of-another-type" }).to_string();
        admin.request("POST", PASSWORDS).text(typed, "text/plain").send().expect(415);
        admin.post(PASSWORDS, &json!({ "plain": "canary-that-was-staged" })).expect(201);
        let key = "-----BEGIN PRIVATE KEY-----\ncanaryOfAPrivateKey\n-----END PRIVATE KEY-----";
        let identity = json!({ "certificate": "", "private_key": key, "issuer_chain": [] });
        admin.post("/api/configuration/x509", &identity).expect(400);
        admin.rollback().expect(200);
        let document = json!({
            "format": "boxwood-configuration/1", "appliance": "sps-6.2",
            "nodes": [{ "path": "/passwords/x", "body": { "plain": "canary-that-was-imported" } }],
        });
        let import = "/boxwood/v1/import";
        admin.request("POST", import).json(&document).send().expect(400);
        admin.delete("/api/authentication").expect(200);
        let wrong = admin.request("GET", "/api/authentication");
        wrong.basic("admin", "canary-that-was-wrong").send().expect(401);
    }
    // Its connections are closed, and their buffers gone, when the server has seen their end.
    support::wait_for("all connections are closed", || {
        let metrics = server.client().get("/boxwood/v1/metrics").expect(200);
        metrics.text().contains("boxwood_connections_open 1\n")
    });
    let environ = std::fs::read(format!("/proc/{}/environ", server.pid())).expect("it is there");
    assert!(!String::from_utf8_lossy(&environ).contains("canary"), "it is in the environment");
    let secrets = [
        ("the administrator's password", "canary-of-the-administrator"),
        ("its base64", "YWRtaW46Y2FuYXJ5LW9m"),
        ("a password that was refused", "canary-that-was-refused"),
        ("a password in a broken body", "canary-in-a-broken-body"),
        ("a password of another type", "canary-of-another-type"),
        ("a password that was rolled back", "canary-that-was-staged"),
        ("a private key that was refused", "canaryOfAPrivateKey"),
        ("a password that was imported", "canary-that-was-imported"),
        ("a wrong password", "canary-that-was-wrong"),
        ("a token after logout", &tokens[0]),
        ("a token after logout, over TLS", &tokens[1]),
    ];
    let regions = memory_of(server.pid()).expect("it was shown before");
    let stays = |secret: &&(&str, &str)| regions.iter().any(|region| region.contains(secret.1));
    let found: Vec<_> = secrets.iter().filter(stays).map(|(what, _)| what).collect();
    assert!(found.is_empty(), "still in memory: {found:?}");
    assert!(regions.iter().any(|region| region.contains("sps-6.2")), "the memory can be searched");
}
