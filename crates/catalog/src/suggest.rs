//! The near miss: which known name an unknown one was probably meant to be.
//!
//! Most unknown members and keywords are typing errors, and the right name saves the reader a
//! search. A suggestion that is far off costs more than none, so at most a third of the letters
//! may differ.

use std::borrow::Cow;

/// The candidate that is nearest to `name`, if it is near at all.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // A hostile name of a megabyte would cost seconds, and resembles nothing anyway.
    if name.len() > 100 {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `; did you mean X?` or nothing.
pub(crate) fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// As many characters of a name as are shown that somebody else chose.
const SHOWN: usize = 64;

/// A name that somebody else chose, cut to a length.
pub(crate) fn cut(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}…", &name[..end])),
    }
}

/// A name that somebody else chose, made fit for a message.
pub(crate) fn shown(name: &str) -> String {
    cut(name).chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

// Optimal string alignment: insertions, deletions, replacements and swapped neighbours count one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (fold(a), fold(b));
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

fn fold(text: &str) -> Vec<char> {
    text.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_recognised_and_others_left_alone() {
        let names = ["username", "password", "enabled", "x-switch"];
        for (typed, meant) in [
            ("user_name", Some("username")),
            ("pasword", Some("password")),
            ("enalbed", Some("enabled")),
            ("Enabled", Some("enabled")),
            ("x_switch", Some("x-switch")),
            ("community", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }

    #[test]
    fn foreign_names_are_shown_short_and_printable() {
        assert_eq!(shown("a\nb"), "a\u{fffd}b");
        assert_eq!(shown(&"x".repeat(65)).chars().count(), 65);
    }
}
