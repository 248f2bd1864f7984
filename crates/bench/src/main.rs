//! `bench`: measures everything, or what `--only` names, and writes down what came out.
//!
//! The other words are for its own children: `bare` and `guarded` serve one answer, `bulk` makes
//! one large transaction. `commits` makes many small ones and `load` asks a running server for one
//! thing, both for a profiler to look at.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bench::report::Report;
use bench::rows::{self, PARTS, Setting};
use bench::{Outcome, bare, load, plot};
use boxwood::telemetry::subscriber;

const USAGE: &str = "bench [--quick] [--only PART]... [--dir FOLDER] [--plot FILE] [--json FILE]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where it cannot be written, the exit code still says it.
            _ = writeln!(std::io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[&str]) -> Outcome<()> {
    match args {
        ["bare", file] => bare::serve(Path::new(file), false),
        ["guarded", file] => bare::serve(Path::new(file), true),
        ["bulk", data, members] => rows::bulk::child(Path::new(data), members.parse()?),
        ["commits", "memory", count] => {
            rows::commits::commits_alone(Path::new("."), count.parse()?, false)
        }
        ["commits", data, count] => {
            rows::commits::commits_alone(Path::new(data), count.parse()?, true)
        }
        ["load", url, path, token, connections, seconds] => {
            put_under_load(url, path, token, connections.parse()?, seconds.parse()?)
        }
        _ => measure(args),
    }
}

// For looking at a server under load with other tools.
fn put_under_load(
    url: &str,
    path: &str,
    token: &str,
    connections: usize,
    seconds: u64,
) -> Outcome<()> {
    let target = load::Target::parse(url).ok_or("no address")?;
    let plan = Arc::new(vec![load::request("GET", path, Some(token), None)]);
    let load = load::run(target, &plan, connections, Duration::from_secs(seconds))?;
    let (rate, p50) = (load.per_second(), load.latencies.p50_us());
    Ok(writeln!(std::io::stdout(), "{rate:.0} requests/s, p50 {p50:.0} µs")?)
}

fn measure(args: &[&str]) -> Outcome<()> {
    let mut setting = Setting { dir: PathBuf::from("target/bench"), quick: false };
    let (mut only, mut plot_file) = (Vec::new(), None);
    let mut json_file = PathBuf::from("target/bench/latest.json");
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(USAGE);
        match *word {
            "--quick" => setting.quick = true,
            "--only" => only.push(*value()?),
            "--dir" => setting.dir = PathBuf::from(value()?),
            "--plot" => plot_file = Some(PathBuf::from(value()?)),
            "--json" => json_file = PathBuf::from(value()?),
            _ => return Err(USAGE.into()),
        }
    }
    if let Some(unknown) = only.iter().find(|name| !PARTS.iter().any(|(part, _)| part == *name)) {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no part {unknown}, only {}", names.join(", ")).into());
    }
    std::fs::create_dir_all(&setting.dir)?;
    // What runs in this process has its log on as the daemon has.
    let log = std::sync::Mutex::new(std::fs::File::create(setting.dir.join("log"))?);
    tracing::subscriber::set_global_default(subscriber("info", true, false, log))?;
    let (mut report, mut failures) = (Report::default(), Vec::new());
    for (name, part) in PARTS {
        if only.is_empty() || only.contains(&name) {
            writeln!(std::io::stderr(), "bench: {name} …")?;
            // A fresh folder for each run, on the medium that is measured, gone afterwards.
            let folder = tempfile::Builder::new().prefix("run-").tempdir_in(&setting.dir)?;
            let setting = Setting { dir: folder.path().to_owned(), ..setting.clone() };
            match part(&setting) {
                Ok(measured) => report.add(measured),
                Err(error) => failures.push(format!("{name}: {error}")),
            }
        }
    }
    writeln!(std::io::stdout(), "{}", report.table())?;
    report.write_json(&json_file)?;
    if let Some(file) = plot_file
        && !report.curves.is_empty()
    {
        std::fs::write(file, plot::svg(&report.curves))?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ").into()) }
}
