//! What a guard adds to a plain call, and what it takes to seal and to open a session's handle:
//! `cargo run --release -p crossway-router --example routing_speed`.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use crossway_proto::{Limits, Message, Revision};
use crossway_router::SealedSessions;
use crossway_router::guard::{Guard, GuardOptions};
use crossway_seal::Keyring;
use crossway_service::{
    Ask, Call, Connection, Context, Link, Reply, Scope, SessionHandles, SessionState, Upstream,
};

const ROUNDS: u32 = 200_000;

struct Prompt;

impl Upstream for Prompt {
    fn connect(&self, _: Scope) -> Link {
        Link::new(Prompt)
    }
}

impl Connection for Prompt {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = call.ask else { return Reply::silent() };
        match message.id().and_then(|id| Message::result_of(&id, b"{}").ok()) {
            Some(answer) => Reply::once(answer),
            None => Reply::accepted(),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}"#;
    let message = Message::parse(Bytes::from_static(text), &Limits::default())?;
    let bare = time(&Prompt.connect(Scope::Shared), &message).await?;
    let once = Guard::new(Prompt, GuardOptions::new().retries(0));
    let once = time(&once.connect(Scope::Shared), &message).await?;
    let all = GuardOptions::new().idle(Duration::from_secs(60)).total(Duration::from_secs(300));
    let all = time(&Guard::new(Prompt, all).connect(Scope::Shared), &message).await?;

    let handles = SealedSessions::new(Arc::new(Keyring::random()?), "/mcp");
    let params = br#"{"protocolVersion":"2025-11-25","capabilities":{"sampling":{},"elicitation":{}},"clientInfo":{"name":"client","version":"1.0.0"}}"#;
    let state = SessionState::new(
        7,
        Some(Revision::V2025_11_25),
        Bytes::from_static(params),
        SystemTime::now() + Duration::from_secs(86_400),
    );
    let owner = Some("https://issuer.example|alice");
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(handles.issue(black_box(&state), owner));
    }
    let issuing = started.elapsed() / ROUNDS;
    let handle = handles.issue(&state, owner).ok_or("no handle")?;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(handles.open(black_box(&handle), owner));
    }
    let opening = started.elapsed() / ROUNDS;
    #[expect(clippy::print_stdout, reason = "a program that prints its figures")]
    {
        println!("a call: bare {bare:?}, guarded {once:?}, with retries and timeouts {all:?}");
        println!(
            "a session's handle of {} bytes: issued in {issuing:?}, opened in {opening:?}",
            handle.len()
        );
    }
    Ok(())
}

/// The time of one call, the message's clone with it.
async fn time(link: &Link, message: &Message) -> Result<Duration, Box<dyn Error>> {
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let mut reply = link.call(Call::message(message.clone(), Context::default()));
        while let Some(next) = reply.next().await {
            black_box(next?);
        }
    }
    Ok(started.elapsed() / ROUNDS)
}
