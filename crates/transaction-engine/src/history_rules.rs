//! What is kept of the past, and what a commit has to say for it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config_tree::Tree;

/// Whether a commit needs a message, given the configuration that is running.
pub type MessageRule = Arc<dyn Fn(&Tree) -> bool + Send + Sync>;

/// What is kept of the past, and what a commit has to say for it.
#[derive(Clone)]
pub struct HistoryRules {
    /// How many revisions are kept at least. Those that have a name are, and all after them.
    pub revisions: u64,
    /// After what time they are not kept, although there are fewer; `None`: forever.
    pub age: Option<Duration>,
    /// How long the answer of a commit is kept for those who ask again.
    pub answers: Duration,
    /// Whether a commit needs a message; `None`: never.
    pub message_required: Option<MessageRule>,
}

impl Default for HistoryRules {
    fn default() -> Self {
        let answers = Duration::from_secs(86_400);
        Self { revisions: 10_000, age: None, answers, message_required: None }
    }
}

impl fmt::Debug for HistoryRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revisions, age, answers, message_required: _ } = self;
        write!(f, "HistoryRules({revisions} revisions, {age:?}, answers for {answers:?})")
    }
}
