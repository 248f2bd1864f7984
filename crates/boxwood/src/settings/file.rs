//! Settings from the TOML file.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use super::raw::{Given, Origin, Raw};

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
}
