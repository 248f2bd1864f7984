//! A file system of which one knows what would survive a power cut, fed from a trace.
//!
//! What is taken for granted is what POSIX and the journalling file systems of Linux (ext4, xfs)
//! have in common, and no more:
//!
//! - A sync of a file makes its content and its length durable, not its name. A sync of a folder
//!   makes the names in it durable, and with them all changes of names before: these are kept in
//!   the order in which they were made, and a part from the front of them survives. `syncfs` makes
//!   everything durable. `sync_file_range`, and closing a file, make nothing durable.
//! - What was written and not synced may be there or not, each sector of 512 bytes for itself and in
//!   any order. Of several writes to a sector, any may be the last that got there, and then those
//!   before are in it too: they came from the same page in memory.
//! - Lengths change in the order in which they were changed, apart from content: so a file may have
//!   grown and hold zeros, and what was cut off never comes back.
//!
//! ext4 and xfs promise more, for instance that a sync of a file brings its name along; who relies
//! on less is safe there too. btrfs may reorder the names of different folders; this is not modelled.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::luck::Luck;
use crate::record::{Kind, Record};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// What a kernel keeps in memory and writes at once, mostly.
const PAGE: usize = 4096;

const O_CREAT: u64 = 0o100;
const O_TRUNC: u64 = 0o1000;

/// Files and folders by their paths from the root, with what they are. The root is not among them.
type Names = BTreeMap<PathBuf, usize>;

/// All files below a folder, with what is durable of them and what is not.
#[derive(Debug)]
pub(crate) struct Medium {
    root: PathBuf,
    nodes: Vec<Node>,
    names: Names,
    durable: Names,
    /// What happened to names since `durable`.
    pending: Vec<Renaming>,
    open: HashMap<i32, usize>,
}

#[derive(Debug, Default)]
struct Node {
    is_folder: bool,
    now: Vec<u8>,
    durable: Vec<u8>,
    /// What happened to the content since `durable`.
    pending: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Debug)]
enum Renaming {
    Made(PathBuf, usize),
    Moved(PathBuf, PathBuf),
    Gone(PathBuf),
}

/// What the power cut leaves of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing.
    Lost,
    /// Everything: as a kill does.
    Kept,
    /// What came first.
    InOrder,
    /// Any pages.
    Pages,
    /// Any sectors.
    Sectors,
    /// All but one sector.
    OneLost,
    /// One sector alone.
    OneKept,
}

pub(crate) const CUTS: [Cut; 7] =
    [Cut::Lost, Cut::Kept, Cut::InOrder, Cut::Pages, Cut::Sectors, Cut::OneLost, Cut::OneKept];

/// The node of the root.
const ROOT: usize = 0;

impl Medium {
    /// An empty folder.
    pub(crate) fn new(root: &Path) -> Medium {
        Medium {
            root: root.to_owned(),
            nodes: vec![Node { is_folder: true, ..Node::default() }],
            names: Names::new(),
            durable: Names::new(),
            pending: Vec::new(),
            open: HashMap::new(),
        }
    }

    /// Does what was done.
    ///
    /// # Panics
    ///
    /// When the trace lacks something that must have come before.
    pub(crate) fn apply(&mut self, record: &Record) {
        if record.result < 0 {
            // Nor is a sync that failed one.
            return;
        }
        match record.kind {
            // A process has nothing open when it begins.
            Kind::Start => self.open.clear(),
            Kind::Open => self.open(record),
            Kind::Close => drop(self.open.remove(&record.fd)),
            Kind::Write => {
                let change = Change::Write { at: record.a as usize, data: record.data.clone() };
                self.node_of(record).change(change);
            }
            Kind::Truncate => self.node_of(record).change(Change::Length(record.a as usize)),
            Kind::MakeFolder => {
                self.nodes.push(Node { is_folder: true, ..Node::default() });
                self.rename(Renaming::Made(self.path(&record.path), self.nodes.len() - 1));
            }
            Kind::Rename => {
                let (from, to) = (self.path(&record.path), self.path(&record.data));
                self.rename(Renaming::Moved(from, to));
            }
            Kind::Unlink | Kind::RemoveFolder => {
                self.rename(Renaming::Gone(self.path(&record.path)));
            }
            Kind::Sync => self.sync(record),
            Kind::SyncSystem => self.sync_all(),
            Kind::Read | Kind::SyncRange | Kind::Unknown => {}
        }
    }

