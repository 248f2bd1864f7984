//! The query of a search: what is sought, which members are shown, in which order, which page.

use serde_json::{Map, Value, json};

use super::expression::{Expression, compare, plain};
use super::records::Record;
use crate::failure::Failure;
use crate::query::{Query, encoded};

/// The names that a query may have.
const KNOWN: [&str; 6] = ["q", "fields", "limit", "offset", "sort", "snapshot"];

/// How many records a page has where the query does not say it, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 10_000;

/// A search.
pub(super) struct Search {
    sought: Expression,
    fields: Vec<String>,
    limit: usize,
    offset: usize,
    /// Members, and whether the largest comes first.
    sort: Vec<(String, bool)>,
    /// The query without its offset, for links.
    query: String,
}

impl Search {
    /// Reads a query.
    pub(super) fn read(query: Option<&str>, snapshot: &str) -> Result<Self, Failure> {
        let query = Query::read(query, &KNOWN)?;
        let sought = Expression::parse(query.get("q").unwrap_or_default()).map_err(|error| {
            Failure::malformed(format!("The search cannot be read: {}", error.0), "/q")
        })?;
        if query.get("snapshot").is_some_and(|asked| asked != snapshot) {
            let message = "There is no such snapshot; take one at /api/audit/sessions/_snapshot";
            return Err(Failure::malformed(message, "/snapshot"));
        }
        let names = |name: &str| -> Vec<String> {
            let list = query.get(name).unwrap_or_default().split(',').map(str::trim);
            list.filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        let sort = names("sort").into_iter().map(|name| match name.strip_prefix('-') {
            Some(name) => (name.to_owned(), true),
            None => (name.trim_start_matches('+').trim_start().to_owned(), false),
        });
        let kept = KNOWN.iter().filter(|name| **name != "offset");
        let kept = kept.filter_map(|name| Some(format!("{name}={}", encoded(query.get(name)?))));
        Ok(Self {
            sought,
            fields: names("fields"),
            limit: number(&query, "limit", PAGE, 1..=LARGEST_PAGE)?,
            offset: number(&query, "offset", 0, 0..=usize::MAX)?,
            sort: sort.collect(),
            query: kept.collect::<Vec<_>>().join("&"),
        })
    }

    /// The records that are found, in their order.
    pub(super) fn found<'r>(&self, records: &'r [Record]) -> Vec<&'r Record> {
        let mut found: Vec<_> =
            records.iter().filter(|record| self.sought.finds(&record.body)).collect();
        // Without an order they stay as they are in the file.
        found.sort_by(|left, right| {
            let by = |(field, descending): &(String, bool)| {
                let text = |record: &Record| at(&record.body, field).map(plain).unwrap_or_default();
                let order = compare(&text(left), &text(right));
                if *descending { order.reverse() } else { order }
            };
            let order = self.sort.iter().map(by).find(|order| order.is_ne());
            order.unwrap_or(std::cmp::Ordering::Equal)
        });
        found
    }

    /// Those of the page.
    pub(super) fn page<'f, 'r>(&self, found: &'f [&'r Record]) -> &'f [&'r Record] {
        let rest = found.get(self.offset..).unwrap_or_default();
        rest.get(..self.limit).unwrap_or(rest)
    }

    /// Where other pages begin; `None` where there is no such page.
    pub(super) fn pages(&self, count: usize) -> [(&'static str, Option<usize>); 4] {
        let next = self.offset.checked_add(self.limit).filter(|next| *next < count);
        let previous = (self.offset > 0).then(|| self.offset.saturating_sub(self.limit));
        let last = count.saturating_sub(1) / self.limit * self.limit;
        let (first, last) = ((count > 0).then_some(0), (count > 0).then_some(last));
        [("first", first), ("last", last), ("next", next), ("previous", previous)]
    }

    /// The link to a page.
    pub(super) fn link(&self, href: &str, offset: usize) -> String {
        match self.query.as_str() {
            "" => format!("{href}?offset={offset}"),
            query => format!("{href}?{query}&offset={offset}"),
        }
    }

    /// What is shown of a record: all, or the members that are asked for.
    pub(super) fn shown(&self, body: &Value) -> Value {
        if self.fields.is_empty() {
            return body.clone();
        }
        let mut shown = json!({});
        for field in &self.fields {
            if let Some(value) = at(body, field) {
                put(&mut shown, field, value);
            }
        }
        shown
    }

    /// The page as lines of values.
    pub(super) fn csv(&self, page: &[&Record]) -> String {
        let mut columns = self.fields.clone();
        if columns.is_empty() {
            let mut all: Vec<String> =
                page.iter().flat_map(|record| leaves(&record.body, "")).collect();
            all.sort_unstable();
            all.dedup();
            columns = all;
        }
        let mut text = line(columns.iter().map(String::as_str));
        for record in page {
            let value = |column: &String| at(&record.body, column).map(plain).unwrap_or_default();
            let values: Vec<String> = columns.iter().map(value).collect();
            text.push_str(&line(values.iter().map(String::as_str)));
        }
        text
    }
}

