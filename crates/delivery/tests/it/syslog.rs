//! Syslog over datagrams, streams and TLS.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use delivery::{Configuration, Host, Identity, Secret, SyslogReceiver, SyslogTransport, Tls};
use rustls::{ServerConnection, StreamOwned};

use crate::pki::{Authority, server};
use crate::site::{settings, start};
use crate::smtp::listen;

pub(crate) fn to(port: u16, transport: SyslogTransport) -> Configuration {
    let host = Host::Address("127.0.0.1".parse().unwrap());
    let syslog = vec![SyslogReceiver { host, port, transport }];
    Configuration { host: "sps.example.com".to_owned(), syslog, ..Configuration::default() }
}

fn checked(line: &[u8], text: &str) {
    let line = String::from_utf8(line.to_vec()).unwrap();
    assert!(
        line.starts_with("<133>1 2020-09-13T12:26:40.000000Z sps.example.com boxwood - commit")
    );
    assert!(line.ends_with(text), "{line}");
}

/// The line of a frame with counted octets.
fn unframed(bytes: &[u8]) -> &[u8] {
    let space = bytes.iter().position(|byte| *byte == b' ').unwrap();
    let count: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
    assert_eq!(bytes.len(), space + 1 + count);
    &bytes[space + 1..]
}

#[tokio::test]
async fn over_datagrams() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let port = socket.local_addr().unwrap().port();
    let site = start(settings(), to(port, SyslogTransport::Udp));
    site.report("Revision 1");
    site.messages("sent", 1).await;
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).unwrap();
    checked(&bytes[..length], "] Revision 1");
}

#[tokio::test]
async fn over_a_stream_with_counted_octets() {
    let (out, lines) = mpsc::channel();
    let port = listen(move |mut stream| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        out.send(bytes).unwrap();
    });
    let site = start(settings(), to(port, SyslogTransport::Tcp));
    site.report("Revision 1");
    site.report("Revision 2");
    site.messages("sent", 2).await;
    checked(unframed(&lines.recv().unwrap()), "] Revision 1");
    checked(unframed(&lines.recv().unwrap()), "] Revision 2");
}

#[tokio::test]
async fn over_tls_with_certificates_on_both_sides() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let rules = server(&servers.issue("127.0.0.1"), Some(&clients));
    let (out, lines) = mpsc::channel();
    let port = listen(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&rules)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut bytes = Vec::new();
        if stream.read_to_end(&mut bytes).is_ok() {
            stream.conn.send_close_notify();
            drop(stream.flush());
            out.send(bytes).unwrap();
        }
    });
    let own = clients.issue("sps.example.com");
    let identity = Identity { certificate: own.certificate, private_key: Secret::known(&own.key) };
    let tls = Tls { authority: Some(servers.pem()), identity: Some(identity) };
    let site = start(settings(), to(port, SyslogTransport::Tls(tls)));
    site.report("Revision 1");
    site.messages("sent", 1).await;
    checked(unframed(&lines.recv().unwrap()), "] Revision 1");
    // Without ours, and with another authority, there is no line.
    let without = Tls { authority: Some(servers.pem()), identity: None };
    let other = Tls { authority: Some(clients.pem()), identity: None };
    for tls in [without, other] {
        let site = start(settings(), to(port, SyslogTransport::Tls(tls)));
        site.report("Revision 2");
        let error = site.failing().await;
        assert!(error.to_lowercase().contains("certificate"), "{error}");
        assert!(lines.try_recv().is_err());
    }
}
