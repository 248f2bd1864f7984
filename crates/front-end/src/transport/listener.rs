//! Addresses to listen on, the loop that accepts, and the end of it all.
//!
//! A connection has to pass three gates before a byte of HTTP is read: the limit over all listeners,
//! the limit for its address, and, on a TLS port, the handshake in time. Who is over a limit is closed
//! at once: a queue would only move the waiting to where it cannot be seen.
//!
//! Each listener owns its connections, so stopping is a tree that folds up: the listeners stop
//! accepting, each asks its connections to finish, and aborts those that have not when the time is up.
//! `drain` therefore always returns, whatever the peers do.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::address::network;
use super::connection::{self, Protocol};
use super::listen_url::{ListenUrl, Scheme};
use super::request::Peer;
use super::waiting::Waiting;
use super::{CertificateSlot, Handler, Limits};
use crate::metrics::{ConnectionRefusal, Metrics, OpenConnection};

/// The pause after an accept that failed for want of files or memory: without it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {url}")]
pub struct BindError {
    url: ListenUrl,
    source: io::Error,
}

impl ListenUrl {
    /// Starts listening, so that connections wait in the system's queue until [`Server::start`].
    pub async fn bind(&self) -> Result<BoundListener, BindError> {
        let bound = async {
            let listener = TcpListener::bind((self.host.as_str(), self.port)).await?;
            let address = listener.local_addr()?;
            Ok(BoundListener { scheme: self.scheme, address, listener })
        };
        bound.await.map_err(|source| BindError { url: self.clone(), source })
    }
}

/// An open listener. Its `Display` is its real address: `https://127.0.0.1:43121`.
#[derive(Debug)]
pub struct BoundListener {
    scheme: Scheme,
    address: SocketAddr,
    listener: TcpListener,
}

impl BoundListener {
    /// Clear text or TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The real address, port included.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl fmt::Display for BoundListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.address)
    }
}

/// A listener with what answers on it.
pub struct Site<H> {
    /// The listener.
    pub bound: BoundListener,
    /// What answers its requests.
    pub handler: Arc<H>,
    /// The certificate it shows. While the slot is empty, every TLS handshake is refused.
    pub tls: Arc<CertificateSlot>,
    /// Where its connections are counted.
    pub metrics: Metrics,
}

/// The running listeners. Dropping it stops them as [`drain`](Self::drain) does, in the background.
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    hurry: watch::Sender<bool>,
    accepting: Vec<JoinHandle<Drained>>,
}

/// What became of the connections that were open when the server began to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that finished by themselves.
    pub finished: usize,
    /// Connections that were cut off because the time was up.
    pub cut_off: usize,
}

impl Server {
    /// Accepts connections on all `sites` from now on. To be called inside a tokio runtime. The
    /// limits hold for all of them together.
    pub fn start<H: Handler>(sites: Vec<Site<H>>, limits: Limits) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (hurry, hurried) = watch::channel(false);
        let admission = Arc::new(Admission::new(&limits));
        let waiting = Waiting::new(&limits);
        let limits = Arc::new(limits);
        let accept = |site: Site<H>| {
            let Site { bound, handler, tls, metrics } = site;
            let acceptor = match bound.scheme {
                Scheme::Http => None,
                Scheme::Https => Some(TlsAcceptor::from(Arc::new(tls.server_config()))),
            };
            let port = Port {
                handler,
                limits: Arc::clone(&limits),
                metrics,
                admission: Arc::clone(&admission),
                waiting: Arc::clone(&waiting),
                acceptor,
                stop: stopping.clone(),
                hurry: hurried.clone(),
            };
            tokio::spawn(port.run(bound))
        };
        Self { accepting: sites.into_iter().map(accept).collect(), stop, hurry }
    }

    /// Stops accepting, lets the requests under way finish, and cuts off what is left after
    /// [`Limits::drain_timeout`].
    pub async fn drain(self) -> Drained {
        self.drain_until(std::future::pending()).await
    }

    /// The same, but as soon as `hurry` is ready, what is left is cut off.
    pub async fn drain_until(self, hurry: impl Future<Output = ()>) -> Drained {
        self.stop.send_replace(true);
        let hurried = self.hurry.clone();
        let drained = self.drained();
        let mut drained = std::pin::pin!(drained);
        tokio::select! {
            total = &mut drained => return total,
            () = hurry => hurried.send_replace(true),
        };
        drained.await
    }

    async fn drained(self) -> Drained {
        let mut total = Drained::default();
        for accepting in self.accepting {
            // A listener's task that panicked has aborted its connections by dropping them.
            let Drained { finished, cut_off } = accepting.await.unwrap_or_default();
            total.finished += finished;
            total.cut_off += cut_off;
        }
        total
    }
}

/// Everything that the connections of one listener share.
struct Port<H> {
    handler: Arc<H>,
    limits: Arc<Limits>,
    metrics: Metrics,
    admission: Arc<Admission>,
    waiting: Arc<Waiting>,
    acceptor: Option<TlsAcceptor>,
    stop: watch::Receiver<bool>,
    hurry: watch::Receiver<bool>,
}

impl<H> Clone for Port<H> {
    fn clone(&self) -> Self {
        let Self { handler, limits, metrics, admission, waiting, acceptor, stop, hurry } = self;
        Self {
            handler: Arc::clone(handler),
            limits: Arc::clone(limits),
            metrics: metrics.clone(),
            admission: Arc::clone(admission),
            waiting: Arc::clone(waiting),
            acceptor: acceptor.clone(),
            stop: stop.clone(),
            hurry: hurry.clone(),
        }
    }
}

