//! What the committed configuration says of mail, traps, syslog and health, in the words of the
//! crate `delivery`: the one place where these members are read.
//!
//! `management/email`, `management/snmp/trap` and `management/health_monitoring` are documented.
//! Of `management/syslog` and `alerting/system_alerts` only the place is known and any object is
//! accepted; Boxwood reads members of its own there (docs/reference/delivery.md), and what does not
//! fit is shown as a problem.

use std::sync::Arc;

use catalog::SecretReader;
use config_tree::{Body, Change, Key, NodePath, Tree};
use delivery::{
    Cipher, Configuration, Digest, EventKind, HealthLimits, Host, Identity, Mail, Secret,
    SyslogReceiver, SyslogTransport, Tls, TrapVersion, Traps, User, Way,
};
use serde_json::Value;
use transaction_engine::{Applier, Refusal, Revision};

use super::paths;
use crate::acting::Acts;

/// What the appliance's own tree says of what it sends.
pub(super) struct SpsActing {
    secrets: Arc<dyn SecretReader + Send + Sync>,
}

impl SpsActing {
    pub(super) fn new(secrets: Arc<dyn SecretReader + Send + Sync>) -> Self {
        Self { secrets }
    }
}

impl Acts for SpsActing {
    fn configuration(&self, tree: &Tree) -> Configuration {
        Reader { tree, secrets: &self.secrets }.configuration()
    }

    fn certificates(&self, tree: &Tree) -> Vec<(String, i64)> {
        let end = |(key, body): (&Key, &Body)| {
            let seconds = catalog::certificate_end(body.value()["certificate"].as_str()?)?;
            Some((paths::x509().join(key).to_string(), seconds.saturating_mul(1_000_000)))
        };
        tree.members(paths::x509()).filter_map(end).collect()
    }

    fn holds_certificate(&self, path: &NodePath) -> bool {
        path.starts_with(paths::x509())
    }
}

/// What no receiver would ever take is refused with its commit; what depends on the other side is
/// shown as failing instead.
impl Applier for SpsActing {
    fn prepare(&self, next: &Revision, changes: &[Change]) -> Result<(), Refusal> {
        if changes.iter().all(|change| change.path() != paths::trap()) {
            return Ok(());
        }
        let reader = Reader { tree: &next.tree, secrets: &self.secrets };
        reader.traps().map(drop).map_err(|(member, message)| Refusal {
            path: paths::trap().clone(),
            pointer: format!("/version/value/{member}"),
            message,
        })
    }

    fn apply(&self, _: &Revision, _: &[Change]) {}
}

/// Reads a tree; secrets are opened when they are needed.
struct Reader<'t> {
    tree: &'t Tree,
    secrets: &'t Arc<dyn SecretReader + Send + Sync>,
}

