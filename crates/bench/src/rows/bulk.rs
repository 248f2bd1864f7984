//! One transaction that creates a hundred thousand members, in a process of its own, so that the
//! peak of its memory is that of the transaction.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Setting;
use crate::Outcome;
use crate::appliance::{Setup, THINGS, path, thing};
use crate::daemon::own_status;
use crate::report::{Figure, Goal, Report, Row};
use crate::timing::timed;

const PART: &str = "100,000 members";
const MEMBERS: usize = 100_000;

/// Measures it.
///
/// # Errors
/// The child fails.
pub fn measure(setting: &Setting) -> Outcome<Report> {
    let dir = setting.dir.join("bulk");
    fs::create_dir_all(&dir)?;
    let members = setting.steps(MEMBERS).to_string();
    let output = Command::new(std::env::current_exe()?)
        .arg("bulk")
        .arg(dir.join("product"))
        .arg(members)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let figure = |name: &str, unit| Figure::new(report[name].as_f64().unwrap_or(f64::NAN), unit);
    let held = figure("held_mib", "MiB").value - figure("before_mib", "MiB").value;
    Ok(Report {
        rows: vec![
            Row::alone(PART, "staging them, checked one by one", figure("staging_seconds", "s")),
            Row::alone(PART, "committing them", figure("commit_seconds", "s"))
                .goal(Goal::AtMost(60.0))
                .note(format!("{} sync", report["syncs"])),
            Row::alone(PART, "peak of resident memory", figure("peak_mib", "MiB")).note(format!(
                "{:.0} MiB before, {held:.0} MiB more while the transaction is staged",
                figure("before_mib", "MiB").value
            )),
        ],
        curves: Vec::new(),
    })
}

/// What the child does: the transaction, and one line of JSON about it.
///
/// # Errors
/// The engine refuses.
pub fn child(data: &Path, members: usize) -> Outcome<()> {
    let mib = |name: &str| own_status(name).map(|kb| kb / 1024.0);
    let engine = Setup::bench()?.durable(data)?;
    let session = engine.session_open("bench");
    let things = path(THINGS)?;
    let before = mib("VmRSS")?;
    let (staging, done) = timed(|| {
        engine.transaction_open(&session)?;
        (0..members).try_for_each(|number| {
            engine.node_create(&session, &things, thing(number, 0)).map(drop)
        })
    });
    done?;
    let (held, syncs) = (mib("VmRSS")?, engine.syncs());
    let (commit, done) = timed(|| engine.transaction_commit(&session, None));
    if done?.changes != members {
        return Err("not all members were committed".into());
    }
    let report = json!({
        "staging_seconds": staging as f64 / 1e9,
        "commit_seconds": commit as f64 / 1e9,
        "syncs": engine.syncs() - syncs,
        "before_mib": before,
        "held_mib": held,
        "peak_mib": mib("VmHWM")?,
    });
    Ok(writeln!(std::io::stdout(), "{report}")?)
}
