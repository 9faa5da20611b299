//! Errands: the clients' activities other than plain calls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use smallvec::smallvec;

use super::address::Address;
use super::check::{Fault, check_echo, check_response};
use super::client::{Client, read_answer};
use super::session::{FIRST_ID, Session, Slot};
use super::template::{first_request, meta};
use super::work::{LoadError, Target, Work};
use crate::body::read_whole;
use crate::limits::MAX_REFUSAL;
use crate::revision::Revision;
use crate::scan::{first_element, member, string_content};

/// An activity that is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// Sets a session up and ends it.
    SetUp,
    /// Open WebUI's requests for a turn of a chat: it asks for the modern revision, and sets a session up even where the server has that,
    /// which is the longest way; GET stream, list of tools, one call, end.
    Turn,
    /// [`Errand::Turn`] with pauses, as people make them, beginning at different times. The pauses don't count as time.
    PacedTurn,
    /// Lists the tools, over all pages, in a session that stays.
    List,
}

/// The pause between two steps of a turn.
const STEP_PAUSE: Duration = Duration::from_millis(200);

/// The time of the requests, without the pauses between them.
struct Pace {
    pause: Duration,
    spent: Duration,
    since: Instant,
}

impl Pace {
    fn new(pause: Duration) -> Self {
        Self { pause, spent: Duration::ZERO, since: Instant::now() }
    }

    /// Ends a step, and pauses so that users are out of step.
    async fn step(&mut self) {
        self.spent += self.since.elapsed();
        if !self.pause.is_zero() {
            tokio::time::sleep(self.pause.mul_f64(0.5 + fastrand::f64())).await;
        }
        self.since = Instant::now();
    }
}

/// Makes a turn. Returns the time until its call was answered, and the time from there to its end.
pub(super) async fn turn(
    work: &Work,
    control: &mut Option<Client>,
    is_paced: bool,
) -> Result<(Duration, Duration), Fault> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let Target::StreamableHttp(address) = &work.target else {
        return Err(Fault::Failed("a turn needs Streamable HTTP".to_owned()));
    };
    let mut pace = Pace::new(if is_paced { STEP_PAUSE } else { Duration::ZERO });
    if is_paced {
        pace.step().await;
        pace.spent = Duration::ZERO;
    }
    probe(work, address, control.get_or_insert_with(|| Client::new(address))).await?;
    pace.step().await;
    let work = Work { with_get_stream: true, ..work.clone() };
    let session = Session::open(&work, control).await?;
    pace.step().await;
    let mut slot = session.slot(control.take());
    tool_pages(&work, &mut slot).await?;
    pace.step().await;
    let text = format!("turn {}", NEXT.fetch_add(1, Ordering::Relaxed));
    slot.echo(&work, 3, &text).await?;
    pace.step().await;
    *control = slot.into_client();
    let end = Instant::now();
    session.close(&work, control).await?;
    Ok((pace.spent, end.elapsed()))
}

impl Slot {
    /// Calls the tool with a text that needs no escapes, and checks the answer.
    pub(crate) async fn echo(&mut self, work: &Work, id: u64, text: &str) -> Result<(), Fault> {
        let meta = meta(work.revision).map_or_else(String::new, |meta| format!(",\"_meta\":{meta}"));
        let request = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{}","arguments":{{"{}":"{text}"}}{meta}}}}}"#,
            work.tool, work.argument
        );
        let answer = self.call(id, smallvec![request.into()], work.timeout).await?;
        check_echo(&answer, id, &work.answer_prefix, text.as_bytes(), b"")
    }
}

/// Sends `server/discover`, and accepts any answer.
async fn probe(work: &Work, address: &Address, client: &mut Client) -> Result<(), Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert("mcp-protocol-version", HeaderValue::from_static(Revision::V2026_07_28.as_str()));
    headers.insert("mcp-method", HeaderValue::from_static("server/discover"));
    headers.extend(work.headers.iter().cloned());
    let request = smallvec![first_request(Revision::V2026_07_28, FIRST_ID)];
    let response = client.send(Method::POST, address.path(), headers, request).await?;
    if response.status().is_success() {
        return read_answer(response, FIRST_ID).await.map(drop);
    }
    let refused = read_whole(response.into_body(), MAX_REFUSAL).await;
    refused.map(drop).map_err(|error| Fault::lost("the refusal broke off", &error))
}

/// Lists the tools in a session, over all pages.
pub(crate) async fn tool_pages(work: &Work, slot: &mut Slot) -> Result<Vec<Bytes>, Fault> {
    let mut pages: Vec<Bytes> = Vec::new();
    let mut cursor: Option<Bytes> = None;
    loop {
        let params = cursor
            .as_ref()
            .map(|cursor| String::from_utf8_lossy(cursor))
            .map_or_else(|| "{}".to_owned(), |cursor| format!(r#"{{"cursor":"{cursor}"}}"#));
        let request = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{params}}}"#);
        let answer = slot.call(2, smallvec![request.into()], work.timeout).await?;
        let result = check_response(&answer, 2)?;
        if member(result, "tools").is_none_or(|tools| tools.len() <= 2) {
            return Err(Fault::Wrong("the list has no tools".to_owned()));
        }
        cursor = member(result, "nextCursor").and_then(string_content).map(Bytes::copy_from_slice);
        pages.push(answer);
        if cursor.is_none() {
            return Ok(pages);
        }
    }
}

/// The number of requests that an echo server has had so far, without those of this question.
///
/// # Errors
///
/// When the server can't be asked.
pub fn requests_of(work: &Work) -> Result<u64, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = async {
        let mut control = None;
        let session = Session::open(work, &mut control).await?;
        let mut slot = session.slot(control.take());
        let request =
            br#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"requests","arguments":{}}}"#;
        let answer = slot.call(2, smallvec![Bytes::from_static(request)], work.timeout).await?;
        let result = check_response(&answer, 2)?;
        let text = member(result, "content").and_then(first_element);
        let text = text.and_then(|content| member(content, "text")).and_then(string_content);
        let count = text.and_then(|text| std::str::from_utf8(text).ok()?.parse::<u64>().ok());
        // `initialize` and the call itself are two of them.
        count
            .map(|count| count.saturating_sub(2))
            .ok_or_else(|| Fault::Wrong("no number of requests".to_owned()))
    };
    runtime.map_err(LoadError::Start)?.block_on(asked).map_err(|fault: Fault| LoadError::SetUp {
        number: 1,
        of: 1,
        why: fault.to_string(),
    })
}
