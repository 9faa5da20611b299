//! Fuzzes servers that are `tower` services.

mod known;
mod request;
mod response;
mod upstream;

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Debug;
use std::time::Duration;

use bytes::Buf;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{Request, Response};
use tokio::time::timeout;
use tower_service::Service;

pub use request::Pieces;
pub use upstream::upstream;

use super::input::Input;
use known::Known;
use request::{Asked, Manner};

/// The most requests of one input.
const REQUESTS: usize = 16;
/// How long the open exchanges run before the next request is sent.
const MOMENT: Duration = Duration::from_millis(1);
/// The deadline of an answer: longer than every limit on bodies and silences.
const PATIENCE: Duration = Duration::from_secs(600);

/// Sends the requests in `data`, separated by NUL, and checks each response: there is one, it ends or is a stream, a refusal has a JSON-RPC
/// error, and an answer belongs to its question, byte for byte.
///
/// A request consists of a byte that says how it is sent, a line with method and target, lines of headers, an empty line, and the body.
/// `$S` stands for the newest session, `$E` for the last event's id, and `$R` for the id of the server's last request.
///
/// Needs a tokio runtime whose time is paused.
///
/// # Panics
///
/// When a check fails.
pub async fn http<S, B>(data: &[u8], mut service: S)
where
    S: Service<Request<Pieces>, Response = Response<B>, Error = Infallible>,
    B: http_body::Body<Data: Buf, Error: Debug>,
{
    let known = RefCell::new(Known::default());
    let mut open = FuturesUnordered::new();
    for text in data.split(|byte| *byte == 0).take(REQUESTS) {
        let text = known.borrow().fill_in(text);
        let mut input = Input::new(&text);
        let manner = Manner::of(input.byte());
        let Some((request, asked)) = request::read(input, &manner) else { continue };
        known.borrow_mut().asks(&asked);
        let exchange = exchange(service.call(request), asked, &known);
        match manner {
            // The client goes away.
            Manner { leaves: true, .. } => drop(timeout(MOMENT, exchange).await),
            Manner { waits: true, .. } => exchange.await,
            _ => open.push(exchange),
        }
        let go_on = async {
            while open.next().await.is_some() {}
            std::future::pending::<()>().await;
        };
        let _ = timeout(MOMENT, go_on).await;
    }
    while open.next().await.is_some() {}
}

/// Checks one request, until its response has ended, or has been read for long enough.
async fn exchange<B>(
    response: impl Future<Output = Result<Response<B>, Infallible>>,
    asked: Asked,
    known: &RefCell<Known>,
) where
    B: http_body::Body<Data: Buf, Error: Debug>,
{
    let Ok(Ok(response)) = timeout(PATIENCE, response).await else { panic!("a request gets no answer") };
    let (head, body) = response.into_parts();
    let what = response::check_head(&head, &asked);
    known.borrow_mut().learn_session(&head.headers);
    response::check_body(what, std::pin::pin!(body), &asked, known).await;
}
