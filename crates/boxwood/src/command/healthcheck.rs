//! `boxwood healthcheck`: asks the daemon on this machine how it is, without a login.
//!
//! A container image has no curl, and its health check has to be one of its own programs. Nothing
//! secret is sent or received, so any certificate is accepted: the daemon's own is usually signed
//! by no authority.

use std::time::Duration;

use client::http::tls;
use front_end::transport::ListenUrl;
use ureq::Agent;

use super::{CommandError, Environment, say};
use crate::cli::HealthFlags;
use crate::settings::{Mode, Settings, Sources};

/// Time for the whole question. A supervisor asks again, and a daemon that is slower is not well.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a daemon is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    /// The settings do not say on which port the daemon is.
    #[error("{0} does not name a port to connect to: pass --url https://HOST:PORT")]
    Port(String),
    /// No answer.
    #[error("no answer from {url}: {source}")]
    Unanswered {
        /// What was asked.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// An answer other than 200.
    #[error("{url} answered {status}: {body}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status line's number.
        status: u16,
        /// The beginning of the answer.
        body: String,
    },
}

/// Prints the answer of a daemon that is well.
///
/// # Errors
/// Bad settings, or a daemon that does not answer or is not well.
pub fn run(flags: &HealthFlags, environment: Environment) -> Result<(), CommandError> {
    let origin = match &flags.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => origin_of(&first_listener(flags, environment)?)?,
    };
    let path = if flags.ready { "ready" } else { "health" };
    let answer = ask(&format!("{origin}/boxwood/v1/{path}"))?;
    say(format!("{}\n", answer.trim_end()))
}

fn first_listener(
    flags: &HealthFlags,
    environment: Environment,
) -> Result<ListenUrl, CommandError> {
    let settings = Settings::resolve(Sources {
        mode: Mode::Serve,
        config_file: flags.flags.state.config.clone(),
        environment,
        flags: flags.flags.given(),
    })?;
    let mut listeners = settings.appliances.into_iter().flat_map(|own| own.listen);
    Ok(listeners.next().ok_or_else(|| Unhealthy::Port("the list of listeners".to_owned()))?)
}

/// Where a listener is reached from its own machine.
fn origin_of(listener: &ListenUrl) -> Result<String, Unhealthy> {
    if listener.port == 0 {
        return Err(Unhealthy::Port(listener.to_string()));
    }
    let mut near = listener.clone();
    match near.host.as_str() {
        "0.0.0.0" => "127.0.0.1".clone_into(&mut near.host),
        "::" => "::1".clone_into(&mut near.host),
        _ => {}
    }
    Ok(near.to_string())
}

fn ask(url: &str) -> Result<String, Unhealthy> {
    let config = Agent::config_builder()
        .tls_config(tls(&[], true))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE))
        .build();
    let failed = |source| Unhealthy::Unanswered { url: url.to_owned(), source: Box::new(source) };
    let mut answer = config.new_agent().get(url).call().map_err(failed)?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(64 << 10).read_to_string().map_err(failed)?;
    match status {
        200 => Ok(body),
        _ => {
            let body = body.chars().take(200).collect();
            Err(Unhealthy::Refused { url: url.to_owned(), status, body })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_reached_on_loopback() {
        let origin = |url: &str| origin_of(&url.parse().unwrap()).map_err(|why| why.to_string());
        assert_eq!(origin("https://0.0.0.0:8443").as_deref(), Ok("https://127.0.0.1:8443"));
        assert_eq!(origin("https://[::]:8443").as_deref(), Ok("https://[::1]:8443"));
        assert_eq!(origin("http://10.0.0.7:80").as_deref(), Ok("http://10.0.0.7:80"));
        assert!(origin("https://127.0.0.1:0").is_err_and(|why| why.contains("--url")));
    }
}
