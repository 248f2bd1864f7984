//! What the executable does beside serving: catalogs of one's own, and configurations that go from
//! one place to another.

mod catalogs;
mod large;
mod offline;
mod online;
mod references;
mod site;
