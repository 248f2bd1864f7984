//! Renews the generated certificate where it is part of the configuration.

use transaction_engine::{CommitOptions, Error};

use crate::appliance::Appliance;
use crate::transport::self_signed;

/// Who commits it, as the history shows.
const AUTHOR: &str = "boxwood";

impl Appliance {
    /// Commits another generated certificate for these hosts if the one in the configuration was
    /// generated, and ends soon or lacks one of `names`. For a thread that may wait.
    ///
    /// # Errors
    /// What kept it from being committed.
    pub fn renew_certificate(&self, hosts: &[String], names: &[String]) -> Result<bool, String> {
        let now = self.now();
        let is_due = self.certificate().facts().is_some_and(|facts| facts.is_due(names, now));
        if !is_due {
            return Ok(false);
        }
        let seconds = now.as_micros().div_euclid(1_000_000);
        let pair = self_signed(hosts, seconds).map_err(|error| error.to_string())?;
        let running = self.engine().running();
        let Some(change) = self.dialect.identity_change(&running.tree, &pair) else {
            return Ok(false);
        };
        let message = Some("The generated certificate was renewed".to_owned());
        let (answer, answered) = std::sync::mpsc::sync_channel(1);
        self.engine().autocommit_begin(AUTHOR, CommitOptions::from(message), change, move |done| {
            // The one who waits may be gone at the end of the process.
            let _ = answer.send(done.map(drop));
        });
        let done: Result<(), Error> =
            answered.recv().map_err(|_| "the daemon is stopping".to_owned())?;
        done.map(|()| true).map_err(|error| error.to_string())
    }
}
