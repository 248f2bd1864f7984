//! Reading a checkpoint, which is what most of a start with a large tree is spent on.
//!
//! One thread reads the file and hashes it, block by block; each block of lines is parsed by a
//! thread of its own; what they made is put together in the order of the lines. So it does not
//! depend on how threads take turns which tree comes out, or which line is named as the first bad
//! one. The members of a collection are put into the tree together when the last of them is there.

use std::collections::VecDeque;
use std::io::BufRead;
use std::thread::{self, ScopedJoinHandle};

use blake3::{Hash, Hasher};
use config_tree::{Body, Key, Kind, Node, NodePath, Tree, TreeDigest, TreeError};

use super::checkpoint::{Checkpoint, Header, Line, Problem, TRAILER, trailer};
use super::layout::{FORMAT, parse_path};
use crate::store::revision::RevisionNumber;

/// How much is parsed at a time: much compared with the start of a thread, little compared with a large tree.
const BLOCK_BYTES: usize = 1 << 20;

/// How many blocks may wait for the one that is next to be put into the tree.
const AHEAD: usize = 4;

/// Reads and checks the lines of a checkpoint, onto the folders and collections of `skeleton`.
pub(super) fn read_lines<R: BufRead>(
    input: R,
    number: RevisionNumber,
    skeleton: &Tree,
) -> Result<Checkpoint, Problem> {
    let mut lines = Lines::new(input);
    let Place { chain, digest, sequences } = read_header(&mut lines, number)?;
    let mut tree = thread::scope(|scope| {
        let mut planting = Planting::on(skeleton);
        let mut parsing = VecDeque::new();
        while let Some(block) = lines.block()? {
            let thread = thread::Builder::new().name("checkpoint-read".into());
            let parse = move || stretches(&block, skeleton);
            parsing.push_back(thread.spawn_scoped(scope, parse).map_err(Problem::Io)?);
            if parsing.len() > AHEAD {
                parsing.pop_front().into_iter().for_each(|block| planting.place(joined(block)));
            }
        }
        parsing.into_iter().for_each(|block| planting.place(joined(block)));
        planting.finish()
    })?;
    if tree.digest() != digest {
        return Err(Problem::Damaged("its bodies do not add up to its digest".into()));
    }
    for (path, number) in sequences {
        tree.sequence_raise(&path, number).map_err(|_| Problem::NoPlace(path.clone()))?;
    }
    Ok(Checkpoint { number, chain, tree })
}

/// Checks the lines of a checkpoint, and makes no tree of them.
pub(super) fn check_lines<R: BufRead>(
    input: R,
    number: RevisionNumber,
) -> Result<(Hash, TreeDigest), Problem> {
    let mut lines = Lines::new(input);
    let Place { chain, digest, sequences: _ } = read_header(&mut lines, number)?;
    while let Some(block) = lines.block()? {
        block.lines().try_for_each(|(count, line)| parse(count, line).map(drop))?;
    }
    Ok((chain, digest))
}

/// What the first line says.
struct Place {
    chain: Hash,
    digest: TreeDigest,
    sequences: Vec<(NodePath, u64)>,
}

fn read_header<R: BufRead>(lines: &mut Lines<R>, number: RevisionNumber) -> Result<Place, Problem> {
    let line = lines.header()?;
    let header: Header<'_> =
        serde_json::from_slice(&line).map_err(|error| Problem::in_line(1, error))?;
    if header.boxwood_checkpoint != FORMAT {
        return Err(Problem::Format(header.boxwood_checkpoint));
    }
    if header.number != number.get() {
        return Err(Problem::Damaged(format!("it says it is of revision {}", header.number)));
    }
    let chain = Hash::from_hex(header.chain.as_bytes());
    let chain = chain.map_err(|_| Problem::in_line(1, "the chain hash is not a hash"))?;
    let digest = TreeDigest::from_hex(&header.digest);
    let digest = digest.ok_or_else(|| Problem::in_line(1, "the digest is not a digest"))?;
    let sequence = |(path, number): (&String, &u64)| {
        let path = parse_path(path).map_err(|what| Problem::in_line(1, what))?;
        Ok((path, *number))
    };
    let sequences = header.sequences.iter().map(sequence).collect::<Result<_, Problem>>()?;
    Ok(Place { chain, digest, sequences })
}

