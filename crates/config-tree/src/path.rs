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

/// A path that is known when the program is compiled: `node_path!("/aaa/acls")` is a
/// `&'static NodePath`. A text that is not a path does not compile.
///
/// ```
/// use config_tree::node_path;
/// assert_eq!(node_path!("/aaa/acls").to_string(), "/aaa/acls");
/// ```
///
/// ```compile_fail
/// config_tree::node_path!("aaa/acls");
/// ```
#[macro_export]
macro_rules! node_path {
    ($text:literal) => {{
        const _: () = assert!(
            $crate::path::is_path($text),
            concat!("not a path of a configuration: ", $text)
        );
        static PATH: ::std::sync::LazyLock<$crate::NodePath> =
            ::std::sync::LazyLock::new(|| $crate::path::constant($text));
        &*PATH
    }};
}

/// Whether a text is a path, as [`NodePath::parse`] sees it; can be asked while compiling.
#[must_use]
pub const fn is_path(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes[0] != b'/' {
        return false;
    }
    if bytes.len() == 1 {
        return true;
    }
    let (mut at, mut start, mut depth) = (1, 1, 0);
    while at <= bytes.len() {
        if at == bytes.len() || bytes[at] == b'/' {
            depth += 1;
            if depth > NodePath::MAX_DEPTH || !is_key(bytes, start, at) {
                return false;
            }
            start = at + 1;
        }
        at += 1;
    }
    true
}

// Whether these bytes of a text are a key, as `Key::parse` sees it.
const fn is_key(bytes: &[u8], start: usize, end: usize) -> bool {
    let length = end - start;
    if length == 0 || length > Key::MAX_BYTES || bytes[start] == b'@' {
        return false;
    }
    let dots = bytes[start] == b'.' && (length == 1 || length == 2 && bytes[start + 1] == b'.');
    !dots && !ends_with_order(bytes, start, end) && !has_control(bytes, start, end)
}

const fn ends_with_order(bytes: &[u8], start: usize, end: usize) -> bool {
    const ORDER: &[u8] = b"@order";
    if end - start < ORDER.len() {
        return false;
    }
    let mut at = 0;
    while at < ORDER.len() {
        if bytes[end - ORDER.len() + at] != ORDER[at] {
            return false;
        }
        at += 1;
    }
    true
}

// Control characters are U+0000 to U+001F, U+007F, and U+0080 to U+009F, which is C2 80 to C2 9F.
const fn has_control(bytes: &[u8], start: usize, end: usize) -> bool {
    let mut at = start;
    while at < end {
        let byte = bytes[at];
        let wide = byte == 0xC2 && at + 1 < end && bytes[at + 1] < 0xA0;
        if byte < 0x20 || byte == 0x7F || wide {
            return true;
        }
        at += 1;
    }
    false
}

/// What [`node_path!`] becomes; the text was checked when it was compiled.
///
/// # Panics
/// The text is not a path.
#[doc(hidden)]
#[must_use]
pub fn constant(text: &'static str) -> NodePath {
    NodePath::parse(text).unwrap_or_else(|error| panic!("{text:?} is not a path: {error}"))
}

/// Why a text is not a key or not a path.
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
    #[error("{0:?} is reserved and cannot be used as a key")]
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

    #[test]
    fn a_constant_path_is_the_one_that_is_read() {
        assert_eq!(*node_path!("/aaa/acls"), NodePath::parse("/aaa/acls").unwrap());
        assert!(node_path!("/").is_root());
        let deep = "/a".repeat(33);
        let long = format!("/{}", "x".repeat(256));
        let bad =
            ["", "a", "//", "/a/", "/.", "/../a", "/@a", "/a@order", "/a\u{85}", &deep, &long];
        for text in bad {
            assert!(!is_path(text) && NodePath::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn compiling_and_reading_agree_on_what_a_path_is(
            text in "[/]([a.@/\u{7e}-\u{a1}]|@order|\\.\\.){0,9}",
        ) {
            prop_assert_eq!(is_path(&text), NodePath::parse(&text).is_ok());
        }

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
