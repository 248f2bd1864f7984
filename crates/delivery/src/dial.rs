//! The one place where connections are made, and where it is decided to whom.
//!
//! In `record` nothing is resolved and nothing is opened. In `loopback` a name other than
//! `localhost` is not resolved either: to ask a name server is to talk to the network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpStream, UdpSocket, lookup_host};

use crate::configuration::Host;
use crate::failure::Failure;

/// What happens to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// They go into the outbox and nowhere else.
    #[default]
    Record,
    /// They are sent to loopback addresses; those for others go into the outbox only.
    Loopback,
    /// They are sent.
    Send,
}

impl Mode {
    /// The words for them.
    pub const WORDS: &[(&str, Self)] =
        &[("record", Self::Record), ("loopback", Self::Loopback), ("send", Self::Send)];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Loopback => "loopback",
            Self::Send => "send",
        }
    }

    /// Why nothing may be sent to a host; `None`: it may.
    pub(crate) fn withholds(self, host: &Host) -> Option<String> {
        match (self, host) {
            (Self::Record, _) => Some("delivery.mode is record".to_owned()),
            (Self::Send, _) => None,
            (Self::Loopback, host) if loopback(host).is_empty() => {
                Some(format!("delivery.mode is loopback, and {host} is not a loopback address"))
            }
            (Self::Loopback, _) => None,
        }
    }

    async fn addresses(self, host: &Host, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        if let Some(why) = self.withholds(host) {
            return Err(Failure::Withheld(why));
        }
        let at_port = |address| SocketAddr::new(address, port);
        let found: Vec<SocketAddr> = match (self, host) {
            (Self::Loopback, host) => loopback(host).into_iter().map(at_port).collect(),
            (_, Host::Address(address)) => vec![at_port(*address)],
            (_, Host::Name(name)) => {
                let looked_up = lookup_host((name.as_str(), port)).await;
                looked_up.map_err(|error| unresolved(name, &error))?.collect()
            }
        };
        match found.is_empty() {
            true => Err(unresolved(&host.to_string(), &"it has no address")),
            false => Ok(found),
        }
    }

    /// Opens a connection to the first address of the host that answers.
    pub(crate) async fn tcp(self, host: &Host, port: u16) -> Result<TcpStream, Failure> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.addresses(host, port).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(Failure::Later(format!("cannot connect to {host}, port {port}: {last}")))
    }

    /// Sends one datagram.
    pub(crate) async fn datagram(self, host: &Host, port: u16, data: &[u8]) -> Result<(), Failure> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.addresses(host, port).await? {
            match send_to(address, data).await {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(Failure::Later(format!("cannot send to {host}, port {port}: {last}")))
    }
}

async fn send_to(address: SocketAddr, data: &[u8]) -> io::Result<()> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    socket.send(data).await.map(drop)
}

/// The loopback addresses of a host, without asking anybody.
fn loopback(host: &Host) -> Vec<IpAddr> {
    match host {
        Host::Address(address) if address.to_canonical().is_loopback() => vec![*address],
        Host::Address(_) => Vec::new(),
        Host::Name(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            match name == "localhost" || name.ends_with(".localhost") {
                true => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
                false => Vec::new(),
            }
        }
    }
}

fn unresolved(name: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::Later(format!(
        "cannot resolve {name}: {why}; check the name in the configuration and the machine's resolver"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Host {
        Host::Name(text.to_owned())
    }

    #[test]
    fn loopback_is_known_without_a_lookup() {
        for (host, may) in [
            (Host::Address("127.0.0.9".parse().unwrap()), true),
            (Host::Address("::1".parse().unwrap()), true),
            (Host::Address("::ffff:127.0.0.1".parse().unwrap()), true),
            (Host::Address("10.0.0.1".parse().unwrap()), false),
            (Host::Address("0.0.0.0".parse().unwrap()), false),
            (name("localhost"), true),
            (name("Mail.LOCALHOST."), true),
            (name("localhost.example.com"), false),
        ] {
            assert_eq!(Mode::Loopback.withholds(&host).is_none(), may, "{host}");
            assert!(Mode::Record.withholds(&host).is_some());
            assert!(Mode::Send.withholds(&host).is_none());
        }
    }

    #[tokio::test]
    async fn record_opens_nothing() {
        let refused = Mode::Record.tcp(&name("localhost"), 1).await;
        assert!(matches!(refused, Err(Failure::Withheld(_))));
        let refused = Mode::Loopback.datagram(&name("example.com"), 1, b"x").await;
        assert!(matches!(refused, Err(Failure::Withheld(_))));
    }
}
