//! Nothing acknowledged is lost: the real daemon is killed, its files are damaged, its disk fails.
//!
//! Kill moments are chosen relative to what was observed, and at random; a failure prints its seed,
//! and `BOXWOOD_CRASH_SEED` plays the same choices again. `BOXWOOD_CRASH_KILLS` raises the number of
//! kills under commits and `BOXWOOD_REPLAY_CUTS` that of replayed power cuts (`make crash`);
//! `BOXWOOD_DISK_FAULTS` fails every operation on files instead of some (`make disk-faults`). In a
//! debug build the daemon is also killed at every step that has a name, and `make power-cut` takes
//! the power away for real.

mod commits;
mod damage;
mod disk;
#[cfg(debug_assertions)]
mod failpoints;
mod faults;
mod luck;
mod medium;
mod mount;
mod offline;
mod power_cut;
#[expect(dead_code, reason = "the shim writes what these tests read")]
#[path = "../disk-shim/src/record.rs"]
mod record;
mod recorder;
mod replay;
mod script;
mod site;
mod start_stop;
mod tree;
mod writer;
