//! What an object holds: canonical JSON text, and where it points.
//!
//! Text and not a value tree, because a body is shown, hashed and stored far more often than it is
//! changed, and a million value trees cost several times the memory. Members are sorted, no space
//! is wasted, so equal bodies have equal text. References are the *bare keys* of their targets in
//! the text, and are listed next to it, so that no one needs the schema to find them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::path::NodePath;
use crate::pointer;

/// A place in a body that names another node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reference {
    /// JSON Pointer (RFC 6901) into the body; `/smtp_auth/password`.
    pub pointer: String,
    /// The node that is named.
    pub target: NodePath,
    /// The steps inside the target's body, where only a part of it is named.
    pub fragment: Option<String>,
}

/// The content of an object or a member. Cloning costs a pointer.
#[derive(Clone)]
pub struct Body(Arc<Inner>);

struct Inner {
    text: Bytes,
    references: Box<[Reference]>,
    // How APIs show this body. Sharing invalidates: a changed node has another body, and with it
    // an empty cache.
    shown: Slot,
}

// Boxed, because most bodies of a large tree are never shown: an empty slot is small.
type Slot = OnceLock<Box<Cached>>;

/// What one renderer made, and the slot of the next one.
struct Cached {
    renderer: Renderer,
    shown: Shown,
    next: Slot,
}

/// One way to show bodies, by a number that no other way in the process has.
///
/// A body can be shown by several APIs at once, each in its own form. The number keeps one from
/// being given what another one made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Renderer(u8);

impl Renderer {
    /// The renderer of this number.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number)
    }
}

/// A body as it is shown.
#[derive(Debug)]
pub struct Shown {
    /// The JSON text.
    pub text: Bytes,
    /// Equal for equal text, and for no other: the beginning of its BLAKE3 hash.
    pub tag: [u8; 16],
}

impl Shown {
    fn new(text: Bytes) -> Self {
        let mut tag = [0; 16];
        tag.copy_from_slice(&blake3::hash(&text).as_bytes()[..16]);
        Self { text, tag }
    }
}

impl Body {
    /// Keeps a value with the references found in it.
    #[must_use]
    pub fn new(value: &Value, references: Vec<Reference>) -> Self {
        // `Value` keeps its members sorted (no `preserve_order`), which makes the text canonical.
        Self::from_text(Bytes::from(value.to_string()), references)
    }

    /// Keeps text that [`Body::text`] gave earlier, as a store does. The text is not checked.
    #[must_use]
    pub fn from_text(text: Bytes, references: Vec<Reference>) -> Self {
        Self(Arc::new(Inner { text, references: references.into(), shown: Slot::new() }))
    }

    /// The canonical JSON text, references as bare keys, secrets sealed.
    #[must_use]
    pub fn text(&self) -> &str {
        // Both constructors take JSON text; a store that read other bytes refused them before.
        let text = std::str::from_utf8(&self.0.text);
        debug_assert!(text.is_ok(), "a body is not text");
        text.unwrap_or("null")
    }

    /// The text as shared bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.text
    }

    /// The text parsed. Costs an allocation per member; reads do not need it.
    #[must_use]
    pub fn value(&self) -> Value {
        let value = serde_json::from_slice(&self.0.text);
        debug_assert!(value.is_ok(), "a body is not JSON");
        value.unwrap_or(Value::Null)
    }

    /// The value at a JSON Pointer. Of an object, only the member in which it lies is made.
    #[must_use]
    pub fn value_at(&self, pointer: &str) -> Option<Value> {
        let members: Result<BTreeMap<&str, &RawValue>, _> = serde_json::from_slice(&self.0.text);
        match (pointer.strip_prefix('/'), members) {
            (Some(steps), Ok(members)) => {
                let end = steps.find('/').unwrap_or(steps.len());
                let name = pointer::unescape(&steps[..end]);
                let member: Value = serde_json::from_str(members.get(&*name)?.get()).ok()?;
                member.pointer(&steps[end..]).cloned()
            }
            // No object, or one with a name that is written with an escape and cannot be borrowed.
            _ => self.value().pointer(pointer).cloned(),
        }
    }

    /// What this body points to.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.0.references
    }

    /// The form in which a renderer shows the body, made by `show` the first time the renderer
    /// asks for it.
    #[must_use]
    pub fn shown(&self, renderer: Renderer, show: impl Fn(&Self) -> Bytes) -> &Shown {
        let mut slot = &self.0.shown;
        loop {
            let cached = slot.get_or_init(|| {
                let shown = Shown::new(show(self));
                Box::new(Cached { renderer, shown, next: Slot::new() })
            });
            if cached.renderer == renderer {
                return &cached.shown;
            }
            slot = &cached.next;
        }
    }

    /// Whether both are the same body in memory, which implies equality.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
            || (self.0.text == other.0.text && self.0.references == other.0.references)
    }
}