fn parse(count: usize, line: &[u8]) -> Result<Line<'_>, Problem> {
    serde_json::from_slice(line).map_err(|error| Problem::in_line(count, error))
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

// ===== the text =====

/// The lines of a file, with the hash of those that were read.
struct Lines<R> {
    input: R,
    hasher: Hasher,
    count: usize,
    ended: bool,
}

/// Whole lines, and how many were before them.
struct Block {
    before: usize,
    text: Vec<u8>,
}

impl Block {
    /// Each line with its number in the file.
    fn lines(&self) -> impl Iterator<Item = (usize, &[u8])> {
        (self.before + 1..).zip(self.text.split_inclusive(|byte| *byte == b'\n'))
    }
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self { input, hasher: Hasher::new(), count: 0, ended: false }
    }

    fn header(&mut self) -> Result<Vec<u8>, Problem> {
        let mut line = Vec::new();
        self.read_line(&mut line)?;
        self.hasher.update(&line);
        self.count = 1;
        Ok(line)
    }

    /// The next lines; none after the right last one.
    fn block(&mut self) -> Result<Option<Block>, Problem> {
        let mut block = Block { before: self.count, text: Vec::new() };
        while block.text.len() < BLOCK_BYTES && !self.ended {
            let start = block.text.len();
            self.read_line(&mut block.text)?;
            if block.text[start..].starts_with(TRAILER) {
                let last = block.text.split_off(start);
                self.hasher.update(&block.text);
                self.expect_end(&last)?;
                self.ended = true;
            } else {
                self.count += 1;
            }
        }
        if !self.ended {
            self.hasher.update(&block.text);
        }
        Ok(Some(block).filter(|block| !block.text.is_empty()))
    }

    fn read_line(&mut self, text: &mut Vec<u8>) -> Result<(), Problem> {
        match self.input.read_until(b'\n', text).map_err(Problem::Io)? {
            0 => Err(Problem::Damaged("it is cut short".into())),
            _ => Ok(()),
        }
    }

    fn expect_end(&mut self, last: &[u8]) -> Result<(), Problem> {
        // Compared as bytes, so that no bit of the trailer itself may differ.
        let hash = self.hasher.finalize();
        if last != trailer(self.count - 1, hash).as_bytes() {
            return Err(Problem::Damaged(format!("its hash is not {hash} as counted")));
        }
        match self.input.fill_buf().map_err(Problem::Io)? {
            [] => Ok(()),
            _ => Err(Problem::Damaged("something follows its end".into())),
        }
    }
}

// ===== bodies =====

/// Bodies of lines that follow each other and have the same parent.
struct Stretch {
    // The parent as the lines name it, and as what it is.
    text: String,
    parent: NodePath,
    kind: Option<Kind>,
    // Key, rank and body; below a folder there are no ranks, and this one means nothing.
    bodies: Vec<(Key, u64, Body)>,
}

/// The bodies of a block. Which folders and collections there are is the catalog's word, so the
/// skeleton knows where bodies have a place, and no block has to wait for the one before.
fn stretches(block: &Block, skeleton: &Tree) -> Result<Vec<Stretch>, Problem> {
    let mut all: Vec<Stretch> = Vec::new();
    for (count, line) in block.lines() {
        let Line { path, rank, holds } = parse(count, line)?;
        let damaged = |what: String| Problem::in_line(count, what);
        let (parent, key) =
            path.rsplit_once('/').ok_or_else(|| damaged("a path without a slash".to_owned()))?;
        let key = Key::parse(key).map_err(|error| damaged(error.to_string()))?;
        let mut stretch = match all.pop() {
            Some(stretch) if stretch.text == parent => stretch,
            before => {
                all.extend(before);
                Stretch::of(parent, skeleton).map_err(damaged)?
            }
        };
        if !stretch.has_place(&key, rank, skeleton) {
            return Err(Problem::NoPlace(stretch.parent.join(&key)));
        }
        let body = holds.into_body().map_err(damaged)?;
        stretch.bodies.push((key, rank.unwrap_or_default(), body));
        all.push(stretch);
    }
    Ok(all)
}

impl Stretch {
    fn of(text: &str, skeleton: &Tree) -> Result<Self, String> {
        let parent = parse_path(if text.is_empty() { "/" } else { text })?;
        let kind = skeleton.get(&parent).map(Node::kind);
        Ok(Self { text: text.to_owned(), parent, kind, bodies: Vec::new() })
    }

