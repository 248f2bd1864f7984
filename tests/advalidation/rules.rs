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
