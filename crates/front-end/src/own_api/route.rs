//! What Boxwood's own API can do: one row for each method of each path.
//!
//! The router works from these rows and the OpenAPI document is made from them, so nothing can be
//! asked for that is not described. Another part of the API adds its rows to [`TABLES`].

use transaction_engine::RevisionNumber;

use super::call::{Call, Refused};
use super::{
    about, acting, blame, clients, edits, heads, history, nodes, references, sessions, transaction,
    transfer, watch,
};
use crate::answer::Answer;
use crate::caller::Rights;
use crate::dialect::Waiting;
use crate::http_path;
use crate::methods::Methods;

/// All rows, a table for each subject.
const TABLES: &[&[Operation]] = &[
    about::OPERATIONS,
    sessions::OPERATIONS,
    nodes::OPERATIONS,
    edits::OPERATIONS,
    transaction::OPERATIONS,
    history::OPERATIONS,
    blame::OPERATIONS,
    references::OPERATIONS,
    watch::OPERATIONS,
    heads::OPERATIONS,
    clients::OPERATIONS,
    transfer::OPERATIONS,
    acting::OPERATIONS,
];

/// What stands before every path.
pub(super) const PREFIX: &str = "/boxwood/v1";

/// All rows.
pub(super) fn operations() -> impl Iterator<Item = &'static Operation> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// Does what a row says.
pub(super) type Run = for<'a> fn(Call<'a>) -> Waiting<'a, Result<Answer, Refused>>;

/// The handler of a row: an `async fn` of a [`Call`].
macro_rules! run {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
}
pub(super) use run;

/// Who may use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody, without a login.
    Anybody,
    /// Those who are logged in.
    Users,
    /// Those who may change something.
    Writers,
    /// Those who may see and change everything.
    Administrators,
}

impl Who {
    /// Whether these rights are enough.
    pub(super) fn admits(self, rights: Option<&Rights>) -> bool {
        match self {
            Self::Anybody => true,
            Self::Users => rights.is_some(),
            Self::Writers => rights.is_some_and(Rights::allow_changes),
            Self::Administrators => rights.is_some_and(Rights::is_all),
        }
    }

    /// In a sentence.
    pub(super) fn phrase(self) -> &'static str {
        match self {
            Self::Anybody => "Needs no login.",
            Self::Users => "For everybody who is logged in.",
            Self::Writers => "For users who may change something.",
            Self::Administrators => "For those who may see and change everything.",
        }
    }
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Query,
    Header,
}

/// A parameter of an operation next to those in its path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) place: Place,
    /// The JSON type of its value.
    pub(super) kind: &'static str,
    /// Whether it may stand in the query more than once.
    pub(super) repeats: bool,
    pub(super) about: &'static str,
}

/// A parameter of the query.
pub(super) const fn query(
    name: &'static str,
    kind: &'static str,
    about: &'static str,
) -> Parameter {
    Parameter { name, place: Place::Query, kind, repeats: false, about }
}

/// A parameter of the query that may be repeated.
pub(super) const fn queries(name: &'static str, about: &'static str) -> Parameter {
    Parameter { name, place: Place::Query, kind: "string", repeats: true, about }
}

/// A header.
pub(super) const fn header(name: &'static str, about: &'static str) -> Parameter {
    Parameter { name, place: Place::Header, kind: "string", repeats: false, about }
}

/// The state that a change expects to find.
pub(super) const IF_MATCH: Parameter =
    header("If-Match", "The ETag of the state that is to be changed; 412 when it is another.");

/// By what a request is recognised when it is sent again.
pub(super) const IDEMPOTENCY_KEY: Parameter = header(
    "Idempotency-Key",
    "1 to 255 printable characters: the same request under the same key is done once.",
);

/// What stands in the body of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    Nothing,
    /// JSON of a component schema. Not every operation needs it.
    Json {
        schema: &'static str,
        required: bool,
    },
    /// One of several media types, each with its schema.
    Either(&'static [(&'static str, &'static str)]),
    /// JSON that the operation reads by itself.
    Stream {
        schema: &'static str,
    },
}

