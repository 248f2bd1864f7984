//! Settings and secrets from the environment.

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::problem::Problem;
use super::raw::{Given, Origin, Raw};
use super::registry;
use super::value::{Secret, SecretKey};
use super::variables::{self, ADMIN_PASSWORD, PASSWORD, PREFIX, SECRET_KEY};
use crate::spelling::nearest;

/// What only the environment may give.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) admin_password: Option<Secret>,
    pub(super) secret_key: Option<SecretKey>,
}

/// Collects the `BOXWOOD_*` variables, in the order of their names. The password with which
/// commands log in elsewhere is no setting, and none of the daemon's business.
pub(super) fn read_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    given: &mut Vec<Given>,
    problems: &mut Vec<Problem>,
) -> Secrets {
    let mut secrets = Secrets::default();
    let mut ours: Vec<_> = environment
        .into_iter()
        .map(|(variable, value)| (variable.to_string_lossy().into_owned(), value))
        .filter(|(variable, _)| variable.starts_with(PREFIX) && variable != PASSWORD)
        .collect();
    ours.sort();
    for (variable, value) in ours {
        let origin = Origin::Environment(variable.clone());
        let mut refuse = |message: String| {
            problems.push(Problem::new(&variable, origin.clone(), message));
        };
        let setting = registry::REGISTRY.iter().find(|s| variables::variable(s.name) == variable);
        if setting.is_none() && variable != ADMIN_PASSWORD && variable != SECRET_KEY {
            let variables: Vec<String> = registry::REGISTRY
                .iter()
                .map(|setting| variables::variable(setting.name))
                .chain([ADMIN_PASSWORD.to_owned(), SECRET_KEY.to_owned()])
                .collect();
            refuse(match nearest(&variable, variables.iter().map(String::as_str)) {
                Some(near) => format!("there is no such setting; did you mean {near}?"),
                None => "there is no such setting; `boxwood serve --help` lists them".to_owned(),
            });
            continue;
        }
        let Ok(value) = value.into_string() else {
            refuse("its value is not UTF-8".to_owned());
            continue;
        };
        match setting {
            Some(setting) => given.push(Given {
                name: setting.name.to_owned(),
                raw: Raw::Spelled(value),
                origin,
            }),
            None if variable == ADMIN_PASSWORD && value.is_empty() => {
                refuse("the password is empty; give one, or unset the variable".to_owned());
            }
            None if variable == ADMIN_PASSWORD => {
                secrets.admin_password = Some(Secret::new(value));
            }
            None => match SecretKey::parse(&Zeroizing::new(value)) {
                Ok(key) => secrets.secret_key = Some(key),
                Err(why) => refuse(format!(
                    "the key cannot be used: {why}; `openssl rand -hex 32` makes a good one"
                )),
            },
        }
    }
    secrets
}
