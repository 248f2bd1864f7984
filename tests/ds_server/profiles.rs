//! Security profiles: created, listed, read, changed field by field, deleted.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use support::{Server, wait_for};

use crate::{NAME, PROFILES, UNKNOWN, create, field_paths, id_of, ids, sample, started};

// proves: C-02, C-03, C-09
#[test]
fn the_sample_becomes_a_profile() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let shown = admin.get(&path).expect(200).json();
    let mut members: Vec<&String> = shown.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(
        members,
        [
            "allowClientCredentialsGrantType",
            "clientCredentials",
            "creationDate",
            "expiryDate",
            "hasRedirectUriAuthorized",
            "id",
            "isExpired",
            "name",
        ]
    );
    assert_eq!(shown["id"], json!(id_of(&path)));
    assert_eq!(shown["name"], "My security profile");
    assert_eq!(shown["allowClientCredentialsGrantType"], json!(false));
    let mut credentials = sample()["clientCredentials"].take();
    credentials.as_object_mut().unwrap().remove("allowClientCredentialsGrantType");
    assert_eq!(shown["clientCredentials"], credentials);
    assert_eq!(shown["hasRedirectUriAuthorized"], json!(true));
    assert_eq!((&shown["expiryDate"], &shown["isExpired"]), (&Value::Null, &json!(false)));
    let created = shown["creationDate"].as_str().unwrap();
    assert!(is_millis_with_offset(created), "{created}");
}

/// `2021-05-27T06:16:38.603-07:00`
fn is_millis_with_offset(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    ["0000-00-00T00:00:00.000+00:00", "0000-00-00T00:00:00.000-00:00"].contains(&shape.as_str())
}

// proves: C-03
#[test]
fn the_misplaced_switch_has_no_effect_when_it_is_on() {
    let (_server, mut admin) = started();
    let mut profile = sample();
    profile["clientCredentials"]["allowClientCredentialsGrantType"] = json!(true);
    let path = create(&mut admin, &profile);
    let shown = admin.get(&path).expect(200);
    assert_eq!(shown.at("/allowClientCredentialsGrantType"), json!(false));
}

// proves: C-04
#[test]
fn a_client_id_is_taken_once() {
    let (_server, mut admin) = started();
    create(&mut admin, &sample());
    let before = ids(&mut admin);
    admin.post(PROFILES, &sample()).expect(400);
    let mut other = sample();
    other["name"] = json!("Another");
    admin.post(PROFILES, &other).expect(400);
    assert_eq!(ids(&mut admin), before);
    // The name may be taken twice.
    other["clientCredentials"]["id"] = json!("another");
    other["name"] = json!("My security profile");
    create(&mut admin, &other);
}

// proves: C-05
#[test]
fn a_name_alone_gets_credentials() {
    let (_server, mut admin) = started();
    let made: Vec<Value> = ["x", "x"]
        .map(|name| {
            let path = create(&mut admin, &json!({"name": name}));
            admin.get(&path).expect(200).json()
        })
        .into();
    for shown in &made {
        let id = shown["clientCredentials"]["id"].as_str().unwrap();
        let secret = shown["clientCredentials"]["secret"].as_str().unwrap();
        let random = id.strip_prefix("dsserver.").unwrap();
        for text in [random, secret] {
            assert_eq!(text.len(), 32, "{text}");
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
        }
        assert_eq!(shown["clientCredentials"]["authorizedRedirectUris"], json!([]));
        assert_eq!(shown["expiryDate"], Value::Null);
        assert_eq!(shown["hasRedirectUriAuthorized"], json!(false));
    }
    assert_ne!(made[0]["clientCredentials"]["id"], made[1]["clientCredentials"]["id"]);
    assert_ne!(made[0]["clientCredentials"]["secret"], made[1]["clientCredentials"]["secret"]);
}

// proves: C-07
#[test]
fn the_list_is_of_ids() {
    let (_server, mut admin) = started();
    let before = ids(&mut admin);
    let made = ["a", "b", "c"].map(|name| id_of(&create(&mut admin, &json!({"name": name}))));
    assert!(made.is_sorted() && made[0] > before.last().copied().unwrap_or(0));
    assert_eq!(ids(&mut admin), [before.as_slice(), &made].concat());
}

// proves: C-08
#[test]
fn an_unknown_id_is_a_400_on_each_verb() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let before = admin.get(&path).expect(200).json();
    for id in ["999999", "0", "-1", "x", "1.5", "1e0", "0x1", "99999999999999999999999"] {
        let unknown = format!("{PROFILES}/{id}");
        admin.get(&unknown).expect(400);
        admin.delete(&unknown).expect(400);
        for (field, value) in field_paths() {
            admin.patch(&format!("{unknown}/{field}"), &value).expect(400);
        }
    }
    assert_eq!(admin.get(&path).expect(200).json(), before);
    // An unknown path is another thing.
    for path in ["/admin/nothing", "/nothing", "/", &format!("{path}/name")] {
        admin.get(path).expect(404);
    }
}

