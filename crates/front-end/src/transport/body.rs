//! Reading a request's body: bounded in size, bounded in time, erased afterwards.
//!
//! hyper bounds neither; its maintainers call both the application's job. A size that the client
//! announces is refused before a byte is read; a size it does not announce is refused as soon as it is
//! passed. The time is a limit on the whole body, not on the gap between two bytes, because a client
//! that drips one byte a second passes every gap limit.
//!
//! Bodies hold passwords and private keys. The collected bytes are zeroized when dropped, and growing
//! the buffer goes through [`grow`], because a plain `Vec` leaves its old copy behind in freed memory.
//! The pieces hyper read from the socket are out of our reach: this is hygiene, not a guarantee.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// The first piece of memory set aside for a body: what a client merely announces costs no more.
const FIRST_CAPACITY: usize = 16 * 1024;

/// How long a refused client that has stopped sending is waited for.
const LINGER: Duration = Duration::from_secs(1);

/// A body that has not been read yet.
pub struct RequestBody(Source);

enum Source {
    Wire(Wire),
    Memory(Full<Bytes>),
}

/// A body on its way, which is not lost when it is not read to its end: see [`Unread`].
#[derive(Debug)]
struct Wire {
    // `None` only while it is dropped.
    body: Option<Incoming>,
    unread: Unread,
}

/// Where a body goes that was not read to its end.
///
/// Closing a connection while bytes of a body are still on their way resets it, and the reset takes
/// the answer away with it: the client sees a broken pipe instead of the refusal, and sends all of
/// it again. So the handler that answers discards the rest.
#[derive(Clone, Debug)]
pub(crate) struct Unread(Option<Arc<Mutex<Option<Incoming>>>>);

impl Drop for Wire {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream())
            && let Some(place) = &self.unread.0
        {
            *place.lock() = Some(body);
        }
    }
}

impl Unread {
    /// A place for a body; none for one without a byte, which most requests have.
    pub(crate) fn place_for(body: &Incoming) -> Self {
        Self((!body.is_end_stream()).then(Arc::default))
    }

    fn take(&self) -> Option<Incoming> {
        self.0.as_ref()?.lock().take()
    }

    /// Reads the rest of the body and drops it, in the background: up to a number of bytes and a
    /// time.
    pub(crate) fn discard(&self, max_bytes: usize, deadline: Duration) {
        let Some(mut body) = self.take() else {
            return;
        };
        let discarding = async move {
            let mut discarded = 0;
            while let Ok(Some(Ok(frame))) = tokio::time::timeout(LINGER, body.frame()).await {
                discarded += frame.data_ref().map_or(0, Bytes::len);
                if discarded > max_bytes {
                    return;
                }
            }
        };
        tokio::spawn(tokio::time::timeout(deadline, discarding));
    }

    /// Forgets the body, which closes the connection.
    pub(crate) fn forget(&self) {
        drop(self.take());
    }
}

/// Why a body could not be read.
///
/// After any of these the rest of the body may still be on its way: the answer must carry
/// `connection: close`, so that the next request is not looked for in the middle of this one.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body is, or announces itself to be, larger than allowed here.
    #[error("the request body is larger than the {limit} bytes allowed here")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not arrive in time.
    #[error("the request body did not arrive completely within {limit:?}")]
    Stalled {
        /// The time it had.
        limit: Duration,
    },
    /// The connection ended, or its framing broke, before the body was complete.
    #[error("the request body ended early")]
    Broken(#[source] hyper::Error),
}

/// No body.
impl Default for RequestBody {
    fn default() -> Self {
        Self(Source::Memory(Full::default()))
    }
}

/// Shows how much there is to read, and nothing of it.
impl std::fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hint = match &self.0 {
            Source::Wire(Wire { body, .. }) => {
                body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
            }
            Source::Memory(body) => body.size_hint(),
        };
        f.debug_tuple("RequestBody").field(&hint).finish()
    }
}

impl RequestBody {
    pub(crate) fn wire(incoming: Incoming, unread: Unread) -> Self {
        Self(Source::Wire(Wire { body: Some(incoming), unread }))
    }

    /// A body already in memory, for tests of handlers.
    pub fn memory(bytes: impl Into<Bytes>) -> Self {
        Self(Source::Memory(Full::new(bytes.into())))
    }

