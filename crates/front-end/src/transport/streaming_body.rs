//! What is sent: one piece that is in memory, or pieces as they come.
//!
//! Nearly every answer is one piece, and costs nothing more than before there were others. A stream
//! of pieces, such as a feed of commits, may go on for hours: for the watchdog it is a request
//! under way as long as somebody feeds it, so that the silence between two pieces is not taken for
//! an idle client; and it ends when the server begins to stop, as nothing else would end it.
//!
//! A client that does not read is still cut by the connection's own guard. One that does not read
//! *this stream* while others on its connection go on fills the few places between feeder and
//! socket, and the feeder gives up on it: see [`Pieces::send`].

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::connection::stopped;
use super::waiting::Reader;
use super::watchdog::Busy;

/// Number of pieces that wait between the feeder and the socket.
const WAITING: usize = 16;

/// The body of an answer.
#[derive(Debug)]
pub struct AnswerBody(Source);

#[derive(Debug)]
enum Source {
    // Empty at the end.
    Whole(Bytes),
    // The rest of them, the first to be sent at the end.
    Parts(Vec<Bytes>),
    Stream(Box<Stream>),
}

struct Stream {
    pieces: mpsc::Receiver<Bytes>,
    busy: Held,
    stopped: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// The request under way, for as long as its stream is fed.
type Held = Arc<Mutex<Option<Busy>>>;

/// Feeds a stream; dropping it ends the stream.
pub struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    busy: Held,
}

impl AnswerBody {
    /// Two pieces that are in memory, of which the first may be shared with other answers.
    pub(crate) fn parts(first: Bytes, second: Bytes) -> Self {
        Self(Source::Parts(vec![second, first]))
    }

    /// A stream of pieces, and what feeds it.
    #[must_use]
    pub fn stream() -> (Pieces, Self) {
        let (sender, pieces) = mpsc::channel(WAITING);
        let busy = Held::default();
        let stream = Stream { pieces, busy: Arc::clone(&busy), stopped: None };
        (Pieces { pieces: sender, busy }, Self(Source::Stream(Box::new(stream))))
    }

    /// Counts what is in memory as waiting until it has gone out; a stream has few pieces at a time.
    pub(super) fn counted(self, reader: &Arc<Reader>) -> Self {
        Self(match self.0 {
            Source::Whole(bytes) => Source::Whole(reader.counted(bytes)),
            Source::Parts(parts) => {
                Source::Parts(parts.into_iter().map(|part| reader.counted(part)).collect())
            }
            stream @ Source::Stream(_) => stream,
        })
    }

    /// Keeps a request under way until the body is sent, if that takes longer than answering.
    pub(crate) fn held(mut self, busy: Busy, stop: &watch::Receiver<bool>) -> Self {
        if let Source::Stream(stream) = &mut self.0 {
            let mut stop = stop.clone();
            *stream.busy.lock() = Some(busy);
            // The feeder may have stopped before there was something to hold.
            if stream.pieces.is_closed() {
                stream.busy.lock().take();
            }
            stream.stopped = Some(Box::pin(async move { stopped(&mut stop).await }));
        }
        self
    }
}

impl Pieces {
    /// Sends a piece; `false` when it is no longer taken, or not in this time.
    pub async fn send(&self, piece: Bytes, patience: Duration) -> bool {
        matches!(tokio::time::timeout(patience, self.pieces.send(piece)).await, Ok(Ok(())))
    }

    /// Waits until nothing is taken any more.
    pub async fn closed(&self) {
        self.pieces.closed().await;
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        // Also where the body is not looked at any more: its client may have stopped reading.
        self.busy.lock().take();
    }
}

impl Default for AnswerBody {
    fn default() -> Self {
        Self(Source::Whole(Bytes::new()))
    }
}

impl<T: Into<Bytes>> From<T> for AnswerBody {
    fn from(bytes: T) -> Self {
        Self(Source::Whole(bytes.into()))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Parts(parts) => Poll::Ready(parts.pop().map(|part| Ok(Frame::data(part)))),
            Source::Stream(stream) => {
                stream.poll(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Whole(bytes) => bytes.is_empty(),
            Source::Parts(parts) => parts.is_empty(),
            Source::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Parts(parts) => {
                SizeHint::with_exact(parts.iter().map(|part| part.len() as u64).sum())
            }
            Source::Stream(_) => SizeHint::default(),
        }
    }
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(stopped) = &mut self.stopped
            && stopped.as_mut().poll(context).is_ready()
        {
            self.stopped = None;
            self.pieces.close();
        }
        self.pieces.poll_recv(context)
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("waiting", &self.pieces.len()).finish_non_exhaustive()
    }
}
