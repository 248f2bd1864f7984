//! Removes secrets from the memory in which the system handed over the environment.
//!
//! Removing a variable would not do: its text stays where the kernel put it, readable in
//! `/proc/PID/environ` and in a dump for as long as the process lives. So the text itself is
//! overwritten, through the process's own memory file, once the settings have been read.

use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// The variables that hold secrets.
const SECRETS: [&str; 3] = ["BOXWOOD_ADMIN_PASSWORD", "BOXWOOD_SECRET_KEY", "BOXWOOD_PASSWORD"];

/// Overwrites the values of secret variables. Does nothing where there are none.
///
/// # Errors
/// The system does not let the process write to its own memory.
pub fn wipe() -> io::Result<()> {
    let (start, end) = region(&std::fs::read_to_string("/proc/self/stat")?)
        .ok_or_else(|| io::Error::other("/proc/self/stat does not say where it is"))?;
    let mut memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem")?;
    let mut text = zeroize::Zeroizing::new(vec![0; end - start]);
    memory.seek(SeekFrom::Start(start as u64))?;
    memory.read_exact(&mut text)?;
    for (from, to) in values(&text) {
        memory.seek(SeekFrom::Start((start + from) as u64))?;
        memory.write_all(&vec![0; to - from])?;
    }
    Ok(())
}

// Where the environment begins and ends: proc_pid_stat(5), fields 50 and 51. The name of the process
// comes second, in brackets, and may hold anything.
fn region(stat: &str) -> Option<(usize, usize)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(47);
    let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (0 < start && start <= end).then_some((start, end))
}

// From where to where the values of secret variables stand.
fn values(text: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    for entry in text.split(|byte| *byte == 0) {
        let is_secret = |name: &&&str| {
            entry.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='))
        };
        if let Some(name) = SECRETS.iter().find(is_secret) {
            found.push((at + name.len() + 1, at + entry.len()));
        }
        at += entry.len() + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_secrets_are_found_and_no_others() {
        let text = b"A=1\0BOXWOOD_SECRET_KEY=abc\0BOXWOOD_SECRET_KEYS=d\0BOXWOOD_PASSWORD=\0";
        let shown = values(text).into_iter().map(|(from, to)| &text[from..to]);
        assert_eq!(shown.collect::<Vec<_>>(), [&b"abc"[..], b""]);
        assert!(values(b"").is_empty());
    }

    #[test]
    fn a_name_in_brackets_does_not_move_the_fields() {
        let numbers: Vec<String> = (4..=52).map(|field| field.to_string()).collect();
        let stat = format!("1 (a ) b) S {}", numbers.join(" "));
        assert_eq!(region(&stat), Some((50, 51)));
        assert_eq!(region("1 (a) S 0"), None);
        assert!(region(&std::fs::read_to_string("/proc/self/stat").unwrap()).is_some());
    }
}
