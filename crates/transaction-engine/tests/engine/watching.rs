//! Feeds: each commit once, in order, from the past into the present.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use transaction_engine::{Error, Feed, Next, RevisionNumber};

use crate::fixture::{Fixture, Place, Setup};
use crate::{assert_refused, scenarios};

scenarios![
    a_feed_goes_from_the_past_into_the_present,
    feeds_beside_writers_see_each_commit_once_and_in_order,
    one_who_falls_far_behind_is_cut_off_and_can_go_on,
    a_feed_ends_with_its_engine_and_goes_on_in_the_next,
    a_position_that_is_not_there_is_refused,
];

fn number(n: u64) -> RevisionNumber {
    RevisionNumber::new(n)
}

fn drain(feed: &mut Feed) -> Vec<u64> {
    std::iter::from_fn(|| match feed.pull().unwrap() {
        Next::Revision(record) => Some(record.number.get()),
        _ => None,
    })
    .collect()
}

fn a_feed_goes_from_the_past_into_the_present(place: &Place) {
    let fixture = Setup::default().at(place);
    (1..=4).for_each(|n| assert!(fixture.commit_n("a", n) > 0));
    let fixture = Setup::default().again(fixture, place);
    let woken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&woken);
    let wake = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let mut feed = fixture.engine.watch(number(2), wake).unwrap();
    assert_eq!(drain(&mut feed), [3, 4, 5]);
    assert_eq!(woken.load(Ordering::SeqCst), 0, "the past wakes nobody");
    (5..=7).for_each(|n| assert!(fixture.commit_n("a", n) > 0));
    assert_eq!(woken.load(Ordering::SeqCst), 3);
    match feed.pull().unwrap() {
        Next::Revision(record) => assert_eq!(*record, fixture.record(6)),
        other => panic!("{other:?}"),
    }
    assert_eq!(drain(&mut feed), [7, 8]);
    assert_eq!((feed.pull().unwrap(), feed.position()), (Next::Wait, number(8)));
    assert_eq!(drain(&mut fixture.engine.watch(number(0), || {}).unwrap()), Vec::from_iter(1..=8));
}

fn feeds_beside_writers_see_each_commit_once_and_in_order(place: &Place) {
    const COMMITS: u64 = 150;
    let fixture = Setup::concurrent().at(place);
    std::thread::scope(|scope| {
        for reader in 0..3 {
            let fixture = &fixture;
            scope.spawn(move || read_all(fixture, reader, COMMITS));
        }
        for _ in 0..3 {
            scope.spawn(|| {
                for n in 0..COMMITS / 3 {
                    let session = fixture.opened("writer");
                    fixture.create(&session, json!({ "n": n }));
                    fixture.commit(&session).unwrap();
                }
            });
        }
    });
}

fn read_all(fixture: &Fixture, start: u64, commits: u64) {
    let (told, news) = std::sync::mpsc::channel();
    let from = number(start.min(fixture.number()));
    let wake = move || told.send(()).unwrap_or(());
    let mut feed = fixture.engine.watch(from, wake).unwrap();
    let mut seen = from.get();
    while seen < commits + 1 {
        for number in drain(&mut feed) {
            assert_eq!(number, seen + 1);
            assert!(number <= fixture.number(), "seen before it was visible");
            seen = number;
        }
        if seen < commits + 1 {
            news.recv().unwrap();
        }
    }
}

fn one_who_falls_far_behind_is_cut_off_and_can_go_on(place: &Place) {
    let fixture = Setup::concurrent().at(place);
    let mut slow = fixture.engine.watch(number(0), || {}).unwrap();
    assert_eq!(drain(&mut slow), [1]);
    let sessions: Vec<_> = (0..1100).map(|_| fixture.opened("me")).collect();
    let (done, all) = std::sync::mpsc::channel();
    for session in &sessions {
        fixture.create(session, json!({"n": 0}));
        let done = done.clone();
        fixture.engine.transaction_commit_begin(session, None, move |result| {
            done.send(result.is_ok()).unwrap();
        });
    }
    assert!(all.iter().take(1100).all(|ok| ok), "a slow reader stops nobody");
    assert_eq!(slow.pull().unwrap(), Next::CutOff);
    assert_eq!(slow.position(), number(1));
    let mut again = fixture.engine.watch(slow.position(), || {}).unwrap();
    assert_eq!(
        drain(&mut again),
        Vec::from_iter(2..=1101),
        "far behind from the start is no fault"
    );
}

fn a_feed_ends_with_its_engine_and_goes_on_in_the_next(place: &Place) {
    let fixture = Setup::default().at(place);
    let mut feed = fixture.engine.watch(number(0), || {}).unwrap();
    assert_eq!(drain(&mut feed), [1]);
    fixture.commit_n("a", 1);
    let fixture = Setup::default().again(fixture, place);
    assert_eq!(feed.pull().unwrap(), Next::Closed);
    let mut next = fixture.engine.watch(feed.position(), || {}).unwrap();
    assert_eq!(drain(&mut next), [2]);
}

fn a_position_that_is_not_there_is_refused(place: &Place) {
    let fixture = Setup::default().at(place);
    assert_refused!(fixture.engine.watch(number(2), || {}), Error::NoRevision { .. });
}
