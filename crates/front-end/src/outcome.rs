//! A request that has been answered, and what the log says of it in addition.

use std::sync::Arc;

use crate::answer::Answer;

/// An answered request.
pub(crate) struct Outcome {
    /// What was asked for, by the name that every layer uses.
    pub(crate) verb: &'static str,
    pub(crate) answer: Answer,
    /// The name of the session, where there is one.
    pub(crate) session: Option<Arc<str>>,
    /// Why it was refused: the kind for programs, and the sentence.
    pub(crate) refusal: Option<(&'static str, String)>,
}

/// A failure as a dialect shows it.
pub(crate) struct Dressed {
    pub(crate) answer: Answer,
    /// The kind of failure, by the dialect's name for it.
    pub(crate) kind: &'static str,
    /// The sentence that the client reads.
    pub(crate) sentence: String,
}

impl Outcome {
    /// What became of a verb.
    pub(crate) fn new(
        verb: &'static str,
        session: Option<Arc<str>>,
        result: Result<Answer, Dressed>,
    ) -> Self {
        match result {
            Ok(answer) => Self { verb, answer, session, refusal: None },
            Err(Dressed { answer, kind, sentence }) => {
                Self { verb, answer, session, refusal: Some((kind, sentence)) }
            }
        }
    }
}
