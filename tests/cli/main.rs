//! The executable as a person or a supervisor meets it: what it prints, where it keeps things, what
//! it refuses, and how it ends.

mod backups;
mod certificates;
mod command_line;
mod data_dir;
mod earlier_versions;
mod first_start;
mod health;
mod keys;
mod log;
mod memory;
mod passwords;
mod several;
mod shared;
mod stop;
