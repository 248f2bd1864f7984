//! The history: revisions, what differs between them, who set what, and commits as they come.

use std::io::BufRead;

use serde_json::{Value, json};

use super::{Here, transaction};
use crate::connection::Ask;
use crate::error::AskError;
use crate::output::{Out, cell};
use crate::place::{encoded, resource};

pub(super) fn compare(here: &Here<'_>, from: Option<u64>, to: Option<u64>) -> Result<(), AskError> {
    let Some(from) = from else { return transaction::show(here) };
    let to = match to {
        Some(to) => to,
        None => here.connection.get("")?["revision"].as_u64().unwrap_or(from),
    };
    let found = here.connection.get(format!("revisions/diff?from={from}&to={to}"))?;
    here.out.answer(&found, |out, found| match out.changes(&found["changes"]) {
        empty if empty.is_empty() => format!("revisions {from} and {to} are the same\n"),
        changes => changes,
    })
}

pub(super) fn history(
    here: &Here<'_>,
    revision: Option<u64>,
    limit: Option<u32>,
) -> Result<(), AskError> {
    if let Some(revision) = revision {
        let record = here.connection.get(format!("revisions/{revision}"))?;
        return here.out.answer(&record, record_shown);
    }
    let query = limit.map_or_else(String::new, |limit| format!("?limit={limit}"));
    let page = here.connection.get(format!("revisions{query}"))?;
    here.out.answer(&page, |out, page| {
        let rows = page["items"].as_array().into_iter().flatten().map(|one| {
            let tags = one["tags"].as_array().into_iter().flatten().map(cell);
            let tags: Vec<String> = tags.collect();
            let text = |name: &str| cell(&one[name]);
            let first = [text("revision"), text("time"), text("author"), text("changes")];
            first.into_iter().chain([text("message"), tags.join(", ")]).collect()
        });
        out.table(&["REVISION", "TIME", "AUTHOR", "CHANGES", "MESSAGE", "TAGS"], rows)
    })
}

fn record_shown(out: &Out, record: &Value) -> String {
    let text = |name: &str| cell(&record[name]);
    let head = format!("revision {} by {} at {}", text("revision"), text("author"), text("time"));
    let message = record["message"].as_str().map(|message| format!("  {message}\n"));
    format!(
        "{}\n{}{}",
        out.bold(&head),
        message.unwrap_or_default(),
        out.changes(&record["changes"])
    )
}

pub(super) fn blame(here: &Here<'_>, path: &str) -> Result<(), AskError> {
    let found = here.near(path, here.connection.get(resource("blame", path)))?;
    here.out.answer(&found, |out, found| {
        let rows = found["items"].as_array().into_iter().flatten().map(|one| {
            let place = match cell(&one["pointer"]) {
                empty if empty.is_empty() => cell(&one["node"]),
                pointer => pointer,
            };
            vec![cell(&one["revision"]), cell(&one["time"]), cell(&one["author"]), place]
        });
        let mut text = out.table(&["REVISION", "TIME", "AUTHOR", "MEMBER"], rows);
        if found["complete"] == false {
            text.push_str("the commits that set the others are not kept any more\n");
        }
        text
    })
}

pub(super) fn refs(here: &Here<'_>, path: &str) -> Result<(), AskError> {
    let asked = format!("references?path={}", encoded(path));
    let found = here.near(path, here.connection.get(asked))?;
    here.out.answer(&found, |out, found| {
        let rows = found["references"].as_array().into_iter().flatten();
        let rows = rows.map(|one| vec![cell(&one["node"]), cell(&one["pointer"])]);
        let mut text = out.table(&["NODE", "MEMBER"], rows);
        if let Some(hidden @ 1..) = found["hidden"].as_u64() {
            text.push_str(&format!("and {hidden} that you may not read\n"));
        }
        text
    })
}

pub(super) fn tag(
    here: &Here<'_>,
    name: Option<&str>,
    revision: Option<u64>,
    delete: bool,
) -> Result<(), AskError> {
    let Some(name) = name else {
        let tags = here.connection.get("tags")?;
        return here.out.answer(&tags, |out, tags| {
            let rows = tags["items"].as_array().into_iter().flatten();
            let names = ["name", "revision", "author", "time"];
            let rows = rows.map(|one| names.iter().map(|name| cell(&one[name])).collect());
            out.table(&["NAME", "REVISION", "AUTHOR", "TIME"], rows)
        });
    };
    let path = format!("tags/{}", encoded(name));
    if delete {
        let gone = here.connection.delete(path)?;
        return here.out.answer(&gone, |_, _| format!("the name {name} is removed\n"));
    }
    let revision = match revision {
        Some(revision) => revision,
        None => here.connection.get("")?["revision"].as_u64().unwrap_or(0),
    };
    let body = json!({ "revision": revision });
    let ask = Ask { method: "PUT", path, headers: Vec::new(), body: Some(&body) };
    let tag = here.connection.ask(&ask)?;
    here.out.answer(&tag, |_, _| format!("revision {revision} is named {name}\n"))
}

pub(super) fn watch(
    here: &Here<'_>,
    path: Option<&str>,
    from: Option<u64>,
    count: Option<u64>,
) -> Result<(), AskError> {
    let path = path.map(|path| format!("path={}", encoded(path)));
    let from = from.map(|from| format!("from={from}"));
    let query: Vec<String> = path.into_iter().chain(from).collect();
    let stream = here.connection.stream(format!("watch?{}", query.join("&")))?;
    let (mut event, mut seen) = (String::new(), 0);
    for line in stream.lines() {
        let line = line.map_err(|error| AskError::Unanswered {
            url: here.connection.context.url.clone(),
            source: Box::new(ureq::Error::Io(error)),
        })?;
        if let Some(name) = line.strip_prefix("event: ") {
            event = name.to_owned();
        }
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        match event.as_str() {
            "revision" => here.out.item(&data, record_shown)?,
            _ => here.out.item(&data, |_, data| format!("{event}: {data}\n"))?,
        }
        seen += 1;
        if count.is_some_and(|count| seen >= count) {
            return Ok(());
        }
    }
    Ok(())
}
