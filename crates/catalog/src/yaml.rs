//! YAML text as marked nodes; the only place that knows the YAML library.
//!
//! Built on the parser's events and not on its ready-made document, for two reasons: a catalog's
//! author wants *all* duplicate members named, not the first, and a schema language needs neither
//! anchors nor tags, so they are refused instead of expanded.

use std::iter;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};

// Deeper than any schema, shallow enough for the functions that walk a document recursively.
const MAX_DEPTH: usize = 64;

/// A YAML node and the line on which it begins, counted from one.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) data: Data,
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A member of a mapping with the line of its name.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) node: Node,
}

/// What is wrong with the text itself.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) line: usize,
    pub(crate) message: String,
    pub(crate) remedy: &'static str,
}

/// Reads one document. The node is what could be made of the text in spite of the problems.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                let message = format!("this is not YAML: {}", error.info());
                // The parser may notice only behind the end, and count lines there that are none.
                let line = error.marker().line().clamp(1, lines(text));
                builder.problem(line, message, "correct the syntax");
                builder.root = None;
                break;
            }
        }
        if builder.stack.len() > MAX_DEPTH {
            let line = builder.stack.last().map_or(1, Frame::line);
            builder.problem(line, "this is nested too deeply".into(), "divide it with `$ref`");
            builder.root = None;
            break;
        }
    }
    (builder.root, builder.problems)
}

// What ends a line in YAML: LF, CR, or both.
fn lines(text: &str) -> usize {
    let breaks = text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    1 + breaks - text.matches("\r\n").count()
}

impl Node {
    /// The node as JSON; a name that occurs twice counts once.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(*value),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => items.iter().map(Self::to_json).collect(),
            Data::Map(members) => Value::Object(
                members.iter().map(|m| (m.name.clone(), m.node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// What kind of value this is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::Text(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Data::Text(text) = &self.data { Some(text) } else { None }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        if let Data::List(items) = &self.data { Some(items) } else { None }
    }

    pub(crate) fn as_map(&self) -> Option<&[Member]> {
        if let Data::Map(members) = &self.data { Some(members) } else { None }
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.as_map()?.iter().find(|member| member.name == name)
    }

    /// The line of what a JSON Pointer names, or of the nearest thing around it.
    pub(crate) fn line_at(&self, pointer: &str) -> usize {
        let mut node = self;
        let mut line = self.line;
        for step in config_tree::pointer::steps(pointer) {
            let next = match &node.data {
                Data::List(items) => {
                    step.parse().ok().and_then(|i: usize| items.get(i)).map(|n| (n, n.line))
                }
                _ => node.member(&step).map(|m| (&m.node, m.line)),
            };
            let Some(next) = next else { break };
            (node, line) = next;
        }
        line
    }
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    problems: Vec<Problem>,
}

enum Frame {
    List { line: usize, items: Vec<Node> },
    Map { line: usize, members: Vec<Member>, name: Option<(String, usize)> },
}

impl Frame {
    fn line(&self) -> usize {
        match self {
            Self::List { line, .. } | Self::Map { line, .. } => *line,
        }
    }
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) {
        let line = span.start.line();
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents == 2 {
                    let message = "a second document begins here".into();
                    self.problem(line, message, "put it into a file of its own");
                }
            }
            Event::Alias(_) => {
                let remedy = "write the value out, or share a schema with `$ref`";
                self.problem(line, "aliases are not part of the language".into(), remedy);
                self.value(Node { line, data: Data::Null });
            }
            Event::Scalar(text, style, _, tag) => {
                self.tag(line, tag.is_some());
                self.scalar(&text, style, line);
            }
            Event::SequenceStart(_, tag) => {
                self.tag(line, tag.is_some());
                self.stack.push(Frame::List { line, items: Vec::new() });
            }
            Event::MappingStart(_, tag) => {
                self.tag(line, tag.is_some());
                self.stack.push(Frame::Map { line, members: Vec::new(), name: None });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Frame::List { line, items }) => {
                    self.value(Node { line, data: Data::List(items) });
                }
                Some(Frame::Map { line, members, .. }) => {
                    self.value(Node { line, data: Data::Map(members) });
                }
                None => {}
            },
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, line: usize) {
        if let Some(Frame::Map { name: name @ None, members, .. }) = self.stack.last_mut() {
            // Names are texts even where they look like numbers: the SNMP version `3` is a tag.
            let twice = members.iter().find(|member| member.name == text).map(|m| m.line);
            *name = Some((text.to_owned(), line));
            if let Some(first) = twice {
                let message =
                    format!("`{text}` stands here a second time; the first is on line {first}");
                self.problem(line, message, "keep one of the two");
            }
            return;
        }
        let data = match style {
            ScalarStyle::Plain => resolve(text),
            _ => Data::Text(text.to_owned()),
        };
        self.value(Node { line, data });
    }

    fn value(&mut self, node: Node) {
        match self.stack.last_mut() {
            None => self.root = self.root.take().or(Some(node)),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { members, name, .. }) => match name.take() {
                Some((name, line)) => members.push(Member { name, line, node }),
                None => {
                    *name = Some((String::new(), node.line));
                    let message = format!("a member's name is {}", node.kind());
                    self.problem(node.line, message, "use a text as the name");
                }
            },
        }
    }

    fn tag(&mut self, line: usize, present: bool) {
        if present {
            let message = "tags are not part of the language".into();
            self.problem(line, message, "leave the `!` away, or quote the text");
        }
    }

    fn problem(&mut self, line: usize, message: String, remedy: &'static str) {
        self.problems.push(Problem { line, message, remedy });
    }
}

