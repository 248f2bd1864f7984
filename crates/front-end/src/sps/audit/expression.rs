//! The language of `q`: words, `field:value`, quoted texts, `*` and `?`, ranges, comparisons, AND,
//! OR, NOT and parentheses, as the search of the web interface takes them.

use std::cmp::Ordering;

use serde_json::Value;

/// How deep parentheses may be.
const DEPTH: usize = 32;

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// Everything.
    All,
    And(Vec<Expression>),
    Or(Vec<Expression>),
    Not(Box<Expression>),
    /// A test of one field, or of every field.
    Test {
        field: Option<String>,
        test: Test,
    },
}

/// What a value has to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// A text that may have `*` and `?`.
    Text(String),
    /// A text whose `*` and `?` are themselves.
    Quoted(String),
    /// Between two bounds, of which each may be missing and may belong to it.
    Between { low: Option<(String, bool)>, high: Option<(String, bool)> },
}

/// Where a search cannot be read, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

impl Expression {
    /// Reads a search; an empty one finds everything.
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let mut reader = Reader { tokens: tokens(text)?, at: 0, depth: 0 };
        if reader.tokens.is_empty() {
            return Ok(Self::All);
        }
        let found = reader.either()?;
        match reader.peek() {
            None => Ok(found),
            Some(_) => Err(Unreadable("a closing parenthesis has no opening one")),
        }
    }

    /// Whether a record is found.
    pub(super) fn finds(&self, record: &Value) -> bool {
        match self {
            Self::All => true,
            Self::And(all) => all.iter().all(|one| one.finds(record)),
            Self::Or(all) => all.iter().any(|one| one.finds(record)),
            Self::Not(one) => !one.finds(record),
            Self::Test { field: None, test } => any_leaf(record, &|leaf| test.holds(leaf, true)),
            Self::Test { field: Some(field), test } => {
                let steps: Vec<&str> = field.split('.').collect();
                any_at(record, &steps, &|leaf| test.holds(leaf, false))
            }
        }
    }
}

impl Test {
    // Of any field a part of a text is enough; of a named one it is the whole, or a word of it.
    fn holds(&self, value: &Value, part: bool) -> bool {
        let text = plain(value).to_lowercase();
        match self {
            Self::Text(pattern) if pattern == "*" => true,
            Self::Text(pattern) => {
                let pattern = pattern.to_lowercase();
                let by_word = || text.split_whitespace().any(|word| matches(&pattern, word));
                matches(&pattern, &text) || by_word() || part && text.contains(&pattern)
            }
            Self::Quoted(sought) => {
                let sought = sought.to_lowercase();
                text == sought || text.contains(&sought) && (part || text.contains(' '))
            }
            Self::Between { low, high } => {
                let above = |(bound, belongs): &(String, bool)| match compare(&text, bound) {
                    Ordering::Greater => true,
                    Ordering::Equal => *belongs,
                    Ordering::Less => false,
                };
                let below = |(bound, belongs): &(String, bool)| match compare(&text, bound) {
                    Ordering::Less => true,
                    Ordering::Equal => *belongs,
                    Ordering::Greater => false,
                };
                low.as_ref().is_none_or(above) && high.as_ref().is_none_or(below)
            }
        }
    }
}

/// A value as a text to search in.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The order of two texts: of numbers as numbers.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let number = |text: &str| text.parse::<f64>().ok();
    match (number(left), number(right)) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => left.to_lowercase().cmp(&right.to_lowercase()),
    }
}

fn any_leaf(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Object(members) => members.values().any(|member| any_leaf(member, test)),
        Value::Array(elements) => elements.iter().any(|element| any_leaf(element, test)),
        Value::Null => false,
        leaf => test(leaf),
    }
}

// A member whose name has dots is found as well: some records are flat.
fn any_at(value: &Value, steps: &[&str], test: &dyn Fn(&Value) -> bool) -> bool {
    match (value, steps) {
        (Value::Array(elements), _) => elements.iter().any(|element| any_at(element, steps, test)),
        (value, []) => any_leaf(value, test),
        (Value::Object(members), _) => (1..=steps.len()).any(|taken| {
            let (name, rest) = steps.split_at(taken);
            members.get(&name.join(".")).is_some_and(|member| any_at(member, rest, test))
        }),
        _ => false,
    }
}

// Whether a text is of a form with `*` and `?`. The last star takes as much as it has to.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place, mut star) = (0, 0, None);
    while place < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || Some(wanted) == text.get(place) => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    (at, place) = (back + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|rest| *rest == '*')
}

// ===== reading =====

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Word(String),
    Quoted(String),
    /// `name:`
    Field(String),
    /// `[`, `{`
    Low(bool),
    /// `]`, `}`
    High(bool),
    To,
}

