//! What is wrong with the settings: every mistake, where it was made, and what would be right.

use std::fmt;

use super::registry;
use super::source::{Origin, SECRET_NAMES};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting it concerns, or the name that is no setting.
    pub setting: String,
    /// Where it was given.
    pub origin: Origin,
    /// A sentence without its full stop. Never holds a secret or the value of an unknown name.
    pub message: String,
}

impl Problem {
    /// A mistake in the setting of that name.
    pub fn new(setting: &str, origin: Origin, message: impl Into<String>) -> Problem {
        Problem { setting: setting.to_owned(), origin, message: message.into() }
    }

    /// A name that is no setting, with the one that was probably meant.
    pub(super) fn unknown(name: &str, origin: Origin) -> Problem {
        let message = match SECRET_NAMES.iter().find(|(secret, _)| *secret == name) {
            Some((_, variable)) => {
                format!("`{name}` is a secret and is given only as environment variable {variable}")
            }
            None => match nearest(name, registry::REGISTRY.iter().map(|setting| setting.name)) {
                Some(near) => format!("there is no setting `{name}`; did you mean `{near}`?"),
                None => format!(
                    "there is no setting `{name}`; `boxwood serve --help` lists the settings"
                ),
            },
        };
        Problem::new(name, origin, message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// All mistakes, for standard error: a line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", report(problems))]
pub struct BadSettings {
    /// At least one, in the order file, environment, flags, and then rules about several settings.
    pub problems: Vec<Problem>,
}

fn report(problems: &[Problem]) -> String {
    let mut text = match problems {
        [_] => "a setting cannot be used:".to_owned(),
        _ => format!("{} settings cannot be used:", problems.len()),
    };
    for problem in problems {
        text.push_str(&format!("\n  {problem}"));
    }
    text
}

/// The candidate that differs from `name` in the fewest letters, when it is few enough to be a slip.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let slips = (name.chars().count() / 4).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= slips)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognized_and_other_names_are_not() {
        let check = |name: &str, expect: Option<&str>| {
            let names = registry::REGISTRY.iter().map(|setting| setting.name);
            assert_eq!(nearest(name, names), expect, "{name}");
        };
        check("limits.body_byte", Some("limits.body_bytes"));
        check("limit.headers", Some("limits.headers"));
        check("lsiten", Some("listen"));
        check("tls.privatekey", Some("tls.private_key"));
        check("colour", None);
        check("x", None);
    }
}
