//! The executable: settings from the real environment, then the daemon or a command that ends.

use std::alloc::System;
use std::error::Error;
use std::process::ExitCode;

use boxwood::cli::{Cli, Command, Flags};
use boxwood::command::{self, CommandError, Environment};
use boxwood::settings::{Mode, Settings, Sources};
use boxwood::{daemon, secret_environment, telemetry};
use clap::Parser;
use zeroizing_alloc::ZeroAlloc;

/// Memory is wiped when it is freed. Passwords and keys pass through buffers that no type of ours
/// owns: those of hyper and rustls, parsed JSON, header fields.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

/// What a bad command line exits with, by custom.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let environment: Environment = std::env::vars_os().collect();
    // Without it the values stay readable to those who may read this process; it can start all the same.
    let _ = secret_environment::wipe();
    #[cfg(debug_assertions)]
    let environment = match armed(environment) {
        Ok(environment) => environment,
        Err(why) => return fail(&*why, ExitCode::from(USAGE)),
    };
    let command = Cli::parse().command;
    if !matches!(command, Command::Catalog(_)) {
        // The store and everything next to it is for this user alone, sled's own files included.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    }
    match command {
        Command::Dev(flags) => run(Mode::Dev, &flags, environment),
        Command::Serve(flags) => run(Mode::Serve, &flags, environment),
        Command::Catalog(command) => end(command::catalog::run(&command)),
        Command::Export(flags) => end(command::export::run(&flags, environment)),
        Command::Import(flags) => end(command::import::run(&flags, environment)),
        Command::Backup(flags) => end(command::backup::run(&flags, environment)),
        Command::Restore(flags) => end(command::restore::run(&flags, environment)),
        Command::Verify(flags) => end(command::verify::run(&flags, environment)),
        Command::Healthcheck(flags) => end(command::healthcheck::run(&flags, environment)),
        Command::Openapi => end(command::describe::openapi()),
        Command::Completion { shell } => end(command::describe::completion(shell)),
        Command::Man { dir } => end(command::describe::man(dir.as_deref())),
        Command::Ask(ask) => asked(&ask, &environment),
    }
}

fn run(mode: Mode, flags: &Flags, environment: Environment) -> ExitCode {
    let config_file = flags.state.config.clone();
    let sources = Sources { mode, config_file, environment, flags: flags.given() };
    let settings = match Settings::resolve(sources) {
        Ok(settings) => settings,
        Err(bad) => return fail(&bad, ExitCode::from(USAGE)),
    };
    let log = match telemetry::install(
        &settings.log.filter,
        settings.log.format,
        settings.log.file.as_deref(),
    ) {
        Ok(log) => log,
        Err(error) => return fail(&error, ExitCode::FAILURE),
    };
    let outcome = daemon::run(settings);
    drop(log);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

fn asked(ask: &client::Ask, environment: &Environment) -> ExitCode {
    match client::run(ask, environment) {
        Ok(()) => ExitCode::SUCCESS,
        // A pager that was left, or `head`.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => fail(&error, ExitCode::from(error.exit_status() as u8)),
    }
}

fn end(outcome: Result<(), CommandError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_usage() => fail(&error, ExitCode::from(USAGE)),
        Err(error) => fail(&error, ExitCode::FAILURE),
    }
}

/// Takes the failpoint out of the environment, which to a release build is an unknown setting.
#[cfg(debug_assertions)]
fn armed(environment: Environment) -> Result<Environment, Box<dyn Error>> {
    let (failpoints, others): (Environment, Environment) =
        environment.into_iter().partition(|(variable, _)| variable == "BOXWOOD_FAILPOINT");
    for (_, failpoint) in failpoints {
        transaction_engine::failpoint::arm(&failpoint.to_string_lossy())?;
    }
    Ok(others)
}

fn fail(error: &dyn Error, code: ExitCode) -> ExitCode {
    let sentence = transaction_engine::chain(error);
    // When it cannot be written, the exit code still reports the failure.
    telemetry::tell(&format!("boxwood: {sentence}"));
    code
}
