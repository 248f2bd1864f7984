//! The binary's pieces: command line, settings, log, and the wiring of everything below.

pub mod administrator;
pub mod appliance;
pub mod backup;
pub mod banner;
pub mod certificate;
pub mod cli;
pub mod command;
pub mod daemon;
pub mod data_dir;
pub mod engine;
pub mod port_holder;
pub mod secret_environment;
pub mod settings;
mod spelling;
pub mod supervisor;
pub mod telemetry;
mod temporary;
