//! Two heads: pushes, jobs, versions, reverts, loads.

use std::collections::BTreeMap;
use std::thread;

use serde_json::{Value, json};
use support::Client;

use crate::{APPLIANCE, MOBILE, PROFILES, builder, profile, refused, start, text};

const OPERATIONS: &str = "/config/operations/v1";

fn push(client: &mut Client, body: &Value) -> String {
    let path = format!("{OPERATIONS}/config-versions/candidate:push");
    let answer = client.post(&path, body).expect(201);
    let id = text(&answer.at("/job_id"));
    let message = format!("CommitAndPush job enqueued with jobid {id}");
    assert_eq!(answer.json(), json!({ "success": true, "job_id": id, "message": message }));
    id
}

fn job(client: &mut Client, id: &str) -> Value {
    client.get(&format!("{OPERATIONS}/jobs/{id}")).expect(200).at("/data/0")
}

/// The running version of the mobile users.
fn running(client: &mut Client) -> u64 {
    let answer = client.get("/sse/config/v1/config-versions/running").expect(200);
    let data = answer.at("/data");
    let mine = data.as_array().unwrap().iter().find(|one| one["device"] == "Mobile Users");
    mine.unwrap()["version"].as_u64().unwrap()
}

fn names(client: &mut Client, folder: &str) -> Vec<String> {
    let list = client.get(&format!("{PROFILES}?folder={folder}&limit=5000")).expect(200);
    let data = list.at("/data");
    let mut names: Vec<_> = data.as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
    names.sort();
    names
}

fn revert(client: &mut Client) -> String {
    let path = format!("{OPERATIONS}/config-versions/candidate");
    text(&client.delete(&path).expect(200).at("/message"))
}

fn mobile() -> Value {
    json!({ "folders": ["Mobile Users"] })
}

// proves: D-24, D-27
#[test]
fn the_running_version_grows_by_a_push_alone() {
    let (_server, mut client) = start();
    let before = running(&mut client);
    profile(&mut client, "p", "Mobile Users");
    assert_eq!(running(&mut client), before);
    let id = push(&mut client, &json!({ "folders": ["Mobile Users"], "description": "why" }));
    let done = job(&mut client, &id);
    assert_eq!((&done["status_str"], &done["result_str"]), (&json!("FIN"), &json!("OK")));
    for name in [
        "id",
        "parent_id",
        "type_i",
        "job_type",
        "status_i",
        "job_status",
        "result_i",
        "job_result",
        "percent",
        "opaque_int",
        "details",
        "insert_ts",
        "start_ts",
        "end_ts",
        "last_update",
        "owner",
        "status_str",
        "type_str",
        "uname",
    ] {
        assert!(done[name].is_string(), "{name}");
    }
    let details: Value = serde_json::from_str(done["details"].as_str().unwrap()).unwrap();
    assert_eq!(details["description"], "why");
    assert_eq!(details["info"], json!(["Configuration committed successfully"]));
    assert_eq!(running(&mut client), before + 1);
    let jobs = client.get("/sse/config/v1/jobs").expect(200);
    assert_eq!(jobs.at("/total"), 2, "the parent and the child of one folder");
    let child = jobs.at("/data/0");
    assert_eq!((&child["parent_id"], &child["type_str"]), (&json!(id), &json!("CommitAll")));
    let versions = client.get("/sse/config/v1/config-versions").expect(200).json();
    assert_eq!(versions[0]["description"], "why");
    let versions = client.get(&format!("{OPERATIONS}/config-versions")).expect(200);
    assert_eq!(versions.at("/data").as_array().unwrap().len(), 2);
    let one = client.get(&format!("{OPERATIONS}/config-versions/2")).expect(200).json();
    assert_eq!(one[0]["version"], "2");
    // Nothing more to push, of a folder that has changes or of one that never had any.
    for folders in [["Mobile Users"], ["Nowhere"]] {
        let path = format!("{OPERATIONS}/config-versions/candidate:push");
        let answer = client.post(&path, &json!({ "folders": folders }));
        let answer = refused(answer, 400, "E003", "Invalid Command");
        assert_eq!(answer.at("/_errors/0/details/errors/0/type"), "Operation Failed");
    }
    for path in ["jobs/99", "jobs/x", "config-versions/9", "config-versions/x"] {
        let answer = client.get(&format!("{OPERATIONS}/{path}"));
        refused(answer, 404, "E005", "Object Not Present");
    }
}

