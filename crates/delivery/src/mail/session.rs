//! One mail over one connection: perhaps STARTTLS, perhaps a login, the mail.

use lettre::address::{Address, Envelope};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error as SmtpError, response::Response};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::Mail;
use crate::bounded::Bounded;
use crate::configuration::Mail as Settings;
use crate::dial::Mode;
use crate::event::plain;
use crate::failure::{Failure, chain};
use crate::tls;

/// All that a server may say in one session.
const SERVER_BYTES: usize = 64 * 1024;
/// One of its answers before TLS.
const ANSWER_BYTES: u64 = 8 * 1024;

/// Sends a mail; the answer of the server.
pub(crate) async fn send(
    mail: &Mail,
    settings: &Settings,
    mode: Mode,
    port: u16,
    host: &str,
) -> Result<String, Failure> {
    let envelope = envelope(mail)?;
    let stream = mode.tcp(&settings.server, port).await?;
    let mut session = greet(stream, settings, host).await?;
    login(&mut session, settings).await?;
    let answer = session.send(&envelope, mail.text.as_bytes()).await;
    let answer = answer.map_err(|error| refused("did not take the mail", &error))?;
    // It has taken the mail; how it says goodbye does not matter.
    drop(session.quit().await);
    Ok(said(&answer))
}

fn envelope(mail: &Mail) -> Result<Envelope, Failure> {
    let address = |text: &str| {
        text.parse::<Address>().map_err(|error| {
            Failure::Never(format!("{text:?} cannot be used as an address: {error}"))
        })
    };
    let to: Result<Vec<_>, _> = mail.to.iter().map(|one| address(one)).collect();
    Envelope::new(Some(address(&mail.from)?), to?)
        .map_err(|error| Failure::Never(format!("the mail cannot be sent: {error}")))
}

async fn greet(
    stream: TcpStream,
    settings: &Settings,
    host: &str,
) -> Result<AsyncSmtpConnection, Failure> {
    let hello = ClientId::Domain(if host.is_empty() { "localhost" } else { host }.to_owned());
    let peer = stream.peer_addr().map_err(|error| lost(&error))?;
    let connected = match &settings.starttls {
        None => {
            let stream = Bounded::new(stream, peer, b"", SERVER_BYTES);
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await
        }
        Some(rules) => {
            let stream = starttls(stream, host).await?;
            let stream = tls::encrypt(stream, &settings.server, rules).await?;
            // The greeting came before TLS, and lettre expects one.
            let stream = Bounded::new(stream, peer, b"220 encrypted\r\n", SERVER_BYTES);
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await
        }
    };
    connected.map_err(|error| refused("did not greet", &error))
}

/// Talks in clear until the server is ready for TLS.
async fn starttls(stream: TcpStream, host: &str) -> Result<TcpStream, Failure> {
    let mut stream = BufReader::new(stream);
    answer(&mut stream, "220").await?;
    let host = if host.is_empty() { "localhost" } else { host };
    say(&mut stream, &format!("EHLO {host}\r\n")).await?;
    let offers = answer(&mut stream, "250").await?;
    if !offers.iter().any(|offer| offer.eq_ignore_ascii_case("STARTTLS")) {
        return Err(Failure::Later(
            "the mail server does not offer STARTTLS: turn it on there, or disable \
             smtp_encryption in management/email"
                .to_owned(),
        ));
    }
    say(&mut stream, "STARTTLS\r\n").await?;
    answer(&mut stream, "220").await?;
    // What came along in clear must not count as if it had been encrypted.
    if !stream.buffer().is_empty() {
        return Err(Failure::Later(
            "the mail server sent more than an answer before TLS".to_owned(),
        ));
    }
    Ok(stream.into_inner())
}

async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Result<(), Failure> {
    stream.write_all(line.as_bytes()).await.map_err(|error| lost(&error))
}

/// The lines of an answer without their codes, the code must be this one.
async fn answer(stream: &mut BufReader<TcpStream>, code: &str) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let mut limited = stream.take(ANSWER_BYTES);
    loop {
        let mut line = Vec::new();
        limited.read_until(b'\n', &mut line).await.map_err(|error| lost(&error))?;
        let line = String::from_utf8_lossy(&line);
        let whole = line.ends_with('\n');
        let line = line.trim_end();
        if !whole || !line.starts_with(code) {
            return Err(Failure::Later(format!(
                "the mail server answered {:?} where {code} was expected",
                plain(line, 200)
            )));
        }
        let rest = &line[code.len()..];
        lines.push(rest.get(1..).unwrap_or_default().trim().to_owned());
        if !rest.starts_with('-') {
            return Ok(lines);
        }
    }
}

async fn login(session: &mut AsyncSmtpConnection, settings: &Settings) -> Result<(), Failure> {
    let Some((user, password)) = &settings.login else { return Ok(()) };
    let Some(password) = password.reveal() else {
        return Err(Failure::Later(
            "the password for the mail server cannot be read: store it as text under /passwords \
             and refer to it in management/email"
                .to_owned(),
        ));
    };
    let credentials = Credentials::new(user.clone(), password.as_str().to_owned());
    match session.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await {
        Ok(_) => Ok(()),
        // Its words are left out: a server may repeat what it was sent. It stays a failure that
        // may pass, since somebody will correct the password.
        Err(error) => Err(Failure::Later(match error.status() {
            Some(code) => format!(
                "the mail server refused the login with {code}: check the user and the password \
                 in management/email"
            ),
            None => format!("no login to the mail server: {}", chain(&error)),
        })),
    }
}

fn refused(what: &str, error: &SmtpError) -> Failure {
    let text = format!("the mail server {what}: {}", chain(error));
    match error.is_permanent() {
        true => Failure::Never(text),
        false => Failure::Later(text),
    }
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::Later(format!("the connection to the mail server was lost: {error}"))
}

fn said(answer: &Response) -> String {
    let words: Vec<&str> = answer.message().collect();
    plain(&format!("{} {}", answer.code(), words.join(" ")), 300)
}