    /// Whether a power cut could leave anything else than what is there.
    pub(crate) fn is_durable(&self) -> bool {
        self.pending.is_empty() && self.nodes.iter().all(|node| node.pending.is_empty())
    }

    /// Writes what a power cut could leave now.
    pub(crate) fn leave(&self, target: &Path, cut: Cut, luck: &mut Luck) {
        let mut names = self.durable.clone();
        let kept = match cut {
            Cut::Lost => 0,
            Cut::Kept => self.pending.len(),
            _ => some_of(self.pending.len(), luck),
        };
        self.pending[..kept].iter().for_each(|renaming| renaming.apply(&mut names));
        // Of the files that are there, one is that of which a sector is lost, or kept.
        let odd = luck.below(names.len() as u64 + 1) as usize;
        for (index, (path, node)) in names.iter().enumerate() {
            let (path, node) = (target.join(path), &self.nodes[*node]);
            if node.is_folder {
                fs::create_dir_all(&path).expect("a folder can be made");
                continue;
            }
            let is_odd = index == odd || names.len() == 1;
            let content = match cut {
                Cut::OneLost if !is_odd => node.now.clone(),
                Cut::OneKept if !is_odd => node.durable.clone(),
                cut => node.left(cut, luck),
            };
            put(&path, &content);
        }
    }

    /// Compares what the trace comes to with what is really there.
    ///
    /// # Panics
    ///
    /// When something was done that the trace does not tell of.
    pub(crate) fn compare(&self, real: &Path) {
        let mut found = BTreeSet::new();
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(real.join(&folder)).expect("a folder can be read") {
                let entry = entry.expect("a folder can be read");
                let path = folder.join(entry.file_name());
                let node = self.names.get(&path);
                let node = node.unwrap_or_else(|| panic!("the trace lacks {}", path.display()));
                if entry.path().is_dir() {
                    waiting.push(path.clone());
                } else {
                    let bytes = fs::read(entry.path()).expect("a file can be read");
                    assert!(
                        bytes == self.nodes[*node].now,
                        "the trace lacks what was done to {}",
                        path.display()
                    );
                }
                found.insert(path);
            }
        }
        let gone: Vec<_> = self.names.keys().filter(|path| !found.contains(*path)).collect();
        assert!(gone.is_empty(), "the trace lacks how these went: {gone:?}");
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        let path = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
        path.strip_prefix(&self.root).expect("a path below the root").to_owned()
    }

    fn node_of(&mut self, record: &Record) -> &mut Node {
        let node = self.open.get(&record.fd);
        let node = *node.unwrap_or_else(|| panic!("the trace lacks the opening of {record:?}"));
        &mut self.nodes[node]
    }

    fn open(&mut self, record: &Record) {
        let path = self.path(&record.path);
        let node = match self.names.get(&path) {
            _ if path.as_os_str().is_empty() => ROOT,
            Some(node) => *node,
            None => {
                assert!(record.a & O_CREAT != 0, "the trace lacks {}", path.display());
                self.nodes.push(Node::default());
                self.rename(Renaming::Made(path, self.nodes.len() - 1));
                self.nodes.len() - 1
            }
        };
        if record.a & O_TRUNC != 0 {
            self.nodes[node].change(Change::Length(0));
        }
        self.open.insert(record.result as i32, node);
    }

    fn rename(&mut self, renaming: Renaming) {
        renaming.apply(&mut self.names);
        self.pending.push(renaming);
    }

    fn sync(&mut self, record: &Record) {
        let node = self.node_of(record);
        if !node.is_folder {
            node.sync();
            return;
        }
        let node = self.open[&record.fd];
        let folder = self.names.iter().find(|(_, it)| **it == node).map(|(path, _)| path.clone());
        let folder = folder.unwrap_or_default();
        let last = self.pending.iter().rposition(|renaming| renaming.is_in(&folder));
        for renaming in self.pending.drain(..last.map_or(0, |last| last + 1)) {
            renaming.apply(&mut self.durable);
        }
    }

    fn sync_all(&mut self) {
        self.nodes.iter_mut().for_each(Node::sync);
        self.pending.clear();
        self.durable.clone_from(&self.names);
    }
}

