//! Frames that are answered one for one, or that cost the server more than the client.

use support::{Client, Server};

use crate::frames::{
    CONTINUATION, DATA, GET, HEADERS, PING, PRIORITY, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE,
    frame,
};
use crate::{builder, peak_memory, scaled};

/// More than the server takes by itself, in KiB: far less than what a flood would pile up.
const BOUND: usize = 32 * 1024;

/// A server, and one who has logged in before the attack: that takes memory of its own.
fn server() -> (Server, Client) {
    let server = builder().start();
    let mut other = server.admin();
    other.get("/api/configuration").expect(200);
    (server, other)
}

/// Others are answered, and the memory has not grown by more than the bound.
fn is_well(server: &Server, other: &mut Client, before: usize) {
    other.get("/api/configuration").expect(200);
    let peak = peak_memory(server);
    assert!(peak < before + BOUND, "{peak} KiB, before {before}");
}

/// Sends frames in pieces, each followed by a PING whose answer is awaited, so that no more than a
/// piece is ever on its way. Whether the server took them all.
fn flood(raw: &mut Raw, one: &[u8], count: usize) -> bool {
    const PIECE: usize = 500;
    for piece in 0..count.div_ceil(PIECE) {
        let mark = u64::try_from(piece).unwrap().to_be_bytes();
        let mut bytes = one.repeat(PIECE);
        bytes.extend(frame(PING, 0, 0, &mark));
        if !raw.send(&bytes) {
            return false;
        }
        loop {
            match raw.next() {
                None => return false,
                Some((PING, 1, payload)) if payload == mark => break,
                Some(_) => {}
            }
        }
    }
    true
}

#[test]
fn frames_that_are_answered_one_for_one_stay_cheap() {
    let count = scaled(20_000, 200_000);
    let (server, mut other) = server();
    let before = peak_memory(&server);
    for one in [
        frame(PING, 0, 0, b"no mark."),
        frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0]),
        frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 15]),
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
    ] {
        // Taken to the end, or cut off: both are cheap.
        flood(&mut Raw::new(&server), &one, count);
        is_well(&server, &mut other, before);
    }
}

#[test]
fn pings_whose_answers_are_not_read_do_not_pile_up() {
    let (server, mut other) = server();
    let before = peak_memory(&server);
    let mut raw = Raw::new(&server);
    // Ends when the server reads no more, or cuts the connection off.
    let piece = frame(PING, 0, 0, b"no mark.").repeat(500);
    let sent = (0..scaled(2_000, 20_000)).take_while(|_| raw.send(&piece)).count();
    assert!(sent > 0);
    is_well(&server, &mut other, before);
}

#[test]
fn a_rapid_reset_is_cut_off() {
    let (server, mut other) = server();
    let before = peak_memory(&server);
    let mut raw = Raw::new(&server);
    let limit = u32::try_from(scaled(20_000, 200_000)).unwrap();
    let mut sent = 0;
    for stream in (1..2 * limit).step_by(2) {
        let mut bytes = frame(HEADERS, 5, stream, GET);
        bytes.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        if !raw.send(&bytes) {
            break;
        }
        sent += 1;
    }
    // Where all went out, the end comes with what the server says.
    while raw.next().is_some() {}
    assert!(sent > 0);
    is_well(&server, &mut other, before);
}

#[test]
fn endless_continuations_are_cut_off() {
    let (server, mut other) = server();
    let before = peak_memory(&server);
    let mut raw = Raw::new(&server);
    assert!(raw.send(&frame(HEADERS, 0, 1, GET)));
    // A literal field that is not indexed: one letter and one letter.
    let piece = frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y'].repeat(1000));
    let sent = (0..scaled(2_000, 20_000)).take_while(|_| raw.send(&piece)).count();
    while raw.next().is_some() {}
    assert!(sent < scaled(2_000, 20_000), "all were taken");
    is_well(&server, &mut other, before);
}

#[test]
fn empty_data_stays_cheap() {
    let (server, mut other) = server();
    let before = peak_memory(&server);
    let mut raw = Raw::new(&server);
    assert!(raw.send(&frame(HEADERS, 4, 1, GET)));
    flood(&mut raw, &frame(DATA, 0, 1, &[]), scaled(20_000, 200_000));
    is_well(&server, &mut other, before);
}