/// A member of the trap's settings that cannot work, and why.
type Unusable = (&'static str, String);

impl Reader<'_> {
    /// Everything that the tree says.
    fn configuration(&self) -> Configuration {
        let mut configuration = Configuration {
            host: self.host(),
            health: self.health(),
            mail: self.mail(),
            ..Configuration::default()
        };
        match self.traps() {
            Ok(traps) => configuration.traps = traps,
            Err((_, problem)) => configuration.problems.push((Way::Trap, problem)),
        }
        self.syslog(&mut configuration);
        self.routes(&mut configuration);
        configuration
    }

    fn value(&self, path: &NodePath) -> Option<Value> {
        self.tree.body(path).map(Body::value)
    }

    fn host(&self) -> String {
        let naming = self.value(paths::naming());
        let name = |member: &str| naming.as_ref().and_then(|naming| naming[member].as_str());
        match (name("hostname"), name("domainname")) {
            (Some(host), Some(domain)) => format!("{host}.{domain}"),
            (Some(host), None) => host.to_owned(),
            _ => String::new(),
        }
    }

    fn health(&self) -> HealthLimits {
        let limits = self.value(paths::health_monitoring());
        let limit = |member: &str| limits.as_ref().and_then(|limits| limits[member].as_f64());
        HealthLimits {
            load1: limit("maximum_load1"),
            load5: limit("maximum_load5"),
            load15: limit("maximum_load15"),
            memory: None,
            swap: limit("maximum_swap_utilization_ratio"),
            disk: limit("maximum_disk_utilization_ratio"),
        }
    }

    // ===== mail =====

    fn mail(&self) -> Option<Mail> {
        let email = self.value(paths::email())?;
        let address = |member: &str| email[member].as_str().map(str::to_owned);
        Some(Mail {
            server: host(&email["smtp_server"])?,
            starttls: self.starttls(&email["smtp_encryption"]),
            login: self.login(&email["smtp_auth"]),
            sender: address("sender_address"),
            alerts: address("alerting_address"),
            reports: address("reporting_address"),
            administrator: address("admin_address"),
        })
    }

    fn starttls(&self, encryption: &Value) -> Option<Tls> {
        (encryption["selection"] == "starttls").then(|| self.tls(encryption))
    }

    fn login(&self, auth: &Value) -> Option<(String, Secret)> {
        if auth["enabled"] != true {
            return None;
        }
        let user = auth["username"].as_str().unwrap_or_default().to_owned();
        Some((user, self.password(&auth["password"])))
    }

    /// The rules of two members that email has, and our own form of syslog, too.
    fn tls(&self, value: &Value) -> Tls {
        let check = &value["server_certificate_check"];
        let authority = (check["enabled"] == true)
            .then(|| check["server_certificate_ca"].as_str().unwrap_or_default().to_owned());
        let own = &value["client_authentication"];
        let identity = (own["enabled"] == true).then(|| self.identity(&own["x509_identity"]));
        Tls { authority, identity }
    }

    fn identity(&self, key: &Value) -> Identity {
        let path = member(paths::x509(), key);
        let body = path.as_ref().and_then(|path| self.value(path));
        let mut certificate = String::new();
        if let Some(body) = body {
            let issuers = body["issuer_chain"].as_array().into_iter().flatten();
            for one in std::iter::once(&body["certificate"]).chain(issuers) {
                certificate.push_str(one.as_str().unwrap_or_default().trim_end());
                certificate.push('\n');
            }
        }
        Identity { certificate, private_key: self.secret(path, "private_key") }
    }

    fn password(&self, key: &Value) -> Secret {
        self.secret(member(paths::passwords(), key), "plain")
    }

    /// A secret of a node: sealed here, opened when it is asked for.
    fn secret(&self, path: Option<NodePath>, name: &str) -> Secret {
        let body = path.as_ref().and_then(|path| self.value(path));
        let sealed = body.and_then(|body| body[name].as_str().map(str::to_owned));
        let (secrets, pointer) = (Arc::clone(self.secrets), format!("/{name}"));
        Secret::new(move || secrets.reveal(path.as_ref()?, &pointer, sealed.as_ref()?))
    }

    // ===== traps =====

    fn traps(&self) -> Result<Option<Traps>, Unusable> {
        let Some(trap) = self.value(paths::trap()) else { return Ok(None) };
        if trap["enabled"] != true {
            return Ok(None);
        }
        let value = &trap["version"]["value"];
        let missing = || ("server", "The trap server has no address".to_owned());
        let server = host(&value["server"]).ok_or_else(missing)?;
        let version = match trap["version"]["selection"].as_str() {
            Some("2c") => {
                TrapVersion::V2c(value["community"].as_str().unwrap_or_default().to_owned())
            }
            _ => TrapVersion::V3(self.user(value)?),
        };
        Ok(Some(Traps { server, version }))
    }

    fn user(&self, value: &Value) -> Result<User, Unusable> {
        let cipher = match value["encryption_method"].as_str() {
            Some("des") => Some(Cipher::Des),
            Some("aes") => Some(Cipher::Aes128),
            _ => None,
        };
        let name = value["username"].as_str().unwrap_or_default();
        if name.is_empty() || name.len() > 32 {
            let message = "The user must have 1 to 32 bytes in SNMP 3 (RFC 3414)".to_owned();
            return Err(("username", message));
        }
        Ok(User {
            name: name.to_owned(),
            engine_id: engine_id(value["engine_id"].as_str().unwrap_or_default())
                .map_err(|message| ("engine_id", message))?,
            digest: if value["auth_method"] == "md5" { Digest::Md5 } else { Digest::Sha1 },
            auth_password: self.password(&value["auth_password"]),
            privacy: cipher.map(|cipher| (cipher, self.password(&value["encryption_password"]))),
        })
    }

    // ===== syslog and routes: members of our own =====

    fn syslog(&self, configuration: &mut Configuration) {
        let Some(syslog) = self.value(paths::syslog()) else { return };
        let Some(receivers) = syslog.get("receivers") else { return };
        for (place, receiver) in receivers.as_array().into_iter().flatten().enumerate() {
            match self.receiver(receiver) {
                Ok(receiver) => configuration.syslog.push(receiver),
                Err(problem) => {
                    let problem = format!("management/syslog, receivers/{place}: {problem}");
                    configuration.problems.push((Way::Syslog, problem));
                }
            }
        }
        if !receivers.is_array() {
            let problem = "management/syslog: receivers must be an array of objects".to_owned();
            configuration.problems.push((Way::Syslog, problem));
        }
    }

    fn receiver(&self, value: &Value) -> Result<SyslogReceiver, String> {
        let host = host(&value["server"]).ok_or(
            "server must be an object with selection (ip or fqdn) and value, as in management/email",
        )?;
        let transport = match value["protocol"].as_str() {
            Some("syslog-udp") => SyslogTransport::Udp,
            Some("syslog-tcp") => SyslogTransport::Tcp,
            Some("syslog-tls") => SyslogTransport::Tls(self.tls(value)),
            _ => return Err("protocol must be syslog-udp, syslog-tcp or syslog-tls".to_owned()),
        };
        let usual = if matches!(transport, SyslogTransport::Udp) { 514 } else { 6514 };
        let port = match &value["port"] {
            Value::Null => Some(usual),
            given => given.as_u64().and_then(|port| u16::try_from(port).ok()),
        };
        let port = port.filter(|port| *port > 0).ok_or("port must be a number from 1 to 65535")?;
        Ok(SyslogReceiver { host, port, transport })
    }

    fn routes(&self, configuration: &mut Configuration) {
        let Some(alerts) = self.value(paths::system_alerts()) else { return };
        for kind in EventKind::ALL {
            for way in Way::ALL {
                if let Some(goes) = alerts[kind.name()][way.name()].as_bool() {
                    configuration.routes.insert((kind, way), goes);
                }
            }
        }
    }
}

