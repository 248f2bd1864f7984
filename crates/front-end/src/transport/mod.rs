//! From a listening address to a decoded request head, a bounded body and an answer.
//!
//! hyper is known here and nowhere else. It parses HTTP well, and it leaves gaps which a daemon that
//! faces strangers has to close itself: a connection that never sends, half an HTTP/2 preface, a body
//! that stalls, an answer that is not read. Each of them has one guard, and each guard one home:
//!
//! | who misbehaves | what ends it | where |
//! |---|---|---|
//! | too many connections, or too many from one address | closed at once, counted | `listener` |
//! | connects to a TLS port and says nothing | `tls_timeout` | `listener` |
//! | sends no request, drips its header, idles between two | `header_timeout` | `connection` |
//! | sends too much of a header | hyper's sizes | `connection` |
//! | stalls or overfills its body | `body_timeout`, `body_bytes` | `body` |
//! | does not read the answer | `body_timeout` without one byte taken | `watchdog` |
//! | reads next to nothing of large answers | `body_timeout`, `waiting_bytes` and its kin | `watchdog`, `waiting` |
//! | does not read one stream among others | its feeder gives up | `streaming_body` |
//! | resets HTTP/2 streams faster than it opens them | reset limits | `connection` |
//!
//! What an answer looks like is not decided here: the layer above implements [`Handler`]. Only the
//! handful of answers that hyper makes before there is a request (400, 414 and 431 for a head that
//! cannot be parsed or is too large) have no body: the dialect is not known yet.

mod address;
mod body;
mod certificate_facts;
mod connection;
mod eager;
mod limits;
mod listen_url;
mod listener;
mod rare_wakeup;
mod request;
mod streaming_body;
mod tls;
mod waiting;
mod watchdog;

pub(crate) use address::network;
pub use body::{BodyError, RequestBody};
pub use certificate_facts::{CertificateFacts, Validity};
pub use limits::Limits;
pub use listen_url::{ListenUrl, ListenUrlError, Scheme};
pub use listener::{BindError, BoundListener, Drained, Server, Site};
pub use request::{Handler, HeadError, Peer, Request, check_head};
pub use streaming_body::{AnswerBody, Pieces};
pub use tls::{CertificateSlot, SelfSigned, TlsError, self_signed};
