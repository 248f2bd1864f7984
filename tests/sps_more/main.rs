//! What SPS has next to its configuration: firmware, uploads, health, clusters, the session's user.

mod audit;
mod cluster;
mod firmware;
mod logins;
mod plugins;
mod users;

use serde_json::{Value, json};
use support::Client;

/// The configuration's lists.
pub(crate) const PASSWORDS: &str = "/api/configuration/passwords";
pub(crate) const USERS: &str = "/api/configuration/aaa/local_database/users";
pub(crate) const GROUPS: &str = "/api/configuration/aaa/local_database/groups";

/// Makes a user in groups; there must be an open transaction.
pub(crate) fn create_user(admin: &mut Client, name: &str, groups: &[&str]) {
    let key = |answer: support::Response| answer.expect(201).at("/key");
    let password = key(admin.post(PASSWORDS, &json!({"plain": "open sesame"})));
    let user = key(admin.post(USERS, &json!({"name": name, "password": password})));
    for group in groups {
        let all = admin.get(GROUPS).expect(200).at("/items");
        let found =
            all.as_array().expect("a list").iter().find(|item| item["body"]["name"] == *group);
        let members = json!({"name": group, "members": [user]});
        match found {
            Some(item) => {
                admin.put(item["meta"]["href"].as_str().expect("a text"), &members).expect(200)
            }
            None => admin.post(GROUPS, &members).expect(201),
        };
    }
}

/// The texts of a list at a place of a document.
pub(crate) fn texts(list: &Value, member: &str) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    items.map(|item| item[member].as_str().expect("a text").to_owned()).collect()
}
