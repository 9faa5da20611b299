//! An era machine driven by hand: a client of 2025-06-18 on a server of 2026-07-28, with neither transport nor runtime.
//! Messages go in, messages come out; whoever drives it brings them to where they belong.

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

use anyhow::bail;
use crossway::era::from_legacy::{ClientAction, Session, Step};
use crossway::proto::{Limits, Message, RequestId};

fn read(text: &'static str) -> anyhow::Result<Message> {
    Ok(Message::parse(text.into(), &Limits::default())?)
}

/// The server's answer to a request, by hand.
fn answered(request: &Message, result: &str) -> anyhow::Result<Message> {
    let Some(id) = request.id() else { bail!("only requests are answered") };
    Ok(Message::result_of(&id, result.as_bytes())?)
}

fn main() -> anyhow::Result<()> {
    let mut session = Session::new();
    let show = |who: &str, message: &Message| {
        println!("{who}: {}", String::from_utf8_lossy(&message.to_bytes()));
    };

    // The client opens a session; the server is asked what it is, and that makes the answer.
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}}"#;
    let ClientAction::Discover(discover) = session.handle_message(read(hello)?) else {
        bail!("it is the first")
    };
    show("to the server", &discover);
    let is = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}"#;
    let Some(opened) = session.handle_discovered(&answered(&discover, is)?) else { bail!("it was asked") };
    show("to the client", &opened);

    // A call goes to the server with what each modern request says of its client.
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"greet","arguments":{}}}"#;
    let ClientAction::Call(mut call) = session.handle_message(read(call)?) else {
        bail!("the session is open")
    };
    show("to the server", &call.request());

    // The server wants to know something first: the client gets a request, and answers it.
    let asks = r#"{"resultType":"input_required","inputRequests":{"who":{"method":"elicitation/create","params":{"message":"Who are you?","requestedSchema":{"type":"object","properties":{}}}}},"requestState":"s"}"#;
    let next_id = || RequestId::from("question");
    let Step::Ask(questions) = call.handle_reply(answered(&call.request(), asks)?, next_id) else {
        bail!("the client can be asked")
    };
    questions.iter().for_each(|question| show("to the client", question));
    let response =
        r#"{"jsonrpc":"2.0","id":"question","result":{"action":"accept","content":{"name":"Ada"}}}"#;
    let Some(Step::Again(again)) = call.handle_response(&read(response)?) else { bail!("all is answered") };
    show("to the server", &again);

    // The client gets one answer, under the id that it gave.
    let greeting = r#"{"resultType":"complete","content":[{"type":"text","text":"Hello, Ada"}]}"#;
    let Step::Done(answer) = call.handle_reply(answered(&again, greeting)?, next_id) else { bail!("done") };
    show("to the client", &answer);
    Ok(())
}
