//! The executable: settings from the real environment, then the daemon.

use std::error::Error;
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

fn fail(error: &dyn Error, code: ExitCode) -> ExitCode {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some sentences end with their cause already.
        if !sentence.contains(&text) {
            sentence.push_str(&format!(": {text}"));
        }
        cause = error.source();
    }
    // With nobody to tell, the exit code still says it.
    let _ = writeln!(std::io::stderr(), "boxwood: {sentence}");
    code
}
