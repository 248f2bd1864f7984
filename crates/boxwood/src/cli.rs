//! The command line: which command, and what its flags give. Settings are checked elsewhere.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::reference::{flag_help, help_table};
use crate::settings::{Given, Mode, Origin, Raw};

/// A transactional configuration daemon that speaks the REST API of One Identity SPS.
#[derive(Debug, Parser)]
#[command(name = "boxwood", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the local emulator: a fresh appliance, login admin/admin, loopback only.
    #[command(after_long_help = help_table())]
    Dev(Flags),
    /// Run the daemon: durable state, no default password.
    #[command(after_long_help = help_table())]
    Serve(Flags),
}

/// What both commands take.
#[derive(Debug, Default, Args)]
pub struct Flags {
    /// The setting `listen`.
    #[arg(long, value_name = "URL", help = format!("Repeatable: {}", flag_help("listen")))]
    pub listen: Vec<String>,
    /// The setting `data_dir`.
    #[arg(long, value_name = "DIR", help = flag_help("data_dir"))]
    pub data_dir: Option<String>,
    /// The TOML file with settings; config/boxwood.toml shows all of them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The setting `appliance`.
    #[arg(long, value_name = "NAME", help = flag_help("appliance"))]
    pub appliance: Option<String>,
    /// The setting `log.filter`.
    #[arg(long, value_name = "FILTER", help = flag_help("log.filter"))]
    pub log: Option<String>,
    /// The setting `insecure_http`.
    #[arg(long, help = flag_help("insecure_http"))]
    pub insecure_http: bool,
    /// Any setting by its name; --help lists them. Repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

impl Command {
    /// The mode of the settings, and the flags.
    pub fn parts(self) -> (Mode, Flags) {
        match self {
            Command::Dev(flags) => (Mode::Dev, flags),
            Command::Serve(flags) => (Mode::Serve, flags),
        }
    }
}

impl Flags {
    /// What the flags give, weakest first: one that is named after a setting goes before `--set`.
    pub fn given(&self) -> Vec<Given> {
        let Flags { listen, data_dir, config: _, appliance, log, insecure_http, set } = self;
        let given = |name: &str, flag: &str, raw: Raw| Given {
            name: name.to_owned(),
            raw,
            origin: Origin::Flag(flag.to_owned()),
        };
        let mut all = Vec::new();
        for text in set {
            let (name, raw) = match text.split_once('=') {
                Some((name, value)) => (name.trim(), Raw::Spelled(value.trim().to_owned())),
                None => (text.trim(), Raw::Missing),
            };
            all.push(given(name, &format!("--set {name}"), raw));
        }
        if !listen.is_empty() {
            let urls = listen.iter().map(|url| Raw::Text(url.clone())).collect();
            all.push(given("listen", "--listen", Raw::List(urls)));
        }
        let texts = [
            ("data_dir", "--data-dir", data_dir),
            ("appliance", "--appliance", appliance),
            ("log.filter", "--log", log),
        ];
        for (name, flag, text) in texts {
            all.extend(text.clone().map(|text| given(name, flag, Raw::Spelled(text))));
        }
        if *insecure_http {
            all.push(given("insecure_http", "--insecure-http", Raw::Switch(true)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn flags(args: &[&str]) -> Flags {
        let args = ["boxwood", "serve"].iter().chain(args);
        Cli::try_parse_from(args).expect("the arguments parse").command.parts().1
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_given_values() {
        let flags = flags(&[
            "--set",
            "limits.headers=12",
            "--listen",
            "https://127.0.0.1:1",
            "--log",
            "debug",
            "--listen",
            "http://127.0.0.1:2",
            "--insecure-http",
            "--set",
            "sps.version",
        ]);
        let given: Vec<String> = flags
            .given()
            .iter()
            .map(|g| format!("{} | {} = {}", g.origin, g.name, g.raw))
            .collect();
        assert_eq!(
            given,
            [
                "--set limits.headers | limits.headers = \"12\"",
                "--set sps.version | sps.version = given without =VALUE",
                "--listen | listen = a list",
                "--log | log.filter = \"debug\"",
                "--insecure-http | insecure_http = true",
            ]
        );
    }

    #[test]
    fn help_names_every_setting_and_version_is_known() {
        let long = |args: [&str; 3]| Cli::try_parse_from(args).expect_err("help").to_string();
        let help = long(["boxwood", "dev", "--help"]);
        for setting in crate::settings::registry::REGISTRY {
            assert!(help.contains(setting.name), "{} is not in the help", setting.name);
            assert!(help.contains(setting.about), "{} is not explained", setting.name);
        }
        assert!(help.contains("BOXWOOD_ADMIN_PASSWORD"));
        assert!(help.contains("[env: BOXWOOD_LISTEN]"), "{help}");
        let version = Cli::try_parse_from(["boxwood", "--version"]).expect_err("version");
        assert_eq!(version.to_string(), format!("boxwood {}\n", env!("CARGO_PKG_VERSION")));
    }
}
