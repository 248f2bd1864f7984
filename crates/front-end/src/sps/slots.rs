//! The five places for firmware: which one runs, what was uploaded into the others, and how a
//! version is read out of an image.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The numbers of the slots.
pub(super) const NUMBERS: std::ops::RangeInclusive<u8> = 1..=5;

/// Where the firmware is that the appliance came with.
const FACTORY: u8 = 1;

/// How much of an image is looked at for its version: the volume descriptor of an ISO image ends
/// before it.
pub(super) const HEAD_BYTES: usize = 34 * 1024;

/// Where the name of the volume is in an ISO 9660 image, behind its mark.
const VOLUME_MARK: std::ops::Range<usize> = 32_769..32_774;
const VOLUME_NAME: std::ops::Range<usize> = 32_808..32_840;

/// How much of another file is looked at.
const TEXT_BYTES: usize = 4 * 1024;

/// An uploaded image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Image {
    /// Its version, such as `7.0.0`.
    pub(super) version: String,
    /// Its size in bytes.
    pub(super) bytes: u64,
    /// The SHA-256 of it, in hexadecimal digits.
    pub(super) sha256: String,
}

/// The slots.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Slots {
    current: u8,
    after_reboot: u8,
    images: BTreeMap<u8, Image>,
    has_factory: bool,
}

impl Default for Slots {
    fn default() -> Self {
        Self { current: FACTORY, after_reboot: FACTORY, images: BTreeMap::new(), has_factory: true }
    }
}

/// What a slot has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// Nothing.
    Empty,
    /// The firmware that the appliance came with.
    Factory,
    /// An uploaded image.
    Uploaded(&'a Image),
}

impl Slots {
    /// The slot whose firmware runs.
    pub(super) fn current(&self) -> u8 {
        self.current
    }

    /// The slot whose firmware runs from the next start on.
    pub(super) fn after_reboot(&self) -> u8 {
        self.after_reboot
    }

    /// What a slot has.
    pub(super) fn content(&self, number: u8) -> Content<'_> {
        match self.images.get(&number) {
            Some(image) => Content::Uploaded(image),
            None if number == FACTORY && self.has_factory => Content::Factory,
            None => Content::Empty,
        }
    }

    /// The image that runs; `None`: the firmware that the appliance came with.
    pub(super) fn running(&self) -> Option<&Image> {
        self.images.get(&self.current)
    }

    /// How many slots have nothing.
    pub(super) fn empty(&self) -> usize {
        NUMBERS.filter(|number| self.content(*number) == Content::Empty).count()
    }

    /// Puts an image into the first empty slot; `None` where there is none.
    pub(super) fn fill(&mut self, image: Image) -> Option<u8> {
        let mut numbers = NUMBERS;
        let number = numbers.find(|number| self.content(*number) == Content::Empty)?;
        self.images.insert(number, image);
        Some(number)
    }

    /// Empties a slot that does not run.
    pub(super) fn clear(&mut self, number: u8) {
        if self.images.remove(&number).is_none() && number == FACTORY {
            self.has_factory = false;
        }
        if self.after_reboot == number {
            self.after_reboot = self.current;
        }
    }

    /// Runs the firmware of a slot.
    pub(super) fn start(&mut self, number: u8) {
        (self.current, self.after_reboot) = (number, number);
    }
}

/// The version that an image names: in the name of its volume where it is an ISO image, near its
/// beginning otherwise.
pub(super) fn version_in(head: &[u8]) -> Option<String> {
    let is_iso = head.get(VOLUME_MARK) == Some(b"CD001");
    let place = match head.get(VOLUME_NAME).filter(|_| is_iso) {
        Some(name) => name,
        None => head.get(..TEXT_BYTES.min(head.len()))?,
    };
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let words = place.split(|byte| !is_part(byte));
    let words = words.filter_map(|word| std::str::from_utf8(word).ok());
    words.map(|word| word.trim_matches('.')).find(|word| parts(word).len() > 2).map(str::to_owned)
}

/// Whether one version comes before another.
pub(super) fn is_older(version: &str, than: &str) -> bool {
    parts(version) < parts(than)
}

// The numbers of a version; none where it is something else.
fn parts(version: &str) -> Vec<u32> {
    let parts: Option<Vec<u32>> = version.split('.').map(|part| part.parse().ok()).collect();
    parts.filter(|parts| parts.len() < 5).unwrap_or_default()
}

/// A version as people write it: `7.1.0` is `7 F1`.
pub(super) fn for_people(version: &str) -> String {
    match parts(version).as_slice() {
        [major, minor, ..] => format!("{major} F{minor}"),
        _ => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(version: &str) -> Image {
        Image { version: version.to_owned(), bytes: 1, sha256: String::new() }
    }

    #[test]
    fn an_upload_fills_the_first_empty_slot_until_there_is_none() {
        let mut slots = Slots::default();
        assert_eq!((slots.empty(), slots.content(1)), (4, Content::Factory));
        let filled: Vec<_> = (0..5).map(|_| slots.fill(image("7.0.0"))).collect();
        assert_eq!(filled, [Some(2), Some(3), Some(4), Some(5), None]);
        slots.start(3);
        assert_eq!(slots.running(), Some(&image("7.0.0")));
        slots.clear(1);
        assert_eq!(slots.content(1), Content::Empty);
        assert_eq!(slots.fill(image("8.0.0")), Some(1));
    }

    #[test]
    fn versions_are_read_out_of_images_and_texts() {
        let mut iso = vec![0; HEAD_BYTES];
        iso[VOLUME_MARK].copy_from_slice(b"CD001");
        iso[VOLUME_NAME].copy_from_slice(b"SPS_7.5.1                       ");
        iso[100..105].copy_from_slice(b"1.2.3");
        assert_eq!(version_in(&iso).as_deref(), Some("7.5.1"));
        assert_eq!(version_in(b"firmware 7.1.0.\n").as_deref(), Some("7.1.0"));
        for none in [&b""[..], b"no version", b"1.2", b"\x00\x01...", b"99999999999.1.1"] {
            assert_eq!(version_in(none), None, "{none:?}");
        }
    }

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert!(is_older("6.9.0", "6.14.0") && !is_older("7.0.0", "7.0.0"));
        assert_eq!(for_people("7.1.0"), "7 F1");
        assert_eq!(for_people("odd"), "odd");
    }
}