fn tokens(text: &str) -> Result<Vec<Token>, Unreadable> {
    let mut found = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            space if space.is_whitespace() => {}
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            '[' | '{' => found.push(Token::Low(letter == '[')),
            ']' | '}' => found.push(Token::High(letter == ']')),
            '!' => found.push(Token::Not),
            '-' if letters.peek().is_some_and(|next| !next.is_whitespace()) => {
                found.push(Token::Not);
            }
            '+' => {}
            '"' => found.push(Token::Quoted(quoted(&mut letters)?)),
            first => {
                let mut word = String::new();
                let mut next = Some(first);
                while let Some(letter) = next {
                    match letter {
                        '\\' => word.extend(letters.next()),
                        letter => word.push(letter),
                    }
                    let ends = |next: &char| next.is_whitespace() || "()[]{}\":".contains(*next);
                    next = letters.next_if(|next| !ends(next));
                }
                // A colon within a time or an address does not end the name of a field.
                let is_name = !word.is_empty()
                    && word.chars().all(|c| c.is_alphanumeric() || "._-*".contains(c))
                    && !word.starts_with(|c: char| c.is_ascii_digit());
                if letters.peek() == Some(&':') && is_name {
                    letters.next();
                    found.push(Token::Field(word));
                    continue;
                }
                while let Some(colon) = letters.next_if_eq(&':') {
                    word.push(colon);
                    while let Some(more) =
                        letters.next_if(|c| !c.is_whitespace() && !"()[]{}\":".contains(*c))
                    {
                        word.push(more);
                    }
                }
                found.push(match word.as_str() {
                    "AND" | "&&" => Token::And,
                    "OR" | "||" => Token::Or,
                    "NOT" => Token::Not,
                    "TO" => Token::To,
                    _ => Token::Word(word),
                });
            }
        }
    }
    Ok(found)
}

fn quoted(letters: &mut impl Iterator<Item = char>) -> Result<String, Unreadable> {
    let mut text = String::new();
    loop {
        match letters.next() {
            Some('"') => return Ok(text),
            Some('\\') => text.extend(letters.next()),
            Some(letter) => text.push(letter),
            None => return Err(Unreadable("a quotation mark is not closed")),
        }
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take(&mut self, wanted: &Token) -> bool {
        let is_it = self.peek() == Some(wanted);
        self.at += usize::from(is_it);
        is_it
    }

    fn either(&mut self) -> Result<Expression, Unreadable> {
        let mut all = vec![self.both()?];
        while self.take(&Token::Or) {
            all.push(self.both()?);
        }
        Ok(only_or(all, Expression::Or))
    }

    // Without a word between them, two tests must both hold.
    fn both(&mut self) -> Result<Expression, Unreadable> {
        let mut all = vec![self.one(None)?];
        loop {
            let stated = self.take(&Token::And);
            match self.peek() {
                None | Some(Token::Or | Token::Close) if !stated => break,
                _ => all.push(self.one(None)?),
            }
        }
        Ok(only_or(all, Expression::And))
    }

    fn one(&mut self, field: Option<&str>) -> Result<Expression, Unreadable> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unreadable("there are too many parentheses within each other"));
        }
        let found = self.test(field);
        self.depth -= 1;
        found
    }

    fn test(&mut self, field: Option<&str>) -> Result<Expression, Unreadable> {
        let of = |test| Expression::Test { field: field.map(str::to_owned), test };
        match self.next() {
            Some(Token::Not) => Ok(Expression::Not(Box::new(self.one(field)?))),
            Some(Token::Open) => {
                let found = match field {
                    Some(field) => self.values(field)?,
                    None => self.either()?,
                };
                match self.take(&Token::Close) {
                    true => Ok(found),
                    false => Err(Unreadable("a parenthesis is not closed")),
                }
            }
            Some(Token::Field(name)) if name == "_exists_" => match self.next() {
                Some(Token::Word(field)) => {
                    let test = Test::Text("*".to_owned());
                    Ok(Expression::Test { field: Some(field), test })
                }
                _ => Err(Unreadable("_exists_: needs the name of a field")),
            },
            Some(Token::Field(name)) => self.one(Some(&name)),
            Some(Token::Low(belongs)) => Ok(of(self.range(belongs)?)),
            Some(Token::Quoted(text)) => Ok(of(Test::Quoted(text))),
            Some(Token::Word(word)) if field.is_none() && word == "*" => Ok(Expression::All),
            Some(Token::Word(word)) => Ok(of(compared(word))),
            Some(Token::To) => Ok(of(Test::Text("TO".to_owned()))),
            _ => Err(Unreadable("a word or a parenthesis is missing")),
        }
    }

    // Several values of one field.
    fn values(&mut self, field: &str) -> Result<Expression, Unreadable> {
        let mut all = Vec::new();
        let mut every = false;
        loop {
            all.push(self.one(Some(field))?);
            match self.peek() {
                Some(Token::Close) | None => break,
                Some(Token::And) => every = self.take(&Token::And),
                _ => _ = self.take(&Token::Or),
            }
        }
        Ok(only_or(all, if every { Expression::And } else { Expression::Or }))
    }

    fn range(&mut self, low_belongs: bool) -> Result<Test, Unreadable> {
        let unreadable = || Unreadable("a range is written [LOW TO HIGH], with * for no bound");
        let mut bound = || match self.next() {
            Some(Token::Word(word)) if word == "*" => Ok(None),
            Some(Token::Word(word) | Token::Quoted(word)) => Ok(Some(word)),
            _ => Err(unreadable()),
        };
        let low = bound()?;
        if !self.take(&Token::To) {
            return Err(unreadable());
        }
        let mut bound = || match self.next() {
            Some(Token::Word(word)) if word == "*" => Ok(None),
            Some(Token::Word(word) | Token::Quoted(word)) => Ok(Some(word)),
            _ => Err(unreadable()),
        };
        let high = bound()?;
        let Some(Token::High(high_belongs)) = self.next() else { return Err(unreadable()) };
        Ok(Test::Between {
            low: low.map(|bound| (bound, low_belongs)),
            high: high.map(|bound| (bound, high_belongs)),
        })
    }
}

