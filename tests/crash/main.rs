//! Nothing acknowledged is lost: the real daemon is killed, its files are damaged, its disk fails.
//!
//! Kill moments are chosen relative to what was observed, and at random; a failure prints its seed,
//! and `BOXWOOD_CRASH_SEED` plays the same choices again. `BOXWOOD_CRASH_KILLS` raises the number of
//! kills under commits and `BOXWOOD_POWER_CUTS` that of power cuts (`make crash`);
//! `BOXWOOD_DISK_FAULTS` fails every operation on files instead of some (`make disk-faults`).

mod commits;
mod damage;
mod disk;
mod faults;
mod luck;
mod medium;
mod offline;
mod power;
#[expect(dead_code, reason = "the shim writes what these tests read")]
#[path = "../disk-shim/src/record.rs"]
mod record;
mod recorder;
mod script;
mod site;
mod start_stop;
mod tree;
mod writer;
