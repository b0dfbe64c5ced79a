//! A body that arrives piece by piece while a thread reads it: bounded in its size and in the time that a piece may take,
//! and never held whole. What is in it is not known here.

use std::io::{Error, Read};
use std::time::Duration;

use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::error::{Code, Fault, Outcome};

/// How long the next piece may take to arrive.
pub const PIECE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pieces that wait to be read.
const WAITING_PIECES: usize = 8;

/// A body as a thread reads it.
pub struct Arriving {
    receiver: Receiver<Outcome<Bytes>>,
    current: Bytes,
}

/// What [`receive`] puts pieces into, and what reads them.
#[must_use]
pub fn arriving() -> (Sender<Outcome<Bytes>>, Arriving) {
    let (sender, receiver) = channel(WAITING_PIECES);
    (sender, Arriving { receiver, current: Bytes::new() })
}

/// The refusal of a body of more than so many bytes.
#[must_use]
pub fn too_large(most: u64) -> Fault {
    Fault::new(Code::BodyTooLarge, format!("a report may have {most} bytes"))
}

/// Hands a body of at most so many bytes on piece by piece, until it or who reads it ends; a fault ends it for both.
pub async fn receive<S, E>(body: &mut S, sender: Sender<Outcome<Bytes>>, most: u64)
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut length = 0;
    loop {
        let piece = match tokio::time::timeout(PIECE_TIMEOUT, body.next()).await {
            Ok(None) => return,
            Ok(Some(Ok(piece))) => {
                length += piece.len() as u64;
                if length > most { Err(too_large(most)) } else { Ok(piece) }
            }
            Ok(Some(Err(_))) => Err(Fault::new(Code::ValidationError, "the body broke off")),
            Err(_) => {
                Err(Fault::new(Code::RequestTimeout, "the next piece of the body did not arrive within 10 seconds"))
            }
        };
        let is_over = piece.is_err();
        // Nobody reads on after a fault of the report's own.
        if sender.send(piece).await.is_err() || is_over {
            return;
        }
    }
}

/// Reads on, at most so many bytes, and keeps nothing: a browser that is still sending does not see the answer.
pub async fn pass_over<S, E>(body: &mut S, most: u64)
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut length = 0;
    while length <= most
        && let Ok(Some(Ok(piece))) = tokio::time::timeout(PIECE_TIMEOUT, body.next()).await
    {
        length += piece.len() as u64;
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece.map_err(Error::other)?,
            }
        }
        let length = self.current.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}
