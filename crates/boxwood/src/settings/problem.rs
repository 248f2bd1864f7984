//! What is wrong with the settings: every mistake, where it was made, and what would be right.

use std::fmt;

use super::raw::Origin;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting it concerns, or the name that is not a setting.
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
