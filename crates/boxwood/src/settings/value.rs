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

/// How many transactions may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionMode {
    /// As the catalog says.
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
