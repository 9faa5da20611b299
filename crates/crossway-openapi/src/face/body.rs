//! Reads a request's body.

use std::pin::pin;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;

use super::Limits;
use super::limits::{BODY_RESERVE, DISCARD};
use super::problem::Problem;

/// Reads the whole body. A body that arrives in one piece is not copied.
///
/// # Errors
///
/// 413 for a body that is too long, after the rest was discarded, so that a reset connection does not lose the answer; 408 for one that
/// stalls, 400 for one that breaks off.
pub(crate) async fn read<B>(body: B, limits: &Limits, expects_continue: bool) -> Result<Bytes, Problem>
where
    B: http_body::Body<Data: Buf>,
{
    let mut body = pin!(body);
    let (mut first, mut rest) = (Bytes::new(), BytesMut::new());
    let mut is_refused = body.size_hint().lower() > limits.body_bytes as u64;
    // A client that waits for `100 Continue` has not sent its body yet, so there is nothing to discard.
    let mut budget = if expects_continue { 0 } else { DISCARD };
    let too_long = || {
        let why = format!("the body has more than {} bytes", limits.body_bytes);
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    while !body.is_end_stream() {
        if is_refused && budget == 0 {
            return Err(too_long());
        }
        let frame = tokio::time::timeout(limits.body_idle, body.frame()).await.map_err(|_| {
            let why = format!("the body stopped coming for {} s before its end", limits.body_idle.as_secs());
            Problem::new(StatusCode::REQUEST_TIMEOUT, why)
        })?;
        let Some(frame) = frame else { break };
        let broken =
            |_| Problem::new(StatusCode::BAD_REQUEST, "the body is shorter than announced, or badly chunked");
        let Ok(mut data) = frame.map_err(broken)?.into_data() else { continue };
        let len = first.len() + rest.len();
        if is_refused || data.remaining() > limits.body_bytes - len {
            is_refused = true;
            budget = budget.saturating_sub(data.remaining());
            (first, rest) = (Bytes::new(), BytesMut::new());
        } else if len == 0 {
            first = data.copy_to_bytes(data.remaining());
        } else {
            if rest.is_empty() {
                let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
                rest.reserve(len + data.remaining() + announced.min(BODY_RESERVE));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.put(data);
        }
    }
    match is_refused {
        true => Err(too_long()),
        false if rest.is_empty() => Ok(first),
        false => Ok(rest.freeze()),
    }
}
