//! Where settings are given: the TOML file, the environment, the flags. Here names and raw values
//! are collected; what they may be is the registry's business.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::problem::{Problem, nearest};
use super::registry;
use super::value::{Secret, SecretKey};
use crate::command::remote;

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

/// Names by which people may look for the secrets, and the variables that hold them.
pub(super) const SECRET_NAMES: &[(&str, &str)] = &[
    ("admin_password", ADMIN_PASSWORD),
    ("login.admin_password", ADMIN_PASSWORD),
    ("login.password", ADMIN_PASSWORD),
    ("secret_key", SECRET_KEY),
    ("secrets.key", SECRET_KEY),
];

pub(super) const PREFIX: &str = "BOXWOOD_";
pub(super) const ADMIN_PASSWORD: &str = "BOXWOOD_ADMIN_PASSWORD";
pub(super) const SECRET_KEY: &str = "BOXWOOD_SECRET_KEY";

/// What only the environment may give.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) admin_password: Option<Secret>,
    pub(super) secret_key: Option<SecretKey>,
}

// ===== the environment =====

/// The variable that gives the setting of that name.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "_").to_uppercase())
}

/// Collects the `BOXWOOD_*` variables, in the order of their names. The password with which
/// commands log in elsewhere is no setting, and none of the daemon's business.
pub(super) fn read_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    given: &mut Vec<Given>,
    problems: &mut Vec<Problem>,
) -> Secrets {
    let mut secrets = Secrets::default();
    let mut ours: Vec<_> = environment
        .into_iter()
        .map(|(variable, value)| (variable.to_string_lossy().into_owned(), value))
        .filter(|(variable, _)| variable.starts_with(PREFIX) && variable != remote::PASSWORD)
        .collect();
    ours.sort();
    for (variable, value) in ours {
        let origin = Origin::Environment(variable.clone());
        let mut refuse = |message: String| {
            problems.push(Problem::new(&variable, origin.clone(), message));
        };
        let setting = registry::REGISTRY.iter().find(|s| self::variable(s.name) == variable);
        if setting.is_none() && variable != ADMIN_PASSWORD && variable != SECRET_KEY {
            let variables: Vec<String> = registry::REGISTRY
                .iter()
                .map(|setting| self::variable(setting.name))
                .chain([ADMIN_PASSWORD.to_owned(), SECRET_KEY.to_owned()])
                .collect();
            refuse(match nearest(&variable, variables.iter().map(String::as_str)) {
                Some(near) => format!("there is no such setting; did you mean {near}?"),
                None => "there is no such setting; `boxwood serve --help` lists them".to_owned(),
            });
            continue;
        }
        let Ok(value) = value.into_string() else {
            refuse("its value is not UTF-8".to_owned());
            continue;
        };
        match setting {
            Some(setting) => given.push(Given {
                name: setting.name.to_owned(),
                raw: Raw::Spelled(value),
                origin,
            }),
            None if variable == ADMIN_PASSWORD && value.is_empty() => {
                refuse("the password is empty; give one, or unset the variable".to_owned());
            }
            None if variable == ADMIN_PASSWORD => {
                secrets.admin_password = Some(Secret::new(value));
            }
            None => match SecretKey::parse(&Zeroizing::new(value)) {
                Ok(key) => secrets.secret_key = Some(key),
                Err(why) => refuse(format!(
                    "the key cannot be used: {why}; `openssl rand -hex 32` makes a good one"
                )),
            },
        }
    }
    secrets
}

// ===== the file =====

/// Collects what the TOML file gives, in the order of its lines. After a mistake in the syntax the
/// rest of the file is read all the same, for the mistakes in it.
pub(super) fn read_file(path: &Path, given: &mut Vec<Given>, problems: &mut Vec<Problem>) {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(why) => {
            problems.push(Problem::new(
                "config",
                Origin::WholeFile(path.display().to_string()),
                format!("the file given by --config cannot be read: {why}"),
            ));
            return;
        }
    };
    read_text(&path.display().to_string(), &text, given, problems);
}

