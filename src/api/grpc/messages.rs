//! The messages of a call, taken apart before tonic sees them, so that nothing is held, unpacked or
//! decoded whose memory is not reserved.
//!
//! gRPC puts a byte, which says whether the message is compressed, and a length of 32 bits before
//! each message. A message is collected in a buffer of its own, unpacked if it is compressed, and
//! handed on when the memory for its decoding is reserved.

use std::{
    error::Error,
    io::{self, Cursor, Read as _},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use flate2::bufread::GzDecoder;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use tokio::task::coop::poll_proceed;
use tonic::Status;

use super::{call::Call, message_shapes::decoded_bytes, portioned::Portioned};
use crate::{
    admission::{ReservedBuffer, Turn},
    app::App,
    error::{ApiError, ErrorKind},
};

/// Size of what precedes a message, in bytes.
const PREFIX: usize = 5;
/// Bytes unpacked before the thread serves other calls, in pieces.
const STEP: usize = 64 << 10;
const PIECE: usize = 16 << 10;
/// Memory of the unpacker: its window and tables.
const UNPACKER_BYTES: u64 = 48 << 10;
/// A message of more bytes is decoded aside from the threads that serve connections.
const LARGE: usize = 64 << 10;

/// What a method's messages may be.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    /// The method.
    pub(super) path: String,
    /// Largest message, in bytes, unpacked.
    pub(super) largest: usize,
    /// The memory that all requests share, in bytes.
    pub(super) memory: u64,
    /// Whether messages are compressed with gzip, if they are.
    pub(super) is_gzip: bool,
    /// Whether there may be more than one.
    pub(super) are_many: bool,
}

/// A request body that hands on whole, unpacked messages whose memory is reserved.
pub(super) struct Messages {
    body: Body,
    app: Arc<App>,
    call: Arc<Call>,
    allowed: Allowed,
    /// Received and not yet taken apart.
    received: Bytes,
    /// The message that is being received, with its prefix.
    message: ReservedBuffer,
    unpacking: Option<Unpacking>,
    /// A large message that waits for a thread of its own.
    waiting: Option<ReservedBuffer>,
    /// The call's turn on the cores, which unpacking and large messages wait for.
    turn: Option<Waiting>,
    /// Bytes of the message handed on last, which tonic has copied by the next call.
    handed_on: usize,
    /// Whether a message was handed on.
    has_begun: bool,
    is_over: bool,
}

/// A turn that is waited for, or taken.
enum Waiting {
    ForTurn(Pin<Box<dyn Future<Output = Turn> + Send>>),
    With(Turn),
}

/// A compressed message on its way.
struct Unpacking {
    packed: GzDecoder<Portioned>,
    /// What is released when it is unpacked, in bytes.
    memory: u64,
    message: ReservedBuffer,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Box<dyn Error + Send + Sync>>>>;

impl Messages {
    pub(super) fn new(body: Body, app: Arc<App>, call: Arc<Call>, allowed: Allowed) -> Self {
        Self {
            body,
            app,
            call,
            allowed,
            received: Bytes::new(),
            message: ReservedBuffer::default(),
            unpacking: None,
            waiting: None,
            turn: None,
            handed_on: 0,
            has_begun: false,
            is_over: false,
        }
    }

    /// Takes received bytes until a message is complete.
    fn collect(&mut self) -> Result<bool, Status> {
        while !self.received.is_empty() {
            if self.has_begun && !self.allowed.are_many {
                return Err(self.call.refuse_further_message());
            }
            let missing = match self.length() {
                None => PREFIX - self.message.len(),
                Some(length) if length > self.allowed.largest => return Err(self.too_large()),
                Some(length) => PREFIX + length - self.message.len(),
            };
            let piece = self.received.split_to(missing.min(self.received.len()));
            let expected = self.length().map(|length| (PREFIX + length) as u64);
            let message = &mut self.message;
            self.call.reserve(|memory| message.push(&piece, expected, memory))?;
            if self.length().is_some_and(|length| self.message.len() == PREFIX + length) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The length of the message that is being received, once its prefix is there.
    fn length(&self) -> Option<usize> {
        let prefix: &[u8; PREFIX] = self.message.start().first_chunk()?;
        let [_, length @ ..] = *prefix;
        usize::try_from(u32::from_be_bytes(length)).ok()
    }

    /// Passes on a complete message, or begins to unpack it.
    fn complete(&mut self) -> Result<Option<Vec<u8>>, Status> {
        let message = std::mem::take(&mut self.message);
        if message.start().first() == Some(&1) && self.allowed.is_gzip {
            let bytes = self.call.reserve(|memory| message.finish(memory))?;
            let memory = bytes.capacity() as u64 + UNPACKER_BYTES;
            let mut packed = Cursor::new(bytes);
            packed.set_position(PREFIX as u64);
            let mut message = ReservedBuffer::default();
            self.call.reserve(|memory| {
                memory.grow(UNPACKER_BYTES)?;
                message.push(&[0; PREFIX], None, memory)
            })?;
            let packed = GzDecoder::new(Portioned::new(packed));
            self.unpacking = Some(Unpacking { packed, memory, message });
            return Ok(None);
        }
        self.admit(message)
    }

    /// Unpacks a step; returns the message when it is whole.
    fn unpack(&mut self) -> Result<Option<Vec<u8>>, Status> {
        let Some(unpacking) = &mut self.unpacking else { return Ok(None) };
        let end = unpacking.message.len() + STEP;
        let mut piece = [0; PIECE];
        unpacking.packed.get_mut().grant();
        loop {
            let read = match unpacking.packed.read(&mut piece) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(_) => {
                    let broken = ApiError::invalid("a compressed message is not valid gzip");
                    return Err(self.call.refuse(&broken));
                }
            };
            if read == 0 {
                break;
            }
            if unpacking.message.len() - PREFIX + read > self.allowed.largest {
                return Err(self.too_large());
            }
            self.call.reserve(|memory| unpacking.message.push(&piece[..read], None, memory))?;
            if unpacking.message.len() >= end {
                return Ok(None);
            }
        }
        let Some(Unpacking { packed, memory, message }) = self.unpacking.take() else {
            return Ok(None);
        };
        drop(packed);
        self.call.release(memory);
        self.admit(message)
    }

    /// Passes on a message that is measured. A large one waits until the call is polled on a thread
    /// that may take long: measuring looks at each of its fields.
    fn admit(&mut self, message: ReservedBuffer) -> Result<Option<Vec<u8>>, Status> {
        if message.len() <= LARGE {
            self.turn = None;
            return self.measured(message).map(Some);
        }
        self.waiting = Some(message);
        Ok(None)
    }

    /// Waits for the call's turn on the cores, and keeps it.
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let waiting = self.turn.get_or_insert_with(|| {
            let (app, client) = (Arc::clone(&self.app), self.call.client);
            Waiting::ForTurn(Box::pin(async move { app.core(client).await }))
        });
        if let Waiting::ForTurn(turn) = waiting {
            *waiting = Waiting::With(ready!(turn.as_mut().poll(context)));
        }
        Poll::Ready(())
    }

