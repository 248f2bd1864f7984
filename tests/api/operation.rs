//! Boxwood's own endpoints, and the log as an operator reads it.

use serde_json::{Value, json};
use support::{Server, opened, wait_for_value};

use crate::fixtures::{HEALTH, MAIL, PASSWORDS, TRAP, health, metric, password, trap_3, with};

const HEALTH_CHECK: &str = "/boxwood/v1/health";
const READY: &str = "/boxwood/v1/ready";
const METRICS: &str = "/boxwood/v1/metrics";

#[test]
fn health_and_readiness_are_told_to_everybody() {
    let server = Server::dev();
    for mut client in [server.client(), server.admin()] {
        let health = client.get(HEALTH_CHECK).expect(200).json();
        assert_eq!(health, json!({"revision": 1, "status": "ok", "store": "ok"}));
        assert_eq!(client.get(READY).expect(200).json(), json!({"status": "ready"}));
    }
}

#[test]
fn health_follows_the_running_revision() {
    let (_server, mut admin) = opened();
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    assert_eq!(admin.get(HEALTH_CHECK).expect(200).at("/revision"), json!(1));
    admin.commit().expect(200);
    assert_eq!(admin.get(HEALTH_CHECK).expect(200).at("/revision"), json!(2));
}

#[test]
fn metrics_are_a_text_for_prometheus() {
    let server = Server::dev();
    let answer = server.client().get(METRICS).expect(200);
    let kind = answer.header("content-type").expect("a type");
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("boxwood_"), "{line}");
        value.parse::<f64>().expect("a number");
    }
}

#[test]
fn metrics_count_what_happens() {
    let server = Server::dev();
    let mut admin = server.admin();
    let mut other = server.client();
    other.request("GET", "/api/authentication").basic("admin", "wrong").send().expect(401);
    other.get(MAIL).expect(401);
    admin.get(MAIL).expect(200);
    admin.get(MAIL).expect(200);
    admin.open().expect(200);
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    admin.commit().expect(200);
    admin.open().expect(200);
    let key = password(&mut admin, "long enough");
    admin.put(TRAP, &trap_3(&key, &key)).expect(200);
    admin.commit().expect(400);
    let requests = |method: &str, route: &str, class: &str| {
        format!(
            "boxwood_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{class}\"}}"
        )
    };
    for (name, expected) in [
        ("boxwood_logins_total{outcome=\"granted\"}".to_owned(), 1.0),
        ("boxwood_logins_total{outcome=\"refused\"}".to_owned(), 1.0),
        ("boxwood_commits_total{outcome=\"committed\"}".to_owned(), 1.0),
        ("boxwood_commits_total{outcome=\"rejected\"}".to_owned(), 1.0),
        ("boxwood_commits_total{outcome=\"conflict\"}".to_owned(), 0.0),
        ("boxwood_commit_duration_seconds_count".to_owned(), 2.0),
        ("boxwood_running_revision".to_owned(), 2.0),
        ("boxwood_sessions".to_owned(), 1.0),
        ("boxwood_transactions_open".to_owned(), 1.0),
        ("boxwood_store_poisoned".to_owned(), 0.0),
        (requests("GET", "node_get", "2xx"), 2.0),
        (requests("GET", "node_get", "4xx"), 1.0),
        (requests("PUT", "node_put", "2xx"), 2.0),
        (requests("PUT", "transaction_commit", "2xx"), 1.0),
        (requests("PUT", "transaction_commit", "4xx"), 1.0),
        (requests("POST", "transaction_open", "2xx"), 2.0),
        (requests("POST", "node_create", "2xx"), 1.0),
    ] {
        assert_eq!(metric(&mut admin, &name), expected, "{name}");
    }
    assert!(metric(&mut admin, "boxwood_connections_open") >= 2.0);
}

#[test]
fn names_that_clients_send_are_no_labels() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.request("BREW", "/api/strange-path").send().expect(404);
    admin.get("/strange-path").expect(404);
    let answer = admin.get(METRICS).expect(200);
    assert!(!answer.text().contains("strange") && !answer.text().contains("BREW"), "{answer}");
}

#[test]
fn own_endpoints_are_read_only_and_show_no_configuration() {
    let server = Server::dev();
    let mut client = server.client();
    for path in [HEALTH_CHECK, READY, METRICS] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = client.request(method, path).text("{}", "application/json").send();
            let answer = answer.expect(405);
            assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"));
        }
        assert_eq!(client.request("HEAD", path).send().expect(200).body, b"");
        client.request("OPTIONS", path).send().expect(200);
        let answer = client.get(path).expect(200);
        assert!(!answer.text().contains("example.com"), "{answer}");
    }
    for path in ["/boxwood/v1/nothing", "/boxwood/v1/health/x"] {
        client.get(path).expect_error(404, "NotFound");
    }
}

// ===== the log =====

/// The lines of the log, which is JSON where nobody looks on.
fn lines(server: &Server) -> Vec<Value> {
    let log = server.log();
    // Lines are written together, and the last may be on its way.
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[test]
fn each_request_has_one_line_at_its_end() {
    let server = Server::dev();
    let mut admin = server.admin();
    let requests = [
        admin.get(MAIL).expect(200),
        admin.open().expect(200),
        admin.put(HEALTH, &json!({})).expect(400),
        admin.get("/api/nothing").expect(404),
        admin.request("PUT", HEALTH).no_length().send().expect(411),
        server.client().get("/boxwood/v1/health").expect(200),
    ];
    for answer in requests {
        let id: u64 = answer.header("x-request-id").expect("an id").parse().unwrap();
        let line = wait_for_value("the line of a request", || {
            let mut found: Vec<Value> = lines(&server);
            found.retain(|line| line["message"] == "answered" && line["id"] == json!(id));
            assert!(found.len() < 2, "one line for each request: {found:?}");
            found.pop()
        });
        assert_eq!(line["status"], json!(answer.status), "{line}");
        assert_eq!(line["method"], json!(answer.request.method), "{line}");
        assert!(line["duration_us"].is_u64() && line["peer"].is_string(), "{line}");
        if answer.status >= 400 {
            assert_eq!(line["error"], answer.at("/error/type"), "{line}");
        }
    }
}

#[test]
fn each_commit_has_a_line() {
    let (server, mut admin) = opened();
    admin.put(HEALTH, &with(&health(), "/maximum_load1", json!(7))).expect(200);
    admin.commit().expect(200);
    let committed = wait_for_value("the lines of the factory's commit and ours", || {
        let mut found = lines(&server);
        found.retain(|line| line["message"] == "committed");
        (found.len() >= 2).then_some(found)
    });
    assert_eq!(committed.len(), 2, "{committed:?}");
    assert_eq!(committed[1]["revision"], json!(2));
    assert_eq!(committed[1]["author"], json!("admin"));
    assert_eq!(committed[1]["changes"], json!(1));
}

#[test]
fn log_goes_to_standard_error_and_follows_its_filter() {
    let quiet = Server::builder().arg("--log").arg("off").start();
    quiet.admin().get(MAIL).expect(200);
    assert_eq!(quiet.log(), "");
    let human = Server::builder().set("log.format", "human").start();
    human.admin().post(PASSWORDS, &json!({})).expect(409);
    let log = wait_for_value("a line", || Some(human.log()).filter(|log| log.contains("INFO")));
    assert!(!log.starts_with('{'), "{log}");
    for server in [&quiet, &human] {
        assert_eq!(server.stdout(), [format!("boxwood ready {}", server.url())]);
    }
}