/// An address as the appliance writes it: `{"selection": "ip", "value": "…"}`.
fn host(address: &Value) -> Option<Host> {
    let value = address["value"].as_str()?;
    match address["selection"].as_str()? {
        "ip" => value.parse().ok().map(Host::Address),
        "fqdn" => Some(Host::Name(value.to_owned())),
        _ => None,
    }
}

fn member(collection: &NodePath, key: &Value) -> Option<NodePath> {
    let key = Key::parse(key.as_str()?).ok()?;
    Some(collection.join(&key))
}

/// The bytes of `0x…`. Five to thirty-two of them, neither all zeros nor all ones (RFC 3411).
fn engine_id(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    };
    let whole = digits.len().is_multiple_of(2);
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    let bytes = bytes.filter(|bytes| whole && (5..=32).contains(&bytes.len()));
    let bytes = bytes.ok_or(
        "The engine ID must have an even number of 10 to 64 hexadecimal digits, which are 5 to \
         32 bytes (RFC 3411)",
    )?;
    match bytes.iter().all(|byte| *byte == 0) || bytes.iter().all(|byte| *byte == 0xff) {
        true => Err("The engine ID must not be all zeros or all ones (RFC 3411)".to_owned()),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn engine_ids_are_those_of_the_standard() {
        assert_eq!(engine_id("0x0123456789"), Ok(vec![0x01, 0x23, 0x45, 0x67, 0x89]));
        assert_eq!(engine_id(&format!("0x{}", "Ab".repeat(32))).map(|id| id.len()), Ok(32));
        for wrong in
            ["0x012345678", "0x01234567", "0x0000000000", "0xFFffFFffFF", "0xé234567890", ""]
        {
            assert!(engine_id(wrong).is_err(), "{wrong}");
        }
        assert!(engine_id(&format!("0x{}", "ab".repeat(33))).is_err());
    }

    #[test]
    fn addresses_are_read_by_their_kind() {
        let address = |selection: &str, value: &str| {
            host(&json!({"selection": selection, "value": value})).map(|host| host.to_string())
        };
        assert_eq!(address("ip", "192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(address("ip", "2001:db8::1").as_deref(), Some("[2001:db8::1]"));
        assert_eq!(address("fqdn", "mail.example.com").as_deref(), Some("mail.example.com"));
        for (selection, value) in [("ip", "mail.example.com"), ("dns", "x")] {
            assert_eq!(address(selection, value), None);
        }
        assert_eq!(host(&json!(null)), None);
    }
}
