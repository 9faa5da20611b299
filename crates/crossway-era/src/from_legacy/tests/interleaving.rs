//! Many calls at once, in any order.

use proptest::prelude::*;

use super::*;

/// The next event of a call: what the server or the client does.
#[derive(Debug, Clone, Copy)]
enum Move {
    Progress,
    Ask,
    Complete,
    Fail,
    Cancel,
    Answer,
    AnswerNothing,
}

/// A call with what its client and its server have seen.
struct Seen {
    machine: Call,
    id: String,
    token: String,
    /// The last request to the server.
    sent: Message,
    /// Server requests that the client has not answered.
    open: Vec<Message>,
    state: Option<String>,
    ended: usize,
}

/// Ids and tokens that are easily confused or lost: number forms, escapes, each other's text.
fn name() -> impl Strategy<Value = String> {
    let odd = [
        "0",
        "-1",
        "1.0",
        "10e-1",
        "9007199254740993",
        "1e400",
        r#""""#,
        r#""1""#,
        r#""\u0061""#,
        r#""q1""#,
        r#""crossway-round-1-1""#,
        r#""crossway-1""#,
        r#""\ud800""#,
    ];
    prop_oneof![
        prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
        "[1-9][0-9]{0,5}",
        "\"[a-z]{1,8}\""
    ]
}

fn moves() -> impl Strategy<Value = Vec<(usize, Move)>> {
    use Move::{Answer, AnswerNothing, Ask, Cancel, Complete, Fail, Progress};
    let one = prop::sample::select(vec![
        Progress,
        Ask,
        Ask,
        Answer,
        Answer,
        Answer,
        Complete,
        Fail,
        Cancel,
        AnswerNothing,
    ]);
    prop::collection::vec((0usize..5, one), 1..80)
}

/// Carries out a step.
fn take(seen: &mut Seen, step: Step) {
    match step {
        Step::Ask(requests) => seen.open.extend(requests),
        Step::Again(request) => {
            assert!(seen.open.is_empty(), "the server is told all at once");
            assert_ne!(request.id(), seen.sent.id(), "a retry has an id of its own");
            assert_eq!(request.progress_token(), seen.sent.progress_token());
            let state = request.member(Part::Params, "requestState").map(|json| json.to_vec());
            assert_eq!(state, seen.state.clone().map(String::into_bytes));
            assert_eq!(request.member(Part::Params, "arguments"), Some(&br#"{"x":1.50}"#[..]));
            seen.sent = request;
        }
        Step::Done(answer) => {
            assert!(text(&answer).starts_with(&format!(r#"{{"jsonrpc":"2.0","id":{},"#, seen.id)));
            seen.ended += 1;
            seen.open.clear();
        }
        Step::Pass(_) | Step::Nothing => unreachable!(),
    }
}

proptest! {
    #[test]
    fn ids_and_tokens_come_back_as_they_were_however_calls_and_rounds_interleave(
        names in prop::collection::vec((name(), name()), 1..5),
        moves in moves(),
    ) {
        let (mut session, _) = open("2025-11-25", r#"{"roots":{},"elicitation":{}}"#);
        let mut next_id = ids();
        let mut calls: Vec<Seen> = Vec::new();
        for (id, token) in names {
            // A client uses an id for one call at a time.
            if calls.iter().any(|seen| RequestId::parse(seen.id.as_bytes()) == RequestId::parse(id.as_bytes())) {
                continue;
            }
            let request = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"n","arguments":{{"x":1.50}},"_meta":{{"progressToken":{token}}}}}}}"#
            );
            let machine = call(&mut session, &request);
            let sent = machine.request();
            prop_assert_eq!(sent.id().unwrap().to_string(), id.clone());
            prop_assert_eq!(sent.progress_token().unwrap().to_string(), token.clone());
            calls.push(Seen { machine, id, token, sent, open: Vec::new(), state: None, ended: 0 });
        }
        let mut round = 0;
        for (which, step) in moves {
            let count = calls.len();
            let seen = &mut calls[which % count];
            let is_with_server = seen.open.is_empty();
            if seen.ended > 0 {
                continue;
            }
            let (id, token) = (seen.sent.id().unwrap(), seen.token.clone());
            match step {
                Move::Progress if is_with_server => {
                    let progress = format!(
                        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{round}}}}}"#
                    );
                    let step = seen.machine.handle_reply(message(&progress), &mut next_id);
                    prop_assert!(matches!(step, Step::Pass(passed) if text(&passed) == progress));
                }
                Move::Ask if is_with_server => {
                    round += 1;
                    let state = format!(r#""s\u0074ate {round}""#);
                    let asks = format!(
                        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"input_required","inputRequests":{{"r{round}":{{"method":"roots/list"}},"e":{{"method":"elicitation/create","params":{{"message":{token}}}}}}},"requestState":{state}}}}}"#
                    );
                    seen.state = Some(state);
                    let step = seen.machine.handle_reply(message(&asks), &mut next_id);
                    take(seen, step);
                }
                Move::Complete | Move::Fail if is_with_server => {
                    let what = if matches!(step, Move::Complete) {
                        r#""result":{"resultType":"complete","content":[]}"#
                    } else {
                        r#""error":{"code":-32000,"message":"m"}"#
                    };
                    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},{what}}}"#);
                    let step = seen.machine.handle_reply(message(&answer), &mut next_id);
                    take(seen, step);
                    prop_assert_eq!(seen.ended, 1);
                }
                Move::Cancel => {
                    let cancelled = format!(
                        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{}}}}}"#, seen.id
                    );
                    let taken = session.handle_message(message(&cancelled));
                    prop_assert!(matches!(taken, ClientAction::Cancelled(id) if id == *seen.machine.id()));
                    seen.machine.handle_cancelled();
                    let mut withdrawn = 0;
                    while let Some(notification) = seen.machine.poll_withdrawn() {
                        let id = notification.cancelled_id();
                        prop_assert!(seen.open.iter().any(|question| question.id() == id));
                        withdrawn += 1;
                    }
                    prop_assert_eq!(withdrawn, seen.open.len());
                    seen.open.clear();
                    seen.ended += 1;
                }
                Move::Answer if !is_with_server => {
                    let question = seen.open.remove(round % seen.open.len());
                    let response = format!(
                        r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"decline"}}}}"#, question.id().unwrap()
                    );
                    // Offered to all calls, as by a driver without a table: one of them takes it.
                    let response = message(&response);
                    for seen in &mut calls {
                        let awaits = seen.machine.awaits(&response.id().unwrap());
                        if let Some(step) = seen.machine.handle_response(&response) {
                            prop_assert!(awaits);
                            take(seen, step);
                        }
                    }
                }
                Move::AnswerNothing => {
                    let stray = message(r#"{"jsonrpc":"2.0","id":"nobody","result":{}}"#);
                    for seen in &mut calls {
                        prop_assert!(seen.machine.handle_response(&stray).is_none());
                    }
                }
                _ => {}
            }
        }
        prop_assert!(calls.iter().all(|seen| seen.ended <= 1));
    }
}