/// What a request is answered with when all is well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answers {
    pub(super) status: u16,
    pub(super) media: &'static str,
    /// The component schema; empty for what is not JSON.
    pub(super) schema: &'static str,
    pub(super) about: &'static str,
}

/// One method of one path.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    pub(super) method: Methods,
    /// Below [`PREFIX`], with `{name}` for steps that the request chooses. `{path}` stands for all
    /// steps to the end, and `{revision}` for a number.
    pub(super) path: &'static str,
    /// The verb, as it is called in every layer below; the operation's id.
    pub(super) verb: &'static str,
    pub(super) who: Who,
    pub(super) summary: &'static str,
    pub(super) about: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) takes: Takes,
    pub(super) answers: &'static [Answers],
    /// Statuses of refusals that are this operation's own, next to those that all have.
    pub(super) refusals: &'static [u16],
    pub(super) run: Run,
}

impl Operation {
    /// A row with its method, path and verb. Described by the functions below.
    pub(super) const fn new(
        method: Methods,
        path: &'static str,
        verb: &'static str,
        who: Who,
        run: Run,
    ) -> Self {
        Self {
            method,
            path,
            verb,
            who,
            summary: "",
            about: "",
            parameters: &[],
            takes: Takes::Nothing,
            answers: &[],
            refusals: &[],
            run,
        }
    }

    /// What it does, in a few words and in a sentence.
    pub(super) const fn does(self, summary: &'static str, about: &'static str) -> Self {
        Self { summary, about, ..self }
    }

    /// Its parameters.
    pub(super) const fn with(self, parameters: &'static [Parameter]) -> Self {
        Self { parameters, ..self }
    }

    /// It needs a JSON body.
    pub(super) const fn takes(self, schema: &'static str) -> Self {
        Self { takes: Takes::Json { schema, required: true }, ..self }
    }

    /// It may have a JSON body.
    pub(super) const fn may_take(self, schema: &'static str) -> Self {
        Self { takes: Takes::Json { schema, required: false }, ..self }
    }

