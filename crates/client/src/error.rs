//! Why a command did not do what it was asked to, and what it exits with.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

use crate::http::AgentError;

/// What a command exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// The daemon refused, or something on this machine failed.
    Refused = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The daemon gave no answer, or what answered is not a Boxwood.
    Unreachable = 3,
    /// The state does not allow it: a lock, a conflict, another version.
    Conflict = 4,
}

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing says which daemon to ask.
    #[error("no daemon is named: log in with `boxwood login https://HOST:PORT`, or give --url")]
    NoContext,
    /// The context that is named is not there.
    #[error(
        "there is no context {name:?}{}; `boxwood login --context {name} URL` makes it",
        known(contexts)
    )]
    UnknownContext {
        /// Its name.
        name: String,
        /// Those that are there.
        contexts: Vec<String>,
    },
    /// The command line asks for what does not go together.
    #[error("{0}")]
    Usage(String),
    /// The connection cannot be made with what was given.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// A file of the client cannot be used.
    #[error("{}: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There was no answer, or no whole one.
    #[error("{url} gave no answer: {source}; check that the daemon runs and the URL is right")]
    Unanswered {
        /// Which daemon.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// The answer is not one of Boxwood's.
    #[error("{url} does not answer as a Boxwood does{}", version(found.as_deref()))]
    Stranger {
        /// What was asked.
        url: String,
        /// Which version of its API it has, where it says so.
        found: Option<String>,
    },
    /// The daemon refused.
    #[error("{}", described(problem, hint.as_deref()))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The problem document.
        problem: Value,
        /// What to do, where the client knows more than the daemon.
        hint: Option<String>,
    },
    /// The daemon checked and would refuse; what it would say was printed.
    #[error("the commit would be refused")]
    Invalid,
    /// There is no password.
    #[error("no password: set BOXWOOD_PASSWORD, or give it as the first line of standard input")]
    Password,
    /// Output could not be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl AskError {
    /// What the command exits with.
    #[must_use]
    pub fn exit_status(&self) -> ExitStatus {
        match self {
            Self::Agent(AgentError::Authority { .. }) => ExitStatus::Refused,
            Self::NoContext | Self::UnknownContext { .. } | Self::Usage(_) | Self::Agent(_) => {
                ExitStatus::Usage
            }
            Self::Unanswered { .. } | Self::Stranger { .. } => ExitStatus::Unreachable,
            Self::Refused { status: 409 | 412, .. } => ExitStatus::Conflict,
            _ => ExitStatus::Refused,
        }
    }

    /// Whether nothing is wrong but that the reader of the output went away.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// A file of the client that cannot be used.
    pub(crate) fn file(path: impl Into<PathBuf>, why: impl ToString) -> Self {
        Self::File { path: path.into(), why: why.to_string() }
    }
}

fn known(contexts: &[String]) -> String {
    match contexts {
        [] => String::new(),
        names => format!(" (there are {})", names.join(", ")),
    }
}

fn version(found: Option<&str>) -> String {
    found.map_or_else(String::new, |api| {
        format!(": it has version {api} of the API, and this client needs v1; use the client of that version")
    })
}

/// A problem as lines: what is wrong, each place, what to do.
pub(crate) fn described(problem: &Value, hint: Option<&str>) -> String {
    let text = |name: &str| problem[name].as_str().unwrap_or_default();
    let mut lines = vec![match text("detail") {
        "" => "the daemon refused".to_owned(),
        detail => lower_case(detail),
    }];
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default();
        let edit = error["edit"].as_u64().map(|edit| format!("edit {edit}: "));
        let place = match (part("path"), part("pointer")) {
            ("", "") => String::new(),
            (path, "") => format!("{path}: "),
            (path, pointer) => format!("{path} {pointer}: "),
        };
        let rule = match part("rule") {
            "" => String::new(),
            rule => format!(" [{rule}]"),
        };
        lines.push(format!("  {}{place}{}{rule}", edit.unwrap_or_default(), part("detail")));
    }
    match hint.unwrap_or(text("remedy")) {
        "" => {}
        remedy => lines.push(format!("  {remedy}")),
    }
    lines.join("\n")
}

fn lower_case(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().collect::<String>());
    // A name in capitals stays.
    match letters.clone().next() {
        Some(second) if second.is_uppercase() => text.to_owned(),
        _ => first.unwrap_or_default() + letters.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_told_place_by_place() {
        let problem = json!({
            "detail": "The change breaks rules",
            "errors": [{"detail": "`a` is required", "path": "/x", "pointer": "/a", "rule": "required"}],
            "remedy": "Correct it.",
        });
        let expected =
            "the change breaks rules\n  /x /a: `a` is required [required]\n  Correct it.";
        assert_eq!(described(&problem, None), expected);
        let refused = |status| AskError::Refused { status, problem: json!({}), hint: None };
        assert_eq!(refused(409).exit_status(), ExitStatus::Conflict);
        assert_eq!(refused(404).exit_status(), ExitStatus::Refused);
        assert_eq!(AskError::NoContext.exit_status(), ExitStatus::Usage);
    }
}
