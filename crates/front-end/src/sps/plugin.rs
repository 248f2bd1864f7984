//! `/api/upload/plugins`: an uploaded archive becomes a member of a collection below `plugins`, in
//! the transaction of its session.
//!
//! A plugin is a ZIP archive with a file `MANIFEST` of lines `name: value` (SPS plugin guide). The
//! archive may stand in a part of a form, as one client sends it. What is not an archive with a
//! manifest is taken under a name made from its content, because clients upload such files, too
//! (SPS client checklist 47).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use config_tree::{Body, Key, NodePath, Tree};
use hyper::{StatusCode, header};
use serde_json::{Map, Value, json};
use zip::ZipArchive;

use super::Call;
use super::address::href;
use super::document;
use super::upload::{Upload, no_disk};
use crate::answer::Answer;
use crate::failure::{Failure, Place};
use crate::transport::RequestBody;

/// The file in a plugin that says what it is.
const MANIFEST: &str = "MANIFEST";

/// The largest manifest that is read, in bytes.
const MANIFEST_BYTES: u64 = 64 * 1024;

/// The kind of a plugin that does not say it.
const DEFAULT_KIND: &str = "aa";

/// What a plugin says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Manifest(Vec<(String, String)>);

impl Manifest {
    /// Reads lines `name: value`. Lines of another form, and what is indented below a name, belong
    /// to members that the appliance does not show.
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with([' ', '\t', '#', '-']));
        let pairs = lines.filter_map(|line| line.split_once(':'));
        let plain = |text: &str| {
            let text = text.trim();
            let quoted = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
            quoted('"').or_else(|| quoted('\'')).unwrap_or(text).to_owned()
        };
        Self(pairs.map(|(name, value)| (name.trim().to_owned(), plain(value))).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_str()).filter(|value| !matches!(*value, "" | "~" | "null"))
    }
}

impl Call<'_> {
    /// Takes a plugin.
    pub(super) async fn plugin_upload(&self, body: RequestBody) -> Result<Answer, Failure> {
        let session = &self.login()?.session;
        self.transaction_needed(session)?;
        let upload = self.upload(body).await?;
        let (upload, manifest) = read(upload).await?;
        let kind = manifest.as_ref().and_then(|manifest| manifest.get("type"));
        let collection = self.plugins(kind.unwrap_or(DEFAULT_KIND))?;
        let body = plugin(&collection, manifest.as_ref(), &upload)?;
        let engine = &self.appliance.engine;
        let former = named(engine.view(session).tree(), &collection, &body["name"]);
        let (path, view) = engine.member_install(session, &collection, former.as_ref(), body)?;
        let (document, _) = document::node(engine.catalog(), view.tree(), &path)
            .ok_or(Failure::NotFound(Place::Request))?;
        let text = document.finish(self.remaining_seconds());
        Ok(Answer::text(StatusCode::CREATED, text).header_text(header::LOCATION, &href(&path)))
    }

    // The collection for a kind of plugin.
    fn plugins(&self, kind: &str) -> Result<NodePath, Failure> {
        let folder = config_tree::node_path!("/plugins");
        let tree = &self.appliance.engine.running().tree;
        let kinds: Vec<&str> = tree.children(folder).map(Key::as_str).collect();
        let key = Key::parse(kind).ok().filter(|_| kinds.contains(&kind));
        key.map(|key| folder.join(&key)).ok_or_else(|| {
            let known = kinds.join(", ");
            Failure::inconsistent(format!("The type in {MANIFEST} must be one of {known}"))
        })
    }
}

// The archive is read on a thread that may wait for the disk.
async fn read(upload: Upload) -> Result<(Upload, Option<Manifest>), Failure> {
    let reading = tokio::task::spawn_blocking(move || {
        let manifest = manifest(&upload)?;
        Ok((upload, manifest))
    });
    reading.await.map_err(|_| Failure::Internal)?
}

// `None` for what is not an archive with a manifest.
fn manifest(upload: &Upload) -> Result<Option<Manifest>, Failure> {
    let file = upload.file.reopen().map_err(no_disk)?;
    let Some(start) = archive_start(&upload.head) else { return Ok(None) };
    let end = archive_end(&file).map_err(no_disk)?.unwrap_or(upload.bytes);
    let part = Part { file, start, end: end.max(start), at: 0 };
    let Ok(mut archive) = ZipArchive::new(part) else { return Ok(None) };
    // Some archives have everything below one folder.
    let names = archive.file_names().filter_map(Result::ok).map(|name| name.into_owned());
    let manifests = names.filter(|name| name.rsplit('/').next() == Some(MANIFEST));
    let Some(name) = manifests.min_by_key(String::len) else { return Ok(None) };
    let unreadable = || Failure::inconsistent(format!("{MANIFEST} in the archive is not a text"));
    let mut text = String::new();
    let file = archive.by_name(&name).map_err(|_| unreadable())?;
    file.take(MANIFEST_BYTES).read_to_string(&mut text).map_err(|_| unreadable())?;
    Ok(Some(Manifest::parse(&text)))
}

