//! The executable: settings from the real environment, then the daemon.

use std::io::Write;
use std::process::ExitCode;

use boxwood::cli::Cli;
use boxwood::settings::{Settings, Sources};
use boxwood::{daemon, telemetry};
use clap::Parser;

/// What a bad command line exits with, by custom.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let (mode, flags) = Cli::parse().command.parts();
    let sources = Sources {
        mode,
        config_file: flags.config.clone(),
        environment: std::env::vars_os().collect(),
        flags: flags.given(),
    };
    let settings = match Settings::resolve(sources) {
        Ok(settings) => settings,
        Err(bad) => return fail(&bad, ExitCode::from(USAGE)),
    };
    if let Err(error) = telemetry::install(&settings.log) {
        return fail(&error, ExitCode::FAILURE);
    }
    match daemon::run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

fn fail(error: &dyn std::fmt::Display, code: ExitCode) -> ExitCode {
    // With nobody to tell, the exit code still says it.
    let _ = writeln!(std::io::stderr(), "boxwood: {error}");
    code
}
