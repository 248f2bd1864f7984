//! Settings and secrets from the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use zeroize::Zeroizing;

use super::appliance_registry::APPLIANCE_REGISTRY;
use super::appliances;
use super::problem::Problem;
use super::raw::{Given, Origin, Raw};
use super::registry;
use super::service_link;
use super::value::{Secret, SecretKey};
use super::variables::{self, ADMIN_PASSWORD, PASSWORD, PREFIX, SECRET_KEY};
use crate::spelling::nearest;

/// What stands in no configuration file and no flag.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    pub(super) admin_password: Option<Secret>,
    pub(super) secret_key: Option<SecretKey>,
}

/// Collects the `BOXWOOD_*` variables, in the order of their names. The password with which
/// commands log in elsewhere is not a setting, nor are the variables of a client.
pub(super) fn read_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    appliances: &BTreeSet<String>,
    given: &mut Vec<Given>,
    problems: &mut Vec<Problem>,
) -> Secrets {
    let mut secrets = Secrets::default();
    let mut ours: Vec<_> = environment
        .into_iter()
        .map(|(variable, value)| (variable.to_string_lossy().into_owned(), value))
        .filter(|(variable, _)| variable.starts_with(PREFIX) && variable != PASSWORD)
        .filter(|(variable, _)| !client::VARIABLES.contains(&variable.as_str()))
        .filter(|(variable, value)| !service_link::is_one(variable, value))
        .collect();
    ours.sort();
    let known = Known::of(appliances, &ours);
    for (variable, value) in ours {
        let origin = Origin::Environment(variable.clone());
        let setting = known.settings.get(&variable);
        let is_secret = variable == ADMIN_PASSWORD || variable == SECRET_KEY;
        let outcome = if setting.is_none() && !is_secret {
            Err(known.unknown(&variable))
        } else if let Ok(value) = value.into_string() {
            match setting {
                Some(name) => {
                    let (name, raw) = (name.clone(), Raw::Spelled(value));
                    given.push(Given { name, raw, origin: origin.clone() });
                    Ok(())
                }
                None => secrets.take(&variable, value),
            }
        } else {
            Err("its value is not UTF-8".to_owned())
        };
        problems.extend(outcome.err().map(|why| Problem::new(&variable, origin, why)));
    }
    secrets
}

/// Every variable that gives a setting, with the name of the setting.
struct Known {
    settings: BTreeMap<String, String>,
}

impl Known {
    fn of(appliances: &BTreeSet<String>, environment: &[(String, OsString)]) -> Self {
        let common = registry::REGISTRY.iter().map(|setting| setting.name.to_owned());
        let chosen =
            environment.iter().filter(|(name, _)| *name == variables::variable("appliance"));
        let chosen: Vec<String> = chosen
            .filter_map(|(_, value)| value.to_str())
            .flat_map(|names| names.split(',').map(|name| name.trim().to_owned()))
            .collect();
        let of_each = appliances.iter().chain(&chosen).flat_map(|name| {
            let keys = APPLIANCE_REGISTRY.iter().map(|setting| setting.key);
            keys.map(move |key| format!("{}{name}.{key}", appliances::PREFIX))
        });
        let settings = common.chain(of_each).map(|name| (variables::variable(&name), name));
        Self { settings: settings.collect() }
    }

    fn unknown(&self, variable: &str) -> String {
        let candidates = self.settings.keys().map(String::as_str);
        match nearest(variable, candidates.chain([ADMIN_PASSWORD, SECRET_KEY])) {
            Some(near) => format!("there is no such setting; did you mean {near}?"),
            None => "there is no such setting; `boxwood serve --help` lists them".to_owned(),
        }
    }
}

impl Secrets {
    /// Whether the secret that the variable gives is there.
    pub(super) fn has(&self, variable: &str) -> bool {
        match variable {
            SECRET_KEY => self.secret_key.is_some(),
            _ => self.admin_password.is_some(),
        }
    }

    /// Takes the secret that a variable gives, or a file in its place.
    pub(super) fn take(&mut self, variable: &str, value: String) -> Result<(), String> {
        if variable == SECRET_KEY {
            let key = SecretKey::parse(&Zeroizing::new(value)).map_err(|why| {
                format!("the key cannot be used: {why}; `openssl rand -hex 32` makes a good one")
            })?;
            self.secret_key = Some(key);
            return Ok(());
        }
        if value.is_empty() {
            return Err("the password is empty; give one, or leave it out".to_owned());
        }
        self.admin_password = Some(Secret::new(value));
        Ok(())
    }
}
