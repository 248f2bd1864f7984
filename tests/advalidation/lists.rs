//! Lists and their pages.

use serde_json::{Value, json};

use crate::{PROFILES, blamed, create, id_of, started, strict};

// proves: A-15
#[test]
fn a_list_has_pages() {
    let (_server, mut admin) = started();
    let empty = admin.get(PROFILES).expect(200);
    assert_eq!(empty.at("/data"), json!([]));
    assert_eq!(empty.at("/meta/pagination/totalCount"), json!(0));
    let made: Vec<u64> = (0..30).map(|_| id_of(&create(&mut admin, PROFILES, &strict()))).collect();
    for (query, count, page, pages, first) in [
        ("", 25, 1, 2, Some(0)),
        ("?page=1", 25, 1, 2, Some(0)),
        ("?page=2", 5, 2, 2, Some(25)),
        ("?limit=10", 10, 1, 3, Some(0)),
        ("?perPage=10", 10, 1, 3, Some(0)),
        ("?limit=7&page=5", 2, 5, 5, Some(28)),
        ("?limit=100", 30, 1, 1, Some(0)),
        ("?limit=1000000000000", 30, 1, 1, Some(0)),
        ("?page=9", 0, 9, 2, None),
        ("?page=18446744073709551615", 0, 18_446_744_073_709_551_615_u64, 2, None),
    ] {
        let list = admin.get(&format!("{PROFILES}{query}")).expect(200);
        let numbers = json!(
            {"count": count, "totalCount": 30, "page": page, "totalPages": pages}
        );
        assert_eq!(list.at("/meta/pagination"), numbers, "{query}");
        let items = list.at("/data");
        let found: Vec<u64> =
            items.as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap()).collect();
        let from = first.unwrap_or(made.len());
        let upto = made.len().min(from + usize::try_from(count).unwrap());
        assert_eq!(found, made[from..upto], "{query}");
    }
}

// Input: parameters that are no numbers, out of bounds, empty, or there twice; `+` is a space.
// Output: a 422 that names the parameter; parameters of another name do not matter.
#[test]
fn bad_parameters_are_named() {
    let (_server, mut admin) = started();
    for value in ["x", "", "0", "-1", "1.5", "1e1", "+1", "%201", "99999999999999999999", "%ff"] {
        for name in ["page", "limit"] {
            let answer = admin.get(&format!("{PROFILES}?{name}={value}"));
            assert_eq!(blamed(&answer), [name], "{name}={value}");
        }
    }
    for (query, name) in
        [("page=1&page=1", "page"), ("limit=1&limit=1", "limit"), ("limit=1&perPage=1", "perPage")]
    {
        assert_eq!(blamed(&admin.get(&format!("{PROFILES}?{query}"))), [name]);
    }
    let both = blamed(&admin.get(&format!("{PROFILES}?page=x&perPage=y")));
    assert_eq!(both, ["page", "perPage"]);
    for query in ["?other=x", "?", "?&", "?=", "?a=+&a=%20", "?page=1&other"] {
        let list = admin.get(&format!("{PROFILES}{query}")).expect(200);
        assert_eq!(list.at("/data"), Value::Array(Vec::new()));
    }
    // `%70age` is `page`.
    assert_eq!(blamed(&admin.get(&format!("{PROFILES}?%70age=x"))), ["page"]);
}

// Input: a profile with eleven rules, one without; the ids have one digit and two.
// Output: the rules of the profile alone, by their numbers, in pages.
#[test]
fn the_rules_of_a_profile_have_pages_too() {
    let (_server, mut admin) = started();
    let [one, other] = [(); 2].map(|()| create(&mut admin, PROFILES, &strict()));
    let rules = format!("{one}/rules");
    let rule = json!({"action": "pass", "type": "custom", "customName": "x"});
    create(&mut admin, &format!("{other}/rules"), &rule);
    let made: Vec<u64> = (0..11).map(|_| id_of(&create(&mut admin, &rules, &rule))).collect();
    let list = admin.get(&format!("{rules}?limit=4&page=3")).expect(200);
    let numbers = json!({"count": 3, "totalCount": 11, "page": 3, "totalPages": 3});
    assert_eq!(list.at("/meta/pagination"), numbers);
    let list = admin.get(&rules).expect(200).at("/data");
    let ids = list.as_array().unwrap().iter().map(|item| item["id"].as_u64().unwrap());
    assert_eq!(ids.collect::<Vec<_>>(), made);
    assert_eq!(blamed(&admin.get(&format!("{rules}?limit=0"))), ["limit"]);
}