impl Eq for Body {}

impl fmt::Debug for Body {
    // A body may hold what was a secret a moment ago; its size says enough in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes, {} references)", self.0.text.len(), self.0.references.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_values_have_equal_text_whatever_their_order() {
        let a = serde_json::from_str::<Value>(r#"{"b": 1, "a": {"d": null, "c": []}}"#).unwrap();
        let b = json!({"a": {"c": [], "d": null}, "b": 1});
        assert_eq!(Body::new(&a, Vec::new()), Body::new(&b, Vec::new()));
        assert_eq!(Body::new(&a, Vec::new()).text(), r#"{"a":{"c":[],"d":null},"b":1}"#);
    }

    #[test]
    fn a_pointer_finds_what_it_finds_in_the_whole_value() {
        let texts = [
            r#"{"a":{"b":[1,{"c":"x"}]},"n":null,"m~/":2,"":3}"#,
            r#"{"a":1,"a":{"b":7}}"#,
            "{\"a\\n\":{\"b\":1},\"a\":2}",
            r#"[{"a":5}]"#,
            r#""text""#,
        ];
        let pointers =
            ["", "/", "/a", "/a/b", "/a/b/1/c", "/n", "/m~0~1", "/0/a", "/x", "a", "/a\n/b"];
        for (text, pointer) in texts.iter().flat_map(|text| pointers.map(|pointer| (text, pointer)))
        {
            let body = Body::from_text(Bytes::from_static(text.as_bytes()), Vec::new());
            let whole = body.value().pointer(pointer).cloned();
            assert_eq!(body.value_at(pointer), whole, "{pointer} in {text}");
        }
    }

    #[test]
    fn debug_shows_no_content() {
        let body = Body::new(&json!({"plain": "hunter2"}), Vec::new());
        assert!(!format!("{body:?}").contains("hunter2"));
    }

    #[test]
    fn the_shown_form_is_made_once_and_shared_by_clones() {
        let body = Body::new(&json!(1), Vec::new());
        let one = Renderer::new(1);
        assert_eq!(body.clone().shown(one, |_| Bytes::from_static(b"one")).text, "one");
        assert_eq!(body.shown(one, |_| unreachable!("cached")).text, "one");
        assert_ne!(body.shown(one, |_| unreachable!("cached")).tag, Shown::new(Bytes::new()).tag);
    }

    #[test]
    fn each_renderer_is_given_what_it_made_itself() {
        let body = Body::new(&json!(1), Vec::new());
        let names = ["first", "second", "third"];
        for (number, name) in (0..).zip(names) {
            let made = body.shown(Renderer::new(number), |_| Bytes::from_static(name.as_bytes()));
            assert_eq!(made.text, name);
        }
        for (number, name) in (0..).zip(names) {
            let kept = body.shown(Renderer::new(number), |_| unreachable!("cached"));
            assert_eq!(kept.text, name);
        }
    }

    #[test]
    fn a_body_that_was_never_shown_has_little_room_for_it() {
        assert!(size_of::<Slot>() <= 16);
        assert!(size_of::<Inner>() <= 64);
    }
}