    /// Hands on the large message that waits, once the call is polled aside in its turn.
    fn poll_aside(&mut self, context: &mut Context<'_>) -> Polled {
        if self.call.is_aside()
            && let Some(message) = self.waiting.take()
        {
            let bytes = self.measured(message)?;
            return self.hand_on(bytes);
        }
        ready!(self.poll_turn(context));
        if let Some(Waiting::With(turn)) = self.turn.take() {
            self.call.offer_turn(turn);
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Reserves what decoding a message takes: tonic's copy of it, and what it becomes.
    fn measured(&self, message: ReservedBuffer) -> Result<Vec<u8>, Status> {
        let mut bytes = self.call.reserve(|memory| message.finish(memory))?;
        let length = (bytes.len() - PREFIX) as u32;
        // One that was unpacked has no length yet.
        if let Some(prefix) = bytes.first_chunk_mut::<PREFIX>() {
            prefix[1..].copy_from_slice(&length.to_be_bytes());
        }
        let decoded = decoded_bytes(&self.allowed.path, &bytes[PREFIX..], self.allowed.memory);
        let needed = bytes.len() as u64 + decoded;
        self.call.reserve(|memory| memory.grow(needed))?;
        self.call.count_message(needed);
        Ok(bytes)
    }

    fn hand_on(&mut self, bytes: Vec<u8>) -> Polled {
        self.handed_on = bytes.capacity();
        self.has_begun = true;
        Poll::Ready(Some(Ok(Frame::data(bytes.into()))))
    }

    fn too_large(&self) -> Status {
        let limit = self.allowed.largest;
        self.call.refuse(&ErrorKind::TooLarge.because(format!(
            "a message is larger than the limit of {limit} bytes; send fewer inputs at once"
        )))
    }
}

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polled {
        // A connection brings thousands of empty messages at once.
        ready!(poll_proceed(context)).made_progress();
        let this = &mut *self;
        this.call.release(std::mem::take(&mut this.handed_on) as u64);
        loop {
            if this.waiting.is_some() {
                return this.poll_aside(context);
            }
            let complete = if this.unpacking.is_some() {
                ready!(this.poll_turn(context));
                let unpacked = this.unpack()?;
                if this.unpacking.is_some() {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                unpacked
            } else if this.collect()? {
                this.complete()?
            } else if this.is_over {
                // tonic tells a message that was cut short.
                let rest = std::mem::take(&mut this.message);
                let rest = this.call.reserve(|memory| rest.finish(memory))?;
                return if rest.is_empty() { Poll::Ready(None) } else { this.hand_on(rest) };
            } else {
                match ready!(pin!(&mut this.body).poll_frame(context)) {
                    None => this.is_over = true,
                    Some(frame) => match frame.map_err(Box::new)?.into_data() {
                        Ok(data) => this.received = data,
                        Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                    },
                }
                continue;
            };
            if let Some(bytes) = complete {
                return this.hand_on(bytes);
            }
        }
    }
}

/// A future of a call. When its next message is a large one and it is its turn, it is polled aside
/// from the threads that serve connections.
pub(super) async fn aside<T>(call: &Call, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match call.begin_turn() {
        Some(_turn) => tokio::task::block_in_place(|| future.as_mut().poll(context)),
        None => future.as_mut().poll(context),
    })
    .await
}