// Where an archive begins: at once, or in a part of a form.
fn archive_start(head: &[u8]) -> Option<u64> {
    let place = head.windows(4).position(|bytes| bytes == b"PK\x03\x04")?;
    u64::try_from(place).ok()
}

// Where an archive ends that something follows: behind the last of its end records.
fn archive_end(mut file: &File) -> io::Result<Option<u64>> {
    const LOOK: u64 = 128 * 1024;
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(LOOK);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(LOOK).read_to_end(&mut tail)?;
    let Some(place) = tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06") else {
        return Ok(None);
    };
    let comment = tail.get(place + 20..place + 22).map_or(0, |bytes| {
        u64::from(bytes.first().copied().unwrap_or(0))
            + 256 * u64::from(bytes.last().copied().unwrap_or(0))
    });
    Ok(Some((from + place as u64 + 22 + comment).min(length)))
}

// A part of a file, as if it were the whole.
struct Part {
    file: File,
    start: u64,
    end: u64,
    at: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = (self.end - self.start).saturating_sub(self.at);
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.file.seek(SeekFrom::Start(self.start + self.at))?;
        let read = self.file.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Part {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        let from = |base: u64, by: i64| base.checked_add_signed(by);
        let at = match place {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => from(self.end - self.start, by),
            SeekFrom::Current(by) => from(self.at, by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

// The body of the member.
fn plugin(
    collection: &NodePath,
    manifest: Option<&Manifest>,
    upload: &Upload,
) -> Result<Value, Failure> {
    let made = || format!("plugin-{}", upload.sha256.get(..8).unwrap_or_default());
    let name = match manifest {
        Some(manifest) => manifest.get("name").map(str::to_owned).ok_or_else(|| {
            Failure::inconsistent(format!("{MANIFEST} has no line with the name of the plugin"))
        })?,
        None => made(),
    };
    let said = |name: &str| manifest.and_then(|manifest| manifest.get(name));
    let kind = collection.key().map_or(DEFAULT_KIND, Key::as_str);
    let mut body = Map::new();
    body.insert("api".to_owned(), json!(said("api").unwrap_or("1.0")));
    body.insert("description".to_owned(), json!(said("description").unwrap_or_default()));
    body.insert("path".to_owned(), json!(format!("/opt/scb/var/plugins/{kind}/{name}")));
    body.insert("name".to_owned(), json!(name));
    if let Some(version) = said("version") {
        body.insert("version".to_owned(), json!(version));
    }
    Ok(Value::Object(body))
}

// The member of that name, which an upload replaces.
fn named(tree: &Tree, collection: &NodePath, name: &Value) -> Option<Key> {
    let is_called = |body: &Body| body.value()["name"] == *name;
    let mut members = tree.members(collection);
    members.find(|(_, body)| is_called(body)).map(|(key, _)| key.clone())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str = "name: Sample\ndescription: \"Mine: all\"\ntype: aa\napi: 1.0\n\
                        version: '1.12'\nscb_max_version: ~\n# comment: no\n  below: no\n";

    fn archive(name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = zip::ZipWriter::new(io::Cursor::new(&mut bytes));
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(TEXT.as_bytes()).unwrap();
        writer.finish().unwrap();
        bytes
    }

    fn uploaded(bytes: &[u8]) -> Upload {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let (sha256, head) = ("0123456789".to_owned(), bytes.to_vec());
        Upload { file, bytes: bytes.len() as u64, sha256, head }
    }

    #[test]
    fn a_manifest_is_read_from_an_archive_wherever_it_stands() {
        let plain = archive("MANIFEST");
        let deep = archive("plugin/MANIFEST");
        let form = [b"--x\r\nContent-Type: application/zip\r\n\r\n", &plain[..], b"\r\n--x--\r\n"]
            .concat();
        for bytes in [plain, deep, form] {
            let found = manifest(&uploaded(&bytes)).unwrap().expect("a manifest");
            assert_eq!(found.get("name"), Some("Sample"));
            assert_eq!(found.get("description"), Some("Mine: all"));
            assert_eq!(found.get("version"), Some("1.12"));
            assert_eq!((found.get("scb_max_version"), found.get("below")), (None, None));
        }
        for other in [&b"text"[..], b"PK\x03\x04 cut off", &archive("README")] {
            assert_eq!(manifest(&uploaded(other)).unwrap(), None);
        }
    }

    #[test]
    fn a_plugin_without_a_manifest_is_called_by_its_content() {
        let collection = NodePath::parse("/plugins/aa").unwrap();
        let body = plugin(&collection, None, &uploaded(b"x")).unwrap();
        assert_eq!(body["name"], "plugin-01234567");
        assert!(plugin(&collection, Some(&Manifest::parse("type: aa")), &uploaded(b"x")).is_err());
    }
}
