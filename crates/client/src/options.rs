//! The commands and what they take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which daemon is asked, and how answers are shown.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Daemon and output")]
pub struct Connect {
    /// The context to use; otherwise BOXWOOD_CONTEXT, or the one of the last login.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The daemon: https://HOST:PORT. Otherwise BOXWOOD_URL, or as the context has it.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// PEM file with the certificate to trust: the daemon's own, or that of its issuer.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
    /// Trust any certificate: for tests, and for loopback.
    #[arg(long)]
    pub insecure: bool,
    /// The world of the daemon that is meant.
    #[arg(long, value_name = "NAME")]
    pub world: Option<String>,
    /// Form of the output: for people, or the API's documents for programs.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub output: Output,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// The document of the answer.
    Json,
    /// The same as YAML.
    Yaml,
}

/// A change, and whether it is committed at once.
#[derive(Debug, Clone, Default, Args)]
pub struct AtOnce {
    /// Commit at once; otherwise the change is staged in the session's transaction.
    #[arg(long)]
    pub commit: bool,
    /// Why, for the history.
    #[arg(short, long, value_name = "TEXT", requires = "commit")]
    pub message: Option<String>,
}

/// Commands that ask a running daemon.
#[derive(Debug, Subcommand)]
pub enum Ask {
    /// Log in at a daemon and keep the token of the session.
    #[command(after_help = "Example:\n  boxwood login https://127.0.0.1:8443 --ca boxwood.pem")]
    Login {
        /// The daemon: https://HOST:PORT.
        daemon: Option<String>,
        /// Who logs in: the operator, or a user of the appliance.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// End the session and forget its token.
    #[command(after_help = "Example:\n  boxwood logout")]
    Logout {
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Say who is logged in, and where.
    #[command(after_help = "Example:\n  boxwood whoami")]
    Whoami {
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// List contexts, choose one, or forget one.
    #[command(after_help = "Example:\n  boxwood context use lab")]
    Context {
        /// What to do; without it, contexts are listed.
        #[command(subcommand)]
        command: Option<ContextCommand>,
    },
    /// Show a node, with what is below it.
    #[command(after_help = "Example:\n  boxwood get /management/email --fields sender_address")]
    Get {
        /// The node, as in /management/email.
        path: String,
        /// How many levels below the node are shown.
        #[arg(long, value_name = "LEVELS")]
        depth: Option<u32>,
        /// The members to show: names or JSON Pointers, with commas.
        #[arg(long, value_name = "NAMES")]
        fields: Option<String>,
        /// Only children that fit, as in name=alice or port>1024. Repeatable.
        #[arg(long, value_name = "CONDITION")]
        filter: Vec<String>,
        /// How many children at most.
        #[arg(long, value_name = "COUNT")]
        limit: Option<u32>,
        /// Children after this key.
        #[arg(long, value_name = "KEY")]
        after: Option<String>,
        /// staged, running, or the number of a revision.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Another head of the appliance, such as candidate.
        #[arg(long, value_name = "NAME")]
        head: Option<String>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Set one value of a node.
    #[command(
        after_help = "Example:\n  boxwood set /management/email /sender_address ops@example.com"
    )]
    Set {
        /// The node.
        path: String,
        /// The place in its body, a JSON Pointer or the name of a member.
        pointer: String,
        /// JSON; a text needs no quotes where the schema has one.
        #[arg(allow_hyphen_values = true)]
        value: String,
        /// Whether it is committed.
        #[command(flatten)]
        at_once: AtOnce,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Remove one value of a node.
    #[command(after_help = "Example:\n  boxwood unset /management/email /sender_address")]
    Unset {
        /// The node.
        path: String,
        /// The place in its body, a JSON Pointer or the name of a member.
        pointer: String,
        /// Whether it is committed.
        #[command(flatten)]
        at_once: AtOnce,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Replace the body of a node.
    #[command(after_help = "Example:\n  boxwood put /management/email email.json")]
    Put {
        /// The node.
        path: String,
        /// A file with the body as JSON; - is standard input.
        file: PathBuf,
        /// Whether it is committed.
        #[command(flatten)]
        at_once: AtOnce,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Edit the body of a node in $VISUAL or $EDITOR.
    #[command(after_help = "Example:\n  EDITOR=vi boxwood edit /management/email")]
    Edit {
        /// The node.
        path: String,
        /// Whether it is committed.
        #[command(flatten)]
        at_once: AtOnce,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Add a member to a collection, or an element to a list.
    #[command(after_help = "Example:\n  boxwood add /policies/usermapping_policies policy.json")]
    Add {
        /// The collection or the list.
        path: String,
        /// A file with the body as JSON; - is standard input.
        file: PathBuf,
        /// The key of the member, where clients choose keys.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// Whether it is committed.
        #[command(flatten)]
        at_once: AtOnce,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Delete a member of a collection.
    #[command(after_help = "Example:\n  boxwood delete /policies/usermapping_policies/1")]
    Delete {
        /// The member.
        path: String,
        /// Whether it is committed.
        #[command(flatten)]
        at_once: AtOnce,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Move a member to another place in its collection.
    #[command(after_help = "Example:\n  boxwood move /ssh/connections/2 --before 1")]
    Move {
        /// The member.
        path: String,
        /// Where to.
        #[command(flatten)]
        to: To,
        /// Whether it is committed.
        #[command(flatten)]
        at_once: AtOnce,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Open a transaction: the changes that follow are staged until `commit` or `discard`.
    #[command(after_help = "Example:\n  boxwood open && boxwood set /management/email /x 1")]
    Open {
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Show what is staged against the running configuration.
    #[command(after_help = "Example:\n  boxwood show")]
    Show {
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Compare revisions: staged with running, a revision with the newest, or two revisions.
    #[command(after_help = "Example:\n  boxwood compare 12 15")]
    Compare {
        /// The revision to begin at.
        from: Option<u64>,
        /// The revision to end at; without it, the newest.
        to: Option<u64>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Check what a commit would be refused with, and change nothing.
    #[command(after_help = "Example:\n  boxwood validate && boxwood commit -m 'New sender'")]
    Validate {
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Commit the transaction.
    #[command(after_help = "Example:\n  boxwood commit -m 'New sender' --confirm 5")]
    Commit {
        /// Why, for the history.
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
        /// Undo it unless `boxwood confirm` comes within this many minutes.
        #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=10_080))]
        confirm: Option<u64>,
        /// The Idempotency-Key of a commit that got no answer: says what became of it.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Confirm the commit that awaits it.
    #[command(after_help = "Example:\n  boxwood confirm")]
    Confirm {
        /// Undo it at once.
        #[arg(long)]
        cancel: bool,
        /// Give it this many minutes from now.
        #[arg(long, value_name = "MINUTES", conflicts_with = "cancel")]
        extend: Option<u64>,
        /// The token of the commit, where another client made it.
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Stage the way back to a revision; without one, to the one before the running one.
    #[command(after_help = "Example:\n  boxwood rollback 12 && boxwood commit -m 'Back to 12'")]
    Rollback {
        /// The revision.
        revision: Option<u64>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Discard the transaction and release its lock.
    #[command(after_help = "Example:\n  boxwood discard")]
    Discard {
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// List revisions, or show one.
    #[command(after_help = "Example:\n  boxwood history --limit 10")]
    History {
        /// A revision to show with its changes.
        revision: Option<u64>,
        /// How many revisions at most.
        #[arg(long, value_name = "COUNT")]
        limit: Option<u32>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Say which revision last set each member of a node.
    #[command(after_help = "Example:\n  boxwood blame /management/email")]
    Blame {
        /// The node.
        path: String,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// Show commits as they come.
    #[command(after_help = "Example:\n  boxwood watch /management --output json")]
    Watch {
        /// Only commits that change this node or what is below it.
        path: Option<String>,
        /// Begin after this revision.
        #[arg(long, value_name = "REVISION")]
        from: Option<u64>,
        /// End after this many commits.
        #[arg(long, value_name = "COUNT")]
        count: Option<u64>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// List the nodes that refer to a node.
    #[command(after_help = "Example:\n  boxwood refs /x509/1")]
    Refs {
        /// The node.
        path: String,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// List names of revisions, or name one.
    #[command(after_help = "Example:\n  boxwood tag before-upgrade 12")]
    Tag {
        /// The name.
        name: Option<String>,
        /// The revision; without it, the newest.
        revision: Option<u64>,
        /// Remove the name.
        #[arg(long, requires = "name", conflicts_with = "revision")]
        delete: bool,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// List sessions with their transactions, or end one.
    #[command(after_help = "Example:\n  boxwood sessions --end 1f2e3d4c")]
    Sessions {
        /// End this session, with its transaction and lock.
        #[arg(long, value_name = "SESSION")]
        end: Option<String>,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
    /// List paths that begin with a text: for the completion of shells.
    #[command(hide = true)]
    Paths {
        /// What has been typed.
        prefix: String,
        /// Daemon and output.
        #[command(flatten)]
        connect: Connect,
    },
}

/// What can be done with contexts.
#[derive(Debug, Subcommand)]
pub enum ContextCommand {
    /// List contexts; the one in use has a star.
    List,
    /// Use a context from now on.
    Use {
        /// Its name.
        name: String,
    },
    /// Forget a context with its token.
    Delete {
        /// Its name.
        name: String,
    },
}

/// Where a member moves to.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct To {
    /// To the beginning.
    #[arg(long)]
    pub first: bool,
    /// To the end.
    #[arg(long)]
    pub last: bool,
    /// Before the member with this key.
    #[arg(long, value_name = "KEY")]
    pub before: Option<String>,
    /// After the member with this key.
    #[arg(long, value_name = "KEY")]
    pub after: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(subcommand)]
        _ask: Ask,
    }

    #[test]
    fn the_commands_hold_together_and_each_help_has_an_example() {
        Alone::command().debug_assert();
        for command in Alone::command().get_subcommands().filter(|one| !one.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let wanted = format!("boxwood {}", command.get_name());
            assert!(help.contains(&wanted), "{} has no example", command.get_name());
        }
    }
}
