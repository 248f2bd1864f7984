//! What an appliance sends: mails, SNMP traps, syslog lines.
//!
//! The crate knows no vendor, no HTTP and no store. The code that knows the vendor's tree translates
//! the committed configuration into a [`Configuration`]; the code in which something happens reports
//! an [`Event`]. In between are the queue, which a crash does not lose, the outbox, in which every
//! message can be read, and the one place where connections are made (`dial`), which decides to
//! whom.
//!
//! **Invariant:** [`Delivery::report`] does not wait, whatever the disk and the network do.
//! **Invariant:** in [`Mode::Record`] no socket is opened and no name is resolved; in
//! [`Mode::Loopback`] none to another address than a loopback address.
//! **Invariant:** no secret is in the queue, the outbox, a log line or an error.

mod bounded;
mod configuration;
mod delivery;
mod dial;
mod event;
mod failure;
mod gather;
mod health;
mod mail;
mod message;
mod outbox;
mod queue;
mod run;
mod settings;
mod snmp;
mod stamp;
mod syslog;
mod tls;

pub use configuration::{
    Cipher, Configuration, Digest, HealthLimits, Host, Identity, Mail, Secret, Source,
    SyslogReceiver, SyslogTransport, Tls, TrapVersion, Traps, User, Way,
};
pub use delivery::Delivery;
pub use dial::Mode;
pub use event::{Event, EventKind, Severity};
pub use failure::Failure;
pub use health::{Figures, MachineProbe, Probe};
pub use outbox::{State, Wanted};
pub use settings::{Clock, Parts, Settings};
