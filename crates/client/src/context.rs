//! Contexts: which daemon to ask, whom to trust, and the token of the session there. Kept in a file
//! that its owner alone can read; a password is never in it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Environment;
use crate::error::AskError;
use crate::options::Connect;

/// Where a daemon is, and how it is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Context {
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) insecure: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) world: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// Confirms the commit that awaits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmation: Option<String>,
}

/// All contexts.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Contexts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
    #[serde(skip)]
    file: PathBuf,
}

/// What is used when no name is given.
pub(crate) const DEFAULT: &str = "default";

/// A variable of the environment that holds text.
pub(crate) fn variable<'e>(environment: &'e Environment, name: &str) -> Option<&'e str> {
    let found = environment.iter().find(|(known, _)| known == OsStr::new(name));
    found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
}

impl Contexts {
    /// Reads the file; none is there before the first login.
    pub(crate) fn read(environment: &Environment) -> Result<Self, AskError> {
        let file = file(environment)?;
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(AskError::file(file, error)),
        };
        let read: Self = toml::from_str(&text).map_err(|error| {
            let why = error.message().to_owned();
            AskError::file(&file, format!("{why}; correct it, or remove the file and log in again"))
        })?;
        Ok(Self { file, ..read })
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self) -> Result<(), AskError> {
        let failed = |error: std::io::Error| AskError::file(&self.file, error);
        let text = toml::to_string(self).map_err(|error| AskError::file(&self.file, error))?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        // Its mode is 0600 from the beginning.
        let mut written = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        written.write_all(text.as_bytes()).map_err(failed)?;
        written.persist(&self.file).map(drop).map_err(|error| failed(error.error))
    }

    /// The name of the context that a command means.
    pub(crate) fn chosen(&self, connect: &Connect, environment: &Environment) -> String {
        let named = connect.context.clone();
        let named = named.or_else(|| variable(environment, "BOXWOOD_CONTEXT").map(str::to_owned));
        named.or_else(|| self.current.clone()).unwrap_or_else(|| DEFAULT.to_owned())
    }

    /// What a command is to use: flags before variables before the file.
    pub(crate) fn resolve(
        &self,
        connect: &Connect,
        environment: &Environment,
    ) -> Result<Context, AskError> {
        let env = |name: &str| variable(environment, name).map(str::to_owned);
        let is_named = connect.context.is_some() || env("BOXWOOD_CONTEXT").is_some();
        let name = self.chosen(connect, environment);
        let url = connect.url.clone().or_else(|| env("BOXWOOD_URL"));
        let mut context = match self.contexts.get(&name) {
            Some(context) => context.clone(),
            None if is_named => {
                let contexts = self.contexts.keys().cloned().collect();
                return Err(AskError::UnknownContext { name, contexts });
            }
            None if url.is_none() => return Err(AskError::NoContext),
            None => Context::default(),
        };
        if let Some(url) = url.map(|url| url.trim_end_matches('/').to_owned())
            && url != context.url
        {
            // A token belongs to the daemon that gave it.
            context = Context { url, ..Context::default() };
        }
        if let Some(ca) = connect.ca.clone().or_else(|| env("BOXWOOD_CA").map(PathBuf::from)) {
            (context.ca, context.insecure) = (Some(ca), false);
        }
        if connect.insecure {
            (context.ca, context.insecure) = (None, true);
        }
        context.world = connect.world.clone().or_else(|| env("BOXWOOD_WORLD")).or(context.world);
        context.user = env("BOXWOOD_USER").or(context.user);
        context.token = env("BOXWOOD_TOKEN").or(context.token);
        Ok(context)
    }
}

fn file(environment: &Environment) -> Result<PathBuf, AskError> {
    if let Some(file) = variable(environment, "BOXWOOD_CONTEXTS") {
        return Ok(PathBuf::from(file));
    }
    let config = variable(environment, "XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || variable(environment, "HOME").map(|home| Path::new(home).join(".config"));
    let folder = config.or_else(home).ok_or_else(|| {
        AskError::Usage(
            "HOME is not set: name the file of contexts with BOXWOOD_CONTEXTS".to_owned(),
        )
    })?;
    Ok(folder.join("boxwood").join("contexts.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn flags_win_over_variables_and_these_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sub/contexts.toml");
        let at = environment(&[("BOXWOOD_CONTEXTS", file.to_str().unwrap())]);
        let mut contexts = Contexts::read(&at).unwrap();
        let connect = Connect::default();
        assert!(matches!(contexts.resolve(&connect, &at), Err(AskError::NoContext)));
        let context =
            Context { url: "http://a:1".into(), token: Some("t".into()), ..Context::default() };
        contexts.contexts.insert(DEFAULT.to_owned(), context.clone());
        contexts.write().unwrap();
        let contexts = Contexts::read(&at).unwrap();
        assert_eq!(contexts.resolve(&connect, &at).unwrap(), context);
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        let more = environment(&[("BOXWOOD_URL", "http://b:1"), ("BOXWOOD_WORLD", "w")]);
        let other = contexts.resolve(&connect, &more).unwrap();
        assert!(other.url == "http://b:1" && other.token.is_none(), "no token goes elsewhere");
        assert_eq!(other.world.as_deref(), Some("w"));
        let named = Connect { context: Some("x".into()), ..Connect::default() };
        let refused = contexts.resolve(&named, &at).unwrap_err().to_string();
        assert!(refused.contains("there are default"), "{refused}");
    }
}
