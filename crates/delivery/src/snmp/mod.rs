//! SNMP traps: what they hold, their bytes in version 2c and 3, and how they are sent.

mod ber;
mod usm;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::configuration::{TrapVersion, Traps, User};
use crate::dial::Mode;
use crate::event::{Event, EventKind};
use crate::failure::Failure;
use crate::stamp::time_text;

pub(crate) use usm::Engine;

/// Boxwood's arc, below the enterprise number that RFC 5612 sets aside for documents and examples.
/// Described in `docs/BOXWOOD-MIB.txt`.
const BOXWOOD: [u32; 8] = [1, 3, 6, 1, 4, 1, 32473, 66];
const SYS_UP_TIME: &[u32] = &[1, 3, 6, 1, 2, 1, 1, 3, 0];
const SNMP_TRAP_OID: &[u32] = &[1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// A trap before it has bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trap {
    /// What happened.
    pub event: EventKind,
    /// The request ID of the PDU.
    pub id: i32,
    /// Hundredths of a second since the daemon started, when it happened.
    pub uptime: u32,
    /// The sentence.
    pub text: String,
    /// The name of the appliance.
    pub appliance: String,
    /// When it happened.
    pub time: String,
    /// Names and values in one line.
    pub details: String,
}

impl Trap {
    pub(crate) fn new(event: &Event, appliance: &str, id: i32, uptime: u32) -> Self {
        let details: Vec<String> =
            event.details.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self {
            event: event.kind,
            id,
            uptime,
            text: event.text.clone(),
            appliance: appliance.to_owned(),
            time: time_text(event.time),
            details: details.join("; "),
        }
    }

    /// The names, identifiers and values that it carries.
    fn bindings(&self) -> Vec<(&'static str, Vec<u32>, Binding<'_>)> {
        let object = |n| boxwood(&[1, n, 0]);
        vec![
            ("sysUpTime", SYS_UP_TIME.to_vec(), Binding::Ticks(self.uptime)),
            (
                "snmpTrapOID",
                SNMP_TRAP_OID.to_vec(),
                Binding::Oid(boxwood(&[0, self.event.number()])),
            ),
            ("boxwoodText", object(1), Binding::Text(&self.text)),
            (
                "boxwoodSeverity",
                object(2),
                Binding::Integer(i64::from(self.event.severity().number())),
            ),
            ("boxwoodAppliance", object(3), Binding::Text(&self.appliance)),
            ("boxwoodTime", object(4), Binding::Text(&self.time)),
            ("boxwoodDetails", object(5), Binding::Text(&self.details)),
        ]
    }

    /// The trap as people read it.
    pub(crate) fn decoded(&self) -> Value {
        let bindings: Vec<Value> = self
            .bindings()
            .into_iter()
            .map(|(name, oid, value)| json!({"name": name, "oid": dotted(&oid), "value": value.shown()}))
            .collect();
        json!({
            "bindings": bindings,
            "name": self.event.notification(),
            "oid": dotted(&boxwood(&[0, self.event.number()])),
            "request_id": self.id,
        })
    }

    /// The PDU.
    fn pdu(&self) -> Vec<u8> {
        let bindings: Vec<Vec<u8>> = self
            .bindings()
            .iter()
            .map(|(_, oid, value)| ber::sequence(&[ber::oid(oid), value.encoded()]))
            .collect();
        let parts = [
            ber::integer(i64::from(self.id)),
            ber::integer(0),
            ber::integer(0),
            ber::sequence(&bindings),
        ];
        ber::wrapped(ber::TRAP_V2, &parts)
    }

    /// The message of version 2c.
    pub(crate) fn message_v2c(&self, community: &str) -> Vec<u8> {
        ber::sequence(&[ber::integer(1), ber::octets(community.as_bytes()), self.pdu()])
    }

    /// The message of version 3.
    fn message_v3(&self, user: &User, engine: &Engine) -> Result<Vec<u8>, Failure> {
        usm::message(&self.pdu(), user, engine)
    }
}

enum Binding<'t> {
    Ticks(u32),
    Oid(Vec<u32>),
    Integer(i64),
    Text(&'t str),
}

impl Binding<'_> {
    fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Ticks(ticks) => ber::ticks(*ticks),
            Self::Oid(oid) => ber::oid(oid),
            Self::Integer(number) => ber::integer(*number),
            Self::Text(text) => ber::octets(text.as_bytes()),
        }
    }

    fn shown(&self) -> Value {
        match self {
            Self::Ticks(ticks) => json!(ticks),
            Self::Oid(oid) => json!(dotted(oid)),
            Self::Integer(number) => json!(number),
            Self::Text(text) => json!(text),
        }
    }
}

/// An identifier below Boxwood's arc.
fn boxwood(rest: &[u32]) -> Vec<u32> {
    BOXWOOD.iter().chain(rest).copied().collect()
}

fn dotted(oid: &[u32]) -> String {
    let arcs: Vec<String> = oid.iter().map(u32::to_string).collect();
    arcs.join(".")
}

