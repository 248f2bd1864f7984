//! What the kernel promises, through each API whose requests commit by themselves.
//!
//! One table: how a dialect makes something that is unique, or something at all. A new dialect adds a
//! row.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use serde_json::{Value, json};
use support::{Client, Evidence, Server};

/// One API.
#[derive(Clone, Copy)]
struct Api {
    appliance: &'static str,
    /// Where something is made.
    path: &'static str,
    /// Something of this name.
    body: fn(&str) -> Value,
    /// What success is answered with.
    created: u16,
    /// What a second one of the same name is answered with; `None` where names are not unique.
    taken: Option<u16>,
    /// The names of what is there.
    names: fn(&mut Client) -> BTreeSet<String>,
}

const APIS: [Api; 4] = [
    Api {
        appliance: "advalidation",
        path: "/v2/connection-profiles",
        body: |name| json!({"name": name, "withoutCookiesAction": "pass", "withCookiesAction": "fail"}),
        created: 201,
        taken: None,
        names: |client| {
            let mut names = BTreeSet::new();
            for page in 1.. {
                let path = format!("/v2/connection-profiles?limit=100&page={page}");
                let list = client.get(&path).expect(200).at("/data");
                let before = names.len();
                names.extend(list.as_array().unwrap().iter().map(|one| text(&one["name"])));
                if names.len() == before {
                    break;
                }
            }
            names
        },
    },
    Api {
        appliance: "appgate-sdp",
        path: "/admin/client-profiles",
        body: |name| json!({ "name": name, "identityProviderName": "local" }),
        created: 200,
        taken: Some(409),
        names: |client| {
            let list = client.get("/admin/client-profiles").expect(200).at("/data");
            list.as_array().unwrap().iter().map(|one| text(&one["name"])).collect()
        },
    },
    Api {
        appliance: "ds-server",
        path: "/admin/securityprofiles",
        body: |name| {
            let credentials = json!({ "id": name, "secret": "s", "authorizedRedirectUris": [] });
            json!({ "name": "x", "clientCredentials": credentials })
        },
        created: 200,
        taken: Some(400),
        names: |client| {
            let ids = client.get("/admin/securityprofiles").expect(200).json();
            let profile = |id: &Value| {
                let path = format!("/admin/securityprofiles/{id}");
                text(&client.get(&path).expect(200).at("/clientCredentials/id"))
            };
            ids.as_array().unwrap().iter().map(profile).collect()
        },
    },
    Api {
        appliance: "prisma-access",
        path: "/sse/config/v1/authentication-profiles?folder=Shared",
        body: |name| json!({ "name": name }),
        created: 201,
        taken: Some(409),
        names: |client| {
            let path = "/sse/config/v1/authentication-profiles?folder=Shared&limit=5000";
            let list = client.get(path).expect(200).at("/data");
            list.as_array().unwrap().iter().map(|one| text(&one["name"])).collect()
        },
    },
];

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn of_parallel_creations_of_one_unique_thing_one_succeeds() {
    const CLIENTS: usize = 12;
    for api in APIS {
        let Some(taken) = api.taken else { continue };
        let server = Server::dev_of(&[api.appliance]);
        for round in 0..5 {
            let barrier = Arc::new(Barrier::new(CLIENTS));
            let requests: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    let (barrier, mut client) = (Arc::clone(&barrier), server.admin());
                    thread::spawn(move || {
                        barrier.wait();
                        client.post(api.path, &(api.body)(&format!("round-{round}"))).status
                    })
                })
                .collect();
            let mut answers: Vec<u16> = requests.into_iter().map(|it| it.join().unwrap()).collect();
            answers.sort_unstable_by_key(|status| *status != api.created);
            let mut expected = vec![taken; CLIENTS];
            expected[0] = api.created;
            assert_eq!(answers, expected, "{}", api.appliance);
        }
        assert_eq!((api.names)(&mut server.admin()).len(), 5, "{}", api.appliance);
    }
}

#[test]
fn a_kill_loses_nothing_that_was_acknowledged() {
    const CLIENTS: usize = 6;
    for api in APIS {
        let evidence = Evidence::new();
        let builder = Server::builder().serve(evidence.path().join("data")).http();
        let builder = builder.appliance(api.appliance);
        let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
        for life in 0..3 {
            let mut server = builder.start();
            let writers: Vec<_> = (0..CLIENTS)
                .map(|writer| {
                    let (mut client, acknowledged) = (server.admin(), Arc::clone(&acknowledged));
                    thread::spawn(move || {
                        // Until the server is gone.
                        for number in 0.. {
                            let name = format!("life-{life}-{writer}-{number}");
                            let request = client.request("POST", api.path);
                            match request.json(&(api.body)(&name)).try_send() {
                                Ok(answer) => {
                                    assert_eq!(answer.status, api.created, "{answer}");
                                    acknowledged.lock().unwrap().insert(name);
                                }
                                Err(_) => return,
                            }
                        }
                    })
                })
                .collect();
            let enough = 40 * (life + 1);
            support::wait_for("some are acknowledged", || {
                acknowledged.lock().unwrap().len() >= enough
            });
            server.kill();
            writers.into_iter().for_each(|writer| writer.join().unwrap());
            let server = builder.start();
            let there = (api.names)(&mut server.admin());
            let acknowledged = acknowledged.lock().unwrap();
            let lost: Vec<_> = acknowledged.difference(&there).collect();
            assert!(lost.is_empty(), "{}: lost {lost:?}", api.appliance);
        }
    }
}

/// Rules refer to their profile and go with it: however the two races end, none is left without.
#[test]
fn a_deletion_racing_with_a_new_reference_leaves_nothing_dangling() {
    const PROFILES: &str = "/v2/connection-profiles";
    let server = Server::dev_of(&["advalidation"]);
    let mut admin = server.admin();
    let mut kept = 0;
    for round in 0..30 {
        let profile = json!({
            "name": format!("{round}"), "withoutCookiesAction": "pass", "withCookiesAction": "fail",
        });
        let id = admin.post(PROFILES, &profile).expect(201).at("/data/id");
        let path = format!("{PROFILES}/{id}");
        let barrier = Arc::new(Barrier::new(2));
        let (mut client, rules) = (server.admin(), format!("{path}/rules"));
        let adding = thread::spawn({
            let barrier = Arc::clone(&barrier);
            move || {
                barrier.wait();
                let rule = json!({ "action": "warn", "type": "custom", "customName": "x" });
                client.post(&rules, &rule).status
            }
        });
        barrier.wait();
        admin.delete(&path).expect(204);
        let added = adding.join().unwrap();
        assert!(added == 201 || added == 404, "{added}");
        kept += usize::from(added == 201);
        admin.get(&path).expect(404);
    }
    let mut operator = server.client_of("advalidation").basic("admin", "admin");
    let export = operator.get("/boxwood/v1/export").expect(200).json();
    let nodes = export["nodes"].as_array().unwrap();
    let rules: Vec<_> =
        nodes.iter().filter(|node| text(&node["path"]).contains("rules/")).collect();
    assert!(rules.is_empty(), "after {kept} rules were added: {rules:?}");
}
