//! A mail server without encryption that keeps what it takes.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct MailServer {
    pub(crate) port: u16,
    taken: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// Takes mails; those of a server that does not `answer` are taken and not acknowledged.
    pub(crate) fn start(answer: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(Vec::new()));
        let store = Arc::clone(&taken);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let store = Arc::clone(&store);
                thread::spawn(move || drop(serve(&stream, &store, answer)));
            }
        });
        Self { port, taken }
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

fn serve(mut stream: &TcpStream, taken: &Mutex<Vec<String>>, answer: bool) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    stream.write_all(b"220 ready\r\n")?;
    // The whole session, from the greeting on.
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        said.push_str(&line);
        match line.split([' ', ':', '\r']).next().unwrap_or_default() {
            "EHLO" => stream.write_all(b"250-hello\r\n250 AUTH PLAIN\r\n")?,
            "AUTH" => stream.write_all(b"235 welcome\r\n")?,
            "DATA" => {
                stream.write_all(b"354 go ahead\r\n")?;
                while !said.ends_with("\r\n.\r\n") {
                    if lines.read_line(&mut said)? == 0 {
                        return Ok(());
                    }
                }
                taken.lock().unwrap().push(std::mem::take(&mut said));
                if answer {
                    stream.write_all(b"250 queued\r\n")?;
                }
            }
            _ => stream.write_all(b"250 ok\r\n")?,
        }
    }
}
