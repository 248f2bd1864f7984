//! The rules of a profile.

use serde_json::{Value, json};

use crate::{PROFILES, UNKNOWN, blamed, create, data, started, strict, total};

fn custom() -> Value {
    json!({"action": "fail", "type": "custom", "customName": "Tracker"})
}

fn provider() -> Value {
    json!({"action": "pass", "type": "provider", "providerId": 7})
}

#[test]
fn a_rule_is_created_read_changed_and_deleted() {
    let (_server, mut admin) = started();
    let profile = create(&mut admin, PROFILES, &strict());
    let parent = data(&mut admin, &profile);
    let rules = format!("{profile}/rules");
    let custom = create(&mut admin, &rules, &custom());
    let provider = create(&mut admin, &rules, &provider());
    let shown = data(&mut admin, &custom);
    assert_eq!(
        (&shown["action"], &shown["type"], &shown["customName"], &shown["updatedAt"]),
        (&json!("fail"), &json!("custom"), &json!("Tracker"), &Value::Null)
    );
    assert_eq!(data(&mut admin, &provider)["providerId"], json!(7));
    assert_eq!(total(&mut admin, &rules), 2);
    let change = json!({"action": "warn", "customDescription": "why"});
    let changed = admin.patch(&custom, &change).expect(200).at("/data");
    assert_eq!((&changed["action"], &changed["customName"]), (&json!("warn"), &json!("Tracker")));
    assert_eq!(changed["customDescription"], "why");
    assert!(changed["updatedAt"].is_string());
    assert_eq!(data(&mut admin, &custom), changed);
    // The profile is as it was.
    assert_eq!(data(&mut admin, &profile), parent);
    admin.delete(&custom).expect(204);
    admin.get(&custom).expect(404);
    admin.delete(&custom).expect(404);
    assert_eq!(total(&mut admin, &rules), 1);
}

// proves: A-17
#[test]
fn a_rule_has_the_members_of_its_type() {
    let (_server, mut admin) = started();
    let rules = format!("{}/rules", create(&mut admin, PROFILES, &strict()));
    for (body, fields) in [
        (json!({}), vec!["action", "type"]),
        (json!({"action": "pass", "type": "provider"}), vec!["providerId"]),
        (json!({"action": "pass", "type": "custom"}), vec!["customName"]),
        (json!({"action": "block", "type": "custom", "customName": "x"}), vec!["action"]),
        (json!({"action": "pass", "type": "other"}), vec!["type"]),
        (json!({"action": "pass", "type": "provider", "providerId": "7"}), vec!["providerId"]),
        (json!({"action": "pass", "type": "provider", "providerId": 1.5}), vec!["providerId"]),
        (json!({"action": "pass", "type": "provider", "providerId": 5.0}), vec!["providerId"]),
        (json!({"action": "pass", "type": "provider", "providerId": true}), vec!["providerId"]),
        (json!({"action": "pass", "type": "provider", "providerId": null}), vec!["providerId"]),
        (json!({"action": "pass", "type": "provider", "providerId": 1e30}), vec!["providerId"]),
        (json!({"action": "pass", "type": "custom", "customName": 5}), vec!["customName"]),
        (
            json!({"action": "pass", "type": "custom", "customName": "x", "providerId": 7}),
            vec!["providerId"],
        ),
        (
            json!({"action": "pass", "type": "custom", "customName": "x", "customDescription": 5}),
            vec!["customDescription"],
        ),
    ] {
        assert_eq!(blamed(&admin.post(&rules, &body)), fields, "{body}");
    }
    assert_eq!(total(&mut admin, &rules), 0);
    // The merged rule is what is judged, and the missing member what is blamed.
    let rule = create(&mut admin, &rules, &custom());
    let before = data(&mut admin, &rule);
    let answer = admin.patch(&rule, &json!({"type": "provider"}));
    assert!(blamed(&answer).contains(&"providerId".to_owned()), "{answer}");
    assert_eq!(data(&mut admin, &rule), before);
}

