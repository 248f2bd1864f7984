//! `bench-paths PATH COUNT`: takes one of the counted paths COUNT times, for an instrument
//! that counts instructions. The log is on, as in the daemon, and goes to standard error.
//!
//! To count, run it twice with different counts and take the difference, so that the start
//! does not count. `nothing` is what a request costs before it is the product's.

use std::io::Write;
use std::process::ExitCode;

use bench::Outcome;
use bench::paths::{Counted, request};
use boxwood::telemetry::subscriber;
use bytes::Bytes;
use hyper::header;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where it cannot be written, the exit code still says it.
            _ = writeln!(std::io::stderr(), "bench-paths: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Outcome<()> {
    let [path, count] = args else { return Err("bench-paths PATH COUNT".into()) };
    let count: usize = count.parse()?;
    tracing::subscriber::set_global_default(subscriber("info", true, false, std::io::stderr))?;
    let known = Counted::ALL.iter().find(|(_, name)| name == path);
    let mut step = match known {
        Some((counted, _)) => counted.prepare()?,
        None if path == "nothing" => nothing()?,
        None => return Err(format!("there is no path {path}").into()),
    };
    (0..count).try_for_each(|_| step())
}

fn nothing() -> Outcome<Box<dyn FnMut() -> Outcome<()>>> {
    let head = hyper::Request::get("/api/configuration/things/x")
        .header(header::HOST, "localhost")
        .header(header::COOKIE, "session_id=0123456789012345678901234567890123456789")
        .body(())?
        .into_parts()
        .0;
    Ok(Box::new(move || {
        std::hint::black_box(request(&head, Bytes::new()));
        Ok(())
    }))
}
