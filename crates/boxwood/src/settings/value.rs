//! The types that settings have beyond numbers and text: each parses once and is right from then on.

use std::fmt;

use zeroize::Zeroizing;

/// Which command is run. `dev` differs from `serve` in defaults and in being loopback only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `boxwood dev`: the local emulator.
    Dev,
    /// `boxwood serve`: the daemon.
    Serve,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
    /// For people when standard error is a terminal, JSON otherwise.
    Auto,
}

impl LogFormat {
    /// The words of the setting.
    pub const WORDS: &[(&str, LogFormat)] =
        &[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
}

/// How many transactions may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionMode {
    /// As the emulated appliance's version does it.
    Auto,
    /// One at a time, opened explicitly.
    Exclusive,
    /// Many, opened by the first change.
    Concurrent,
}

impl TransactionMode {
    /// The words of the setting.
    pub const WORDS: &[(&str, TransactionMode)] = &[
        ("auto", TransactionMode::Auto),
        ("exclusive", TransactionMode::Exclusive),
        ("concurrent", TransactionMode::Concurrent),
    ];
}

/// The appliance to emulate, `sps-6.2`: a product and a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appliance {
    /// As given.
    text: String,
    major: u32,
    minor: u32,
}

impl Appliance {
    /// Reads `product-major.minor`. Whether there is a catalog for it is the catalogs' business.
    ///
    /// # Errors
    ///
    /// A sentence saying what is missing.
    pub fn parse(text: &str) -> Result<Appliance, String> {
        let read = || {
            let (product, version) = text.rsplit_once('-')?;
            let (major, minor) = version.split_once('.')?;
            let named = !product.is_empty() && product.bytes().all(|b| b.is_ascii_lowercase());
            let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
            named.then(|| Appliance { text: text.to_owned(), major, minor })
        };
        read().ok_or_else(|| "it is not a product and a version".to_owned())
    }

    /// As given: `sps-6.2`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// From SPS 6.9 on the first change opens a transaction, and many may be open.
    pub fn has_concurrent_transactions(&self) -> bool {
        (self.major, self.minor) >= (6, 9)
    }

    /// Before the default is applied.
    pub(super) fn unset() -> Appliance {
        Appliance { text: String::new(), major: 0, minor: 0 }
    }
}

impl fmt::Display for Appliance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that is not to be seen: wiped when dropped, and no part of any output.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into custody; a `String` given by value is not copied, and so wiped itself.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The 256-bit key that seals secrets at rest; hidden and wiped as a [`Secret`] is.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// A sentence that does not repeat the text.
    pub fn parse(text: &str) -> Result<SecretKey, String> {
        let mut key = Zeroizing::new([0; 32]);
        let digits = text.trim().as_bytes();
        if digits.len() != 2 * key.len() {
            return Err("it is not 64 hexadecimal digits long".to_owned());
        }
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let digit =
                |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (high, low) = digit(pair[0])
                .zip(digit(pair[1]))
                .ok_or("it has a character that is not a hexadecimal digit")?;
            *byte = high << 4 | low;
        }
        Ok(SecretKey(key))
    }

    /// The key itself, for the one place that needs it.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appliances_and_their_transactions() {
        for (text, concurrent) in
            [("sps-5.7", false), ("sps-6.8", false), ("sps-6.9", true), ("sps-8.0", true)]
        {
            let appliance = Appliance::parse(text).unwrap();
            assert_eq!(appliance.has_concurrent_transactions(), concurrent, "{text}");
            assert_eq!(appliance.to_string(), text);
        }
        for text in ["", "sps", "sps-6", "-6.2", "sps-6.x", "SPS-6.2", "../sps-6.2", "sps-6.2.0"] {
            Appliance::parse(text).expect_err(text);
        }
    }

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(hidden)");
        let digits = "00ff".repeat(16);
        let key = SecretKey::parse(&digits).unwrap();
        assert_eq!(key.expose()[..2], [0x00, 0xff]);
        assert_eq!(format!("{key:?}"), "SecretKey(hidden)");
        for bad in [digits[1..].to_owned(), digits.replace("00", "0x"), "é".repeat(32)] {
            let why = SecretKey::parse(&bad).expect_err("refused");
            assert!(!why.contains(&bad[..4]), "{why}");
        }
    }
}
