//! No secret gets out: distinctive ones are put everywhere, and then looked for in every answer, in
//! the log at its most talkative, and in every file that was written.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{Client, Response, Server};

use crate::fixtures::{
    CERTIFICATES, MAIL, PASSWORDS, PRIVATE_KEYS, Pair, TRAP, X509, body, mail, mail_with_password,
    trap_3, with,
};

const LOGIN: &str = "sweepLogin7c1eQ";
const WRONG_LOGIN: &str = "sweepWrong4b2dW";
const PLAIN: [&str; 4] =
    ["sweepPlain-0001", "sweepPlain-0002", "sweepPlain-0003", "sweepPlain-0004"];
const HASH: &str = "$6$sweepSalt9$sweepHash8f3a";
const MISPLACED: &str = "sweepMisplaced-5d6e";

/// A session that keeps all it was told.
struct Recorder {
    client: Client,
    heard: Vec<String>,
    /// The login's own answer carries the token, as it must.
    token: String,
}

impl Recorder {
    fn note(&mut self, answer: Response) -> Response {
        for (name, value) in &answer.headers {
            self.heard.push(format!("{}: {name}: {value}", answer.request.path));
        }
        self.heard.push(format!("{}: {}", answer.request.path, answer.text()));
        answer
    }

    fn get(&mut self, path: &str) -> Response {
        let answer = self.client.get(path);
        self.note(answer)
    }

    fn put(&mut self, path: &str, body: &Value) -> Response {
        let answer = self.client.put(path, body);
        self.note(answer)
    }

    fn post(&mut self, path: &str, body: &Value) -> Response {
        let answer = self.client.post(path, body);
        self.note(answer)
    }

    fn create(&mut self, path: &str, body: &Value) -> String {
        let answer = self.post(path, body).expect(201);
        let key = answer.at("/key").as_str().unwrap().to_owned();
        self.get(&format!("{path}/{key}")).expect(200);
        key
    }

    fn text(&mut self, method: &str, path: &str, text: &str) -> Response {
        let answer = self.client.request(method, path).text(text, "application/json").send();
        self.note(answer)
    }
}

fn log_in(server: &Server) -> Recorder {
    let mut client = server.client();
    client.login("admin", LOGIN);
    let token = client.cookie("session_id").unwrap().to_owned();
    Recorder { client, heard: Vec::new(), token }
}

/// The lines of base64 of a private key: each of them alone would be a leak.
fn key_lines(pem: &str) -> Vec<String> {
    let lines: Vec<String> = pem
        .lines()
        // The last one is short, and its end says nothing.
        .filter(|line| !line.starts_with("-----") && line.len() >= 16)
        .map(str::to_owned)
        .collect();
    assert!(!lines.is_empty(), "the key has lines");
    lines
}

/// Base64 as in `Authorization`, in which a password would be as good as in clear.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        let group = group << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            encoded.push(char::from(DIGITS[(group >> (18 - 6 * place)) as usize & 63]));
        }
    }
    encoded
}

