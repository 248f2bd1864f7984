//! What the committed configuration says of mail, traps, syslog and health, in words that know no
//! vendor. The code that knows the vendor's tree translates it into this.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::event::EventKind;

/// A secret that is opened when it is needed, and not before.
#[derive(Clone)]
pub struct Secret(Arc<dyn Fn() -> Option<Zeroizing<String>> + Send + Sync>);

impl Secret {
    /// A secret by the function that opens it.
    pub fn new(open: impl Fn() -> Option<Zeroizing<String>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(open))
    }

    /// A secret that is known, for tests.
    #[must_use]
    pub fn known(text: &str) -> Self {
        let text = Zeroizing::new(text.to_owned());
        Self::new(move || Some(text.clone()))
    }

    /// Opens it; the text is wiped when it is dropped. `None` where it cannot be read.
    #[must_use]
    pub fn reveal(&self) -> Option<Zeroizing<String>> {
        (self.0)()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A host by its address or its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A certificate in PEM with its private key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, with its chain where there is one.
    pub certificate: String,
    /// Its private key.
    pub private_key: Secret,
}

/// How a connection is encrypted.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// The authority that must have issued the other side's certificate, in PEM; `None`: any
    /// certificate is accepted.
    pub authority: Option<String>,
    /// What we present.
    pub identity: Option<Identity>,
}

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The server.
    pub server: Host,
    /// STARTTLS with these rules; `None`: nothing is encrypted.
    pub starttls: Option<Tls>,
    /// The name and password to log in with.
    pub login: Option<(String, Secret)>,
    /// From whom mail comes; `None`: the appliance's own address.
    pub sender: Option<String>,
    /// Who gets alerts.
    pub alerts: Option<String>,
    /// Who gets reports.
    pub reports: Option<String>,
    /// Who administers the appliance.
    pub administrator: Option<String>,
}

/// Where and how traps are sent.
#[derive(Clone, Debug)]
pub struct Traps {
    /// The server.
    pub server: Host,
    /// The version with its parameters.
    pub version: TrapVersion,
}

/// A version of SNMP with its parameters.
#[derive(Clone, Debug)]
pub enum TrapVersion {
    /// Version 2c with its community.
    V2c(String),
    /// Version 3 with the user-based security model.
    V3(User),
}

/// A user of the user-based security model (RFC 3414).
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// The engine ID of the sender.
    pub engine_id: Vec<u8>,
    /// The digest of the authentication protocol.
    pub digest: Digest,
    /// The password for authentication.
    pub auth_password: Secret,
    /// The cipher and its password; `None`: not encrypted.
    pub privacy: Option<(Cipher, Secret)>,
}

/// A digest for authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// HMAC-MD5-96.
    Md5,
    /// HMAC-SHA-96.
    Sha1,
}

/// A cipher for privacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// CBC-DES (RFC 3414).
    Des,
    /// CFB128-AES-128 (RFC 3826).
    Aes128,
}

/// One who gets syslog lines.
#[derive(Clone, Debug)]
pub struct SyslogReceiver {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
    /// How lines are carried.
    pub transport: SyslogTransport,
}

/// How syslog lines are carried.
#[derive(Clone, Debug)]
pub enum SyslogTransport {
    /// One line for each datagram (RFC 5426).
    Udp,
    /// With counted octets (RFC 6587).
    Tcp,
    /// With counted octets over TLS (RFC 5425).
    Tls(Tls),
}

impl SyslogReceiver {
    /// By what it is known to the queue.
    #[must_use]
    pub fn name(&self) -> String {
        let transport = match self.transport {
            SyslogTransport::Udp => "udp",
            SyslogTransport::Tcp => "tcp",
            SyslogTransport::Tls(_) => "tls",
        };
        format!("{transport}://{}:{}", self.host, self.port)
    }
}

/// A way to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Way {
    /// Mail.
    Mail,
    /// SNMP traps.
    Trap,
    /// Syslog.
    Syslog,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Mail, Self::Trap, Self::Syslog];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Trap => "trap",
            Self::Syslog => "syslog",
        }
    }

    /// The way of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }
}

/// Limits of health; `None` is not watched.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HealthLimits {
    /// Of the load over one minute.
    pub load1: Option<f64>,
    /// Of the load over five minutes.
    pub load5: Option<f64>,
    /// Of the load over fifteen minutes.
    pub load15: Option<f64>,
    /// Of memory in use, in percent.
    pub memory: Option<f64>,
    /// Of swap in use, in percent.
    pub swap: Option<f64>,
    /// Of the disk in use, in percent.
    pub disk: Option<f64>,
}

/// Everything that the configuration says.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// What the appliance is called: a host name, with its domain where it has one.
    pub host: String,
    /// Mail; `None`: none is sent.
    pub mail: Option<Mail>,
    /// Traps; `None`: none are sent.
    pub traps: Option<Traps>,
    /// Who gets syslog lines.
    pub syslog: Vec<SyslogReceiver>,
    /// Limits of health.
    pub health: HealthLimits,
    /// Which events do not go by which ways, or do; what is not named goes by every way.
    pub routes: BTreeMap<(EventKind, Way), bool>,
    /// What is configured and cannot work, with what to do about it.
    pub problems: Vec<(Way, String)>,
}

impl Configuration {
    /// Whether an event goes by a way.
    #[must_use]
    pub fn goes(&self, kind: EventKind, way: Way) -> bool {
        self.routes.get(&(kind, way)).copied().unwrap_or(true)
    }
}

/// Where the configuration comes from.
pub trait Source: Send + Sync {
    /// What is committed now.
    fn configuration(&self) -> Configuration;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = Secret::known("correct horse");
        assert!(!format!("{secret:?}").contains("horse"));
        assert_eq!(secret.reveal().unwrap().as_str(), "correct horse");
    }

    #[test]
    fn what_is_not_named_goes_by_every_way() {
        let mut configuration = Configuration::default();
        configuration.routes.insert((EventKind::Commit, Way::Mail), false);
        assert!(!configuration.goes(EventKind::Commit, Way::Mail));
        assert!(configuration.goes(EventKind::Commit, Way::Trap));
    }
}
