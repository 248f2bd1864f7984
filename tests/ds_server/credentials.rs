//! Who may administer: the fixed name, and the password that can be changed.

use serde_json::json;
use support::Server;

use crate::{NAME, PROFILES, UNKNOWN, create, field_paths, ids, sample, sample_token, started};

const PASSWORD: &str = "/admin/users/admin/password";

// proves: C-01
#[test]
fn administration_needs_the_right_basic_credentials() {
    let (server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let before = ids(&mut admin);
    let mut client = server.client();
    let mut requests = vec![
        ("GET", PROFILES.to_owned()),
        ("POST", PROFILES.to_owned()),
        ("PUT", PROFILES.to_owned()),
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("GET", UNKNOWN.to_owned()),
        ("GET", "/admin/nothing".to_owned()),
        ("GET", "/admin/%ff".to_owned()),
        ("POST", PASSWORD.to_owned()),
    ];
    requests.extend(field_paths().map(|(field, _)| ("PATCH", format!("{path}/{field}"))));
    for (method, path) in requests {
        for given in [
            "",
            "Basic",
            "Basic !",
            "Basic YWRtaW46",
            "Basic YWRtaW4=",
            "Basic cm9vdDphZG1pbg==",
            "Basic YWRtaW46d3Jvbmc=",
            "Basic QURNSU46YWRtaW4=",
            "Bearer YWRtaW46YWRtaW4=",
        ] {
            // A body that is not JSON is looked at later.
            let mut request = client.request(method, &path).text("{", "application/json");
            if !given.is_empty() {
                request = request.header("Authorization", given);
            }
            request.send().expect(401);
        }
    }
    assert_eq!(ids(&mut admin), before);
}

#[test]
fn a_token_does_not_open_administration() {
    let (server, mut admin) = started();
    let path = create(&mut admin, &sample());
    admin.patch(&format!("{path}/allowclientcredentialsgranttype"), &json!(true)).expect(200);
    let token = sample_token(&mut admin).expect(200).at("/access_token");
    let bearer = format!("Bearer {}", token.as_str().unwrap());
    server.client().request("GET", PROFILES).header("Authorization", &bearer).send().expect(401);
}

// proves: C-17
#[test]
fn a_new_password_replaces_the_old_one() {
    let (server, mut admin) = started();
    for bad in [
        json!({"newPassword": "1234567"}),
        json!({"newPassword": ""}),
        json!({"newPassword": 12_345_678}),
        json!({"newPassword": null}),
        json!({}),
        json!([]),
        json!("12345678"),
    ] {
        admin.post(PASSWORD, &bad).expect(400);
        admin.get(PROFILES).expect(200);
    }
    admin.post("/admin/users/other/password", &json!({"newPassword": "12345678"})).expect(400);
    admin.post(PASSWORD, &json!({"newPassword": "12345678"})).expect(200);
    admin.get(PROFILES).expect(401);
    let mut again = server.client_of(NAME).basic("admin", "12345678");
    again.get(PROFILES).expect(200);
    // Eight characters, not eight bytes.
    again.post(PASSWORD, &json!({"newPassword": "äöüäöüä"})).expect(400);
    again.post(PASSWORD, &json!({"newPassword": "äöüäöüäß"})).expect(200);
    server.client_of(NAME).basic("admin", "äöüäöüäß").get(PROFILES).expect(200);
}

// Input: a new password, a kill, a start on the same directory.
// Output: the new password is right and the old one wrong.
// proves: C-17
#[test]
fn a_new_password_outlasts_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Server::builder().appliance(NAME).serve(directory.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    admin.post(PASSWORD, &json!({"newPassword": "another password"})).expect(200);
    server.kill();
    let server = builder.start();
    server.admin().get(PROFILES).expect(401);
    server.client_of(NAME).basic("admin", "another password").get(PROFILES).expect(200);
}