impl Renaming {
    fn apply(&self, names: &mut Names) {
        match self {
            Renaming::Made(path, node) => drop(names.insert(path.clone(), *node)),
            Renaming::Gone(path) => drop(names.remove(path)),
            Renaming::Moved(from, to) => {
                let moved: Vec<_> =
                    names.iter().filter(|(path, _)| path.starts_with(from)).map(pair).collect();
                for (path, node) in moved {
                    names.remove(&path);
                    let rest = path.strip_prefix(from).expect("it begins with that");
                    let path = match rest.as_os_str().is_empty() {
                        true => to.clone(),
                        false => to.join(rest),
                    };
                    names.insert(path, node);
                }
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        let is_in = |path: &Path| path.parent() == Some(folder);
        match self {
            Renaming::Made(path, _) | Renaming::Gone(path) => is_in(path),
            Renaming::Moved(from, to) => is_in(from) || is_in(to),
        }
    }
}

fn pair((path, node): (&PathBuf, &usize)) -> (PathBuf, usize) {
    (path.clone(), *node)
}

impl Node {
    fn change(&mut self, change: Change) {
        match &change {
            Change::Write { at, data } => {
                let end = at + data.len();
                if end > self.now.len() {
                    self.now.resize(end, 0);
                }
                self.now[*at..end].copy_from_slice(data);
            }
            Change::Length(length) => self.now.resize(*length, 0),
        }
        self.pending.push(change);
    }

    fn sync(&mut self) {
        if !self.pending.is_empty() {
            self.pending.clear();
            self.durable.clone_from(&self.now);
        }
    }

    /// What could be left of the content.
    fn left(&self, cut: Cut, luck: &mut Luck) -> Vec<u8> {
        let all = self.pending.len();
        match cut {
            Cut::Lost => return self.durable.clone(),
            Cut::Kept => return self.now.clone(),
            _ if all == 0 => return self.now.clone(),
            _ => {}
        }
        // So many changes of the length got through.
        let in_order = some_of(all, luck);
        let lengths = match cut {
            Cut::OneLost | Cut::OneKept => all,
            _ => in_order,
        };
        let unit = if cut == Cut::Pages { PAGE } else { SECTOR };
        let mut content = self.durable.clone();
        content.resize(self.length_after(lengths), 0);
        let units = self.touched(unit, content.len());
        let odd = luck.below(units.len().max(1) as u64) as usize;
        for (index, unit_number) in units.into_iter().enumerate() {
            let writes = match cut {
                Cut::OneLost if index == odd => 0,
                Cut::OneLost => all,
                Cut::OneKept if index == odd => all,
                Cut::OneKept => 0,
                Cut::InOrder => in_order,
                _ => some_of(all, luck),
            };
            let from = unit_number * unit;
            let to = (from + unit).min(content.len());
            self.compose(&mut content[from..to], from, lengths, writes);
        }
        content
    }

    fn length_after(&self, changes: usize) -> usize {
        self.pending[..changes].iter().fold(self.durable.len(), |length, change| match change {
            Change::Write { at, data } => length.max(at + data.len()),
            Change::Length(length) => *length,
        })
    }

    /// The numbers of the units, up to a length, of which the content may be another.
    fn touched(&self, unit: usize, length: usize) -> BTreeSet<usize> {
        let ranges = self.pending.iter().map(|change| match change {
            Change::Write { at, data } => *at..at + data.len(),
            Change::Length(from) => *from..length,
        });
        ranges
            .filter(|range| !range.is_empty())
            .flat_map(|range| range.start / unit..=(range.end - 1) / unit)
            .filter(|number| number * unit < length)
            .collect()
    }

    /// One unit after the first so many writes, and the first so many changes of the length.
    fn compose(&self, unit: &mut [u8], from: usize, lengths: usize, writes: usize) {
        for (index, change) in self.pending.iter().enumerate() {
            match change {
                Change::Write { at, data } if index < writes => {
                    let start = (*at).clamp(from, from + unit.len());
                    let end = (at + data.len()).clamp(from, from + unit.len());
                    if start < end {
                        unit[start - from..end - from].copy_from_slice(&data[start - at..end - at]);
                    }
                }
                Change::Length(length) if index < lengths => {
                    let start = (*length).clamp(from, from + unit.len());
                    unit[start - from..].fill(0);
                }
                _ => {}
            }
        }
    }
}

/// None, all, or any number of so many, each of the three as likely.
fn some_of(count: usize, luck: &mut Luck) -> usize {
    match luck.below(3) {
        0 => 0,
        1 => count,
        _ => luck.below(count as u64 + 1) as usize,
    }
}

/// For its owner alone, as a key must be.
fn put(path: &Path, content: &[u8]) {
    let mut options = fs::File::options();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content)).expect("a file can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A medium with an open file of so many bytes, of which nothing is durable, and its folder.
    fn with_file(length: usize) -> Medium {
        let mut medium = Medium::new(Path::new("/m"));
        medium.apply(&Record { path: b"/m".to_vec(), result: 4, ..Record::new(Kind::Open) });
        let path = b"/m/f".to_vec();
        medium.apply(&Record { path, a: O_CREAT | 1, result: 3, ..Record::new(Kind::Open) });
        write(&mut medium, 0, &vec![b'a'; length]);
        medium
    }

    fn write(medium: &mut Medium, at: u64, data: &[u8]) {
        let data = data.to_vec();
        medium.apply(&Record { fd: 3, a: at, data, ..Record::new(Kind::Write) });
    }

    fn sync(medium: &mut Medium, fd: i32) {
        medium.apply(&Record { fd, ..Record::new(Kind::Sync) });
    }

    /// The file after a power cut, if it is there.
    fn left(medium: &Medium, cut: Cut, seed: u64) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        medium.leave(folder.path(), cut, &mut Luck::seeded(seed));
        fs::read(folder.path().join("f")).ok()
    }

