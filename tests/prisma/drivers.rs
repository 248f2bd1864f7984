//! Clients that behave as the public ones do, each in the way that the reference tells of it. The
//! public ones themselves need toolchains that are not here.

use serde_json::{Value, json};
use support::{Client, Response};

use crate::{CURRENT, LEGACY, refused, start, text};

/// The legacy kind: the folder in query and body, an empty `id`, the first of `data` by name.
fn legacy_round(client: &mut Client) {
    let all = format!("{LEGACY}/authentication-profiles?folder=Mobile+Users");
    let mut object = json!({ "id": "", "name": "legacy", "folder": "Mobile Users" });
    let made = client.post(&all, &object);
    assert!([200, 201].contains(&made.status), "{}", made.text());
    object = made.json();
    let one = |object: &Value| {
        let id = text(&object["id"]);
        format!("{LEGACY}/authentication-profiles/{id}?folder=Mobile+Users")
    };
    assert_eq!(client.get(&one(&object)).expect(200).json(), object);
    let found = client.get(&format!("{all}&name=legacy&limit=2000&offset=0")).expect(200);
    assert_eq!(found.at("/data/0"), object);
    object["user_domain"] = json!("example");
    assert_eq!(client.put(&one(&object), &object).expect(200).json(), object);
    refused(client.post(&all, &object), 409, "E006", "Name Not Unique");
    let push = format!("{LEGACY}/config-versions/candidate:push");
    let pushed = client.post(&push, &json!({ "folders": ["Mobile Users"], "description": "" }));
    finished(client, LEGACY, &pushed.expect(201));
    assert_eq!(client.delete(&one(&object)).expect(200).json(), object);
    refused(client.get(&one(&object)), 404, "E005", "Object Not Present");
}

/// The current kind: exactly one container in the body, large pages, replies held to a model that
/// knows no members of its own inside `method` and `lockout`, and jobs with all their members.
fn current_round(client: &mut Client) {
    let all = format!("{CURRENT}/authentication-profiles");
    let body = json!({
        "name": "current", "folder": "All", "lockout": { "failed_attempts": 3 },
        "method": { "ldap": { "login_attribute": "uid" } },
    });
    let made = client.post(&all, &body).expect(201);
    let id = text(&made.at("/id"));
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    for name in ["method", "lockout"] {
        assert_eq!(made.at(&format!("/{name}")), body[name], "nothing is added inside");
    }
    assert!(!made.text().contains("null"), "what is not set is left out");
    let list = client.get(&format!("{all}?folder=All&limit=2500&offset=0")).expect(200);
    assert_eq!(list.at("/total"), 1);
    let found = client.get(&format!("{all}?folder=All&name=current")).expect(200).json();
    assert_eq!(found, made.json());
    let mut changed = found;
    changed["allow_list"] = json!(["a"]);
    client.put(&format!("{all}/{id}"), &changed).expect(200);
    let operations = "/config/operations/v1";
    let body = json!({ "folders": ["All"], "admin": ["admin"], "description": "by the client" });
    let pushed = client.post(&format!("{operations}/config-versions/candidate:push"), &body);
    finished(client, operations, &pushed.expect(201));
    client.delete(&format!("{all}/{id}")).expect(200);
}

/// Waits for a job as clients do: by its state and its result.
fn finished(client: &mut Client, base: &str, pushed: &Response) {
    let job = client.get(&format!("{base}/jobs/{}", text(&pushed.at("/job_id")))).expect(200);
    let job = job.at("/data/0");
    assert_eq!((&job["status_str"], &job["result_str"]), (&json!("FIN"), &json!("OK")));
}

/// The kind that looks by name and makes what it does not find.
fn set(client: &mut Client, name: &str, domain: &str) -> u16 {
    let all = format!("{CURRENT}/authentication-profiles");
    let found = client.get(&format!("{all}?folder=All&name={name}"));
    let mut body = json!({ "name": name, "folder": "All", "user_domain": domain });
    if found.status == 404 {
        return client.post(&all, &body).status;
    }
    let found = found.expect(200).json();
    body["id"] = found["id"].clone();
    client.put(&format!("{all}/{}", text(&found["id"])), &body).status
}

#[test]
fn each_kind_of_client_finishes_its_round() {
    let (_server, mut client) = start();
    legacy_round(&mut client);
    current_round(&mut client);
    assert_eq!([set(&mut client, "s", "one"), set(&mut client, "s", "two")], [201, 200]);
    let shown = client.get(&format!("{CURRENT}/authentication-profiles?folder=All&name=s"));
    assert_eq!(shown.expect(200).at("/user_domain"), "two");
}
