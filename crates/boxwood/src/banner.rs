//! What a person who starts the daemon at a terminal sees: where to go, how to log in, how to stop.
//! It goes to standard error; standard output has nothing but the ready lines, for scripts.

use std::io::IsTerminal;

use crate::administrator;
use crate::settings::{Mode, Settings};
use crate::telemetry;

/// Prints the banner where standard error is a terminal. `lines` are what the ready lines say.
pub fn show(settings: &Settings, lines: &[String]) {
    if std::io::stderr().is_terminal() {
        telemetry::tell(&text(settings, lines));
    }
}

fn text(settings: &Settings, lines: &[String]) -> String {
    let mut text = format!("\nBoxwood {} is ready.\n\n", env!("CARGO_PKG_VERSION"));
    let first = settings.appliances.first().and_then(|own| own.name.as_deref());
    for line in lines {
        // Of one appliance alone the line has no name.
        let (url, name) = match line.split_once(' ') {
            Some((url, name)) => (url, Some(name)),
            None => (line.as_str(), first),
        };
        text += &format!("  {:<14} {url}\n", name.unwrap_or("appliance"));
    }
    let url = lines.first().and_then(|line| line.split(' ').next()).unwrap_or_default();
    text += &format!("  {:<14} {url}/boxwood/v1/health, .../ready, .../metrics\n", "own API");
    text += &format!("  {:<14} {}\n", "login", login(settings.mode));
    text += &format!("  {:<14} boxwood --help, docs/OPERATIONS.md, docs/reference/\n", "help");
    text += &format!("  {:<14} Ctrl-C", "stop");
    if settings.data_dir.is_none() {
        text += "; all changes are discarded";
    }
    text + "\n"
}

fn login(mode: Mode) -> String {
    let name = administrator::NAME;
    match mode {
        Mode::Dev => format!("{name}, password {name} unless BOXWOOD_ADMIN_PASSWORD is set"),
        Mode::Serve => format!("{name}, with the password that was set or generated"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Sources;

    #[test]
    fn the_banner_names_every_address_and_no_secret() {
        let environment = vec![("BOXWOOD_ADMIN_PASSWORD".into(), "hunter2 battery staple".into())];
        let sources =
            Sources { mode: Mode::Dev, config_file: None, environment, flags: Vec::new() };
        let settings = Settings::resolve(sources).unwrap();
        let shown = text(&settings, &["https://127.0.0.1:8443".to_owned()]);
        for expected in
            ["sps-6.2        https://127.0.0.1:8443\n", "login", "Ctrl-C; all changes", "/health"]
        {
            assert!(shown.contains(expected), "{expected}: {shown}");
        }
        assert!(!shown.contains("hunter2"), "{shown}");
        let lines = ["https://h:1 sps-6.2".to_owned(), "https://h:2 lamp".to_owned()];
        let shown = text(&settings, &lines);
        assert!(shown.contains("lamp           https://h:2\n"), "{shown}");
    }
}
