//! A mail server: STARTTLS, logins, client certificates, and misbehaviour.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How the server behaves.
#[derive(Clone, Default)]
pub(crate) struct Rules {
    /// STARTTLS is offered, and needed.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// A login is needed.
    pub(crate) login: Option<(&'static str, &'static str)>,
    /// Offers `AUTH LOGIN` and not `PLAIN`.
    pub(crate) auth_login: bool,
    /// What is answered to a mail instead of `250`.
    pub(crate) data_answer: Option<&'static str>,
}

/// A mail that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    pub(crate) encrypted: bool,
    pub(crate) with_certificate: bool,
}

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) taken: Arc<Mutex<Vec<Taken>>>,
}

impl Server {
    pub(crate) fn start(rules: Rules) -> Self {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&taken);
        let port = listen(move |stream| drop(serve(stream, &rules, &store)));
        Self { port, taken }
    }
}

/// Calls for each connection, on a thread for all of them.
pub(crate) fn listen(mut each: impl FnMut(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().flatten().for_each(&mut each));
    port
}

enum Line {
    Plain(BufReader<TcpStream>),
    Encrypted(Box<BufReader<StreamOwned<ServerConnection, TcpStream>>>),
}

impl Line {
    fn hear(&mut self) -> io::Result<String> {
        let mut text = String::new();
        let read = match self {
            Self::Plain(stream) => stream.read_line(&mut text)?,
            Self::Encrypted(stream) => stream.read_line(&mut text)?,
        };
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(text) }
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let out: &mut dyn Write = match self {
            Self::Plain(stream) => stream.get_mut(),
            Self::Encrypted(stream) => stream.get_mut(),
        };
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

fn serve(stream: TcpStream, rules: &Rules, taken: &Mutex<Vec<Taken>>) -> io::Result<()> {
    let mut line = Line::Plain(BufReader::new(stream));
    line.say("220 ready\r\n")?;
    let (mut encrypted, mut known) = (false, rules.login.is_none());
    let (mut from, mut to, mut with_certificate) = (String::new(), Vec::new(), false);
    loop {
        let said = line.hear()?;
        let said = said.trim_end();
        match said.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => {
                let tls = if rules.tls.is_some() && !encrypted { "250-STARTTLS\r\n" } else { "" };
                let auth = if rules.auth_login { "LOGIN" } else { "PLAIN LOGIN" };
                line.say(&format!("250-hello\r\n{tls}250 AUTH {auth}\r\n"))?;
            }
            "STARTTLS" => {
                line.say("220 go ahead\r\n")?;
                let (Some(tls), Line::Plain(plain)) = (&rules.tls, line) else { return Ok(()) };
                let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                let mut stream = StreamOwned::new(connection, plain.into_inner());
                stream.conn.complete_io(&mut stream.sock)?;
                with_certificate = stream.conn.peer_certificates().is_some();
                line = Line::Encrypted(Box::new(BufReader::new(stream)));
                encrypted = true;
            }
            _ if rules.tls.is_some() && !encrypted => line.say("530 STARTTLS first\r\n")?,
            "AUTH" => {
                known = login(&mut line, said, rules)?;
                line.say(if known { "235 welcome\r\n" } else { "535 no such user\r\n" })?;
            }
            "MAIL" if !known => line.say("530 who are you\r\n")?,
            "MAIL" => {
                from = address(said);
                line.say("250 ok\r\n")?;
            }
            "RCPT" => {
                to.push(address(said));
                line.say("250 ok\r\n")?;
            }
            "DATA" => {
                line.say("354 go ahead\r\n")?;
                let text = data(&mut line)?;
                match rules.data_answer {
                    Some(answer) => line.say(answer)?,
                    None => {
                        let (from, to) = (from.clone(), std::mem::take(&mut to));
                        let mail = Taken { from, to, text, encrypted, with_certificate };
                        taken.lock().unwrap().push(mail);
                        line.say("250 queued as 4711\r\n")?;
                    }
                }
            }
            "QUIT" => return line.say("221 bye\r\n"),
            _ => line.say("500 what\r\n")?,
        }
    }
}

fn login(line: &mut Line, said: &str, rules: &Rules) -> io::Result<bool> {
    let Some((user, password)) = rules.login else { return Ok(true) };
    let decode = |text: &str| String::from_utf8(STANDARD.decode(text.trim()).unwrap()).unwrap();
    let words: Vec<&str> = said.split(' ').collect();
    match words[..] {
        ["AUTH", "PLAIN", response] => Ok(decode(response) == format!("\0{user}\0{password}")),
        ["AUTH", "LOGIN", ..] => {
            line.say(&format!("334 {}\r\n", STANDARD.encode("Username:")))?;
            let given_user = decode(&line.hear()?);
            line.say(&format!("334 {}\r\n", STANDARD.encode("Password:")))?;
            let given_password = decode(&line.hear()?);
            Ok((given_user.as_str(), given_password.as_str()) == (user, password))
        }
        _ => Ok(false),
    }
}

fn data(line: &mut Line) -> io::Result<String> {
    let mut text = String::new();
    loop {
        let next = line.hear()?;
        if next == ".\r\n" {
            return Ok(text);
        }
        text.push_str(next.strip_prefix('.').unwrap_or(&next));
    }
}

fn address(said: &str) -> String {
    let inner = said.split(['<', '>']).nth(1);
    inner.unwrap_or_default().to_owned()
}