/// Every file below a directory.
fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn no_secret_is_shown_logged_or_stored_in_clear() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder()
        .serve(data.path())
        .env("BOXWOOD_ADMIN_PASSWORD", LOGIN)
        .arg("--log")
        .arg("trace")
        // So that a checkpoint is among the files.
        .set("store.checkpoint_revisions", 1);
    let mut server = builder.start();
    let (lone, pair, served) = (Pair::new(), Pair::new(), Pair::new());

    // Logins, right and wrong.
    let mut admin = log_in(&server);
    for (user, password) in [("admin", WRONG_LOGIN), ("nobody", LOGIN), (LOGIN, "x")] {
        let mut stranger = server.client();
        let request = stranger.request("GET", "/api/authentication").basic(user, password);
        let answer = request.send();
        admin.note(answer.expect(401));
    }

    // Secrets of every kind, where they belong.
    admin.client.open().expect(200);
    let keys: Vec<String> =
        PLAIN.iter().map(|text| admin.create(PASSWORDS, &json!({"plain": text}))).collect();
    let hashed = admin.create(PASSWORDS, &json!({"hash": HASH}));
    admin.create(PRIVATE_KEYS, &json!({"private_key": lone.private_key}));
    let identity = admin.create(X509, &pair.body());
    let server_identity = admin.create(X509, &served.body());

    // And where they do not belong: unknown members, wrong types, wrong places, broken texts.
    admin.post(PASSWORDS, &json!({"plain": PLAIN[0], "hash": HASH})).expect(400);
    admin.post(PASSWORDS, &json!({"password": MISPLACED})).expect(400);
    admin.post(PASSWORDS, &json!({"plain": [MISPLACED]})).expect(400);
    admin.post(PASSWORDS, &json!(MISPLACED)).expect(400);
    admin.post(PASSWORDS, &json!({"hash": format!("{MISPLACED} x")})).expect(400);
    admin.post(PRIVATE_KEYS, &json!({"private_key": MISPLACED})).expect(400);
    let unreadable = lone.private_key.replace("PRIVATE", "PUBLIC");
    admin.post(PRIVATE_KEYS, &json!({"private_key": unreadable})).expect(400);
    admin.post(X509, &with(&pair.body(), "/private_key", json!(lone.private_key))).expect(400);
    admin.post(X509, &with(&pair.body(), "/certificate", json!(pair.private_key))).expect(400);
    admin.put(MAIL, &mail_with_password(MISPLACED)).expect(400);
    admin.put(MAIL, &with(&mail(), "/smtp_auth", json!(MISPLACED))).expect(400);
    admin.put(MAIL, &with(&mail(), "/smtp_server/selection", json!(MISPLACED))).expect(400);
    admin.put(MAIL, &with(&mail(), "/admin_address", json!(MISPLACED))).expect(400);
    admin.put(TRAP, &trap_3(MISPLACED, PLAIN[0])).expect(400);
    admin.put(
        TRAP,
        &with(&trap_3(&keys[0], &keys[1]), "/version/value/engine_id", json!(MISPLACED)),
    );
    for text in [
        format!("{{\"plain\": \"{MISPLACED}\""),
        format!("{{\"plain\": \"{MISPLACED}\", \"plain\": 1}}"),
        format!("{{\"plain\": \"{MISPLACED}\\u0000\"}}"),
        format!("{{\"plain\": '{MISPLACED}'}}"),
        format!("{{\"plain\": {MISPLACED}}}"),
        format!("plain={MISPLACED}"),
    ] {
        admin.text("POST", PASSWORDS, &text).expect(400);
    }
    admin.text("PUT", "/api/transaction", &format!("{{\"status\": \"{MISPLACED}\"}}")).expect(400);
    let form =
        admin.client.request("POST", PASSWORDS).text(format!("plain={MISPLACED}"), "text/plain");
    let answer = form.send();
    admin.note(answer.expect(415));
    admin.text("PUT", "/api/configuration/nothing", &json!({"plain": MISPLACED}).to_string());
    admin.text("PUT", PASSWORDS, &json!({"plain": MISPLACED}).to_string()).expect(405);

    // A refused commit, and one that is taken.
    admin.put(TRAP, &trap_3(&keys[0], &keys[0])).expect(200);
    admin.put("/api/transaction", &json!({"status": "commit"})).expect(400);
    admin.put(TRAP, &trap_3(&keys[0], &keys[1])).expect(200);
    let starttls = json!({
        "client_authentication": {"enabled": true, "x509_identity": identity},
        "selection": "starttls",
        "server_certificate_check": {"enabled": false},
    });
    let all = with(&mail_with_password(&hashed), "/smtp_encryption", starttls);
    admin.put(MAIL, &all).expect(200);
    let certificates =
        with(&body(&mut admin.client, CERTIFICATES), "/server", json!(server_identity));
    admin.put(CERTIFICATES, &certificates).expect(200);
    admin.get("/api/transaction/changes").expect(200);
    admin.put("/api/transaction", &json!({"status": "commit", "message": "sweep"})).expect(200);

    // Staged and never committed.
    admin.client.open().expect(200);
    admin.put(MAIL, &mail_with_password(&keys[2])).expect(404 - 4);
    let staged = admin.create(PASSWORDS, &json!({"plain": PLAIN[2]}));
    admin.put(MAIL, &mail_with_password(&staged)).expect(200);
    for path in [
        MAIL,
        TRAP,
        CERTIFICATES,
        "/api",
        "/api/info",
        "/api/setup",
        "/api/transaction",
        "/api/transaction/changes",
        "/api/authentication",
        "/api/authentication/types",
        "/api/authentication/login_methods",
        "/api/configuration",
        "/boxwood/v1/health",
        "/boxwood/v1/ready",
        "/boxwood/v1/metrics",
    ] {
        admin.get(path).expect(200);
    }
    admin.get(&format!("{X509}/{server_identity}")).expect(200);
    admin.get(&format!("{X509}/{identity}")).expect(200);

    let mut secrets: Vec<String> =
        [LOGIN, WRONG_LOGIN, HASH, MISPLACED].map(str::to_owned).to_vec();
    secrets.extend(PLAIN.map(str::to_owned));
    secrets.push(admin.token.clone());
    for (user, password) in [("admin", LOGIN), ("admin", WRONG_LOGIN)] {
        // Without the last digits, which depend on what follows.
        let encoded = base64(&format!("{user}:{password}"));
        secrets.push(encoded[..encoded.len() - 2].to_owned());
    }
    for key in [&lone.private_key, &pair.private_key, &served.private_key] {
        secrets.extend(key_lines(key));
    }
    let key_file = fs::read(data.path().join("secret.key")).expect("the sealing key");
    if let Ok(text) = String::from_utf8(key_file) {
        secrets.push(text.trim().to_owned());
    }

    let mut leaks: Vec<String> = Vec::new();
    let mut look = |place: &str, bytes: &[u8]| {
        for secret in secrets.iter().filter(|secret| contains(bytes, secret)) {
            leaks.push(format!("{secret} in {place}"));
        }
    };
    assert!(admin.heard.len() > 300, "everything was heard: {}", admin.heard.len());
    for heard in &admin.heard {
        look(&format!("an answer: {heard}"), heard.as_bytes());
    }
    let mut found = Vec::new();
    files(data.path(), &mut found);
    assert!(server.terminate().success());
    files(data.path(), &mut found);
    assert!(found.iter().any(|(path, _)| path.contains("checkpoints/")), "a checkpoint is there");
    let log = server.log();
    assert!(log.contains("DEBUG") && log.contains("node_create"), "the log is talkative");
    for line in log.lines() {
        look(&format!("the log: {line}"), line.as_bytes());
    }
    for (path, bytes) in &found {
        if !path.ends_with("/secret.key") {
            look(path, bytes);
        }
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));

    // What was sealed is there all the same: the next start serves the certificate.
    let server = builder.start();
    let shown = server.client().certificate_pem();
    assert_eq!(
        shown.split_whitespace().collect::<String>(),
        served.certificate.split_whitespace().collect::<String>()
    );
}
