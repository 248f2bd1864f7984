//! Carrying out one command.

mod change;
mod edit;
mod past;
mod session;
mod transaction;

use crate::Environment;
use crate::connection::Connection;
use crate::context::Contexts;
use crate::error::AskError;
use crate::options::{Ask, Connect};
use crate::output::Out;
use crate::place::{encoded, resource, with_suggestion};

/// What every command needs: the daemon, and where answers go.
struct Here<'a> {
    connection: Connection,
    out: Out,
    connect: &'a Connect,
    environment: &'a Environment,
}

impl<'a> Here<'a> {
    fn new(connect: &'a Connect, environment: &'a Environment) -> Result<Self, AskError> {
        let context = Contexts::read(environment)?.resolve(connect, environment)?;
        let out = Out::new(connect.output, environment);
        Ok(Self { connection: Connection::new(context)?, out, connect, environment })
    }

    /// The same for a command about a node: a path that is nearly right is answered with the one
    /// that was probably meant.
    fn near<T>(&self, path: &str, result: Result<T, AskError>) -> Result<T, AskError> {
        result.map_err(|error| with_suggestion(&self.connection, path, error))
    }
}

/// Does what a command says.
///
/// # Errors
/// See [`AskError`].
pub fn run(ask: &Ask, environment: &Environment) -> Result<(), AskError> {
    let here = |connect| Here::new(connect, environment);
    match ask {
        Ask::Login { daemon, user, connect } => {
            session::login(daemon.as_deref(), user.as_deref(), connect, environment)
        }
        Ask::Logout { connect } => session::logout(&here(connect)?),
        Ask::Whoami { connect } => session::whoami(&here(connect)?),
        Ask::Context { command } => session::context(command.as_ref(), environment),
        Ask::Sessions { end, connect } => session::sessions(&here(connect)?, end.as_deref()),
        Ask::Get { path, connect, .. } => get(&here(connect)?, path, ask),
        Ask::Paths { prefix, connect } => paths(&here(connect)?, prefix),
        Ask::Refs { path, connect } => past::refs(&here(connect)?, path),
        Ask::Set { .. }
        | Ask::Unset { .. }
        | Ask::Put { .. }
        | Ask::Add { .. }
        | Ask::Delete { .. }
        | Ask::Move { .. } => change::run(ask, environment),
        Ask::Edit { path, at_once, connect } => edit::edit(&here(connect)?, path, at_once),
        Ask::Open { connect } => transaction::open(&here(connect)?),
        Ask::Show { connect } => transaction::show(&here(connect)?),
        Ask::Validate { connect } => transaction::validate(&here(connect)?),
        Ask::Commit { message, confirm, key, connect } => {
            transaction::commit(&here(connect)?, message.as_deref(), *confirm, key.as_deref())
        }
        Ask::Confirm { cancel, extend, token, connect } => {
            transaction::confirm(&here(connect)?, *cancel, *extend, token.as_deref())
        }
        Ask::Rollback { revision, connect } => transaction::rollback(&here(connect)?, *revision),
        Ask::Discard { connect } => transaction::discard(&here(connect)?),
        Ask::Compare { from, to, connect } => past::compare(&here(connect)?, *from, *to),
        Ask::History { revision, limit, connect } => {
            past::history(&here(connect)?, *revision, *limit)
        }
        Ask::Blame { path, connect } => past::blame(&here(connect)?, path),
        Ask::Watch { path, from, count, connect } => {
            past::watch(&here(connect)?, path.as_deref(), *from, *count)
        }
        Ask::Tag { name, revision, delete, connect } => {
            past::tag(&here(connect)?, name.as_deref(), *revision, *delete)
        }
    }
}

fn get(here: &Here<'_>, path: &str, ask: &Ask) -> Result<(), AskError> {
    let Ask::Get { depth, fields, filter, limit, after, state, head, .. } = ask else {
        return Ok(());
    };
    let number = |value: &Option<u32>| value.map(|value| value.to_string());
    let one = [
        ("depth", number(depth)),
        ("fields", fields.clone()),
        ("limit", number(limit)),
        ("after", after.clone()),
        ("state", state.clone()),
        ("head", head.clone()),
    ];
    let one = one.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let all = one.chain(filter.iter().map(|filter| ("filter", filter.clone())));
    let query: Vec<String> =
        all.map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let asked = format!("{}{mark}{}", resource("nodes", path), query.join("&"));
    let node = here.near(path, here.connection.get(asked))?;
    here.out.answer(&node, Out::node)
}

// What a shell completes: the children of the deepest folder that is typed whole.
fn paths(here: &Here<'_>, prefix: &str) -> Result<(), AskError> {
    let (folder, _) = prefix.rsplit_once('/').unwrap_or(("", ""));
    let node = here.connection.get(format!("{}?limit=1000", resource("nodes", folder)))?;
    let mut text = String::new();
    for child in node["children"].as_array().into_iter().flatten() {
        let Some(path) = child["path"].as_str().filter(|path| path.starts_with(prefix)) else {
            continue;
        };
        let has_more = child.get("count").is_some();
        text.push_str(&format!("{path}{}\n", if has_more { "/" } else { "" }));
    }
    here.out.say(&text)
}
