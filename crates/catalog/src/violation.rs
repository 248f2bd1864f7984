//! What is wrong, where, by which rule, and what to do about it.
//!
//! A violation is a value and not an error: a list of them is what a check returns. It is made for
//! two readers. A program reads the path, the pointer and the rule's name, which never change their
//! meaning. A person reads the sentence, which names members and what the schema allows but
//! *never the value that was found*: the value may be a secret that was put into the wrong member.

use std::fmt;

use config_tree::NodePath;

/// Which question the rule asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Layer {
    /// Does one body fit its schema?
    Shape,
    /// Does the whole tree hang together?
    Tree,
}

/// One thing that is wrong. Sorted by where it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Violation {
    /// The node whose body is wrong.
    pub path: NodePath,
    /// JSON Pointer (RFC 6901) into the body; empty for the body itself.
    pub pointer: String,
    /// The stable name of the rule, out of [`rule::ALL`].
    pub rule: &'static str,
    /// Which question the rule asks.
    pub layer: Layer,
    /// A sentence without a final stop that a person can act on.
    pub message: String,
    /// The nodes other than `path` that the sentence names: a reader who may not see one of them may
    /// not see the sentence.
    pub also: Vec<NodePath>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, pointer, rule, layer: _, message, also: _ } = self;
        write!(f, "{path}#{pointer}: {message} [{rule}]")
    }
}

/// The names of all rules. They are part of the interface: clients may act on them.
pub mod rule {
    use super::Layer;

    /// The path names nothing that has a body.
    pub const ENDPOINT: &str = "endpoint";
    /// The value is of another JSON type.
    pub const TYPE: &str = "type";
    /// A member is missing.
    pub const REQUIRED: &str = "required";
    /// A member is not known.
    pub const UNKNOWN_MEMBER: &str = "unknown-member";
    /// A member that only the appliance sets was sent.
    pub const READ_ONLY: &str = "read-only";
    /// The key of a new member cannot be what was given.
    pub const KEY: &str = "key";
    /// A known member stands where it may not.
    pub const ABSENT: &str = "absent";
    /// A member must be null, or must not be, because of another member.
    pub const NULL_WHEN: &str = "null-when";
    /// None or several of the members stand there of which one must.
    pub const EXACTLY_ONE_OF: &str = "exactly-one-of";
    /// The tag selects no branch of the union.
    pub const UNION_TAG: &str = "union-tag";
    /// The value is none of the listed ones.
    pub const ENUM: &str = "enum";
    /// The value is not the only allowed one.
    pub const CONST: &str = "const";
    /// The text is too short.
    pub const MIN_LENGTH: &str = "min-length";
    /// The text is too long.
    pub const MAX_LENGTH: &str = "max-length";
    /// The text does not match the pattern.
    pub const PATTERN: &str = "pattern";
    /// The text is not what the format says.
    pub const FORMAT: &str = "format";
    /// The number is too small.
    pub const MINIMUM: &str = "minimum";
    /// The number is too large.
    pub const MAXIMUM: &str = "maximum";
    /// The list is too short.
    pub const MIN_ITEMS: &str = "min-items";
    /// The list is too long.
    pub const MAX_ITEMS: &str = "max-items";
    /// The list names something twice.
    pub const UNIQUE_ITEMS: &str = "unique-items";
    /// `@order` does not name each other member once.
    pub const ORDER: &str = "order";
    /// The value is neither a key nor an embedded reference.
    pub const REFERENCE_FORM: &str = "reference-form";
    /// Certificate and private key are no pair.
    pub const KEY_PAIR: &str = "key-pair";
    /// A certificate of the chain did not issue the one before it.
    pub const ISSUER_CHAIN: &str = "issuer-chain";
    /// The reference names nothing.
    pub const REFERENCE_TARGET: &str = "reference-target";
    /// The target may be referenced once only.
    pub const REFERENCE_EXCLUSIVE: &str = "reference-exclusive";
    /// The references kept with a body are not those that are in it.
    pub const REFERENCE_LIST: &str = "reference-list";
    /// The referenced secret does not satisfy what its user asks of it.
    pub const SECRET_TEXT: &str = "secret-text";
    /// The value occurs in another member of the collection.
    pub const UNIQUE: &str = "unique";
    /// An object or a member that always exists does not.
    pub const OBJECT_MISSING: &str = "object-missing";