// proves: C-10, C-11
#[test]
fn a_profile_expires_by_its_date() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let date = format!("{path}/expirydate");
    admin.patch(&date, &json!("2020-01-01T00:00:00Z")).expect(200);
    let shown = admin.get(&path).expect(200);
    assert_eq!(shown.at("/isExpired"), json!(true));
    assert!(shown.at("/expiryDate").is_string());
    admin.patch(&date, &Value::Null).expect(200);
    let shown = admin.get(&path).expect(200);
    assert_eq!((shown.at("/expiryDate"), shown.at("/isExpired")), (Value::Null, json!(false)));
    for future in [
        "2099-01-01T00:00:00Z",
        "2099-01-01T00:00:00+02:00",
        "2099-01-01T00:00:00.123-07:00",
        "2099-01-01T00:00:00",
    ] {
        admin.patch(&date, &json!(future)).expect(200);
        assert_eq!(admin.get(&path).expect(200).at("/isExpired"), json!(false), "{future}");
    }
    let dated = json!({"name": "dated", "expiryDate": "2020-01-01T00:00:00Z"});
    let path = create(&mut admin, &dated);
    assert_eq!(admin.get(&path).expect(200).at("/isExpired"), json!(true));
}

// Input: a date that is about to pass.
// Output: the profile expires by the clock alone, with no write in between.
// proves: C-10
#[test]
#[expect(clippy::disallowed_methods, reason = "a date that is near for the server is near here")]
fn a_profile_expires_while_the_server_runs() {
    let (_server, mut admin) = started();
    let date = (Timestamp::now() + SignedDuration::from_secs(2)).to_string();
    let path = create(&mut admin, &json!({"name": "soon", "expiryDate": date}));
    wait_for("the end of the profile", || {
        admin.get(&path).expect(200).at("/isExpired") == json!(true)
    });
}

// proves: C-12
#[test]
fn a_bad_date_changes_nothing() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let before = admin.get(&path).expect(200).json();
    for bad in [json!(5), json!("tomorrow"), json!(""), json!(true), json!([]), json!({})] {
        admin.patch(&format!("{path}/expirydate"), &bad).expect(400);
    }
    for bad in ["2020-13-01T00:00:00Z", "2020-02-30T00:00:00Z", "2020-01-01T25:00:00Z"] {
        admin.patch(&format!("{path}/expirydate"), &json!(bad)).expect(400);
        admin.post(PROFILES, &json!({"name": "x", "expiryDate": bad})).expect(400);
    }
    assert_eq!(admin.get(&path).expect(200).json(), before);
}

// proves: C-18
#[test]
fn a_deleted_profile_frees_its_client_id_but_not_its_own() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    admin.delete(&path).expect(200);
    assert!(!ids(&mut admin).contains(&id_of(&path)));
    admin.get(&path).expect(400);
    admin.delete(&path).expect(400);
    let again = create(&mut admin, &sample());
    assert!(id_of(&again) > id_of(&path));
}

// Input: profiles made and deleted, a kill, a start on the same directory.
// Output: what was acknowledged is there, and the last id is not given again.
// proves: C-18
#[test]
fn acknowledged_profiles_and_used_ids_outlast_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Server::builder().appliance(NAME).serve(directory.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    let kept = create(&mut admin, &sample());
    let shown = admin.get(&kept).expect(200).json();
    let last = create(&mut admin, &json!({"name": "last"}));
    admin.delete(&last).expect(200);
    server.kill();
    let server = builder.start();
    let mut admin = server.admin();
    assert_eq!(admin.get(&kept).expect(200).json(), shown);
    let next = create(&mut admin, &json!({"name": "next"}));
    assert!(id_of(&next) > id_of(&last));
}

// proves: C-19
#[test]
fn other_methods_are_refused_with_those_that_exist() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let before = admin.get(&path).expect(200).json();
    let allowed = admin.put(&path, &sample()).expect(405);
    let allow = allowed.header("allow").unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("DELETE"), "{allow}");
    admin.patch(&path, &json!({"name": "x"})).expect(405);
    admin.put(PROFILES, &sample()).expect(405);
    admin.delete(PROFILES).expect(405);
    admin.put(&format!("{path}/expirydate"), &Value::Null).expect(405);
    admin.put(UNKNOWN, &sample()).expect(405);
    assert_eq!(admin.get(&path).expect(200).json(), before);
}

// proves: C-20
#[test]
fn the_case_of_a_path_does_not_matter() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &sample());
    let id = id_of(&path);
    let list = admin.get("/Admin/SecurityProfiles").expect(200).json();
    assert_eq!(list, admin.get(PROFILES).expect(200).json());
    let upper = format!("/ADMIN/SECURITYPROFILES/{id}");
    assert_eq!(admin.get(&upper).expect(200).json(), admin.get(&path).expect(200).json());
    let field = format!("/admin/securityProfiles/{id}/allowClientCredentialsGrantType");
    admin.patch(&field, &json!(true)).expect(200);
    let shown = admin.get(&path).expect(200);
    assert_eq!(shown.at("/allowClientCredentialsGrantType"), json!(true));
}
