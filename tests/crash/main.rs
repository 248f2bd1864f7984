//! Nothing acknowledged is lost: the real daemon is killed, its files are damaged, its disk fails.
//!
//! Kill moments are chosen relative to what was observed, and at random; a failure prints its seed,
//! and `BOXWOOD_CRASH_SEED` plays the same choices again. `BOXWOOD_CRASH_KILLS` raises the number of
//! kills under commits (`make crash`). In a debug build it is also killed at every step that has a
//! name, and `make power-cut` takes the power away instead.

mod commits;
mod damage;
mod disk;
#[cfg(debug_assertions)]
mod failpoints;
mod luck;
mod mount;
mod power_cut;
mod site;
mod start_stop;
mod tree;
mod writer;
