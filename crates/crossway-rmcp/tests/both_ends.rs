//! rmcp's clients and handlers over our links.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crossway_rmcp::{ClientTransport, HandlerUpstream};
use crossway_service::{Ask, Call, Connection, Context, Extensions, Link, Reply, Scope, Upstream};
use crossway_testkit::message;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::transport::Transport;
use rmcp::{ErrorData, RoleClient, RoleServer, ServerHandler, ServiceExt};
use tokio::sync::mpsc;

#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let beside = context
            .extensions
            .get::<crossway_service::Extensions>()
            .and_then(|found| found.get::<&str>().copied());
        Ok(CallToolResult::success(vec![ContentBlock::text(format!(
            "{} {}",
            request.name,
            beside.unwrap_or("-")
        ))])
        .into())
    }
}

async fn ask(link: &Link, text: &str) -> String {
    let message = message(text);
    let mut context = Context::default();
    context.extensions.insert("beside");
    let mut reply = link.call(Call::message(message, context));
    let answer = reply.next().await.unwrap().unwrap();
    String::from_utf8(answer.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_handler_hears_what_is_known_of_the_client_of_a_transport() {
    let mut known = Extensions::new();
    known.insert("alice");
    let link = HandlerUpstream::new(|| Echo).connect(Scope::Session);
    let client = ().serve(ClientTransport::with_extensions(link, known)).await.unwrap();
    let result = client.call_tool(CallToolRequestParams::new("hello")).await.unwrap();
    assert!(serde_json::to_string(&result).unwrap().contains("hello alice"));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn an_rmcp_client_calls_an_rmcp_handler_through_a_link() {
    let upstream = HandlerUpstream::new(|| Echo);
    let client = ().serve(ClientTransport::new(upstream.connect(Scope::Session))).await.unwrap();
    let result = client.call_tool(CallToolRequestParams::new("hello")).await.unwrap();
    assert!(format!("{result:?}").contains("hello"));
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn modern_requests_are_served_without_a_handshake_and_with_their_extensions() {
    let link = HandlerUpstream::new(|| Echo).connect(Scope::Shared);
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}"#;
    let discovered =
        ask(&link, &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{{meta}}}}}"#))
            .await;
    assert!(discovered.contains("supportedVersions"), "{discovered}");
    let called = ask(
        &link,
        &format!(r#"{{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{{"name":"x",{meta}}}}}"#),
    )
    .await;
    assert!(called.contains(r#""id":"b""#) && called.contains("x beside"), "{called}");
}

#[tokio::test]
async fn what_rmcp_cant_decode_is_refused_at_once() {
    let link = HandlerUpstream::new(|| Echo).connect(Scope::Session);
    let refused = ask(&link, r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":[1]}"#).await;
    assert!(refused.contains(r#""id":1"#) && refused.contains("error"), "{refused}");
}

#[tokio::test]
async fn a_failed_handshake_leaves_the_connection_for_the_next_one() {
    let link = HandlerUpstream::new(|| Echo).connect(Scope::Session);
    ask(&link, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#).await;
    let opened = ask(
        &link,
        r#"{"jsonrpc":"2.0","id":2,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
    )
    .await;
    assert!(opened.contains("2025-06-18"), "{opened}");
}

/// A server that answers `initialize`, and anything else with what it is made of.
struct Odd(&'static str);

impl Connection for Odd {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(request) = call.ask else { return Reply::silent() };
        let Some(id) = request.request_id() else { return Reply::accepted() };
        let end = if request.is_method("initialize") {
            r#""result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"odd","version":"1"}}"#
        } else {
            self.0
        };
        let id = String::from_utf8_lossy(id.as_json()).into_owned();
        Reply::once(message(format!(r#"{{"jsonrpc":"2.0","id":{id},{end}}}"#)))
    }
}

#[tokio::test]
async fn an_answer_that_rmcp_cant_decode_fails_its_request() {
    for odd in [r#""error":{"code":-32000}"#, r#""error":{"code":-99999999999,"message":"x"}"#] {
        let client = ().serve(ClientTransport::new(Link::new(Odd(odd)))).await.unwrap();
        let error = client.list_tools(None).await.unwrap_err().to_string();
        assert!(error.contains("the MCP server's answer is not valid"), "{odd}: {error}");
        client.cancel().await.unwrap();
    }
}

/// A server that asks its client something that rmcp can't decode, and tells what is answered.
struct Asking(mpsc::Sender<String>);

impl Connection for Asking {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) if message.is_response() => {
                self.0.try_send(String::from_utf8(message.to_bytes().to_vec()).unwrap()).unwrap();
                Reply::accepted()
            }
            Ask::Message(_) => Reply::accepted(),
            _ => Reply::once(message(
                r#"{"jsonrpc":"2.0","id":"q","method":"sampling/createMessage","params":[1]}"#,
            )),
        }
    }
}

#[tokio::test]
async fn a_question_that_rmcp_cant_decode_is_refused() {
    let (sender, mut answers) = mpsc::channel(1);
    let mut transport = ClientTransport::new(Link::new(Asking(sender)));
    assert!(Transport::<RoleClient>::receive(&mut transport).await.is_none());
    let answer = answers.recv().await.unwrap();
    assert!(answer.contains(r#""id":"q""#) && answer.contains("-32602"), "{answer}");
}
