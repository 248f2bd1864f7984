//! Lists: ranges, order, free text, filters.

use serde_json::json;

use crate::{PROFILES, create, minimal, names, started};

// proves: B-24, B-25, B-26, B-31
#[test]
fn a_list_is_narrowed_sorted_and_cut() {
    let (_server, mut admin) = started();
    let sorted = ["eu-1", "eu-3", "eu-5", "eu-7", "us-2", "us-4", "us-6", "us-8"];
    for name in sorted.iter().rev() {
        let mut profile = minimal(name);
        profile["notes"] = json!(format!("Note {}", &name[3..]));
        create(&mut admin, &profile);
    }
    let mut list = |query: &str| admin.get(&format!("{PROFILES}{query}")).expect(200).json();
    let whole = list("");
    assert_eq!(names(&whole), sorted);
    assert_eq!((&whole["range"], &whole["totalCount"]), (&json!("0-8/8"), &json!(8)));
    assert_eq!((&whole["orderBy"], &whole["descending"]), (&json!("name"), &json!(false)));
    assert_eq!((&whole["queries"], &whole["filterBy"]), (&json!([]), &json!([])));
    let filtered = list("?name=us");
    assert_eq!(filtered["filterBy"], json!([{ "name": "name", "value": "us" }]));
    assert_eq!(filtered["totalCount"], json!(8));
    for (query, expected, range) in [
        ("?name=us", &sorted[4..], "0-4/4"),
        ("?range=3-5", &sorted[2..5], "3-5/8"),
        ("?range=0-10", &sorted[..], "0-8/8"),
        ("?range=1-1", &sorted[..1], "1-1/8"),
        ("?range=20-30", &[], "20-8/8"),
        ("?range=5-3", &sorted[..], "0-8/8"),
        ("?range=x&orderBy=nothing&descending=no", &sorted[..], "0-8/8"),
        ("?filterBy=map%5Bname%3Aacme%5D", &sorted[..], "0-8/8"),
        ("?query=us-4&orderBy=name&range=0-10", &sorted[5..6], "0-1/1"),
        ("?query=note+4", &sorted[5..6], "0-1/1"),
        ("?query=note%204", &sorted[5..6], "0-1/1"),
        ("?query=us&query=4", &sorted[5..6], "0-1/1"),
        ("?name=us&identityProviderName=nowhere", &[], "0-0/0"),
        ("?%ff=%zz", &sorted[..], "0-8/8"),
    ] {
        let shown = list(query);
        assert_eq!(names(&shown), expected, "{query}");
        assert_eq!(shown["range"], json!(range), "{query}");
    }
    let last = list("?descending=true&range=1-2");
    assert_eq!(names(&last), ["us-8", "us-6"]);
    assert_eq!(list("?query=us&query=4")["queries"], json!(["us", "4"]));
    // A client that pages through all meets each once.
    let mut met = Vec::new();
    for range in ["1-3", "4-6", "7-9"] {
        met.extend(names(&list(&format!("?range={range}"))));
    }
    assert_eq!(met, sorted);
}

// Input: 10,000 profiles, by eight writers.
// Output: a page holds its own profiles and the count of all, wherever it begins.
#[test]
fn ten_thousand_profiles_are_paged() {
    let (server, mut admin) = started();
    let writers = (0..8).map(|writer| {
        let mut client = server.admin();
        std::thread::spawn(move || {
            for number in (writer..10_000).step_by(8) {
                create(&mut client, &minimal(&format!("p-{number:05}")));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.join().unwrap();
    }
    for (from, to) in [(1, 20), (4_991, 5_010), (9_981, 10_000)] {
        let page = admin.get(&format!("{PROFILES}?range={from}-{to}")).expect(200).json();
        let expected: Vec<String> = (from - 1..to).map(|number| format!("p-{number:05}")).collect();
        assert_eq!(names(&page), expected);
        assert_eq!(page["range"], json!(format!("{from}-{to}/10000")));
        assert_eq!(page["totalCount"], json!(10_000));
    }
    let found = admin.get(&format!("{PROFILES}?query=p-0777&range=0-10")).expect(200).json();
    assert_eq!(found["range"], "0-10/10");
}
