//! The URL and the bar code of a profile. To fetch one is a change: it is kept when that was.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use config_tree::{NodePath, Tree, node_path};
use hyper::StatusCode;
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use transaction_engine::Edit;
use zeroize::Zeroizing;

use super::access::Actor;
use super::objects::existing;
use super::profile::{exports, global_host};
use super::route::Resource;
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::{Failure, Place};

/// The longest text that a QR code can hold, in bytes (ISO/IEC 18004, version 40, level L).
const LONGEST: usize = 2953;

/// Pixels for each module of a QR code, and the modules around it that stay white.
const PIXELS: usize = 4;
const QUIET: usize = 4;

/// As what a profile is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Url,
    Barcode,
}

/// Exports a profile.
pub(super) async fn export(
    appliance: &Appliance,
    actor: &Actor,
    id: &str,
    (form, fallback): (Form, &str),
) -> Result<Answer, Failure> {
    let tree = &appliance.engine.running().tree;
    let path = existing(tree, actor, "Export", (Resource::Profiles, id))?;
    let mut fresh = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *fresh).map_err(|_| Failure::Internal)?;
    let fresh = Zeroizing::new(hex(&*fresh));
    let fallback = fallback.to_owned();
    let change = move |edit: &mut Edit<'_>| {
        let seed = seed(edit, &fresh)?;
        let url = url(edit.tree(), &path, &seed, &fallback)?;
        if form == Form::Barcode && url.len() > LONGEST {
            let message = "is too long for a bar code; fetch the URL";
            return Err(Failure::malformed(message, "/name"));
        }
        record(edit, &path)?;
        Ok(url)
    };
    let url = appliance.autocommit(actor.name(), change).await?;
    let document = match form {
        Form::Url => json!({ "url": *url }),
        Form::Barcode => json!({ "barcode": BASE64_STANDARD.encode(png(&url)?) }),
    };
    Ok(super::json(StatusCode::OK, &document))
}

// Keeps that a profile is exported now.
fn record(edit: &mut Edit<'_>, profile: &NodePath) -> Result<(), Failure> {
    let key = profile.key().ok_or(Failure::Internal)?;
    let time = edit.catalog().time_format().text(edit.now().as_micros());
    let body = json!({ "profile": key.as_str(), "exported": time });
    let path = exports().join(key);
    match edit.tree().body(&path).is_some() {
        true => edit.node_put(&path, body)?,
        false => _ = edit.node_create_with_key(exports(), key, body)?,
    }
    Ok(())
}

// What the keys of this collective are made of; the first time it is `fresh`.
fn seed(edit: &mut Edit<'_>, fresh: &Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    let collective = node_path!("/collective");
    if let Some(seed) = edit.secret_reveal(collective, "/seed") {
        return Ok(seed);
    }
    edit.node_put(collective, json!({ "seed": **fresh }))?;
    Ok(fresh.clone())
}

fn url(
    tree: &Tree,
    path: &NodePath,
    seed: &str,
    fallback: &str,
) -> Result<Zeroizing<String>, Failure> {
    let missing = || Failure::NotFound(Place::Request);
    let profile = tree.body(path).map(config_tree::Body::value).ok_or_else(missing)?;
    if profile["type"] == "Group" {
        return Err(missing());
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = text(&profile["name"]).unwrap_or_default();
    let key_name = text(&profile["spaKeyName"]).unwrap_or_else(|| name.clone());
    let global = || global_host(tree).as_ref().and_then(text);
    let host = text(&profile["hostname"]).or_else(global).unwrap_or_else(|| fallback.to_owned());
    let payload = json!({
        "spa": { "mode": "TCP", "name": key_name, "key": derived(seed, "spa", &key_name) },
        "caFingerprint": derived(seed, "ca", ""),
        "identityProviderName": profile["identityProviderName"],
        "profileName": name,
    });
    let payload = Zeroizing::new(payload.to_string());
    Ok(Zeroizing::new(format!("appgate://{host}/{}", BASE64_STANDARD.encode(&*payload))))
}

// 64 digits that follow from the seed, what they are for, and a name.
fn derived(seed: &str, purpose: &str, name: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [seed, purpose, name] {
        // The length first, so that no two lists of parts give the same bytes.
        hasher.update(u64::try_from(part.len()).unwrap_or_default().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// A QR code as an image in shades of grey.
fn png(text: &str) -> Result<Vec<u8>, Failure> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low).map_err(|_| Failure::Internal)?;
    let modules = usize::try_from(code.size()).map_err(|_| Failure::Internal)? + 2 * QUIET;
    let side = modules * PIXELS;
    let at = |pixel: usize| {
        let module = i32::try_from(pixel / PIXELS).unwrap_or(i32::MAX);
        module - i32::try_from(QUIET).unwrap_or_default()
    };
    let pixels: Vec<u8> = (0..side * side)
        .map(|place| if code.get_module(at(place % side), at(place / side)) { 0 } else { 255 })
        .collect();
    let size = u32::try_from(side).map_err(|_| Failure::Internal)?;
    let mut image = Vec::new();
    let mut encoder = png::Encoder::new(&mut image, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|_| Failure::Internal)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_fits_a_code_and_keys_follow_from_their_names() {
        assert!(png(&"a".repeat(LONGEST)).is_ok());
        assert!(png(&"a".repeat(LONGEST + 1)).is_err());
        let key = derived("seed", "spa", "x");
        assert_eq!(key.len(), 64);
        assert_eq!(key, derived("seed", "spa", "x"));
        for other in
            [derived("seed", "spa", "y"), derived("seed", "ca", "x"), derived("s", "spa", "x")]
        {
            assert_ne!(key, other);
        }
    }
}
