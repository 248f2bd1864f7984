//! What is the same on every run: allocations. They are counted in a process of its own, because a
//! counting allocator costs time.

use std::process::Command;

use super::Setting;
use crate::Outcome;
use crate::report::{Figure, Report, Row};

/// Counts them.
///
/// # Errors
/// The counting binary is not there or fails.
pub fn measure(_: &Setting) -> Outcome<Report> {
    let binary = std::env::current_exe()?.with_file_name("bench-allocations");
    let output = Command::new(&binary).output();
    let output = output.map_err(|error| format!("{}: {error}", binary.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut rows = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let mut words = line.split_whitespace();
        let (Some(path), Some(count), Some(bytes)) = (words.next(), words.next(), words.next())
        else {
            return Err(format!("not understood: {line}").into());
        };
        rows.push(
            Row::alone("allocations", format!("of a {path}"), Figure::new(count.parse()?, ""))
                .note(format!("{bytes} bytes; the calling thread, without hyper's own")),
        );
    }
    Ok(Report { rows, curves: Vec::new() })
}
