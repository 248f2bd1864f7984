//! The log on standard error: lines that machines can read, one for each request, and no secret.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use support::Server;

fn lines(server: &Server) -> Vec<Value> {
    let log = server.log();
    let parse = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|why| panic!("{line:?} is not JSON: {why}"))
    };
    log.lines().map(parse).collect()
}

#[test]
fn each_line_is_json_and_each_request_has_one() {
    let mut server = Server::builder().http().https().start();
    let mut answers = Vec::new();
    let mut admin = server.client();
    answers.push(admin.login("admin", "admin"));
    let email = "/api/configuration/management/email";
    let secret = json!({ "plain": "swordfish-in-a-body" });
    let bad = json!({ "smtp_server": "swordfish-in-a-body" });
    answers.push(admin.get(email).expect(200));
    answers.push(admin.get("/api/configuration/nowhere").expect(404));
    answers.push(admin.put(email, &json!({})).expect_error(409, "Conflict"));
    answers.push(admin.open().expect(200));
    answers.push(admin.post("/api/configuration/passwords", &secret).expect(201));
    answers.push(admin.put(email, &bad).expect(400));
    answers.push(admin.delete(email).expect(405));
    answers.push(admin.request("PUT", email).text("{", "application/json").send().expect(400));
    answers.push(admin.request("HEAD", email).send().expect(200));
    answers.push(admin.commit().expect(200));
    answers.push(server.client().get("/boxwood/v1/health").expect(200));
    answers.push(server.client().get("/elsewhere").expect(404));
    answers.push(server.client().get("/api/configuration").expect(401));
    let wrong = |client: &mut support::Client| {
        let login = client.request("GET", "/api/authentication");
        login.basic("admin", "swordfish-as-password").send().expect(401)
    };
    answers.push(wrong(&mut server.client()));
    let query = "/api/configuration?token=swordfish-in-a-query";
    answers.push(server.client().get(query).expect(401));
    let mut secure = support::Client::new(&server.urls()[1]);
    answers.push(secure.login("admin", "admin"));
    let token = admin.cookie("session_id").expect("a session").to_owned();
    assert!(server.terminate().success());

    let lines = lines(&server);
    for line in &lines {
        for name in ["timestamp", "level", "message", "target"] {
            assert!(line[name].is_string(), "it has no {name}: {line}");
        }
    }
    let mut by_id: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["message"] == "answered") {
        by_id.entry(line["id"].to_string()).or_default().push(line);
    }
    assert_eq!(by_id.len(), answers.len(), "{by_id:#?}");
    for answer in &answers {
        let id = answer.header("x-request-id").expect("an answer has an id");
        let [line] = by_id[id][..] else { panic!("request {id} has not one line: {by_id:#?}") };
        assert_eq!(line["status"], answer.status, "{line}");
        assert_eq!(line["method"], answer.request.method, "{line}");
        assert!(line["path"].as_str().is_some_and(|path| path.starts_with('/')), "{line}");
        assert!(line["verb"].as_str().is_some_and(|verb| !verb.is_empty()), "{line}");
        assert!(line["duration_us"].is_u64(), "{line}");
        assert!(line["peer"].as_str().is_some_and(|it| it.starts_with("127.0.0.1:")));
        assert_eq!(line["error"].is_string(), answer.status >= 400);
        assert_eq!(line["appliance"], "sps-6.2");
    }
    let log = server.log();
    for secret in ["swordfish", &token, "YWRtaW46YWRtaW4="] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let commits = lines.iter().filter(|line| line["message"] == "committed").count();
    assert_eq!(commits, 1, "the defaults; the commit changed nothing");
}

#[test]
fn a_commit_has_a_line() {
    let mut server = Server::builder().http().start();
    crate::shared::commit_something(&server);
    assert!(server.terminate().success());
    let lines = lines(&server);
    let commits: Vec<&Value> = lines.iter().filter(|it| it["message"] == "committed").collect();
    let [_, last] = commits[..] else { panic!("not two commits: {commits:#?}") };
    assert_eq!((&last["revision"], &last["changes"]), (&json!(2), &json!(1)), "{last}");
    assert_eq!(last["author"], "admin", "{last}");
}