    #[test]
    fn a_name_is_as_durable_as_its_folder_and_content_as_its_file() {
        let mut medium = with_file(1000);
        sync(&mut medium, 3);
        assert_eq!(left(&medium, Cut::Lost, 1), None);
        sync(&mut medium, 4);
        assert_eq!(left(&medium, Cut::Lost, 1), Some(vec![b'a'; 1000]));
        assert!(medium.is_durable());
        write(&mut medium, 990, &[b'b'; 20]);
        // A sync that failed, and one of a part, are none.
        medium.apply(&Record { fd: 3, result: -5, ..Record::new(Kind::Sync) });
        medium.apply(&Record { fd: 3, ..Record::new(Kind::SyncRange) });
        assert!(!medium.is_durable());
        assert_eq!(left(&medium, Cut::Lost, 1), Some(vec![b'a'; 1000]));
        assert_eq!(left(&medium, Cut::Kept, 1).map(|bytes| bytes.len()), Some(1010));
    }

    #[test]
    fn sectors_are_whole_and_come_in_any_order() {
        let mut medium = with_file(4 * SECTOR);
        sync(&mut medium, 3);
        sync(&mut medium, 4);
        write(&mut medium, 0, &[b'b'; 4 * SECTOR]);
        write(&mut medium, 10, &[b'c'; 10]);
        let mut seen = BTreeSet::new();
        for seed in 0..1500 {
            let bytes = medium.nodes[1].left(Cut::Sectors, &mut Luck::seeded(seed));
            let (first, rest) = bytes.split_at(SECTOR);
            let is_after = first[0] == b'b';
            // The second write has the first one below it.
            assert!(is_after || first[10] == b'a', "{first:?}");
            assert!(first[20..].iter().all(|byte| *byte == first[0]));
            let rest: Vec<u8> = rest.chunks(SECTOR).map(|sector| sector[0]).collect();
            for (sector, byte) in bytes[SECTOR..].chunks(SECTOR).zip(&rest) {
                assert!(sector.iter().all(|other| other == byte));
            }
            seen.insert((first[0], first[10], rest));
        }
        // Three ways for the first, two for each of the others.
        assert_eq!(seen.len(), 3 * 8);
    }

    #[test]
    fn names_change_in_order() {
        let mut medium = with_file(1);
        medium.apply(&Record { fd: 4, ..Record::new(Kind::SyncSystem) });
        let (path, data) = (b"/m/f".to_vec(), b"/m/g".to_vec());
        medium.apply(&Record { path, data, ..Record::new(Kind::Rename) });
        medium.apply(&Record { path: b"/m/g".to_vec(), ..Record::new(Kind::Unlink) });
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            let folder = tempfile::tempdir().expect("a folder can be made");
            medium.leave(folder.path(), Cut::Sectors, &mut Luck::seeded(seed));
            seen.insert(["f", "g"].map(|name| folder.path().join(name).exists()));
        }
        assert_eq!(seen, BTreeSet::from([[true, false], [false, true], [false, false]]));
    }
}