// proves: D-25
#[test]
fn a_revert_restores_the_last_push_once() {
    let (_server, mut client) = start();
    let kept = profile(&mut client, "kept", "Mobile Users");
    push(&mut client, &mobile());
    let before = client.get(&format!("{PROFILES}/{kept}")).expect(200).json();
    profile(&mut client, "new", "Remote Networks");
    client.put(&format!("{PROFILES}/{kept}"), &json!({ "name": "renamed" })).expect(200);
    assert_ne!(revert(&mut client), "There are no changes to revert.");
    assert_eq!(client.get(&format!("{PROFILES}/{kept}")).expect(200).json(), before);
    assert!(!names(&mut client, "Remote+Networks").contains(&"new".to_owned()));
    assert_eq!(revert(&mut client), "There are no changes to revert.");
    client.delete(&format!("{PROFILES}/{kept}")).expect(200);
    revert(&mut client);
    assert_eq!(client.get(&format!("{PROFILES}/{kept}")).expect(200).json(), before);
}

// proves: D-26
#[test]
fn a_push_that_says_nothing_usable_is_refused() {
    let (_server, mut client) = start();
    profile(&mut client, "p", "Mobile Users");
    let path = format!("{OPERATIONS}/config-versions/candidate:push");
    for body in [
        json!({}),
        json!([]),
        json!({ "folder": ["Mobile Users"] }),
        json!({ "folders": [] }),
        json!({ "folders": "Mobile Users" }),
        json!({ "folders": [1] }),
        json!({ "folders": ["a/b"] }),
        json!({ "folders": ["All"], "admin": "admin" }),
        json!({ "folders": ["All"], "description": "x".repeat(256) }),
        json!({ "folders": ["All"], "description": 1 }),
    ] {
        refused(client.post(&path, &body), 400, "E003", "Invalid Object");
    }
    refused(client.request("POST", &path).send(), 400, "E003", "Missing Body");
    assert_eq!(running(&mut client), 1);
}

// proves: D-28
#[test]
fn a_loaded_version_is_the_candidate_until_it_is_pushed() {
    let (_server, mut client) = start();
    let id = profile(&mut client, "one", "Mobile Users");
    push(&mut client, &mobile());
    client.put(&format!("{PROFILES}/{id}"), &json!({ "name": "two" })).expect(200);
    profile(&mut client, "more", "Mobile Users");
    push(&mut client, &mobile());
    assert_eq!(running(&mut client), 3);
    let load = format!("{OPERATIONS}/config-versions:load");
    let answer = client.post(&load, &json!({ "version": 2 })).expect(201);
    assert!(text(&answer.at("/message")).starts_with("Config loaded from 2. "));
    assert_eq!(names(&mut client, "Mobile+Users"), ["one"]);
    assert_eq!(running(&mut client), 3, "only the candidate has changed");
    push(&mut client, &mobile());
    assert_eq!(running(&mut client), 4);
    assert_eq!(revert(&mut client), "There are no changes to revert.");
    client.post(&load, &json!({ "version": "1" })).expect(201);
    assert_eq!(names(&mut client, "Mobile+Users"), [""; 0]);
    revert(&mut client);
    for (version, status) in [(json!(99), 404), (json!("x"), 400), (json!(null), 400)] {
        client.post(&load, &json!({ "version": version })).expect(status);
    }
    assert_eq!(names(&mut client, "Mobile+Users"), ["one"]);
}

#[test]
fn a_push_takes_the_folders_that_it_names_and_those_inside() {
    let (_server, mut client) = start();
    for folder in ["Shared", "Mobile Users", "Remote Networks"] {
        profile(&mut client, &format!("in {folder}"), folder);
    }
    push(&mut client, &mobile());
    // What was not pushed goes.
    revert(&mut client);
    assert_eq!(names(&mut client, "Mobile+Users"), ["in Mobile Users"]);
    assert_eq!(names(&mut client, "Remote+Networks"), [""; 0]);
    profile(&mut client, "again", "Remote Networks");
    profile(&mut client, "around", "Shared");
    push(&mut client, &json!({ "folders": ["Prisma Access"] }));
    revert(&mut client);
    assert_eq!(names(&mut client, "Remote+Networks"), ["again"]);
    profile(&mut client, "around", "Shared");
    push(&mut client, &json!({ "folders": ["All"], "admin": ["all"] }));
    assert_eq!(revert(&mut client), "There are no changes to revert.");
}