fn read_text(path: &str, text: &str, given: &mut Vec<Given>, problems: &mut Vec<Problem>) {
    let at = |span: Range<usize>| Origin::File {
        path: path.to_owned(),
        line: 1 + text.as_bytes()[..span.start.min(text.len())]
            .iter()
            .filter(|b| **b == b'\n')
            .count(),
    };
    let (table, mistakes) = DeTable::parse_recoverable(text);
    let mut lines_with_mistakes = Vec::new();
    for mistake in mistakes {
        let origin = at(mistake.span().unwrap_or_default());
        // Only the message: the error's own text quotes the line, which may hold anything.
        let message = format!("this is not TOML: {}", mistake.message());
        problems.push(Problem::new("config", origin.clone(), message));
        lines_with_mistakes.push(origin);
    }
    let mut found = Vec::new();
    collect(String::new(), table.get_ref(), &mut found);
    found.sort_by_key(|(_, _, span)| span.start);
    for (name, raw, span) in found {
        let origin = at(span);
        // What the parser made of a broken line is a guess.
        if !lines_with_mistakes.contains(&origin) {
            given.push(Given { name, raw, origin });
        }
    }
}

/// Values by dotted names. A table under the name of a setting yields names below it, and those
/// are unknown, which is what has to be said of them.
fn collect(prefix: String, table: &DeTable<'_>, found: &mut Vec<(String, Raw, Range<usize>)>) {
    for (key, value) in table {
        let name = match prefix.is_empty() {
            true => key.get_ref().to_string(),
            false => format!("{prefix}.{}", key.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(table) => collect(name, table, found),
            _ => found.push((name, raw(value), key.span())),
        }
    }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => Raw::Integer(number.as_str().to_owned(), number.radix()),
        DeValue::Float(number) => Raw::Float(number.as_str().to_owned()),
        DeValue::Boolean(value) => Raw::Switch(*value),
        DeValue::Array(values) => Raw::List(values.iter().map(raw).collect()),
        other => Raw::Other(other.type_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_yields_names_values_and_lines() {
        let text = "listen = [\"https://127.0.0.1:1\"]\n\n[limits]\nheaders = 0x40\nbody_seconds = 0.5\n\
                    [tls]\ncertificate = \"a.pem\"\nlater = 1979-05-27\n";
        let (mut given, mut problems) = (Vec::new(), Vec::new());
        read_text("f.toml", text, &mut given, &mut problems);
        assert_eq!(problems, []);
        let lines: Vec<String> =
            given.iter().map(|g| format!("{} {} {}", g.origin, g.name, g.raw)).collect();
        assert_eq!(
            lines,
            [
                "f.toml:1 listen a list",
                "f.toml:4 limits.headers 0x40",
                "f.toml:5 limits.body_seconds 0.5",
                "f.toml:7 tls.certificate \"a.pem\"",
                "f.toml:8 tls.later of type datetime",
            ]
        );
    }

    #[test]
    fn a_broken_line_does_not_hide_the_rest() {
        let text = "appliance = \n[limits]\nheaders = 3 4\nbody_bytes = 5000\nbody_bytes = 6000\n";
        let (mut given, mut problems) = (Vec::new(), Vec::new());
        read_text("f.toml", text, &mut given, &mut problems);
        let origins: Vec<String> = problems.iter().map(|p| p.origin.to_string()).collect();
        assert_eq!(origins, ["f.toml:1", "f.toml:3", "f.toml:5"], "{problems:?}");
        assert_eq!(given.len(), 1, "{given:?}");
        assert_eq!(given[0].name, "limits.body_bytes");
    }

    #[test]
    fn long_values_are_shown_short() {
        let shown = Raw::Spelled("x".repeat(200)).to_string();
        assert_eq!(shown.len(), 65, "{shown}");
    }
}
