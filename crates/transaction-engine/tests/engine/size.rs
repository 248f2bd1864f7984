//! A hundred thousand members in one collection.
//!
//! No time is asserted: were any of these operations O(members), the thousands of them below would
//! take hours instead of seconds, and the suite would not end.

use config_tree::Key;
use serde_json::json;
use transaction_engine::Mode;

use crate::fixture::{Place, Setup, path};

const MEMBERS: i64 = 100_000;

#[test]
fn a_hundred_thousand_members_cost_no_more_than_a_few_each() {
    let setup = Setup { mode: Mode::Concurrent, change_limit: usize::MAX, ..Setup::default() };
    let fixture = setup.at(&Place::in_memory());
    let session = fixture.session("me");
    let things = path("/things");
    let made: Vec<_> = (0..MEMBERS).map(|n| fixture.create(&session, json!({ "n": n }))).collect();
    let before = fixture.number();
    assert_eq!(fixture.commit(&session).unwrap(), before + 1, "one commit");

    let running = fixture.engine.running();
    for pair in made.windows(2) {
        let found = running.tree.neighbours(&pair[0]).unwrap();
        assert_eq!(found.next, pair[1].key());
    }
    for (n, member) in made.iter().enumerate().step_by(500) {
        fixture.engine.node_put(&session, member, json!({ "n": -1 }), None).unwrap();
        fixture.commit(&session).unwrap();
        let thing = member.key().map(Key::as_str);
        fixture.put(&session, "a", json!({"n": n, "thing": thing})).unwrap();
        fixture.commit(&session).unwrap();
        let used = fixture.engine.node_delete(&session, member, None);
        assert!(used.is_err(), "it is referred to");
        fixture.put(&session, "a", json!({ "n": n })).unwrap();
        fixture.engine.node_delete(&session, member, None).unwrap();
        fixture.commit(&session).unwrap();
    }
    let running = fixture.engine.running();
    assert_eq!(running.tree.child_count(&things), made.len() - made.len().div_ceil(500));
    assert!(running.tree.is_consistent());
}
