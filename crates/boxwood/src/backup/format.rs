//! The bytes of a backup: a line that names the format, then frames, the last of which has a hash
//! over everything before it.
//!
//! A frame is a letter, the length of a key (four bytes), the length of a value (eight bytes), the
//! key and the value; numbers are big-endian.

use std::io::{Read, Write};

use super::BackupError;

const FORMAT: &[u8] = b"boxwood-backup/1\n";
/// Larger parts are refused: nothing that is written is near it.
const LARGEST: u64 = 64 << 20;

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file: its path in the data directory, and its content.
    File,
    /// The beginning of a log: the name of its store, and the path of its checkpoints.
    Log,
    /// A key of the store of the current log, and its value.
    Entry,
    /// A piece of a checkpoint of the current log: its name, and the next bytes.
    Checkpoint,
    /// The end: the hash.
    End,
    /// The daemon failed: what happened.
    Failure,
}

const LETTERS: [(Kind, u8); 6] = [
    (Kind::File, b'F'),
    (Kind::Log, b'L'),
    (Kind::Entry, b'E'),
    (Kind::Checkpoint, b'C'),
    (Kind::End, b'Z'),
    (Kind::Failure, b'X'),
];

/// A frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// What it holds.
    pub kind: Kind,
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
}

/// Writes frames.
pub struct Writer<W> {
    out: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Writer<W> {
    /// Begins a backup.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(out: W) -> Result<Self, BackupError> {
        let mut writer = Self { out, hasher: blake3::Hasher::new() };
        writer.write(FORMAT)?;
        Ok(writer)
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn frame(&mut self, kind: Kind, key: &[u8], value: &[u8]) -> Result<(), BackupError> {
        let letter = LETTERS.iter().find(|(known, _)| *known == kind).map_or(0, |(_, l)| *l);
        let key_length = u32::try_from(key.len()).map_err(|_| BackupError::Damaged("a key"))?;
        self.write(&[letter])?;
        self.write(&key_length.to_be_bytes())?;
        self.write(&(value.len() as u64).to_be_bytes())?;
        self.write(key)?;
        self.write(value)
    }

    /// Ends the backup with its hash.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(mut self) -> Result<W, BackupError> {
        let hash = self.hasher.finalize();
        self.frame(Kind::End, b"", hash.as_bytes())?;
        self.out.flush().map_err(BackupError::io("cannot write the backup"))?;
        Ok(self.out)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.hasher.update(bytes);
        self.out.write_all(bytes).map_err(BackupError::io("cannot write the backup"))
    }
}

/// Reads frames, and checks the hash at the end.
pub struct Reader<R> {
    from: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Reader<R> {
    /// Begins to read a backup.
    ///
    /// # Errors
    /// It is not a backup of a format that is known here.
    pub fn begin(from: R) -> Result<Self, BackupError> {
        let mut reader = Self { from, hasher: blake3::Hasher::new() };
        match reader.read(FORMAT.len() as u64) {
            Ok(found) if found == FORMAT => Ok(reader),
            _ => Err(BackupError::Damaged("it does not begin with boxwood-backup/1")),
        }
    }

    /// The next frame; `None` after the last one, whose hash was right.
    ///
    /// # Errors
    /// The backup ends early or is damaged, or the daemon reports a failure in it.
    pub fn frame(&mut self) -> Result<Option<Frame>, BackupError> {
        let hash = self.hasher.finalize();
        let letter = self.read(1)?;
        let kind = LETTERS.iter().find(|(_, known)| letter == [*known]).map(|(kind, _)| *kind);
        let kind = kind.ok_or(BackupError::Damaged("a part of an unknown kind"))?;
        let key_length = self.number::<4>()?;
        let value_length = self.number::<8>()?;
        let (key, value) = (self.read(key_length)?, self.read(value_length)?);
        match kind {
            Kind::End if value == hash.as_bytes() => Ok(None),
            Kind::End => Err(BackupError::Damaged("its hash is another one")),
            Kind::Failure => Err(BackupError::Daemon(String::from_utf8_lossy(&value).into_owned())),
            kind => Ok(Some(Frame { kind, key, value })),
        }
    }

    fn number<const N: usize>(&mut self) -> Result<u64, BackupError> {
        let bytes = self.read(N as u64)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn read(&mut self, length: u64) -> Result<Vec<u8>, BackupError> {
        if length > LARGEST {
            return Err(BackupError::Damaged("a part is too long"));
        }
        let mut bytes = Vec::new();
        let read = (&mut self.from).take(length).read_to_end(&mut bytes);
        read.map_err(BackupError::io("cannot read the backup"))?;
        if bytes.len() as u64 != length {
            return Err(BackupError::Damaged("it ends early"));
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new()).unwrap();
        writer.frame(Kind::Log, b"", b"checkpoints").unwrap();
        writer.frame(Kind::Entry, b"key", &[7; 300]).unwrap();
        writer.end().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Frame>, BackupError> {
        let mut reader = Reader::begin(bytes)?;
        let mut frames = Vec::new();
        while let Some(frame) = reader.frame()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    #[test]
    fn what_is_written_is_read() {
        let frames = read(&sample()).unwrap();
        assert_eq!(frames.len(), 2);
        assert_eq!((frames[1].kind, frames[1].value.len()), (Kind::Entry, 300));
    }

    #[test]
    fn every_changed_and_every_missing_byte_is_noticed() {
        let sample = sample();
        for length in 0..sample.len() {
            assert!(read(&sample[..length]).is_err(), "cut at {length}");
        }
        for place in 0..sample.len() {
            let mut bytes = sample.clone();
            bytes[place] ^= 1;
            assert!(read(&bytes).is_err(), "changed at {place}");
        }
    }
}