// `>=5` and its like, else a text.
fn compared(word: String) -> Test {
    for (sign, is_low, belongs) in
        [(">=", true, true), ("<=", false, true), (">", true, false), ("<", false, false)]
    {
        if let Some(bound) = word.strip_prefix(sign).filter(|bound| !bound.is_empty()) {
            let bound = Some((bound.to_owned(), belongs));
            return match is_low {
                true => Test::Between { low: bound, high: None },
                false => Test::Between { low: None, high: bound },
            };
        }
    }
    Test::Text(word)
}

fn only_or(mut all: Vec<Expression>, several: fn(Vec<Expression>) -> Expression) -> Expression {
    match (all.len(), all.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            all.push(last);
            several(all)
        }
        (_, None) => Expression::All,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finds(query: &str) -> bool {
        let record = json!({
            "user": {"name": "Alice", "server_username": "root"},
            "server": {"address": "192.0.2.5", "port": 22},
            "protocol": "SSH",
            "active": false,
            "start_time": "2026-03-01T10:30:00Z",
            "note": "deleted the database",
            "tags": ["night", "db"],
        });
        Expression::parse(query).unwrap().finds(&record)
    }

    #[test]
    fn what_holds_of_a_record_finds_it() {
        for query in [
            "",
            "*",
            "alice",
            "192.0.2",
            "user.name:alice",
            "user.name:a*e",
            "user.name:?lice",
            "protocol:ssh AND user.name:alice",
            "protocol:ssh user.name:alice",
            "protocol:rdp OR tags:db",
            "NOT protocol:rdp",
            "-protocol:rdp",
            "!protocol:rdp",
            "protocol:(rdp OR ssh)",
            "protocol:(rdp ssh)",
            "tags:(night AND db)",
            "server.port:[1 TO 100]",
            "server.port:>=22",
            "server.port:{21 TO 23}",
            "start_time:[2026-03-01 TO *]",
            "start_time:[2026-03-01T00:00:00Z TO 2026-03-02]",
            "note:database",
            "note:\"the database\"",
            "\"deleted the\"",
            "active:false",
            "_exists_:user.name",
            "user.name:*",
            "(protocol:rdp OR (protocol:ssh AND tags:night))",
            "start_time:2026-03-01T10:30:00Z",
        ] {
            assert!(finds(query), "{query}");
        }
        for query in [
            "bob",
            "user.name:bob",
            "user.name:ali",
            "protocol:ssh AND user.name:bob",
            "NOT protocol:ssh",
            "server.port:[23 TO 100]",
            "server.port:>22",
            "server.port:{22 TO 23}",
            "start_time:[2026-03-02 TO *]",
            "_exists_:nothing",
            "nothing:*",
            "active:true",
            "tags:(night AND day)",
        ] {
            assert!(!finds(query), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for query in [
            "(a",
            "a)",
            "\"a",
            "a:",
            "a AND",
            "OR a",
            "a:[1 TO",
            "a:[1 2]",
            "a:(b",
            "_exists_:",
            "NOT",
        ] {
            assert!(Expression::parse(query).is_err(), "{query}");
        }
        assert!(Expression::parse(&"(".repeat(10_000)).is_err());
        assert!(Expression::parse(&"NOT ".repeat(10_000)).is_err());
    }
}
