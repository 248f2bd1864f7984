//! One line of a trace: what was done to a file, and what came of it. Written by the shim and read
//! by the tests, which share this file.

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A process begins; `a` is its number. It has no file open.
    Start,
    /// `path` was opened with the flags `a`; the result is the descriptor.
    Open,
    /// A descriptor was closed.
    Close,
    /// Something was read.
    Read,
    /// `data` was written at the offset `a`; `b` bytes were asked for.
    Write,
    /// A file got the length `a`.
    Truncate,
    /// `path` was renamed to `data`.
    Rename,
    /// The file at `path` was removed.
    Unlink,
    /// The folder at `path` was made.
    MakeFolder,
    /// The folder at `path` was removed.
    RemoveFolder,
    /// The file or folder behind a descriptor was synced; its data alone where `a` is 1.
    Sync,
    /// The kernel was told to begin writing; nothing is durable by that.
    SyncRange,
    /// The whole file system was synced.
    SyncSystem,
    /// Something that the tests have no model of; `path` has its name.
    Unknown,
}

const KINDS: [Kind; 14] = [
    Kind::Start,
    Kind::Open,
    Kind::Close,
    Kind::Read,
    Kind::Write,
    Kind::Truncate,
    Kind::Rename,
    Kind::Unlink,
    Kind::MakeFolder,
    Kind::RemoveFolder,
    Kind::Sync,
    Kind::SyncRange,
    Kind::SyncSystem,
    Kind::Unknown,
];

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// What was done.
    pub(crate) kind: Kind,
    /// Whether the shim made it fail, or fall short.
    pub(crate) injected: bool,
    /// The descriptor, or -1.
    pub(crate) fd: i32,
    /// What the call answered; the negative error number when it failed.
    pub(crate) result: i64,
    /// See [`Kind`].
    pub(crate) a: u64,
    /// See [`Kind`].
    pub(crate) b: u64,
    /// See [`Kind`].
    pub(crate) path: Vec<u8>,
    /// See [`Kind`].
    pub(crate) data: Vec<u8>,
}

/// Which operations are counted until one is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Those that change something or make it durable.
    Changes,
    /// Those and reads.
    All,
    /// Syncs of the whole file system alone.
    Syncs,
}

impl Counted {
    pub(crate) fn parse(text: &str) -> Counted {
        match text {
            "changes" => Counted::Changes,
            "syncs" => Counted::Syncs,
            _ => Counted::All,
        }
    }

    pub(crate) fn takes(self, record: &Record) -> bool {
        match self {
            Counted::Changes => record.is_change(),
            Counted::All => record.is_change() || matches!(record.kind, Kind::Open | Kind::Read),
            Counted::Syncs => record.kind == Kind::SyncSystem,
        }
    }
}

/// The bytes before path and data: length, kind, injected, fd, result, a, b, length of the path.
const HEAD: usize = 4 + 1 + 1 + 4 + 8 + 8 + 8 + 4;

const PAGE: u64 = 4096;

impl Record {
    /// An operation that has not been done yet.
    pub(crate) fn new(kind: Kind) -> Record {
        let (path, data) = (Vec::new(), Vec::new());
        Record { kind, injected: false, fd: -1, result: 0, a: 0, b: 0, path, data }
    }

    /// Whether it changes what is in files or folders, or makes it durable. What was opened for
    /// writing may come into being by that.
    pub(crate) fn is_change(&self) -> bool {
        match self.kind {
            // O_WRONLY or O_RDWR.
            Kind::Open => self.a & 3 != 0,
            Kind::Start | Kind::Close | Kind::Read | Kind::Unknown => false,
            _ => true,
        }
    }

    /// How much of a write there is when it is cut off at the page nearest to its middle. Neither a
    /// kill nor a full disk cuts it elsewhere.
    fn torn_length(&self) -> usize {
        let middle = self.a + self.data.len() as u64 / 2;
        usize::try_from((middle - middle % PAGE).saturating_sub(self.a)).unwrap_or(0)
    }

    /// Whether there is a page to cut it off at.
    pub(crate) fn can_tear(&self) -> bool {
        self.kind == Kind::Write && self.torn_length() > 0
    }

    /// Leaves what comes before that page.
    pub(crate) fn tear(&mut self) {
        self.data.truncate(self.torn_length());
    }

    /// As it stands in a trace.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let length = (HEAD + self.path.len() + self.data.len()) as u32;
        let mut bytes = Vec::with_capacity(length as usize);
        bytes.extend(length.to_le_bytes());
        bytes.push(KINDS.iter().position(|kind| *kind == self.kind).unwrap_or_default() as u8);
        bytes.push(self.injected.into());
        bytes.extend(self.fd.to_le_bytes());
        bytes.extend(self.result.to_le_bytes());
        bytes.extend(self.a.to_le_bytes());
        bytes.extend(self.b.to_le_bytes());
        bytes.extend((self.path.len() as u32).to_le_bytes());
        bytes.extend(&self.path);
        bytes.extend(&self.data);
        bytes
    }

    /// The record that begins at `at`, which moves behind it; `None` where there is no whole one.
    // For those who read a trace.
    #[allow(dead_code)]
    pub(crate) fn from_bytes(bytes: &[u8], at: &mut usize) -> Option<Record> {
        let rest = bytes.get(*at..)?;
        let number =
            |from: usize| Some(u64::from_le_bytes(rest.get(from..from + 8)?.try_into().ok()?));
        let short =
            |from: usize| Some(u32::from_le_bytes(rest.get(from..from + 4)?.try_into().ok()?));
        let whole = rest.get(..short(0)? as usize)?;
        let (path, data) = whole.get(HEAD..)?.split_at_checked(short(HEAD - 4)? as usize)?;
        *at += whole.len();
        Some(Record {
            kind: *KINDS.get(usize::from(whole[4]))?,
            injected: whole[5] == 1,
            fd: short(6)? as i32,
            result: number(10)? as i64,
            a: number(18)?,
            b: number(26)?,
            path: path.to_vec(),
            data: data.to_vec(),
        })
    }
}
