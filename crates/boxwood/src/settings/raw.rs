//! Values as the sources give them: not parsed yet, and each with the place where it stands.

use std::fmt;

/// A value that some source gives to a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The dotted name, as given: there may be no such setting.
    pub name: String,
    /// The value.
    pub raw: Raw,
    /// Where it was given.
    pub origin: Origin,
}

/// A value before it is parsed. Environment and flags know text only, the file has types.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// Text that stands for a value of any type: `300`, `true`, `a,b`.
    Spelled(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer: digits and their radix.
    Integer(String, u32),
    /// A TOML float.
    Float(String),
    /// A TOML boolean.
    Switch(bool),
    /// A TOML array, or a flag that was repeated.
    List(Vec<Raw>),
    /// A TOML value of a type no setting has.
    Other(&'static str),
    /// `--set NAME` without a value.
    Missing,
}

impl Raw {
    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Raw::Spelled(text) | Raw::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list: separated by commas where only text can be given.
    pub(super) fn list(&self) -> Option<Vec<&str>> {
        match self {
            Raw::Spelled(text) => Some(text.split(',').map(str::trim).collect()),
            Raw::List(items) => items.iter().map(Raw::text).collect(),
            _ => None,
        }
    }

    /// The text or the list of texts; nothing where it is neither.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            Raw::Text(text) => vec![text],
            _ => self.list().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Spelled(text) | Raw::Text(text) => {
                let shown: String = text.chars().take(60).collect();
                let rest = if shown.len() < text.len() { "..." } else { "" };
                write!(f, "{shown:?}{rest}")
            }
            Raw::Integer(digits, radix) => match radix {
                16 => write!(f, "0x{digits}"),
                8 => write!(f, "0o{digits}"),
                2 => write!(f, "0b{digits}"),
                _ => f.write_str(digits),
            },
            Raw::Float(digits) => f.write_str(digits),
            Raw::Switch(value) => write!(f, "{value}"),
            Raw::List(_) => f.write_str("a list"),
            Raw::Other(kind) => write!(f, "of type {kind}"),
            Raw::Missing => f.write_str("given without =VALUE"),
        }
    }
}

/// Where a value was given, in words that lead a person there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In the file of this path, as a whole.
    WholeFile(String),
    /// In the file, at this line.
    File {
        /// The path, as it was given.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// In this environment variable.
    Environment(String),
    /// By this flag, `--listen` or `--set limits.headers`.
    Flag(String),
}

impl Origin {
    /// How strong the source is.
    pub(super) fn source(&self) -> u8 {
        self.place().0
    }

    /// Sorts problems as a person would look for them: source by source, then by place.
    pub(super) fn place(&self) -> (u8, usize, &str) {
        match self {
            Origin::Default => (0, 0, ""),
            Origin::WholeFile(_) => (1, 0, ""),
            Origin::File { line, .. } => (1, *line, ""),
            Origin::Environment(variable) => (2, 0, variable),
            // In the order given.
            Origin::Flag(_) => (3, 0, ""),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::WholeFile(path) => f.write_str(path),
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Environment(variable) => write!(f, "environment variable {variable}"),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shown_short() {
        let shown = Raw::Spelled("x".repeat(200)).to_string();
        assert_eq!(shown.len(), 65, "{shown}");
    }
}
