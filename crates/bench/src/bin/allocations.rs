//! `bench-allocations`: how often the counted paths allocate, a line for each: its name, how often,
//! how many bytes. The only binary with a counting allocator, because counting costs time.
//!
//! What is counted is the calling thread; making the request itself is taken off.

use std::io::Write;
use std::process::ExitCode;

use allocation_counter::measure;
use bench::Outcome;
use bench::paths::Counted;
use boxwood::telemetry::subscriber;

const COUNT: u64 = 200;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where it cannot be written, the exit code still says it.
            _ = writeln!(std::io::stderr(), "bench-allocations: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    tracing::subscriber::set_global_default(subscriber("info", true, false, std::io::sink))?;
    for (counted, name) in Counted::ALL {
        let mut step = counted.prepare()?;
        // What is made on first use is not in question.
        (0..COUNT).try_for_each(|_| step())?;
        let mut done = Ok(());
        let counts = measure(|| done = (0..COUNT).try_for_each(|_| step()));
        done?;
        let each = |total: u64| total as f64 / COUNT as f64;
        let (count, bytes) = (each(counts.count_total), each(counts.bytes_total));
        writeln!(std::io::stdout(), "{name} {count:.1} {bytes:.0}")?;
    }
    Ok(())
}