// proves: A-18
#[test]
fn a_rule_needs_its_profile() {
    let (_server, mut admin) = started();
    admin.post(&format!("{UNKNOWN}/rules"), &custom()).expect(404);
    admin.post(&format!("{UNKNOWN}/rules"), &json!({})).expect(404);
    admin.get(&format!("{UNKNOWN}/rules/1")).expect(404);
}

// proves: A-19
#[test]
fn a_rule_is_found_through_its_own_profile() {
    let (_server, mut admin) = started();
    let [one, other] = [(); 2].map(|()| create(&mut admin, PROFILES, &strict()));
    let rule = create(&mut admin, &format!("{one}/rules"), &custom());
    let wrong = rule.replace(&one, &other);
    admin.get(&wrong).expect(404);
    admin.patch(&wrong, &json!({"action": "pass"})).expect(404);
    admin.delete(&wrong).expect(404);
    assert_eq!(data(&mut admin, &rule)["action"], "fail");
    assert_eq!(total(&mut admin, &format!("{other}/rules")), 0);
}

// proves: A-20
#[test]
fn a_deleted_profile_takes_its_rules_along() {
    let (_server, mut admin) = started();
    let [one, other] = [(); 2].map(|()| create(&mut admin, PROFILES, &strict()));
    let gone = create(&mut admin, &format!("{one}/rules"), &custom());
    let kept = create(&mut admin, &format!("{other}/rules"), &provider());
    admin.delete(&one).expect(204);
    admin.get(&one).expect(404);
    admin.get(&gone).expect(404);
    admin.get(&format!("{one}/rules")).expect(404);
    admin.delete(&one).expect(404);
    admin.get(&kept).expect(200);
    assert_eq!(total(&mut admin, PROFILES), 1);
}

// Input: changes of the type, and null for members that are optional.
// Output: what belongs to the former type goes with it; null is as good as absent.
#[test]
fn a_rule_can_become_one_of_the_other_type() {
    let (_server, mut admin) = started();
    let rules = format!("{}/rules", create(&mut admin, PROFILES, &strict()));
    let rule = create(&mut admin, &rules, &provider());
    assert_eq!(blamed(&admin.patch(&rule, &json!({"type": "custom"}))), ["customName"]);
    let both = json!({"type": "custom", "customName": "x", "providerId": 7});
    assert_eq!(blamed(&admin.patch(&rule, &both)), ["providerId"]);
    let change = json!({"type": "custom", "customName": "x", "customDescription": "y"});
    let changed = admin.patch(&rule, &change).expect(200).at("/data");
    assert_eq!(changed["providerId"], Value::Null);
    assert_eq!(changed.as_object().unwrap().len(), 8);
    let cleared = admin.patch(&rule, &json!({"customDescription": null})).expect(200);
    assert_eq!(cleared.at("/data/customDescription"), Value::Null);
    assert_eq!(blamed(&admin.patch(&rule, &json!({"customName": null}))), ["customName"]);
    let mut whole = custom();
    whole["providerId"] = Value::Null;
    whole["customDescription"] = Value::Null;
    create(&mut admin, &rules, &whole);
}

// Input: rules are added to profiles while these are deleted.
// Output: each rule is added or finds no profile, and none is left without its profile.
#[test]
fn a_rule_is_not_added_to_a_profile_that_goes() {
    let (server, mut admin) = started();
    for _ in 0..20 {
        let profile = create(&mut admin, PROFILES, &strict());
        let rules = format!("{profile}/rules");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let status = server.admin().post(&rules, &custom()).status;
                    assert!([201, 404].contains(&status), "{status}");
                });
            }
            admin.delete(&profile).expect(204);
        });
    }
    let tree = admin.get("/boxwood/v1/export").expect(200).body;
    let tree = String::from_utf8_lossy(&tree).into_owned();
    assert!(!tree.contains("Tracker"), "{tree}");
}
