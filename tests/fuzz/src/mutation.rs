//! Small changes of an input, as a fuzzer makes them, by chance that can be repeated.

/// A small generator (SplitMix64).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// One that gives the same numbers for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap_or(0)
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}

/// Inputs do not grow beyond this.
const LONGEST: usize = 16 * 1024;

/// An input that differs from this one in a few places.
#[must_use]
pub fn mutated(input: &[u8], corpus: &[Vec<u8>], words: &[&str], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=chance.below(4) {
        change(&mut bytes, corpus, words, chance);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str], chance: &mut Chance) {
    const TELLING: &[u8] = b"\0\x01\n\r \"%'/:;=@[]{}~\x7f\x80\xc3\xff0-9";
    let at = chance.below(bytes.len() + 1);
    let until = at + chance.below((bytes.len() - at + 1).min(64));
    match chance.below(9) {
        0 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << chance.below(8)),
        1 => {
            let telling = chance.pick(TELLING).copied().unwrap_or(0);
            bytes.get_mut(at).into_iter().for_each(|byte| *byte = telling);
        }
        2 => bytes.insert(at, chance.pick(TELLING).copied().unwrap_or(0)),
        3 => _ = bytes.drain(at..until),
        4 => {
            let part = bytes[at..until].to_vec();
            let to = chance.below(bytes.len() + 1);
            bytes.splice(to..to, part);
        }
        5 => {
            let word = chance.pick(words).map(|word| word.as_bytes()).unwrap_or_default();
            bytes.splice(at..at, word.iter().copied());
        }
        6 => {
            let word = chance.pick(words).map(|word| word.as_bytes()).unwrap_or_default();
            bytes.splice(at..until, word.iter().copied());
        }
        7 => {
            // The beginning of this one and the end of another.
            let other = chance.pick(corpus).map(Vec::as_slice).unwrap_or_default();
            let from = chance.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => bytes.truncate(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_can_be_repeated_and_are_changes() {
        let input = b"GET /api/configuration/passwords".to_vec();
        let many = |seed| {
            let mut chance = Chance::seeded(seed);
            let one = |_| mutated(&input, std::slice::from_ref(&input), &["%2F"], &mut chance);
            (0..500).map(one).collect::<Vec<_>>()
        };
        assert_eq!(many(1), many(1));
        assert_ne!(many(1), many(2));
        let others = many(1).iter().filter(|other| **other != input).count();
        assert!(others > 400, "{others} of 500");
        assert!(many(1).iter().any(|other| other.len() > input.len()));
        assert!(mutated(&[], &[], &[], &mut Chance::seeded(3)).len() < 64);
    }
}
