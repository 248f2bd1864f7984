//! Readers that do not read: what waits for them is bounded, and the oldest of them are cut off.

use serde_json::json;
use support::{Client, Server, wait_for};

use crate::builder;
use crate::frames::{DATA, HEADERS, PING, Raw, SETTINGS, WINDOW_UPDATE, frame};

const LISTS: &str = "/api/configuration/policies/userlists";
const MIB: usize = 1 << 20;

/// A server whose listing of user lists is somewhat larger than a MiB, and its administrator.
fn server(settings: &[(&str, f64)]) -> (Server, Client) {
    let builder = settings.iter().fold(builder().https(), |builder, (name, value)| {
        builder.set(&format!("limits.{name}"), value)
    });
    let server = builder.start();
    let mut admin = server.admin();
    admin.open().expect(200);
    let note = "x".repeat(8_000);
    for number in 0..140 {
        let list = json!({ "name": format!("list {number}"), "note": note });
        admin.post(LISTS, &list).expect(201);
    }
    admin.commit().expect(200);
    assert!(admin.get(LISTS).expect(200).body.len() > MIB);
    (server, admin)
}

/// A connection whose windows stay shut.
fn shut(server: &Server) -> Raw {
    let mut raw = Raw::new(server);
    assert!(raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])));
    raw
}

/// Asks for the listing on streams of a connection.
fn ask(raw: &mut Raw, streams: impl IntoIterator<Item = u32>, admin: &Client) {
    let cookie = format!("session_id={}", admin.cookie("session_id").unwrap());
    // GET and https by the static table, then path, authority and cookie as literals.
    let mut block = vec![0x82, 0x87];
    for (index, value) in [(&[4][..], LISTS), (&[1], "a"), (&[0x0f, 17], &cookie)] {
        let length = u8::try_from(value.len()).unwrap();
        assert!(length < 127);
        block.extend(index);
        block.push(length);
        block.extend(value.as_bytes());
    }
    for stream in streams {
        assert!(raw.send(&frame(HEADERS, 5, 2 * stream + 1, &block)));
    }
}

/// Counts frames of a kind until a PING comes back.
fn answers(raw: &mut Raw, kind: u8) -> usize {
    assert!(raw.send(&frame(PING, 0, 0, b"barrier.")));
    let mut count = 0;
    loop {
        match raw.next().expect("it is open") {
            (PING, 1, _) => return count,
            (found, ..) if found == kind => count += 1,
            _ => {}
        }
    }
}

// Input: connections of one address that hold more unread answers than an address may.
// Output: the oldest are closed, the youngest is not, and who reads is answered.
#[test]
fn the_oldest_readers_of_an_address_are_cut() {
    let bound = (8 * MIB) as f64;
    let (server, mut admin) = server(&[
        ("waiting_bytes_per_address", bound),
        ("waiting_bytes_per_connection", MIB as f64),
    ]);
    let mut connections: Vec<Raw> = (0..24)
        .map(|_| {
            let mut raw = shut(&server);
            ask(&mut raw, 0..30, &admin);
            // So that each holds its answer before the next one comes.
            wait_for("an answer", || answers(&mut raw, HEADERS) > 0);
            raw
        })
        .collect();
    for raw in &mut connections[..6] {
        while raw.next().is_some() {}
    }
    answers(connections.last_mut().unwrap(), HEADERS);
    assert!(admin.get(LISTS).expect(200).body.len() > MIB);
}

// Input: one connection that asks for sixty listings and reads none, then all.
// Output: it is given one, and the others as it reads.
#[test]
fn a_connection_with_enough_unread_waits_for_more() {
    let (server, mut admin) = server(&[("waiting_bytes_per_connection", MIB as f64)]);
    let mut raw = shut(&server);
    ask(&mut raw, 0..60, &admin);
    let mut heads = 0;
    wait_for("an answer", || {
        heads += answers(&mut raw, HEADERS);
        heads > 0
    });
    admin.get("/api/configuration").expect(200);
    heads += answers(&mut raw, HEADERS);
    // One, and those that others of the daemon's threads made at the same time.
    assert!(heads < 60, "all were given");
    assert!(raw.send(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])));
    assert!(raw.send(&frame(WINDOW_UPDATE, 0, 0, &0x7000_0000_u32.to_be_bytes())));
    let mut bytes = 0;
    while heads < 60 || bytes < 60 * MIB {
        match raw.next().expect("it is open") {
            (HEADERS, ..) => heads += 1,
            (DATA, _, payload) => bytes += payload.len(),
            _ => {}
        }
    }
}

// Input: a peer that keeps its windows shut, and is answered one PING after the other.
// Output: it is closed although it takes bytes all the time.
#[test]
fn a_peer_that_reads_anything_but_its_answer_is_cut() {
    let (server, admin) = server(&[("body_seconds", 0.3), ("header_seconds", 0.3)]);
    let mut raw = shut(&server);
    ask(&mut raw, 0..1, &admin);
    wait_for("its end", || {
        let sent = raw.send(&frame(PING, 0, 0, b"no mark."));
        !sent || raw.next().is_none()
    });
}