impl<H: Handler> Port<H> {
    async fn run(self, bound: BoundListener) -> Drained {
        let mut stop = self.stop.clone();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                // In this order: what ends because of the stop is counted after the loop, and a flood
                // of new connections does not keep the ended ones from being cleared away.
                biased;
                () = connection::stopped(&mut stop) => break,
                Some(_) = connections.join_next() => {}
                accepted = bound.listener.accept() => match accepted {
                    Ok((stream, address)) => self.admit(stream, address, &mut connections),
                    Err(error) => self.pause_after(&error).await,
                },
            }
        }
        // The port is free from here on, while the last requests are still being answered.
        drop(bound);
        self.finish(connections).await
    }

    fn admit(&self, stream: TcpStream, address: SocketAddr, connections: &mut JoinSet<()>) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let seat = match self.admission.admit(address.ip()) {
            Ok(seat) => seat,
            Err(reason) => {
                self.metrics.connection_refused(reason);
                tracing::debug!(peer = %address, ?reason, "connection refused");
                return;
            }
        };
        let open = self.metrics.connection_opened();
        connections.spawn(self.clone().serve(
            stream,
            address,
            Occupied { _seat: seat, _open: open },
        ));
    }

    /// A peer that gave up while it waited in the queue does not cause a wait; lack of files or memory
    /// is, until a connection ends.
    async fn pause_after(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if !matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
            self.metrics.connection_refused(ConnectionRefusal::Resources);
            tracing::warn!(%error, "cannot accept a connection");
            sleep(ACCEPT_PAUSE).await;
        }
    }

    /// Serves one connection; what it occupies is given back at the end, also when this is aborted.
    async fn serve(self, stream: TcpStream, address: SocketAddr, _occupied: Occupied) {
        // Answers are small and final: waiting to fill a packet only adds delay.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(peer = %address, %error, "cannot set TCP_NODELAY");
        }
        let Self { handler, limits, metrics, admission: _, waiting, acceptor, mut stop, hurry: _ } =
            self;
        let peer = Peer::new(address, acceptor.is_some());
        let Some(acceptor) = acceptor else {
            let io = TokioIo::new(stream);
            connection::serve(io, Protocol::Http1, peer, handler, limits, &waiting, stop).await;
            return;
        };
        let handshake = tokio::select! {
            handshake = timeout(limits.tls_timeout, acceptor.accept(stream)) => handshake,
            // Nothing has been asked yet, so nothing is lost.
            () = connection::stopped(&mut stop) => return,
        };
        match handshake {
            Ok(Ok(stream)) => {
                let protocol = match stream.get_ref().1.alpn_protocol() {
                    Some(b"h2") => Protocol::Http2,
                    _ => Protocol::Http1,
                };
                let io = TokioIo::new(stream);
                connection::serve(io, protocol, peer, handler, limits, &waiting, stop).await;
            }
            Ok(Err(error)) => {
                metrics.connection_refused(ConnectionRefusal::Handshake);
                tracing::debug!(peer = %address, %error, "TLS handshake failed");
            }
            Err(_) => {
                metrics.connection_refused(ConnectionRefusal::HandshakeTimeout);
                tracing::debug!(peer = %address, "TLS handshake took too long");
            }
        }
    }

    async fn finish(&self, mut connections: JoinSet<()>) -> Drained {
        let mut drained = Drained::default();
        let finishing = async {
            while connections.join_next().await.is_some() {
                drained.finished += 1;
            }
        };
        let mut hurry = self.hurry.clone();
        let is_late = tokio::select! {
            finished = timeout(self.limits.drain_timeout, finishing) => finished.is_err(),
            () = connection::stopped(&mut hurry) => true,
        };
        if is_late {
            drained.cut_off = connections.len();
            connections.shutdown().await;
        }
        drained
    }
}

/// What an admitted connection holds as long as it is open.
struct Occupied {
    _seat: Seat,
    _open: OpenConnection,
}

/// Who may connect.
struct Admission {
    all: Arc<Semaphore>,
    per_address: usize,
    /// Open connections by address; an address without any is not in here.
    by_address: Mutex<HashMap<IpAddr, usize>>,
}

/// The right to one connection, given back when dropped.
struct Seat {
    admission: Arc<Admission>,
    address: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    fn new(limits: &Limits) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            per_address: limits.connections_per_address,
            by_address: Mutex::default(),
        }
    }

    fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Seat, ConnectionRefusal> {
        let address = network(address);
        let permit = Arc::clone(&self.all)
            .try_acquire_owned()
            .map_err(|_| ConnectionRefusal::Connections)?;
        match self.by_address.lock().entry(address) {
            Entry::Occupied(mut open) if *open.get() < self.per_address => *open.get_mut() += 1,
            Entry::Vacant(none) if self.per_address > 0 => {
                none.insert(1);
            }
            _ => return Err(ConnectionRefusal::Address),
        }
        Ok(Seat { admission: Arc::clone(self), address, _permit: permit })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = self.admission.by_address.lock().entry(self.address) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_limited_and_given_back() {
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let admission = Arc::new(Admission::new(&limits));
        let [one, two]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());

        let first = admission.admit(one).unwrap_or_else(|_| unreachable!());
        let _second = admission.admit(one);
        assert_eq!(admission.admit(one).err(), Some(ConnectionRefusal::Address));
        let _third = admission.admit(two);
        assert_eq!(admission.admit(two).err(), Some(ConnectionRefusal::Connections));
        drop(first);
        assert!(admission.admit(two).is_ok());
        assert_eq!(admission.by_address.lock().len(), 2);
    }

    #[tokio::test]
    async fn occupied_port_is_named() {
        let first = "http://127.0.0.1:0".parse::<ListenUrl>().unwrap().bind().await.unwrap();
        let again: ListenUrl = first.to_string().parse().unwrap();
        let error = again.bind().await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {first}"));
    }
}