    fn has_place(&self, key: &Key, rank: Option<u64>, skeleton: &Tree) -> bool {
        match self.kind {
            Some(Kind::Folder) => rank.is_none() && skeleton.get(&self.parent.join(key)).is_none(),
            Some(Kind::Collection) => rank.is_some(),
            Some(Kind::Object) | None => false,
        }
    }
}

/// A tree that grows stretch by stretch, up to the first problem.
struct Planting {
    tree: Tree,
    // The members of the last collection, as far as they were read.
    members: Option<Stretch>,
    // Kept until all lines were read: a line that does not fit may be a damaged one, and only the
    // hash at the end tells.
    problem: Option<Problem>,
}

impl Planting {
    fn on(skeleton: &Tree) -> Self {
        Self { tree: skeleton.clone(), members: None, problem: None }
    }

    fn place(&mut self, stretches: Result<Vec<Stretch>, Problem>) {
        if self.problem.is_none() {
            let place = |all: Vec<_>| all.into_iter().try_for_each(|one| self.place_one(one));
            self.problem = stretches.and_then(place).err();
        }
    }

    fn place_one(&mut self, stretch: Stretch) -> Result<(), Problem> {
        match &mut self.members {
            Some(members) if members.parent == stretch.parent => {
                members.bodies.extend(stretch.bodies);
            }
            _ if stretch.kind == Some(Kind::Collection) => {
                self.fill()?;
                self.members = Some(stretch);
            }
            _ => {
                for (key, _, body) in stretch.bodies {
                    let path = stretch.parent.join(&key);
                    self.tree.object_create(&path, body, None).map_err(damaged)?;
                }
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Problem> {
        match self.members.take() {
            Some(Stretch { parent, bodies, .. }) => {
                self.tree.collection_fill(&parent, bodies).map_err(damaged)
            }
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Tree, Problem> {
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => self.fill().map(|()| self.tree),
        }
    }
}

fn damaged(error: TreeError) -> Problem {
    Problem::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::fuzzing::{checkpoint_ended, checkpoint_of};

    const NUMBER: RevisionNumber = RevisionNumber::new(7);

    /// Enough for several blocks.
    const MEMBERS: usize = 3500;

    fn path(text: &str) -> NodePath {
        NodePath::parse(text).unwrap()
    }

    fn skeleton() -> Tree {
        let mut tree = Tree::new();
        tree.folder_create(&path("/f")).unwrap();
        tree.collection_create(&path("/a")).unwrap();
        tree.collection_create(&path("/f/c")).unwrap();
        tree
    }

    fn tree() -> Tree {
        let mut tree = skeleton();
        let body = |n: usize| Body::new(&json!({"n": n, "text": "x".repeat(1000)}), Vec::new());
        for n in 0..MEMBERS {
            let key = Key::parse(&format!("key-{}", n * 7919 % MEMBERS)).unwrap();
            let collection = path(if n % 3 == 0 { "/a" } else { "/f/c" });
            tree.object_create(&collection.join(&key), body(n), None).unwrap();
        }
        tree.object_create(&path("/f/o"), body(MEMBERS), None).unwrap();
        tree
    }

    /// All lines but the last.
    fn lines() -> Vec<String> {
        let text = String::from_utf8(checkpoint_of(NUMBER, [1; 32], &tree()).unwrap()).unwrap();
        assert!(text.len() > 3 * BLOCK_BYTES);
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        lines.pop();
        lines
    }

    fn read(lines: &[String]) -> Result<Checkpoint, Problem> {
        read_lines(&*checkpoint_ended(lines.concat().as_bytes()), NUMBER, &skeleton())
    }

    fn damage(answer: Result<Checkpoint, Problem>) -> String {
        match answer {
            Err(Problem::Damaged(what)) => what,
            Err(Problem::NoPlace(path)) => format!("no place: {path}"),
            Err(Problem::Format(_) | Problem::Io(_)) => panic!("of another kind"),
            Ok(_) => panic!("it was read"),
        }
    }

    #[test]
    fn the_highest_number_of_a_deleted_member_is_kept() {
        let mut tree = skeleton();
        for key in ["3", "9"] {
            let at = path("/f/c").join(&Key::parse(key).unwrap());
            tree.object_create(&at, Body::new(&json!(1), Vec::new()), None).unwrap();
        }
        tree.object_delete(&path("/f/c/9")).unwrap();
        let text = checkpoint_of(NUMBER, [1; 32], &tree).unwrap();
        let found = read_lines(&*text, NUMBER, &skeleton()).ok().unwrap().tree;
        assert_eq!((found.sequence(&path("/f/c")), found.sequence(&path("/a"))), (9, 0));
        assert_eq!(found.digest(), tree.digest());
        // As an older Boxwood wrote it.
        let text = String::from_utf8(text).unwrap();
        let lines = text.replace(",\"sequences\":{\"/f/c\":9}", "");
        assert_ne!(lines, text);
        let body: Vec<String> = lines.split_inclusive('\n').map(str::to_owned).collect();
        let old = read(&body[..body.len() - 1]).ok().unwrap().tree;
        assert_eq!((old.sequence(&path("/f/c")), old.digest()), (3, tree.digest()));
    }

    #[test]
    fn many_blocks_give_the_tree_that_was_written() {
        let found = read(&lines()).ok().unwrap();
        assert_eq!((found.number, found.chain), (NUMBER, Hash::from_bytes([1; 32])));
        let (found, written) = (found.tree, tree());
        assert!(found.is_consistent());
        assert_eq!(found.digest(), written.digest());
        assert!(found.walk().eq(written.walk()));
    }

    #[test]
    fn the_first_bad_line_is_named_whichever_block_it_is_in() {
        let good = lines();
        for first in [2, 1200, 2400, good.len()] {
            let mut lines = good.clone();
            for bad in [first, 3000, good.len()].into_iter().filter(|bad| *bad >= first) {
                lines[bad - 1] = "{\"path\":7}\n".to_owned();
            }
            let what = damage(read(&lines));
            assert!(what.starts_with(&format!("line {first}: ")), "{what}");
        }
    }

    #[test]
    fn what_kind_of_problem_it_is_depends_on_the_line_alone() {
        let good = lines();
        let nowhere = "{\"path\":\"/f/gone/k\",\"holds\":{\"body\":1}}\n";
        for (first, second, expected) in [
            (nowhere, "nonsense\n", "no place: /f/gone/k"),
            ("nonsense\n", nowhere, "line 1500: expected"),
            ("{\"path\":\"x\",\"holds\":{\"body\":1}}\n", nowhere, "line 1500: a path without"),
            ("{\"path\":\"/f/@\",\"holds\":{\"body\":1}}\n", nowhere, "line 1500: \"@\" is"),
        ] {
            let mut lines = good.clone();
            (lines[1499], lines[3199]) = (first.to_owned(), second.to_owned());
            let what = damage(read(&lines));
            assert!(what.starts_with(expected), "{what}");
        }
    }

    #[test]
    fn a_line_twice_or_in_another_place_is_no_tree_of_ours() {
        let good = lines();
        let last = good.len() - 1;
        // The members of one collection stand together, in the order of their ranks.
        let with = |change: fn(&mut Vec<String>, usize)| {
            let mut lines = good.clone();
            change(&mut lines, last);
            damage(read(&lines))
        };
        let what = with(|lines, last| lines.insert(last, lines[last].clone()));
        assert_eq!(what, "there is something at /f/o already");
        let what = with(|lines, _| lines.swap(2, 3));
        assert_eq!(what, "the members of /a do not stand in the order of their ranks");
        let what = with(|lines, last| lines.swap(2, last - 1));
        assert!(what.starts_with("there is something at /a/key-"), "{what}");
        let what = with(|lines, _| drop(lines.remove(2000)));
        assert_eq!(what, "its bodies do not add up to its digest");
    }

    #[test]
    fn a_turned_bit_and_a_lost_end_come_before_what_they_did_to_a_line() {
        let good = checkpoint_of(NUMBER, [1; 32], &tree()).unwrap();
        for place in [500, BLOCK_BYTES + 7, 2 * BLOCK_BYTES, good.len() - 200] {
            let mut turned = good.clone();
            // Makes no JSON of most lines, and no line of some.
            turned[place] ^= 0x08;
            let what = damage(read_lines(&*turned, NUMBER, &skeleton()));
            assert!(what.starts_with("its hash is not "), "{what}");
            let what = damage(read_lines(&good[..place], NUMBER, &skeleton()));
            assert_eq!(what, "it is cut short");
        }
        let more = [good.as_slice(), b"\n"].concat();
        assert_eq!(damage(read_lines(&*more, NUMBER, &skeleton())), "something follows its end");
    }
}
