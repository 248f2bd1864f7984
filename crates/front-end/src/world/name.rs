//! What a world may be called: whatever can stand before `.localhost` in a URL.

use std::sync::Arc;

use super::{MAIN, WorldRefusal};

/// The longest name, as long as a label of a host name may be.
const LONGEST: usize = 63;

/// A name that a world may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorldName(Arc<str>);

impl WorldName {
    /// Reads the name of a world that is to be made.
    pub(crate) fn parse(text: &str) -> Result<Self, WorldRefusal> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('-')
            && !text.ends_with('-');
        match text {
            MAIN => Err(WorldRefusal::Reserved),
            _ if is_label => Ok(Self(text.into())),
            _ => Err(WorldRefusal::Name),
        }
    }

    /// The text.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label_of_a_host_name() {
        let longest = "a".repeat(LONGEST);
        for good in ["a", "w1", "test-7", "0", &longest, "a--b"] {
            assert_eq!(&*WorldName::parse(good).unwrap().shared(), good);
        }
        let long = "a".repeat(300);
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "a/b", "ü", "a_b", "%61", "a\n", "..", &long]
        {
            assert_eq!(WorldName::parse(bad), Err(WorldRefusal::Name), "{bad}");
        }
        assert_eq!(WorldName::parse("main"), Err(WorldRefusal::Reserved));
    }
}