fn number(
    query: &Query<'_>,
    name: &str,
    default: usize,
    range: std::ops::RangeInclusive<usize>,
) -> Result<usize, Failure> {
    let Some(text) = query.get(name) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (from, to) = (range.start(), range.end());
        Failure::malformed(
            format!("{name} must be a number from {from} to {to}"),
            format!("/{name}"),
        )
    })
}

// The value at a name with dots, in a record that is nested or flat.
fn at<'v>(body: &'v Value, field: &str) -> Option<&'v Value> {
    if let Some(value) = body.get(field) {
        return Some(value);
    }
    field.split('.').try_fold(body, |value, name| value.get(name))
}

fn put(shown: &mut Value, field: &str, value: &Value) {
    let mut place = shown;
    for name in field.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = value.clone();
}

// The names of everything in a record that is not an object.
fn leaves(value: &Value, name: &str) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let inner = |(member, value): (&String, &Value)| match name {
                "" => leaves(value, member),
                name => leaves(value, &format!("{name}.{member}")),
            };
            members.iter().flat_map(inner).collect()
        }
        _ => vec![name.to_owned()],
    }
}

fn line<'t>(values: impl Iterator<Item = &'t str>) -> String {
    let quoted = |value: &str| match value.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", value.replace('"', "\"\"")),
        false => value.to_owned(),
    };
    values.map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let record = |(place, protocol): (usize, &str)| Record {
            key: place.to_string(),
            body: json!({"protocol": protocol, "size": 10 - place, "user": {"name": "a, b"}}),
            channels: Vec::new(),
        };
        ["ssh", "rdp", "ssh", "vnc"].into_iter().enumerate().map(record).collect()
    }

    fn keys(query: &str) -> Vec<String> {
        let (records, search) = (records(), Search::read(Some(query), "s").unwrap());
        let found = search.found(&records);
        search.page(&found).iter().map(|record| record.key.clone()).collect()
    }

    #[test]
    fn a_search_is_narrowed_ordered_and_paged() {
        assert_eq!(keys(""), ["0", "1", "2", "3"]);
        assert_eq!(keys("q=protocol:ssh"), ["0", "2"]);
        assert_eq!(keys("sort=size"), ["3", "2", "1", "0"]);
        assert_eq!(keys("sort=-protocol,size"), ["3", "2", "0", "1"]);
        assert_eq!(keys("limit=2&offset=1"), ["1", "2"]);
        assert!(keys("offset=9").is_empty());
        for bad in ["limit=0", "limit=x", "offset=-1", "q=(", "snapshot=other", "unknown=1"] {
            assert!(Search::read(Some(bad), "s").is_err(), "{bad}");
        }
    }

    #[test]
    fn pages_are_linked_until_there_is_none() {
        let search = Search::read(Some("limit=2&q=a%20b&offset=2"), "s").unwrap();
        let pages = search.pages(5);
        assert_eq!(pages.map(|(_, offset)| offset), [Some(0), Some(4), Some(4), Some(0)]);
        let link = search.link("/x", 4);
        assert!(link.starts_with("/x?") && link.ends_with("&offset=4"), "{link}");
        assert_eq!(search.pages(4).map(|(_, offset)| offset)[2], None);
        assert_eq!(search.pages(0).map(|(_, offset)| offset)[..2], [None, None]);
    }

    #[test]
    fn members_are_chosen_and_written_as_lines() {
        let records = records();
        let search = Search::read(Some("fields=user.name,size,none"), "s").unwrap();
        let shown = search.shown(&records[0].body);
        assert_eq!(shown, json!({"size": 10, "user": {"name": "a, b"}}));
        let found = search.found(&records);
        assert!(search.csv(&found).starts_with("user.name,size,none\r\n\"a, b\",10,\r\n"));
        let all = Search::read(None, "s").unwrap();
        assert!(all.csv(&found).starts_with("protocol,size,user.name\r\nssh,10,"));
    }
}
