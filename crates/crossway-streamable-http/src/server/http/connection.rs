//! Serves one HTTP connection.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crossway_service::later;
use http::Extensions;
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::time::{Instant, sleep};
use tracing::debug;

use super::activity::{Activity, Counted, Requests};
use super::limits::{HEAD_BYTES_AT_LEAST, HTTP2_PING, HTTP2_PONG};
use super::stall::Unstalled;
use super::{HttpLimits, HttpService};

/// Serves a connection until it ends, is idle or unread too long, or, after `shutdown`, has answered its requests, which get `known`.
pub(super) async fn serve<S: HttpService>(
    io: impl Read + Write + Unpin + Send + 'static,
    known: Option<Extensions>,
    service: S,
    limits: &HttpLimits,
    requests: Arc<Requests>,
    shutdown: impl Future<Output = ()>,
) {
    let mut http = Builder::new(TokioExecutor::new());
    // hyper's own timer for heads is reset for each request, and misses connections that send nothing at all.
    http.http1().header_read_timeout(None).max_buf_size(limits.head_bytes.max(HEAD_BYTES_AT_LEAST));
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PONG)
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));

    let activity = Arc::new(Activity::new(requests));
    let io = Unstalled::new(io);
    let mut connection = pin!(http.serve_connection(io, Counted::new(service, Arc::clone(&activity), known)));
    let mut timer = pin!(sleep(limits.first_request));
    let mut shutdown = pin!(shutdown);
    let mut ended_before = Some(0);
    let mut is_closing = false;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                if let Err(error) = ended {
                    debug!(error = %crossway_service::with_causes(&*error), "a connection has ended with an error");
                }
                return Poll::Ready(());
            }
            let mut is_enough = !is_closing && shutdown.as_mut().poll(cx).is_ready();
            if timer.as_mut().poll(cx).is_ready() {
                let ended = activity.ended();
                let is_silent = ended.is_some() && ended == ended_before;
                if is_silent && (is_closing || ended == Some(0)) {
                    debug!("a connection without a request is closed");
                    return Poll::Ready(());
                }
                is_enough |= is_silent;
                ended_before = ended;
                timer.as_mut().reset(later(Instant::now(), limits.idle));
            } else if !is_enough {
                return Poll::Pending;
            }
            if is_enough {
                is_closing = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    })
    .await;
}