#[test]
fn a_push_that_breaks_a_rule_fails_and_leaves_the_candidate() {
    let setting = format!("appliances.{APPLIANCE}.check_references=push");
    let server = builder().arg("--set").arg(setting).start();
    let mut client = server.admin();
    let sequence = json!({ "name": "s", "authentication_profiles": ["p"] });
    let all = format!("/sse/config/v1/authentication-sequences{MOBILE}");
    let id = text(&client.post(&all, &sequence).expect(201).at("/id"));
    let failed = push(&mut client, &mobile());
    let failed = job(&mut client, &failed);
    assert_eq!((&failed["status_str"], &failed["result_str"]), (&json!("FIN"), &json!("FAIL")));
    let details: Value = serde_json::from_str(failed["details"].as_str().unwrap()).unwrap();
    assert_eq!(details["errors"].as_array().unwrap().len(), 1);
    assert_eq!(running(&mut client), 1);
    client.get(&format!("/sse/config/v1/authentication-sequences/{id}")).expect(200);
    profile(&mut client, "p", "Mobile Users");
    let done = push(&mut client, &mobile());
    assert_eq!(job(&mut client, &done)["result_str"], "OK");
}

#[test]
fn jobs_are_done_by_polls_in_their_order_and_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let setting = format!("appliances.{APPLIANCE}.job_polls=2");
    let with = builder().arg("--set").arg(setting).serve(folder.path());
    let mut server = with.start();
    let mut client = server.admin();
    profile(&mut client, "one", "Mobile Users");
    let first = push(&mut client, &mobile());
    // After the push was asked for: not part of it.
    let late = profile(&mut client, "late", "Mobile Users");
    let second = push(&mut client, &mobile());
    let found = job(&mut client, &first);
    assert_eq!((&found["status_str"], &found["percent"]), (&json!("ACT"), &json!("99")));
    let jobs = client.get(&format!("{OPERATIONS}/jobs")).expect(200).at("/data");
    let waiting = jobs.as_array().unwrap().iter().find(|one| one["id"] == *second).unwrap();
    assert_eq!(waiting["status_str"], "PEND");
    assert_eq!(running(&mut client), 1);
    assert_eq!(job(&mut client, &first)["status_str"], "FIN");
    server.kill();
    let server = with.start();
    let mut client = server.admin();
    // What was not polled in this process is done at the next look.
    assert_eq!(job(&mut client, &second)["status_str"], "FIN");
    assert_eq!(running(&mut client), 3);
    assert_eq!(revert(&mut client), "There are no changes to revert.");
    client.get(&format!("{PROFILES}/{late}")).expect(200);
}

/// What is pushed is what the candidate was at one moment: each writer changes two objects in
/// turns, so that in every cut the second is at most one step behind the first.
#[test]
fn every_push_is_a_consistent_cut_while_others_write() {
    let (server, mut client) = start();
    let ids: Vec<[String; 2]> = (0..4)
        .map(|n| [0, 1].map(|m| profile(&mut client, &format!("{n}-{m}"), "Mobile Users")))
        .collect();
    thread::scope(|scope| {
        for (n, pair) in ids.iter().enumerate() {
            let mut client = server.admin();
            scope.spawn(move || {
                for step in 1..=20 {
                    for (m, id) in pair.iter().enumerate() {
                        let body =
                            json!({ "name": format!("{n}-{m}"), "user_domain": format!("{step}") });
                        client.put(&format!("{PROFILES}/{id}"), &body).expect(200);
                    }
                }
            });
        }
        let mut client = server.admin();
        scope.spawn(move || {
            for _ in 0..10 {
                let path = format!("{OPERATIONS}/config-versions/candidate:push");
                let status = client.post(&path, &mobile()).status;
                assert!([201, 400].contains(&status), "{status}");
            }
        });
    });
    let newest = running(&mut client);
    for version in 2..=newest {
        let load = format!("{OPERATIONS}/config-versions:load");
        client.post(&load, &json!({ "version": version })).expect(201);
        for pair in &ids {
            let mut step = |id: &String| {
                let found = client.get(&format!("{PROFILES}/{id}")).expect(200).json();
                found["user_domain"].as_str().map_or(0, |step| step.parse::<u32>().unwrap())
            };
            let (first, second) = (step(&pair[0]), step(&pair[1]));
            assert!(first == second || first == second + 1, "{first} and {second}");
        }
    }
}

