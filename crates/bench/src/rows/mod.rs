//! The parts of the table, a file for each.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;
use crate::report::Report;

pub mod bulk;
pub mod commits;
pub mod counts;
pub mod cycle;
pub mod reads;
pub mod sizes;
pub mod writers;

/// What all parts need to know.
#[derive(Clone, Debug)]
pub struct Setting {
    /// A folder for data directories, on the medium that is measured.
    pub dir: PathBuf,
    /// Whether only to see that everything works: small and short.
    pub quick: bool,
}

impl Setting {
    /// How many rounds to take in turns.
    #[must_use]
    pub fn rounds(&self) -> usize {
        if self.quick { 2 } else { 7 }
    }

    /// How long a round of load lasts.
    #[must_use]
    pub fn round(&self) -> Duration {
        Duration::from_millis(if self.quick { 200 } else { 1200 })
    }

    /// The given number of steps, or a few.
    #[must_use]
    pub fn steps(&self, count: usize) -> usize {
        if self.quick { count.div_ceil(20) } else { count }
    }
}

/// A part of the table.
pub type Part = fn(&Setting) -> Outcome<Report>;

/// All parts, by the names that `--only` takes.
pub const PARTS: [(&str, Part); 7] = [
    ("reads", reads::measure),
    ("commits", commits::measure),
    ("cycle", cycle::measure),
    ("writers", writers::measure),
    ("sizes", sizes::measure),
    ("bulk", bulk::measure),
    ("counts", counts::measure),
];