    /// Another kind of body.
    pub(super) const fn takes_as(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    /// Its answers.
    pub(super) const fn answers(self, answers: &'static [Answers]) -> Self {
        Self { answers, ..self }
    }

    /// The statuses of its refusals.
    pub(super) const fn refuses(self, refusals: &'static [u16]) -> Self {
        Self { refusals, ..self }
    }
}

/// An answer of 200 with JSON.
pub(super) const fn ok(schema: &'static str, about: &'static str) -> Answers {
    answer(200, schema, about)
}

/// An answer with JSON.
pub(super) const fn answer(status: u16, schema: &'static str, about: &'static str) -> Answers {
    Answers { status, media: "application/json", schema, about }
}

/// The steps that a request chose, by their names in the row.
pub(super) type Steps = Vec<(&'static str, String)>;

/// What a path names: its rows, and the steps that the request chose.
pub(super) struct Found {
    pub(super) rows: Vec<&'static Operation>,
    pub(super) steps: Steps,
}

impl Found {
    /// The methods of the path.
    pub(super) fn allow(&self) -> Methods {
        self.rows.iter().fold(Methods::NONE, |all, row| all.and(row.method))
    }

    /// The row of a method.
    pub(super) fn row(&self, method: &hyper::Method) -> Option<&'static Operation> {
        self.rows.iter().copied().find(|row| row.method.permits(method))
    }
}

/// Reads a path; `None` for one that no row has.
pub(super) fn find(path: &str) -> Option<Found> {
    let segments = http_path::segments(path)?;
    let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
    let ["boxwood", "v1", rest @ ..] = segments.as_slice() else { return None };
    let mut best: Option<(usize, &'static str, Steps)> = None;
    for row in operations() {
        if best.as_ref().is_some_and(|(_, pattern, _)| *pattern == row.path) {
            continue;
        }
        let Some((fixed, steps)) = fit(row.path, rest) else { continue };
        // `revisions/diff` before `revisions/{revision}`.
        if best.as_ref().is_none_or(|(most, ..)| fixed > *most) {
            best = Some((fixed, row.path, steps));
        }
    }
    let (_, pattern, steps) = best?;
    Some(Found { rows: operations().filter(|row| row.path == pattern).collect(), steps })
}

// How many steps of a pattern are fixed, and those that were chosen; `None` where it does not fit.
fn fit(pattern: &'static str, rest: &[&str]) -> Option<(usize, Steps)> {
    let (mut fixed, mut steps, mut at) = (0, Vec::new(), 0);
    for step in pattern.split('/').filter(|step| !step.is_empty()) {
        match step.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some("path") if at < rest.len() => {
                steps.push(("path", rest[at..].join("/")));
                return Some((fixed, steps));
            }
            Some(name) => {
                let given =
                    rest.get(at).filter(|text| name != "revision" || number(text).is_some());
                steps.push((name, (*given?).to_owned()));
            }
            None if rest.get(at) == Some(&step) => fixed += 1,
            None => return None,
        }
        at += 1;
    }
    (at == rest.len()).then_some((fixed, steps))
}

/// What a path names, as text: for the fuzz targets.
pub(crate) fn named(path: &str) -> Option<String> {
    let found = find(path)?;
    Some(format!("{} {:?}", found.rows.first()?.path, found.steps))
}

/// A revision's number as it is written in a path or a query; no sign, no leading zeros.
pub(super) fn number(text: &str) -> Option<RevisionNumber> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then(|| RevisionNumber::new(number))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_manual_has_every_path() {
        let manual = include_str!("../../../../docs/reference/own-api.md");
        for row in operations() {
            let path = if row.path.is_empty() { PREFIX } else { row.path };
            let is_there = |after: &str| manual.contains(&format!("{path}{after}"));
            assert!(["`", "?"].into_iter().any(is_there), "{path} is not in own-api.md");
        }
    }

    #[test]
    fn every_row_is_described_and_its_verb_is_its_own() {
        let mut verbs = BTreeSet::new();
        for row in operations() {
            let Operation { path, verb, summary, about, answers, .. } = row;
            assert!(verbs.insert(verb), "{verb} is there twice");
            assert!(!summary.is_empty() && !summary.ends_with('.'), "{path}: {summary}");
            assert!(about.ends_with('.'), "{path}: {about}");
            assert!(!answers.is_empty(), "{path} has no answer");
            assert!(row.parameters.iter().all(|one| one.about.ends_with('.')), "{path}");
        }
    }

    #[test]
    fn paths_and_what_they_name() {
        for (path, expected) in [
            ("/boxwood/v1/", Some(" []")),
            ("/boxwood/v1/transaction/plan", Some("transaction/plan []")),
            ("/boxwood/v1/revisions/", Some("revisions []")),
            ("/boxwood/v1/revisions/12", Some("revisions/{revision} [(\"revision\", \"12\")]")),
            ("/boxwood/v1/revisions/diff", Some("revisions/diff []")),
            ("/boxwood/v1/tags/a%20b", Some("tags/{name} [(\"name\", \"a b\")]")),
            ("/boxwood/v1/nodes", Some("nodes []")),
            ("/boxwood/v1/nodes/a/b%2Fc", Some("nodes/{path} [(\"path\", \"a/b/c\")]")),
            ("/boxwood/v1/revisions/+1", None),
            ("/boxwood/v1/revisions/012", None),
            ("/boxwood/v1/revisions/1/nothing", None),
            ("/boxwood/v2/revisions", None),
            ("/boxwood/v1/health", Some("health []")),
        ] {
            assert_eq!(named(path).as_deref(), expected, "{path}");
        }
    }
}
