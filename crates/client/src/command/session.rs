//! Logging in and out, contexts, and the sessions of the daemon.

use serde_json::{Value, json};

use super::Here;
use crate::Environment;
use crate::connection::{Connection, password};
use crate::context::{Context, Contexts, variable};
use crate::error::AskError;
use crate::options::{Connect, ContextCommand, Output};
use crate::output::{Out, cell};
use crate::place::encoded;

/// Who logs in where nothing else is said.
const ADMINISTRATOR: &str = "admin";

pub(super) fn login(
    daemon: Option<&str>,
    user: Option<&str>,
    connect: &Connect,
    environment: &Environment,
) -> Result<(), AskError> {
    let mut contexts = Contexts::read(environment)?;
    let name = contexts.chosen(connect, environment);
    let url = daemon.map(str::to_owned).or_else(|| connect.url.clone());
    // The context need not be there yet.
    let asked = Connect { url, context: None, ..connect.clone() };
    let known = contexts.contexts.get(&name).cloned();
    let mut context = match (known, &asked.url) {
        (Some(context), None) => context,
        (Some(context), Some(url)) if context.url == url.trim_end_matches('/') => context,
        _ => Contexts::default().resolve(&asked, environment)?,
    };
    if connect.ca.is_some() || connect.insecure {
        (context.ca, context.insecure) = (connect.ca.clone(), connect.insecure);
    }
    context.ca = context.ca.map(|file| std::path::absolute(&file).unwrap_or(file));
    context.world = connect.world.clone().or(context.world);
    let user = user.or_else(|| variable(environment, "BOXWOOD_USER")).map(str::to_owned);
    let user = user.or(context.user.take()).unwrap_or_else(|| ADMINISTRATOR.to_owned());
    let connection = Connection::new(Context { token: None, ..context.clone() })?;
    let password = password(environment, &user)?;
    let mut session = connection.login(&user, &password)?;
    context.token = session["token"].as_str().map(str::to_owned);
    context.user = Some(user.clone());
    let url = context.url.clone();
    contexts.contexts.insert(name.clone(), context);
    contexts.current = Some(name.clone());
    contexts.write()?;
    if let Value::Object(members) = &mut session {
        members.remove("token");
    }
    let out = Out::new(connect.output, environment);
    out.answer(&session, |_, _| format!("logged in to {url} as {user} (context {name})\n"))
}

pub(super) fn logout(here: &Here<'_>) -> Result<(), AskError> {
    let ended = here.connection.delete("session");
    // A session that is over already is what was wanted.
    if let Err(error) = ended
        && !matches!(error, AskError::Refused { status: 401, .. })
    {
        return Err(error);
    }
    let mut contexts = Contexts::read(here.environment)?;
    let name = contexts.chosen(here.connect, here.environment);
    if let Some(context) = contexts.contexts.get_mut(&name) {
        (context.token, context.confirmation) = (None, None);
        contexts.write()?;
    }
    let url = &here.connection.context.url;
    here.out.answer(&json!({ "logged_out": url }), |_, _| format!("logged out of {url}\n"))
}

pub(super) fn whoami(here: &Here<'_>) -> Result<(), AskError> {
    let (session, about) = (here.connection.get("session")?, here.connection.get("")?);
    let document =
        json!({ "daemon": about, "session": session, "url": here.connection.context.url });
    here.out.answer(&document, |_, document| {
        let (session, about) = (&document["session"], &document["daemon"]);
        let rights = match (&session["administrator"], &session["writes"]) {
            (Value::Bool(true), _) => "administrator",
            (_, Value::Bool(true)) => "user",
            _ => "user, reading only",
        };
        format!(
            "{} ({rights}) at {}: {} of boxwood {}, revision {}\n",
            cell(&session["user"]),
            cell(&document["url"]),
            cell(&about["appliance"]["name"]),
            cell(&about["version"]),
            about["revision"]
        )
    })
}

pub(super) fn context(
    command: Option<&ContextCommand>,
    environment: &Environment,
) -> Result<(), AskError> {
    let mut contexts = Contexts::read(environment)?;
    let unknown = |contexts: &Contexts, name: &str| AskError::UnknownContext {
        name: name.to_owned(),
        contexts: contexts.contexts.keys().cloned().collect(),
    };
    match command {
        None | Some(ContextCommand::List) => {
            let out = Out::new(Output::Text, environment);
            let current = contexts.chosen(&Connect::default(), environment);
            let row = |(name, context): (&String, &Context)| {
                let star = if *name == current { "*" } else { "" };
                let state = if context.token.is_some() { "logged in" } else { "" };
                let user = context.user.clone().unwrap_or_default();
                vec![star.to_owned(), name.clone(), context.url.clone(), user, state.to_owned()]
            };
            let head = ["", "NAME", "URL", "USER", "STATE"];
            out.say(&out.table(&head, contexts.contexts.iter().map(row)))
        }
        Some(ContextCommand::Use { name }) => {
            if !contexts.contexts.contains_key(name) {
                return Err(unknown(&contexts, name));
            }
            contexts.current = Some(name.clone());
            contexts.write()
        }
        Some(ContextCommand::Delete { name }) => {
            if contexts.contexts.remove(name).is_none() {
                return Err(unknown(&contexts, name));
            }
            contexts.current.take_if(|current| current == name);
            contexts.write()
        }
    }
}

pub(super) fn sessions(here: &Here<'_>, end: Option<&str>) -> Result<(), AskError> {
    if let Some(name) = end {
        let ended = here.connection.delete(format!("sessions/{}", encoded(name)))?;
        return here.out.answer(&ended, |_, _| format!("session {name} has ended\n"));
    }
    let sessions = here.connection.get("sessions")?;
    here.out.answer(&sessions, |out, sessions| {
        let items = sessions["items"].as_array().into_iter().flatten();
        let rows = items.map(|one| {
            let transaction = &one["transaction"];
            let changes = match transaction {
                Value::Null => String::new(),
                open => {
                    format!("{} changes since {}", cell(&open["changes"]), cell(&open["since"]))
                }
            };
            let lock = if one["lock"] == true { "locked" } else { "" };
            let own = if one["current"] == true { "*" } else { "" };
            let text = |name: &str| cell(&one[name]);
            vec![
                own.to_owned(),
                text("session"),
                text("user"),
                text("used"),
                lock.to_owned(),
                changes,
            ]
        });
        out.table(&["", "SESSION", "USER", "LAST USED", "LOCK", "TRANSACTION"], rows)
    })
}
