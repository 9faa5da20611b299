//! Many clients on one connection, in any order.

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

/// One connection for all clients, as modern clients have it.
struct OneLink(Link);

impl Upstream for OneLink {
    fn connect(&self, _: Scope) -> Link {
        self.0.clone()
    }
}

/// The server's next action on one of its open calls.
#[derive(Debug, Clone, Copy)]
enum Move {
    Progress,
    Ask,
    Complete,
}

/// Ids and tokens, which may be equal for two clients.
fn names() -> impl Strategy<Value = Vec<(String, String)>> {
    let some =
        ["0", "1.0", "9007199254740993", "1e400", r#""1""#, r#""\u0061""#, r#""crossway-ask-1""#, "7", "-3"];
    let name = prop::sample::select(some.to_vec()).prop_map(str::to_owned);
    prop::collection::vec((name.clone(), name), 1..4)
}

/// Answers every call, in the order and with the detours that the moves give.
async fn serve(server: Server, moves: Vec<(usize, Move)>) {
    let mut moves = moves.into_iter();
    let mut calls: Vec<Message> = Vec::new();
    loop {
        let more =
            if calls.is_empty() { Some(server.receive().await) } else { server.receive().now_or_never() };
        match more {
            Some(None) => return,
            Some(Some(request)) if request.is_method("server/discover") => {
                server.answer(&request.id().unwrap(), DISCOVERED);
                continue;
            }
            Some(Some(request)) => calls.push(request),
            None => {}
        }
        let (which, what) = moves.next().unwrap_or((0, Move::Complete));
        let which = which % calls.len();
        let member = |name| {
            String::from_utf8(
                calls[which].member(crossway_proto::Part::Params, name).unwrap_or(b"null").to_vec(),
            )
            .unwrap()
        };
        let (id, owner) = (calls[which].id().unwrap(), member("arguments"));
        match what {
            Move::Progress => {
                let token = calls[which].progress_token().unwrap();
                server.send(&format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"of":{owner}}}}}"#
                ));
                tokio::task::yield_now().await;
            }
            Move::Ask => {
                server.answer(&id, &format!(
                    r#"{{"resultType":"input_required","inputRequests":{{"k":{{"method":"elicitation/create","params":{{"of":{owner}}}}}}},"requestState":{{"of":{owner}}}}}"#
                ));
                calls.remove(which);
            }
            Move::Complete => {
                let (state, told) = (member("requestState"), member("inputResponses"));
                server.answer(&id, &format!(
                    r#"{{"resultType":"complete","content":[],"of":{owner},"state":{state},"told":{told}}}"#
                ));
                calls.remove(which);
            }
        }
    }
}

/// Makes a call as a client does, and checks all messages. Returns how often it was asked.
async fn client(link: Link, id: String, token: String, owner: String) -> usize {
    let request = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"n","arguments":{owner},"_meta":{{"progressToken":{token}}}}}}}"#
    );
    let mut reply = call(&link, &request);
    let mut asked = 0;
    loop {
        let message = next(&mut reply).await;
        let said = text(&message);
        match message.kind() {
            Kind::Notification => assert_eq!(
                said,
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"of":{owner}}}}}"#
                )
            ),
            Kind::Request => {
                asked += 1;
                assert_eq!(message.params().unwrap(), format!(r#"{{"of":{owner}}}"#).as_bytes());
                let answer = format!(
                    r#"{{"jsonrpc":"2.0","id":{},"result":{{"action":"accept","by":{owner}}}}}"#,
                    message.id().unwrap()
                );
                assert!(call(&link, &answer).next().await.is_none());
            }
            Kind::Result => {
                let (state, told) = match asked {
                    0 => ("null".to_owned(), "null".to_owned()),
                    _ => (
                        format!(r#"{{"of":{owner}}}"#),
                        format!(r#"{{"k":{{"action":"accept","by":{owner}}}}}"#),
                    ),
                };
                assert_eq!(
                    said,
                    format!(
                        r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[],"of":{owner},"state":{state},"told":{told}}}}}"#
                    )
                );
                assert!(reply.next().await.is_none(), "a call has one answer");
                return asked;
            }
            Kind::Error => panic!("{said}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn clients_with_the_same_ids_and_tokens_never_meet_on_one_connection(
        clients in prop::collection::vec(names(), 1..4),
        moves in prop::collection::vec(
            (0usize..8, prop::sample::select(vec![Move::Progress, Move::Ask, Move::Complete])), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async move {
            let (upstream, mut servers) = Scripted::new();
            let front = FromLegacy::new(OneLink(upstream.connect(Scope::Shared)));
            let (_, server) = servers.recv().await.unwrap();
            let asks = moves.iter().filter(|(_, what)| matches!(what, Move::Ask)).count();
            let serving = tokio::spawn(serve(server, moves));
            let mut calls = Vec::new();
            for (number, names) in clients.into_iter().enumerate() {
                let link = front.connect(Scope::Session);
                next(&mut call(&link, INITIALIZE)).await;
                let mut taken: Vec<RequestId> = Vec::new();
                for (id, token) in names {
                    let known = RequestId::parse(id.as_bytes()).unwrap();
                    if !taken.contains(&known) {
                        taken.push(known);
                        let owner = format!(r#"{{"client":{number},"id":{id}}}"#);
                        calls.push(tokio::spawn(client(link.clone(), id, token, owner)));
                    }
                }
            }
            let mut asked = 0;
            for call in calls {
                asked += call.await.unwrap();
            }
            assert!(asked <= asks);
            serving.abort();
        });
    }
}
