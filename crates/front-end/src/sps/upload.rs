//! Bodies that are files: written to disk as they come, whatever type they declare.
//!
//! Clients send firmware and plugins without a type, as octets, as an ISO image, and as JSON that it
//! is not (SPS client checklist 47). So the declared type is not looked at, and nothing of an upload
//! is held in memory but its beginning.

use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::Call;
use super::slots::HEAD_BYTES;
use crate::failure::{Failure, Reason};
use crate::transport::RequestBody;

/// How many pieces wait for the disk.
const PIECES: usize = 8;

/// An upload on disk; gone with this value unless it is moved elsewhere.
pub(super) struct Upload {
    /// The file.
    pub(super) file: NamedTempFile,
    /// Its size.
    pub(super) bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub(super) sha256: String,
    /// Its beginning.
    pub(super) head: Vec<u8>,
}

impl Call<'_> {
    /// Writes a body to disk.
    pub(super) async fn upload(&self, body: RequestBody) -> Result<Upload, Failure> {
        let folder = self.sps.machine.folder().map_err(no_disk)?.map(PathBuf::from);
        let (send, receive) = mpsc::channel(PIECES);
        let writing = tokio::task::spawn_blocking(move || write(folder, receive));
        let gap = self.appliance.process.options.limits.body_timeout;
        let poured = body.pour(self.sps.settings.upload_bytes, gap, &send).await;
        drop(send);
        let written = writing.await.map_err(|_| Failure::Internal)?;
        poured?;
        let upload = written.map_err(no_disk)?;
        if upload.bytes == 0 {
            return Err(Failure::BodyMissing("The body is empty: send the file as it is".into()));
        }
        Ok(upload)
    }
}

/// The disk does not take a file.
pub(super) fn no_disk(error: io::Error) -> Failure {
    tracing::error!(%error, "an upload cannot be stored");
    let message = "The file cannot be stored; the log of the server says why".to_owned();
    Failure::Unsuitable { reason: Reason::Unavailable, message }
}

fn write(folder: Option<PathBuf>, mut pieces: mpsc::Receiver<Bytes>) -> io::Result<Upload> {
    let named = tempfile::Builder::new().prefix("upload-").to_owned();
    let mut file = match folder {
        Some(folder) => named.tempfile_in(folder)?,
        None => named.tempfile()?,
    };
    let (mut bytes, mut sum, mut head) = (0_u64, Sha256::new(), Vec::new());
    while let Some(piece) = pieces.blocking_recv() {
        file.write_all(&piece)?;
        sum.update(&piece);
        let more = HEAD_BYTES.saturating_sub(head.len()).min(piece.len());
        head.extend_from_slice(&piece[..more]);
        bytes += piece.len() as u64;
    }
    let sha256 = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Upload { file, bytes, sha256, head })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_become_a_file_that_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (send, receive) = mpsc::channel(2);
        let place = folder.path().to_owned();
        let writing = tokio::task::spawn_blocking(move || write(Some(place), receive));
        for piece in ["ab", "", "c"] {
            send.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
        drop(send);
        let upload = writing.await.unwrap().unwrap();
        assert_eq!((upload.bytes, upload.head.as_slice()), (3, &b"abc"[..]));
        assert!(upload.sha256.starts_with("ba7816bf"));
        assert_eq!(io::read_to_string(upload.file.reopen().unwrap()).unwrap(), "abc");
        drop(upload);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