    /// Every rule with its layer and its meaning.
    pub const ALL: &[(&str, Layer, &str)] = &[
        (ENDPOINT, Layer::Shape, "the catalog has something with a body at this path"),
        (TYPE, Layer::Shape, "the value has one of the JSON types of `type`"),
        (
            REQUIRED,
            Layer::Shape,
            "the member exists (`required`, `x-required-when`, a union's tag)",
        ),
        (UNKNOWN_MEMBER, Layer::Shape, "the member is known"),
        (KEY, Layer::Shape, "the key that is given for a new member may be used"),
        (READ_ONLY, Layer::Shape, "the member may be sent (`readOnly`, `read_only_members`)"),
        (
            ABSENT,
            Layer::Shape,
            "the member may stand here (`x-switch`, `x-union`, `x-absent-when`)",
        ),
        (NULL_WHEN, Layer::Shape, "the member is null exactly when its condition holds"),
        (EXACTLY_ONE_OF, Layer::Shape, "exactly one of the listed members exists"),
        (UNION_TAG, Layer::Shape, "the tag of the union names one of its branches"),
        (ENUM, Layer::Shape, "the value is one of those listed in `enum`"),
        (CONST, Layer::Shape, "the value is that of `const`"),
        (MIN_LENGTH, Layer::Shape, "the text has at least `minLength` characters"),
        (MAX_LENGTH, Layer::Shape, "the text has at most `maxLength` characters"),
        (PATTERN, Layer::Shape, "the text matches `pattern`"),
        (FORMAT, Layer::Shape, "the text is of the `format`"),
        (MINIMUM, Layer::Shape, "the number is at least `minimum`"),
        (MAXIMUM, Layer::Shape, "the number is at most `maximum`"),
        (MIN_ITEMS, Layer::Shape, "the list has at least `minItems` items"),
        (MAX_ITEMS, Layer::Shape, "the list has at most `maxItems` items"),
        (UNIQUE_ITEMS, Layer::Shape, "no item of the list repeats an earlier one"),
        (ORDER, Layer::Shape, "`@order` names every other member exactly once"),
        (REFERENCE_FORM, Layer::Shape, "a reference is a key, or an object of `key` and `meta`"),
        (KEY_PAIR, Layer::Shape, "the private key belongs to the certificate"),
        (ISSUER_CHAIN, Layer::Shape, "each certificate of the chain issued the one before it"),
        (REFERENCE_TARGET, Layer::Tree, "the referenced member exists in the right collection"),
        (REFERENCE_EXCLUSIVE, Layer::Tree, "a member of an exclusive collection has one referrer"),
        (
            REFERENCE_LIST,
            Layer::Tree,
            "the list of references kept with a body is that of its text",
        ),
        (SECRET_TEXT, Layer::Tree, "the text of the referenced secret is as its user needs it"),
        (UNIQUE, Layer::Tree, "the value occurs once in the collection"),
        (
            OBJECT_MISSING,
            Layer::Tree,
            "every object and every built-in member of the catalog exists",
        ),
    ];

    #[cfg(test)]
    #[test]
    fn names_are_kebab_case_and_listed_once() {
        let mut names: Vec<_> = ALL.iter().map(|(name, ..)| *name).collect();
        assert!(names.iter().all(|n| n.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[cfg(test)]
    #[test]
    fn the_manual_lists_each_rule_with_its_layer() {
        let manual = include_str!("../../../docs/CATALOG.md");
        for (name, layer, meaning) in ALL {
            let row = format!("| `{name}` | {} | {meaning} |", format!("{layer:?}").to_lowercase());
            assert!(manual.contains(&row), "docs/CATALOG.md lacks: {row}");
        }
    }
}