    /// Whether there certainly is nothing to read. `false` promises nothing: a chunked body may turn out
    /// to be empty.
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Source::Wire(Wire { body, .. }) => body
                .as_ref()
                .is_none_or(|body| body.is_end_stream() || body.size_hint().exact() == Some(0)),
            Source::Memory(body) => body.is_end_stream(),
        }
    }

    /// Hands the body on in the pieces in which it comes, for bodies that memory does not hold. Each
    /// piece may take `gap` to come. Reading ends early when the receiver is gone.
    pub(crate) async fn pour(
        self,
        max_bytes: usize,
        gap: Duration,
        pieces: &mpsc::Sender<Bytes>,
    ) -> Result<(), BodyError> {
        let too_large = || BodyError::TooLarge { limit: max_bytes };
        let mut wire = match self.0 {
            Source::Wire(wire) => wire,
            Source::Memory(body) => {
                let bytes = body.collect().await.map(http_body_util::Collected::to_bytes);
                let bytes = bytes.unwrap_or_else(|never| match never {});
                if bytes.len() > max_bytes {
                    return Err(too_large());
                }
                let _ = pieces.send(bytes).await;
                return Ok(());
            }
        };
        let Some(body) = &mut wire.body else { return Ok(()) };
        if announced(&body.size_hint()) > max_bytes {
            return Err(too_large());
        }
        let mut left = max_bytes;
        loop {
            let frame = tokio::time::timeout(gap, body.frame()).await;
            let frame = match frame.map_err(|_| BodyError::Stalled { limit: gap })? {
                Some(frame) => frame.map_err(BodyError::Broken)?,
                None => return Ok(()),
            };
            let Ok(data) = frame.into_data() else { continue };
            left = left.checked_sub(data.len()).ok_or_else(too_large)?;
            if pieces.send(data).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Reads the body to its end.
    pub async fn read(
        self,
        max_bytes: usize,
        deadline: Duration,
    ) -> Result<Zeroizing<Vec<u8>>, BodyError> {
        let collecting = async {
            match self.0 {
                Source::Wire(mut wire) => match &mut wire.body {
                    Some(body) => collect(body, max_bytes, BodyError::Broken).await,
                    None => Ok(Zeroizing::default()),
                },
                Source::Memory(mut body) => {
                    collect(&mut body, max_bytes, |never| match never {}).await
                }
            }
        };
        match tokio::time::timeout(deadline, collecting).await {
            Ok(outcome) => outcome,
            Err(_) => Err(BodyError::Stalled { limit: deadline }),
        }
    }
}

async fn collect<B>(
    body: &mut B,
    max_bytes: usize,
    broken: impl Fn(B::Error) -> BodyError,
) -> Result<Zeroizing<Vec<u8>>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let too_large = || BodyError::TooLarge { limit: max_bytes };
    let announced = announced(&body.size_hint());
    if announced > max_bytes {
        return Err(too_large());
    }
    let mut collected = Zeroizing::new(Vec::with_capacity(announced.min(FIRST_CAPACITY)));
    while let Some(frame) = body.frame().await {
        // Trailers are read and dropped: nothing here has a use for them.
        let Ok(data) = frame.map_err(&broken)?.into_data() else { continue };
        if data.len() > max_bytes - collected.len() {
            return Err(too_large());
        }
        grow(&mut collected, data.len());
        collected.extend_from_slice(&data);
    }
    Ok(collected)
}

/// The least size the body can have; the Content-Length, where one was sent.
fn announced(hint: &SizeHint) -> usize {
    usize::try_from(hint.lower()).unwrap_or(usize::MAX)
}

/// Makes room for `more` bytes. The old memory is erased when `collected`'s former value is dropped.
fn grow(collected: &mut Zeroizing<Vec<u8>>, more: usize) {
    let needed = collected.len() + more;
    if needed > collected.capacity() {
        let mut larger = Vec::with_capacity(needed.max(collected.capacity() * 2));
        larger.extend_from_slice(collected);
        *collected = Zeroizing::new(larger);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(60);

    async fn read(bytes: &'static [u8], max: usize) -> Result<Vec<u8>, BodyError> {
        RequestBody::memory(bytes).read(max, SOON).await.map(|read| read.to_vec())
    }

    #[tokio::test]
    async fn limit_is_inclusive() {
        assert_eq!(read(b"12345", 5).await.unwrap(), b"12345");
        assert!(matches!(read(b"123456", 5).await, Err(BodyError::TooLarge { limit: 5 })));
        assert_eq!(read(b"", 0).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_body_that_is_handed_on_is_bounded_as_well() {
        let (send, mut receive) = mpsc::channel(1);
        let pour = |max| RequestBody::memory("12345").pour(max, SOON, &send);
        pour(5).await.unwrap();
        assert_eq!(receive.recv().await.unwrap(), "12345");
        assert!(matches!(pour(4).await, Err(BodyError::TooLarge { limit: 4 })));
    }

    #[test]
    fn emptiness_is_known_without_reading() {
        assert!(RequestBody::memory("").is_empty());
        assert!(!RequestBody::memory("x").is_empty());
    }

    #[test]
    fn growing_keeps_the_content() {
        let mut collected = Zeroizing::new(b"abc".to_vec());
        grow(&mut collected, 1000);
        assert_eq!(**collected, *b"abc");
        assert!(collected.capacity() >= 1003);
    }

    #[test]
    fn sentences_name_the_limit() {
        let stalled = BodyError::Stalled { limit: Duration::from_secs(30) };
        assert_eq!(stalled.to_string(), "the request body did not arrive completely within 30s");
    }
}
