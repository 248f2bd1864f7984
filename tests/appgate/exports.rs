//! The URL and the bar code: what is in them, and what fetching them leaves behind.

use serde_json::{Value, json};
use support::{Client, Server};

use crate::{NAME, create, fields, minimal, started};

#[track_caller]
fn url(admin: &mut Client, path: &str) -> String {
    let answer = admin.get(&format!("{path}/url")).expect(200);
    answer.at("/url").as_str().unwrap().to_owned()
}

// Standard base64, with padding.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_usize, 0, Vec::new());
    for digit in text.trim_end_matches('=').bytes() {
        let value = DIGITS.iter().position(|known| *known == digit).unwrap();
        bits = (bits << 6 | value) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).unwrap());
        }
    }
    bytes
}

fn payload(url: &str) -> Value {
    serde_json::from_slice(&decoded(url.split_once(".com/").unwrap().1)).unwrap()
}

// What a reader of QR codes finds in an image.
fn read(image: &[u8]) -> String {
    let mut reader = png::Decoder::new(std::io::Cursor::new(image)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let (width, height) = (info.width as usize, info.height as usize);
    let shade = |x, y| pixels[y * width + x];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
    let codes = image.detect_grids();
    assert_eq!(codes.len(), 1);
    codes[0].decode().unwrap().1
}

// proves: B-21
#[test]
fn an_export_is_recorded_and_is_not_an_update() {
    let (_server, mut admin) = started();
    for form in ["url", "barcode"] {
        let path = create(&mut admin, &minimal(form));
        let mut before = admin.get(&path).expect(200).json();
        assert!(before.get("exported").is_none());
        admin.get(&format!("{path}/{form}")).expect(200);
        let after = admin.get(&path).expect(200).json();
        let exported = after["exported"].as_str().unwrap();
        assert!(exported >= after["created"].as_str().unwrap() && exported.len() == 27);
        before["exported"] = json!(exported);
        assert_eq!(after, before);
    }
}

// proves: B-22, B-30
#[test]
fn a_url_has_the_host_and_the_key_of_its_name() {
    let (_server, mut admin) = started();
    let mut own = minimal("own");
    own["hostname"] = json!("acme.com");
    own["spaKeyName"] = json!("shared");
    let own = create(&mut admin, &own);
    let first = url(&mut admin, &own);
    assert!(first.starts_with("appgate://acme.com/"), "{first}");
    let mut global = minimal("global");
    global["spaKeyName"] = json!("shared");
    let global = create(&mut admin, &global);
    assert!(url(&mut admin, &global).starts_with("appgate://appgate.company.com/"));
    let settings = json!({ "profileHostname": "other.com" });
    admin.put("/admin/global-settings", &settings).expect(204);
    let second = url(&mut admin, &global);
    assert!(second.starts_with("appgate://other.com/"), "{second}");
    assert_eq!(admin.get(&global).expect(200).at("/globalHostname"), "other.com");
    admin.delete("/admin/global-settings").expect(204);
    assert_eq!(admin.get(&global).expect(200).at("/globalHostname"), "appgate.company.com");
    let (one, two) = (payload(&first), payload(&second));
    assert_eq!((&one["spa"], &one["caFingerprint"]), (&two["spa"], &two["caFingerprint"]));
    assert_eq!(one["spa"]["key"].as_str().unwrap().len(), 64);
    assert_eq!(one["profileName"], "own");
    let other = create(&mut admin, &minimal("other"));
    let before = payload(&url(&mut admin, &other));
    assert_ne!(before["spa"]["key"], one["spa"]["key"]);
    admin.delete(&other).expect(204);
    let again = create(&mut admin, &minimal("other"));
    assert!(admin.get(&again).expect(200).json().get("exported").is_none());
    assert_eq!(payload(&url(&mut admin, &again)), before);
}

// proves: B-23
#[test]
fn a_bar_code_is_a_picture_of_the_url() {
    let (_server, mut admin) = started();
    let path = create(&mut admin, &minimal("a"));
    let barcode = admin.get(&format!("{path}/barcode")).expect(200).at("/barcode");
    let image = decoded(barcode.as_str().unwrap());
    assert!(image.starts_with(b"\x89PNG\r\n"));
    assert_eq!(read(&image), url(&mut admin, &path));
    // One that is too long for a code is refused, and not recorded as exported.
    let path = create(&mut admin, &minimal(&"n".repeat(10_000)));
    assert_eq!(fields(&admin.get(&format!("{path}/barcode"))), ["name"]);
    assert!(admin.get(&path).expect(200).json().get("exported").is_none());
    url(&mut admin, &path);
}

#[test]
fn an_export_that_was_answered_outlasts_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Server::builder().appliance(NAME).serve(directory.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    let path = create(&mut admin, &minimal("a"));
    let first = url(&mut admin, &path);
    server.kill();
    let server = builder.start();
    let mut admin = server.admin();
    let shown = admin.get(&path).expect(200).json();
    assert!(shown["exported"].is_string(), "{shown}");
    assert_eq!(url(&mut admin, &path), first);
}
