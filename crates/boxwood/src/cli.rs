//! The command line: which command, and what its flags give. Settings are checked elsewhere.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::reference::{flag_help, help_table};
use crate::settings::{Given, Origin, Raw};

/// A transactional configuration daemon with the REST APIs of network appliances.
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
    /// Check a catalog of your own, or begin one.
    #[command(subcommand)]
    Catalog(CatalogCommand),
    /// Write the committed configuration as one JSON document.
    Export(ExportFlags),
    /// Load such a document as one transaction.
    Import(ImportFlags),
    /// Write everything in a data directory into one file, also while its daemon runs.
    Backup(BackupFlags),
    /// Make a data directory of such a file.
    Restore(RestoreFlags),
    /// Read everything in a data directory that no daemon uses, and report what is damaged.
    Verify(StateFlags),
    /// Ask a daemon on this machine whether it is healthy; exit code 0 or 1. For containers.
    Healthcheck(HealthFlags),
    /// Print the OpenAPI document of Boxwood's own API.
    #[command(after_help = "Example:\n  boxwood openapi > openapi.json")]
    Openapi,
    /// Print the completion script of a shell; it completes paths from the running daemon.
    #[command(after_help = "Example:\n  source <(boxwood completion bash)")]
    Completion {
        /// The shell.
        #[arg(value_enum)]
        shell: CompletionShell,
    },
    /// Print the man page, or write all of them into a folder.
    #[command(after_help = "Example:\n  boxwood man | man -l -")]
    Man {
        /// The folder for the pages of all commands.
        dir: Option<PathBuf>,
    },
    /// Commands that ask a running daemon.
    #[command(flatten)]
    Ask(client::Ask),
}

/// A shell whose completion can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CompletionShell {
    /// GNU Bash.
    Bash,
    /// Z shell.
    Zsh,
    /// Friendly interactive shell.
    Fish,
}

/// What can be done with a catalog.
#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Report every fault with its file, its line and a remedy.
    Check {
        /// The catalog's directory.
        dir: PathBuf,
    },
    /// Write a small commented catalog that can be served at once.
    New {
        /// A directory that is empty or not there yet.
        dir: PathBuf,
    },
}

/// What `dev` and `serve` take.
#[derive(Debug, Default, Args)]
pub struct Flags {
    /// The setting `listen`.
    #[arg(
        long,
        value_name = "[NAME=]URL",
        help = format!("Repeatable; NAME=URL is for that appliance. {}", flag_help("listen"))
    )]
    pub listen: Vec<String>,
    /// The setting `log.filter`.
    #[arg(long, value_name = "FILTER", help = flag_help("log.filter"))]
    pub log: Option<String>,
    /// The setting `insecure_http`.
    #[arg(long, help = flag_help("insecure_http"))]
    pub insecure_http: bool,
    /// The setting `expose_dev`.
    #[arg(long, help = flag_help("expose_dev"))]
    pub expose_dev: bool,
    /// The setting `sps.audit`.
    #[arg(long, value_name = "FILE", help = flag_help("sps.audit"))]
    pub audit: Option<String>,
    /// Which state.
    #[command(flatten)]
    pub state: StateFlags,
}

/// Which state, and of which appliance: what all commands take that work on a data directory.
#[derive(Debug, Default, Args)]
pub struct StateFlags {
    /// The setting `data_dir`.
    #[arg(long, value_name = "DIR", help = flag_help("data_dir"))]
    pub data_dir: Option<String>,
    /// The TOML file with settings; config/boxwood.toml shows all of them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The setting `appliance`.
    #[arg(
        long,
        value_name = "NAME",
        help = format!("Repeatable with dev and serve. {}", flag_help("appliance"))
    )]
    pub appliance: Vec<String>,
    /// The setting `catalog`.
    #[arg(long, value_name = "DIR", help = flag_help("catalog"))]
    pub catalog: Option<String>,
    /// Any setting by its name; `boxwood serve --help` lists them. Repeatable.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// A running daemon, in the place of a data directory.
#[derive(Debug, Default, Args)]
pub struct RemoteFlags {
    /// A running daemon in the place of a data directory: https://HOST:PORT. The password is read
    /// from BOXWOOD_PASSWORD, else it is the first line of standard input.
    #[arg(
        long,
        value_name = "URL",
        conflicts_with_all = ["data_dir", "config", "appliance", "catalog", "set"]
    )]
    pub url: Option<String>,
    /// Who logs in there; it takes an administrator.
    #[arg(long, value_name = "NAME", default_value = crate::administrator::NAME)]
    pub user: String,
    /// PEM file with the certificate to trust: the daemon's own, or that of who signed it.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub ca: Option<PathBuf>,
    /// Trust any certificate: for tests, and for loopback.
    #[arg(long, requires = "url", conflicts_with = "ca")]
    pub insecure: bool,
}

/// What `export` takes.
#[derive(Debug, Args)]
pub struct ExportFlags {
    /// What becomes of passwords and private keys: sealed, which the same secret key opens again,
    /// or omit.
    #[arg(long, value_name = "HOW", default_value = "sealed", value_parser = ["sealed", "omit"])]
    pub secrets: String,
    /// The file to write; without it, standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// A running daemon.
    #[command(flatten)]
    pub remote: RemoteFlags,
    /// A data directory.
    #[command(flatten)]
    pub state: StateFlags,
}

/// What `import` takes.
#[derive(Debug, Args)]
pub struct ImportFlags {
    /// The document that `boxwood export` wrote; - is standard input.
    pub file: PathBuf,
    /// Check everything, say what would change, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", conflicts_with = "dry_run")]
    pub message: Option<String>,
    /// A running daemon.
    #[command(flatten)]
    pub remote: RemoteFlags,
    /// A data directory.
    #[command(flatten)]
    pub state: StateFlags,
}

