//! Letters and digits that cannot be guessed, for credentials, codes and tokens.

use zeroize::Zeroizing;

use crate::failure::Failure;

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The given number of letters and digits.
///
/// # Errors
/// The system gives no random bytes.
pub(super) fn letters(count: usize) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(count));
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while text.len() < count {
        getrandom::fill(&mut *bytes).map_err(|_| Failure::Internal)?;
        // Bytes from 248 on are passed over, or the first letters would come more often.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let left = count - text.len();
        text.extend(fair.take(left).map(|byte| char::from(LETTERS[usize::from(byte % 62)])));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_asked_for_and_never_the_same() {
        let (one, other) = (letters(100).unwrap(), letters(100).unwrap());
        assert_eq!(one.len(), 100);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(*one, *other);
    }
}