#[test]
fn the_filter_decides_what_is_written() {
    let log = |filter: &str| {
        let mut server = Server::builder().http().arg("--log").arg(filter).start();
        crate::shared::commit_something(&server);
        server.client().get("/api/configuration").expect(401);
        assert!(server.terminate().success());
        let lines = lines(&server);
        lines.iter().map(|it| format!("{} {}", it["level"], it["target"])).collect::<Vec<_>>()
    };
    let has = |lines: &[String], level: &str, target: &str| {
        lines.iter().any(|line| line.contains(level) && line.contains(target))
    };
    assert_eq!(log("off"), [""; 0]);
    assert_eq!(log("error"), [""; 0]);
    assert_eq!(log("warn"), [""; 0]);
    let info = log("info");
    assert!(has(&info, "INFO", "front_end") && has(&info, "INFO", "transaction_engine"));
    assert!(!has(&info, "DEBUG", ""), "{info:?}");
    let some = log("warn,transaction_engine=debug");
    assert!(has(&some, "DEBUG", "transaction_engine") && has(&some, "INFO", "transaction_engine"));
    assert!(!has(&some, "INFO", "front_end"), "{some:?}");
}

#[test]
fn lines_on_the_way_carry_their_requests_number_where_details_are_asked_for() {
    let mut server = Server::builder().http().args(["--log", "debug"]).start();
    let wrong =
        server.client().request("GET", "/api/authentication").basic("admin", "wrong").send();
    assert!(server.terminate().success());
    let id: u64 =
        wrong.expect(401).header("x-request-id").expect("an id").parse().expect("a number");
    let lines = lines(&server);
    let refused = lines.iter().find(|line| line["message"] == "login refused").expect("a warning");
    assert_eq!(refused["span"], json!({ "name": "request", "id": id }));
}

/// Asks until the daemon has had to drop lines, and each time within the client's patience.
fn ask_until_lines_are_dropped(server: &Server) {
    let mut client = server.client();
    let dropped = |client: &mut support::Client| {
        let answer = client.get("/boxwood/v1/metrics").expect(200);
        let metrics = answer.text();
        let line =
            metrics.lines().find_map(|it| it.strip_prefix("boxwood_log_lines_dropped_total "));
        line.expect("lines that were dropped are counted").parse::<f64>().expect("a number")
    };
    for _ in 0..200 {
        for _ in 0..100 {
            client.get("/boxwood/v1/health").expect(200);
        }
        if dropped(&mut client) > 0.0 {
            return;
        }
    }
    panic!("no line was dropped although none was read");
}

#[test]
fn a_log_that_is_not_read_holds_up_neither_answers_nor_commits_nor_the_stop() {
    let mut server = Server::builder().http().args(["--log", "trace"]).unread_log().start();
    ask_until_lines_are_dropped(&server);
    crate::shared::commit_something(&server);

    // When it is read, the lines flow again and one says how many are missing.
    let mut pipe = BufReader::new(server.take_log_pipe()).lines();
    let report = pipe.find_map(|line| {
        let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        line["dropped"].as_u64()
    });
    assert!(report.is_some_and(|lines| lines > 0), "{report:?}");
    drop(pipe);

    // A reader who is gone is the same.
    crate::shared::commit_something(&server);
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_log_that_is_not_read_does_not_hold_up_the_stop() {
    let mut server = Server::builder().http().args(["--log", "trace"]).unread_log().start();
    ask_until_lines_are_dropped(&server);
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_log_on_a_full_disk_is_counted_and_nothing_else() {
    let mut server = Server::builder().http().log_to("/dev/full").start();
    ask_until_lines_are_dropped(&server);
    crate::shared::commit_something(&server);
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn the_log_can_be_for_people() {
    let mut server = Server::builder().http().set("log.format", "human").start();
    server.admin().get("/api/configuration").expect(200);
    assert!(server.terminate().success());
    let log = server.log();
    assert!(log.contains("answered") && log.contains("verb=\"node_get\""), "{log}");
    assert!(!log.contains('{') || !log.starts_with('{'), "{log}");
    assert!(!log.contains('\u{1b}'), "no colours into a file: {log:?}");
}
