//! What is sent while others send the same.

use std::thread;

use serde_json::json;

use crate::{MOBILE, PROFILES, profile, start};

#[test]
fn of_parallel_creations_of_one_name_one_succeeds() {
    let (server, _) = start();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let one = |_| {
            let mut client = server.admin();
            scope.spawn(move || {
                client.post(&format!("{PROFILES}{MOBILE}"), &json!({ "name": "p" })).status
            })
        };
        let all: Vec<_> = (0..8).map(one).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
}

#[test]
fn of_parallel_replacements_the_last_one_stands_whole() {
    let (server, mut client) = start();
    let path = format!("{PROFILES}/{}", profile(&mut client, "p", "Mobile Users"));
    thread::scope(|scope| {
        for n in 0..8 {
            let (mut client, path) = (server.admin(), path.clone());
            scope.spawn(move || {
                let body = json!({ "name": format!("p{n}"), "user_domain": format!("p{n}") });
                client.put(&path, &body).expect(200);
            });
        }
    });
    let object = client.get(&path).expect(200).json();
    assert_eq!(object["name"], object["user_domain"]);
}
