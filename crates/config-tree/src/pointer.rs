//! The steps of a JSON Pointer (RFC 6901), written and read.
//!
//! A `/` in the name of a member is written `~1` and a `~` is written `~0`. The order of the two
//! replacements matters, so that it is decided here and nowhere else.

use std::borrow::Cow;

/// The name of a member as a step of a pointer, without the slash before it.
#[must_use]
pub fn escape(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        Cow::Owned(name.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(name)
    }
}

/// The name of the member that a step of a pointer means.
#[must_use]
pub fn unescape(step: &str) -> Cow<'_, str> {
    if step.contains('~') {
        Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(step)
    }
}

/// The names that a pointer passes, from the outermost to the innermost.
pub fn steps(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(unescape)
}

/// Goes one step further: adds a member's name to a pointer.
pub fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    pointer.push_str(&escape(name));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_two_characters_that_mean_something_are_escaped() {
        assert_eq!(escape("a/b~c~1"), "a~1b~0c~01");
        assert_eq!(unescape("a~1b~0c~01"), "a/b~c~1");
        assert_eq!(steps("").count(), 0);
        assert_eq!(steps("/a~1b//c").collect::<Vec<_>>(), ["a/b", "", "c"]);
    }

    proptest! {
        #[test]
        fn a_pointer_that_was_pushed_finds_the_member(name in "[~/01a]{0,6}") {
            let mut pointer = String::new();
            push(&mut pointer, &name);
            prop_assert_eq!(steps(&pointer).next().unwrap(), name.as_str());
            let value = json!({ (name): 1 });
            prop_assert_eq!(value.pointer(&pointer), Some(&json!(1)));
        }
    }
}