// The core schema of YAML 1.2: `no` and `on` are texts, `0x10` is sixteen.
fn resolve(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => number(text).map_or_else(|| Data::Text(text.to_owned()), Data::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let radix = [("0x", 16), ("0o", 8)].into_iter().find(|(prefix, _)| text.starts_with(prefix));
    if let Some((prefix, radix)) = radix {
        let digits = &text[prefix.len()..];
        let plain = digits.chars().all(|c| c.is_digit(radix));
        return plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten().map(Number::from);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let begins =
        unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|c: char| c.is_ascii_digit());
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    if !begins || !unsigned.chars().all(numeric) {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    iter::once(text.parse::<i64>().ok().map(Number::from))
        .chain([text.parse::<u64>().ok().map(Number::from)])
        .chain([text.parse::<f64>().ok().and_then(Number::from_f64)])
        .flatten()
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(text: &str) -> Node {
        let (node, problems) = parse(text);
        assert!(problems.is_empty(), "{problems:?}");
        node.unwrap()
    }

    #[test]
    fn scalars_follow_yaml_1_2() {
        let text = "[a, 1, -2, +3, 1.5, 1e3, 0x1F, 0o17, true, no, ~, null, '1', \"true\", 1.2.3, 18446744073709551615, 192.0.2.1, 2c]";
        assert_eq!(
            node(text).to_json(),
            json!([
                "a",
                1,
                -2,
                3,
                1.5,
                1000.0,
                31,
                15,
                true,
                "no",
                null,
                null,
                "1",
                "true",
                "1.2.3",
                18_446_744_073_709_551_615_u64,
                "192.0.2.1",
                "2c"
            ])
        );
    }

    #[test]
    fn lines_are_those_of_the_names() {
        let node = node("a: 1\nb:\n  c:\n    - 1\n    - x: 2\n  3: z\n");
        for (pointer, line) in [
            ("", 1),
            ("/a", 1),
            ("/b", 2),
            ("/b/c", 3),
            ("/b/c/1", 5),
            ("/b/c/1/x", 5),
            ("/b/3", 6),
            ("/b/no", 2),
        ] {
            assert_eq!(node.line_at(pointer), line, "{pointer}");
        }
    }

    #[test]
    fn every_problem_is_named_with_its_line() {
        let (node, problems) = parse("a: 1\nb: &x 2\na: 3\nc: *x\nd: !t 4\nb: 5\n[1]: 6\n");
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
        assert_eq!(
            found,
            [
                (3, "`a` stands here a second time; the first is on line 1"),
                (4, "aliases are not part of the language"),
                (5, "tags are not part of the language"),
                (6, "`b` stands here a second time; the first is on line 2"),
                (7, "a member's name is a list"),
            ]
        );
        assert!(node.is_some());
    }

    #[test]
    fn no_problem_is_behind_the_end_of_the_text() {
        let text = "title: x\r\nsource: >\n  a text\n  of two lines\n\nlist: [a,\n  'b', {c: \"d\"}]\ne: |\n  f\n";
        let mut refused = 0;
        for end in 0..=text.len() {
            for text in [text[..end].to_owned(), format!("{}: x: [", &text[..end])] {
                let (_, problems) = parse(&text);
                assert!(problems.iter().all(|p| p.line <= lines(&text)), "{text:?}: {problems:?}");
                refused += usize::from(!problems.is_empty());
            }
        }
        assert!(refused > 50, "{refused}");
        assert_eq!(["", "a", "a\n", "a\r\nb\rc\n"].map(lines), [1, 1, 2, 4]);
    }

    #[test]
    fn broken_and_bottomless_texts_are_refused() {
        for text in ["a: [1", "a: 1\n b: 2\n", &"[".repeat(100_000), "a: 1\n---\nb: 2\n"] {
            assert!(!parse(text).1.is_empty());
        }
    }
}