/// Random writes, pushes, reverts and loads against plain maps.
#[test]
fn random_work_agrees_with_two_plain_maps() {
    const FOLDERS: [&str; 2] = ["Mobile Users", "Remote Networks"];
    type Map = BTreeMap<String, (usize, String)>;
    let (server, mut client) = start();
    let mut others = [server.admin(), server.admin()];
    let (mut candidate, mut live) = (Map::new(), Map::new());
    let mut versions = vec![(1, Map::new())];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % most
    };
    for step in 0..150 {
        let client = &mut others[next(2)];
        let folder = next(2);
        let pick = candidate.keys().nth(next(candidate.len().max(1))).cloned();
        match (next(10), pick) {
            (0..=3, _) => {
                let name = format!("n{step}");
                candidate.insert(profile(client, &name, FOLDERS[folder]), (folder, name));
            }
            (4 | 5, Some(id)) => {
                let name = format!("r{step}");
                client.put(&format!("{PROFILES}/{id}"), &json!({ "name": name })).expect(200);
                candidate.get_mut(&id).unwrap().1 = name;
            }
            (6, Some(id)) => {
                client.delete(&format!("{PROFILES}/{id}")).expect(200);
                candidate.remove(&id);
            }
            (7, _) => {
                let before = live.clone();
                live.retain(|_, (at, _)| *at != folder);
                live.extend(
                    candidate
                        .iter()
                        .filter(|(_, (at, _))| *at == folder)
                        .map(|(k, v)| (k.clone(), v.clone())),
                );
                let path = format!("{OPERATIONS}/config-versions/candidate:push");
                let answer = client.post(&path, &json!({ "folders": [FOLDERS[folder]] }));
                answer.expect(if live == before { 400 } else { 201 });
                if live != before {
                    versions.push((versions.len() + 1, live.clone()));
                }
            }
            (8, _) => {
                revert(client);
                candidate.clone_from(&live);
            }
            (9, _) => {
                let (number, map) = versions[next(versions.len())].clone();
                let load = format!("{OPERATIONS}/config-versions:load");
                client.post(&load, &json!({ "version": number })).expect(201);
                candidate = map;
            }
            _ => {}
        }
    }
    let mut check = |expected: &Map| {
        for (folder, name) in FOLDERS.iter().enumerate() {
            let mut mine: Vec<_> = expected
                .values()
                .filter(|(at, _)| *at == folder)
                .map(|(_, name)| name.clone())
                .collect();
            mine.sort();
            assert_eq!(names(&mut client, &name.replace(' ', "+")), mine);
        }
        revert(&mut client);
    };
    check(&candidate);
    check(&live);
}

#[test]
fn a_push_that_is_killed_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let with = builder().serve(folder.path());
    let (mut made, mut acknowledged) = (0, false);
    for round in 0..6 {
        let mut server = with.start();
        let mut client = server.admin();
        // Nothing of a former push is half there.
        let jobs = client.get(&format!("{OPERATIONS}/jobs?limit=5000")).expect(200).at("/data");
        for one in jobs.as_array().unwrap() {
            assert_eq!(one["status_str"], "FIN", "taken up at the next look");
        }
        revert(&mut client);
        let found = names(&mut client, "Mobile+Users").len();
        assert!(found == made || found + 10 == made, "{found} of {made}");
        assert!(found == made || !acknowledged, "an acknowledged push is there");
        made = found;
        for n in 0..10 {
            profile(&mut client, &format!("{round}-{n}"), "Mobile Users");
        }
        made += 10;
        thread::scope(|scope| {
            let mut pusher = server.admin();
            let pushing = scope.spawn(move || {
                let path = format!("{OPERATIONS}/config-versions/candidate:push");
                let answer = pusher.request("POST", &path).json(&mobile()).try_send();
                answer.is_ok_and(|answer| answer.status == 201)
            });
            // At another moment of the push in each round.
            let mut watcher = server.admin();
            for _ in 0..round {
                watcher.get(&format!("{PROFILES}{MOBILE}&limit=1")).expect(200);
            }
            server.kill();
            acknowledged = pushing.join().unwrap();
        });
    }
}
