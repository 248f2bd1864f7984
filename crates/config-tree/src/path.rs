//! Where a node stands: [`Key`] is one step, [`NodePath`] the steps from the root.
//!
//! [`NodePath::parse`] is the only code that splits on `/`. Inside, a path is a list of checked
//! keys, so no check is repeated and no separator can be smuggled in by a client. Paths here are
//! relative to the configuration root; the prefix under which an API shows them
//! (`/api/configuration`) belongs to that API.

use std::fmt;
use std::sync::Arc;

/// One step of a path: the name of a fixed child or the key of a member.
///
/// Never empty, at most [`Key::MAX_BYTES`] long, without `/`, without control characters, not `.`
/// or `..`, not starting with `@`, and not ending with `@order` (reserved for the order of a
/// collection, as in `connections/@order` and `connections@order`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The longest key in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Checks a text and makes a key of it.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(PathError::TooLong);
        }
        if text == "." || text == ".." || text.starts_with('@') || text.ends_with("@order") {
            return Err(PathError::Reserved(text.to_owned()));
        }
        // Most keys are plain ASCII; without branches, many bytes are looked at at once.
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'/');
        if text.bytes().fold(true, |all, byte| all & is_plain(byte)) {
            return Ok(Self(text.into()));
        }
        match text.chars().find(|c| *c == '/' || c.is_control()) {
            Some(c) => Err(PathError::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The way from the root to a node. Cloning costs a pointer; the root is the empty path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodePath(Arc<[Key]>);

impl NodePath {
    /// The most steps a path may have.
    pub const MAX_DEPTH: usize = 32;

    /// The path of the root.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from([]))
    }

    /// Reads `/management/email`; `/` is the root.
    ///
    /// # Errors
    /// A path must start with `/`; its steps must be keys, at most [`NodePath::MAX_DEPTH`].
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathError::NotAbsolute(text.to_owned()));
        };
        if rest.is_empty() {
            return Ok(Self::root());
        }
        Self::from_segments(rest.split('/'))
    }

    /// Makes a path of texts that were split and decoded elsewhere.
    ///
    /// # Errors
    /// The texts must be keys, at most [`NodePath::MAX_DEPTH`].
    pub fn from_segments<'a>(
        segments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, PathError> {
        let keys: Vec<Key> = segments.into_iter().map(Key::parse).collect::<Result<_, _>>()?;
        if keys.len() > Self::MAX_DEPTH { Err(PathError::TooDeep) } else { Ok(Self(keys.into())) }
    }

    /// The steps from the root.
    #[must_use]
    pub fn segments(&self) -> &[Key] {
        &self.0
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The last step; `None` for the root.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.0.last()
    }

    /// The path without its last step; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, front) = self.0.split_last()?;
        Some(Self(front.into()))
    }

    /// The path one step further.
    #[must_use]
    pub fn join(&self, key: &Key) -> Self {
        Self(self.0.iter().chain([key]).cloned().collect())
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|key| write!(f, "/{key}"))
    }
}

impl fmt::Debug for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodePath({self})")
    }
}

/// Why a text is no key or no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A step without a character.
    #[error("a key may not be empty")]
    Empty,
    /// A step beyond [`Key::MAX_BYTES`].
    #[error("a key may not be longer than {} bytes", Key::MAX_BYTES)]
    TooLong,
    /// A slash or a control character inside a key.
    #[error("a key may not contain the character {0:?}")]
    Character(char),
    /// `.`, `..`, or a text that starts with `@` or ends with `@order`.
    #[error("{0:?} is reserved and no key")]
    Reserved(String),
    /// No leading slash.
    #[error("a path starts with a slash, {0:?} does not")]
    NotAbsolute(String),
    /// Beyond [`NodePath::MAX_DEPTH`] steps.
    #[error("a path may not have more than {} steps", NodePath::MAX_DEPTH)]
    TooDeep,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_that_would_confuse_a_path_are_refused() {
        for bad in ["", "a/b", ".", "..", "@order", "a@order", "a\0b", "a\nb", &"x".repeat(256)] {
            assert!(Key::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["-301", "nic1", "a.b", "Ünï", "a b", "a@b", "a@orders", "%2F"] {
            assert_eq!(Key::parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn paths_are_absolute_and_not_too_deep() {
        assert!(NodePath::parse("/").unwrap().is_root());
        assert_eq!(NodePath::parse("a"), Err(PathError::NotAbsolute("a".into())));
        assert_eq!(NodePath::parse("//a"), Err(PathError::Empty));
        assert_eq!(NodePath::parse("/a/"), Err(PathError::Empty));
        assert_eq!(NodePath::parse(&"/a".repeat(33)), Err(PathError::TooDeep));
    }

    proptest! {
        #[test]
        fn a_path_reads_back_as_written(keys in prop::collection::vec("[^/@\\p{C}][^/\\p{C}]{0,9}", 0..8)) {
            prop_assume!(keys.iter().all(|k| k != "." && k != ".."));
            let path = NodePath::from_segments(keys.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(&NodePath::parse(&path.to_string()).unwrap(), &path);
            if let (Some(parent), Some(key)) = (path.parent(), path.key()) {
                prop_assert_eq!(&parent.join(key), &path);
                prop_assert!(path.starts_with(&parent) && !parent.starts_with(&path));
            }
        }

        #[test]
        fn any_text_is_refused_or_reads_back(text in "\\PC{0,40}") {
            if let Ok(path) = NodePath::parse(&text) {
                prop_assert_eq!(path.to_string(), text);
            }
        }
    }
}