/// What `backup` takes.
#[derive(Debug, Args)]
pub struct BackupFlags {
    /// The file to write. It holds the key that seals secrets: keep it as safe as the directory.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// The data directory. A daemon that uses it is asked for the backup, on the same machine, by
    /// its own user or by root.
    #[command(flatten)]
    pub state: StateFlags,
}

/// What `restore` takes.
#[derive(Debug, Args)]
pub struct RestoreFlags {
    /// The file that `boxwood backup` wrote.
    pub file: PathBuf,
    /// The data directory to make, which must be empty or not exist yet.
    #[command(flatten)]
    pub state: StateFlags,
}

/// What `healthcheck` takes.
#[derive(Debug, Args)]
pub struct HealthFlags {
    /// Where the daemon listens: https://HOST:PORT. Without it, the first listener of the settings,
    /// which come from the same flags, variables and file as the daemon's.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Ask whether changes can be made, and not only whether the daemon answers.
    #[arg(long)]
    pub ready: bool,
    /// The daemon's settings.
    #[command(flatten)]
    pub flags: Flags,
}

impl Flags {
    /// What the flags give, weakest first: one that is named after a setting goes before `--set`.
    pub fn given(&self) -> Vec<Given> {
        let Flags { listen, log, insecure_http, expose_dev, audit, state } = self;
        let mut all = state.given();
        all.extend(listeners(listen));
        all.extend(log.iter().map(|text| spelled("log.filter", "--log", text)));
        all.extend(audit.iter().map(|text| spelled("sps.audit", "--audit", text)));
        if *insecure_http {
            all.push(given("insecure_http", "--insecure-http", Raw::Switch(true)));
        }
        if *expose_dev {
            all.push(given("expose_dev", "--expose-dev", Raw::Switch(true)));
        }
        all
    }
}

impl StateFlags {
    /// What the flags give, weakest first.
    pub fn given(&self) -> Vec<Given> {
        let StateFlags { data_dir, config: _, appliance, catalog, set } = self;
        let mut all = Vec::new();
        for text in set {
            let (name, raw) = match text.split_once('=') {
                Some((name, value)) => (name.trim(), Raw::Spelled(value.trim().to_owned())),
                None => (text.trim(), Raw::Missing),
            };
            all.push(given(name, &format!("--set {name}"), raw));
        }
        all.extend(data_dir.iter().map(|text| spelled("data_dir", "--data-dir", text)));
        match appliance.as_slice() {
            [] => {}
            [name] => all.push(spelled("appliance", "--appliance", name)),
            names => all.push(given("appliance", "--appliance", list(names))),
        }
        all.extend(catalog.iter().map(|text| spelled("catalog", "--catalog", text)));
        all
    }
}

/// The listeners of the first appliance, and those of each that is named: `NAME=URL`.
fn listeners(flags: &[String]) -> Vec<Given> {
    let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
    for flag in flags {
        // A URL may have such a sign, too, but not in the place of its scheme.
        let (name, url) = match flag.split_once('=') {
            Some((name, url)) if !name.contains(':') => (name.trim(), url.trim()),
            _ => ("", flag.as_str()),
        };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, urls)) => urls.push(url.to_owned()),
            None => groups.push((name, vec![url.to_owned()])),
        }
    }
    let all = groups.into_iter().map(|(name, urls)| match name {
        "" => given("listen", "--listen", list(&urls)),
        name => {
            given(&format!("appliances.{name}.listen"), &format!("--listen {name}"), list(&urls))
        }
    });
    all.collect()
}

fn list(texts: &[String]) -> Raw {
    Raw::List(texts.iter().map(|text| Raw::Text(text.clone())).collect())
}

fn given(name: &str, flag: &str, raw: Raw) -> Given {
    Given { name: name.to_owned(), raw, origin: Origin::Flag(flag.to_owned()) }
}

fn spelled(name: &str, flag: &str, text: &str) -> Given {
    given(name, flag, Raw::Spelled(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn flags(args: &[&str]) -> Flags {
        let args = ["boxwood", "serve"].iter().chain(args);
        match Cli::try_parse_from(args).expect("the arguments parse").command {
            Command::Serve(flags) => flags,
            other => panic!("{other:?}"),
        }
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
            "--listen",
            "sps-7.0=http://127.0.0.1:3",
            "--appliance",
            "sps-6.2",
            "--appliance",
            "sps-7.0",
            "--insecure-http",
            "--expose-dev",
            "--catalog",
            "lamp",
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
                "--appliance | appliance = a list",
                "--catalog | catalog = \"lamp\"",
                "--listen | listen = a list",
                "--listen sps-7.0 | appliances.sps-7.0.listen = a list",
                "--log | log.filter = \"debug\"",
                "--insecure-http | insecure_http = true",
                "--expose-dev | expose_dev = true",
            ]
        );
    }

    #[test]
    fn a_daemon_and_a_directory_exclude_each_other() {
        let parse =
            |args: &[&str]| Cli::try_parse_from(["boxwood", "export"].iter().chain(args)).map(drop);
        parse(&["--url", "https://h:1", "--user", "u", "--insecure"]).expect("a daemon");
        parse(&["--data-dir", "d", "--catalog", "c", "--secrets", "omit"]).expect("a directory");
        for bad in [
            &["--url", "https://h:1", "--data-dir", "d"][..],
            &["--url", "https://h:1", "--ca", "f", "--insecure"],
            &["--insecure"],
            &["--secrets", "clear"],
        ] {
            parse(bad).expect_err("refused");
        }
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