/// How the trap goes out, without its secrets.
pub(crate) fn envelope(traps: &Traps) -> Value {
    match &traps.version {
        TrapVersion::V2c(community) => json!({"community": community, "version": "2c"}),
        TrapVersion::V3(user) => json!({
            "authentication": format!("{:?}", user.digest).to_lowercase(),
            "encryption": user.privacy.as_ref().map(|(cipher, _)| format!("{cipher:?}").to_lowercase()),
            "engine_id": user.engine_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            "user": user.name,
            "version": "3",
        }),
    }
}

/// Sends a trap, and says what went out.
pub(crate) async fn send(
    trap: &Trap,
    traps: &Traps,
    mode: Mode,
    port: u16,
    engine: &Engine,
) -> Result<String, Failure> {
    // Before secrets are opened.
    if let Some(why) = mode.withholds(&traps.server) {
        return Err(Failure::Withheld(why));
    }
    let message = match &traps.version {
        TrapVersion::V2c(community) => trap.message_v2c(community),
        TrapVersion::V3(user) => {
            let (trap, user, engine) = (trap.clone(), user.clone(), engine.clone());
            // A key is made of a megabyte of digest.
            tokio::task::spawn_blocking(move || trap.message_v3(&user, &engine))
                .await
                .map_err(|_| Failure::Later("the trap could not be encoded".to_owned()))??
        }
    };
    mode.datagram(&traps.server, port, &message).await?;
    let (length, server) = (message.len(), &traps.server);
    Ok(format!("sent {length} bytes to {server}, port {port}; traps are not acknowledged"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn trap() -> Trap {
        let event = Event::new(1_600_000_000_000_000, EventKind::HealthLimit, "The disk is full")
            .with("measured", 91);
        Trap::new(&event, "sps-6.2", 7, 1234)
    }

    // Written down by hand from RFC 3416 and X.690.
    #[test]
    fn a_trap_of_version_2c_has_the_bytes_of_the_standard() {
        let mut trap = trap();
        trap.text = "t".to_owned();
        trap.appliance = "a".to_owned();
        trap.time = "n".to_owned();
        trap.details = String::new();
        let object = |n: u8, value: &[u8]| {
            let mut out = vec![0x30, 13 + 2 + value.len() as u8];
            out.extend([0x06, 0x0b, 0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 66, 1, n, 0]);
            // An identifier of twelve bytes after its head of two.
            out[3] = 12;
            out[1] = 14 + value.len() as u8;
            out.extend(value);
            out
        };
        let mut bindings = vec![0x30, 14, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 0x43, 2, 4, 0xd2];
        bindings.extend([0x30, 25, 6, 10, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0]);
        bindings.extend([6, 11, 0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 66, 0, 6]);
        for (n, value) in [
            (1, &[4, 1, b't'][..]),
            (2, &[2, 1, 4]),
            (3, &[4, 1, b'a']),
            (4, &[4, 1, b'n']),
            (5, &[4, 0]),
        ] {
            bindings.extend(object(n, value));
        }
        let mut pdu = vec![2, 1, 7, 2, 1, 0, 2, 1, 0, 0x30, 0x81, bindings.len() as u8];
        pdu.extend(&bindings);
        let mut inner = vec![2, 1, 1, 4, 6];
        inner.extend(b"public");
        inner.extend([0xa7, 0x81, pdu.len() as u8]);
        inner.extend(&pdu);
        let mut expected = vec![0x30, 0x81, inner.len() as u8];
        expected.extend(&inner);
        assert_eq!(trap.message_v2c("public"), expected);
    }

    #[test]
    fn the_mib_file_names_what_is_sent() {
        let mib = include_str!("../../../../docs/BOXWOOD-MIB.txt");
        for kind in EventKind::ALL {
            let name = kind.notification();
            let (_, rest) = mib.split_once(&format!("{name} NOTIFICATION-TYPE")).unwrap();
            let (_, rest) = rest.split_once("::= { ").unwrap();
            assert!(rest.starts_with(&format!("boxwoodNotifications {} }}", kind.number())));
        }
        for (name, oid, _) in trap().bindings().iter().skip(2) {
            let (_, rest) = mib.split_once(&format!("{name} OBJECT-TYPE")).unwrap();
            let (_, rest) = rest.split_once("::= { ").unwrap();
            assert!(rest.starts_with(&format!("boxwoodObjects {} }}", oid[9])), "{name}");
        }
        assert!(mib.contains("::= { enterprises 32473 66 }"));
    }

    #[test]
    fn a_trap_is_shown_with_names_and_values() {
        let shown = trap().decoded();
        assert_eq!(shown["name"], "boxwoodHealthLimit");
        assert_eq!(shown["oid"], "1.3.6.1.4.1.32473.66.0.6");
        assert_eq!(shown["bindings"][2]["value"], "The disk is full");
        assert_eq!(shown["bindings"][6]["value"], "measured=91");
        assert_eq!(shown["bindings"][5]["value"], "2020-09-13T12:26:40.000000Z");
    }
}
