//! `boxwood import`: a document as one transaction.

use std::io::{self, Read};
use std::path::Path;

use client::encoded;
use front_end::transfer::{self, Document, Kind, Outcome, Refusal};
use zeroize::Zeroizing;

use super::progress::Progress;
use super::remote::{self, Remote, RemoteError};
use super::state::State;
use super::{CommandError, Environment, say};
use crate::cli::ImportFlags;

/// Who commits what is imported into a directory: there is no login that could say more.
const AUTHOR: &str = "boxwood";

/// Imports into a data directory or a running daemon, or says what that would do.
///
/// # Errors
/// The document is refused, or there is nowhere to import it to. Nothing has changed then.
pub fn run(flags: &ImportFlags, environment: Environment) -> Result<(), CommandError> {
    // First, since the rest of standard input may be the document.
    let password = flags.remote.url.as_ref().map(|_| remote::password(&environment)).transpose()?;
    let text = read(&flags.file)?;
    // Before anybody is asked for anything, whether this is a document at all.
    let document = Document::parse(&text).map_err(Refusal::Document)?;
    let outcome = match flags.remote.url.as_deref().zip(password) {
        Some((url, password)) => {
            let remote = Remote::login(url, &flags.remote, &password)?;
            send(&remote, url, &text, flags)?
        }
        None => apply(&State::find(&flags.state, environment)?, &document, flags)?,
    };
    say(report(&outcome, flags.dry_run))?;
    let unlike = document.config_hash.as_deref().is_some_and(|hash| hash != outcome.config_hash);
    if unlike {
        say(
            "this differs from the hash recorded at export: the document was edited, or its omitted \
             secrets differ here\n",
        )?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let mut text = Zeroizing::new(Vec::new());
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut text).map(drop)
    } else {
        std::fs::read(file).map(|bytes| *text = bytes)
    };
    read.map_err(|source| CommandError::Read { path: file.to_owned(), source })?;
    Ok(text)
}

fn apply(
    state: &State,
    document: &Document<'_>,
    flags: &ImportFlags,
) -> Result<Outcome, CommandError> {
    let depth = state.settings.limits.json_depth;
    let progress = Progress::begin(count(document.len()), |done, total| match done {
        0 => "opening the configuration".to_owned(),
        done if done < total => format!("checked {done} of {total} nodes"),
        total => format!("checked all {total} nodes; checking the whole"),
    });
    let reached = |done: usize| progress.reached(count(done) + 1);
    if flags.dry_run {
        let committed = state.committed()?;
        let engine = state.rehearsal(&committed)?;
        let base = (committed.number, &committed.tree);
        return Ok(transfer::rehearse(&engine, base, document, depth, &reached)?);
    }
    let engine = state.open()?;
    let message = flags.message.as_deref().unwrap_or(transfer::MESSAGE);
    let outcome = transfer::import(&engine, AUTHOR, document, message, depth, &reached);
    engine.shutdown();
    Ok(outcome?)
}

fn send(
    remote: &Remote,
    url: &str,
    text: &[u8],
    flags: &ImportFlags,
) -> Result<Outcome, CommandError> {
    let mut path = format!("/boxwood/v1/import?dry_run={}", flags.dry_run);
    if let Some(message) = &flags.message {
        path.push_str("&message=");
        path.push_str(&encoded(message));
    }
    let length = count(text.len());
    let progress = Progress::begin(length, |done, total| match done {
        done if done < total => format!("sent {done} of {total} bytes"),
        _ => "upload complete; waiting for the server".to_owned(),
    });
    let mut upload = Upload { text, at: 0, progress };
    let answer = remote.post(&path, &mut upload, length)?;
    let stranger = |_| CommandError::Remote(RemoteError::Stranger(url.to_owned()));
    serde_json::from_slice(&answer).map_err(stranger)
}

/// A text that is watched while it is read.
struct Upload<'t> {
    text: &'t [u8],
    at: usize,
    progress: Progress,
}

impl Read for Upload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.text[self.at..]).read(buffer)?;
        self.at += read;
        self.progress.reached(count(self.at));
        Ok(read)
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn report(outcome: &Outcome, dry_run: bool) -> String {
    let Outcome { changes, config_hash, nodes, revision } = outcome;
    let mut text = String::new();
    let mut counts = [0_usize; 4];
    for difference in changes {
        let (word, place) = match difference.change {
            Kind::Added => ("added", 0),
            Kind::Changed => ("changed", 1),
            Kind::Removed => ("removed", 2),
            Kind::Reordered => ("reordered", 3),
        };
        counts[place] += 1;
        if dry_run {
            text.push_str(&format!("{word} {}", difference.path));
            let members: Vec<&str> = difference.members.iter().map(String::as_str).collect();
            match members.as_slice() {
                [] | [""] => text.push('\n'),
                members => text.push_str(&format!(": {}\n", members.join(", "))),
            }
        }
    }
    let [added, changed, removed, reordered] = counts;
    let counts =
        format!("{added} added, {changed} changed, {removed} removed, {reordered} reordered");
    text.push_str(&match (dry_run, changes.is_empty()) {
        (_, true) => format!("no changes: all {nodes} nodes match revision {revision}\n"),
        (true, _) => format!("dry run of {nodes} nodes against revision {revision}: {counts}\n"),
        (false, _) => format!("imported {nodes} nodes as revision {revision}: {counts}\n"),
    });
    text.push_str(&format!("config_hash {config_hash}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use front_end::transfer::Difference;

    fn outcome(changes: &[(&str, Kind, &[&str])]) -> Outcome {
        let changes = changes.iter().map(|(path, change, members)| Difference {
            path: (*path).to_owned(),
            change: *change,
            members: members.iter().map(|member| (*member).to_owned()).collect(),
        });
        let changes = changes.collect();
        Outcome { changes, config_hash: "c0ffee".to_owned(), nodes: 5, revision: 7 }
    }

    #[test]
    fn a_rehearsal_lists_what_would_change() {
        let found = outcome(&[
            ("/a", Kind::Changed, &["/b", "/c/d"]),
            ("/v", Kind::Changed, &[""]),
            ("/x/1", Kind::Added, &[]),
        ]);
        let summary = "2 changed, 0 removed, 0 reordered";
        assert_eq!(
            report(&found, true),
            format!(
                "changed /a: /b, /c/d\nchanged /v\nadded /x/1\ndry run of 5 nodes against \
                 revision 7: 1 added, {summary}\nconfig_hash c0ffee\n"
            )
        );
        assert!(report(&found, false).starts_with("imported 5 nodes as revision 7: 1 added, 2 "));
        assert!(report(&outcome(&[]), false).contains("no changes"));
    }

    #[test]
    fn a_message_survives_a_query() {
        assert_eq!(encoded("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
