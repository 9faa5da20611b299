//! A client that answers every question, and one that speaks raw JSON.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    deprecated,
    reason = "sampling, roots and logging are deprecated from 2026-07-28 on, and tested here"
)]

use crossway_demo::{Demo, Era};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient, RoleServer, ServiceError, ServiceExt,
    model::*,
    service::{NotificationContext, RequestContext, RunningService},
    transport::async_rw::AsyncRwTransport,
};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf},
    sync::mpsc,
};

/// Room for any message of these tests.
const PIPE: usize = 64 * 1024;

pub(crate) const LEGACY: ClientLifecycleMode = ClientLifecycleMode::Initialize;

pub(crate) fn modern() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

pub(crate) fn both() -> [ClientLifecycleMode; 2] {
    [LEGACY, modern()]
}

/// An rmcp client whose user, model and file system answer at once.
#[derive(Clone, Debug)]
pub(crate) struct Willing {
    pub(crate) capabilities: ClientCapabilities,
    pub(crate) action: ElicitationAction,
    /// Every notification, as `method` or `method what`.
    pub(crate) heard: mpsc::Sender<String>,
}

impl Willing {
    pub(crate) fn new() -> (Self, mpsc::Receiver<String>) {
        let (heard, hear) = mpsc::channel(64);
        let capabilities =
            ClientCapabilities::builder().enable_elicitation().enable_sampling().enable_roots().build();
        (Self { capabilities, action: ElicitationAction::Accept, heard }, hear)
    }

    async fn hear(&self, what: impl Into<String>) {
        self.heard.send(what.into()).await.unwrap();
    }
}

impl ClientHandler for Willing {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(self.capabilities.clone(), Implementation::new("willing", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { requested_schema, .. } = request else {
            panic!("no form")
        };
        let schema = serde_json::to_value(requested_schema).unwrap();
        let result = ElicitResult::new(self.action.clone());
        Ok(if self.action == ElicitationAction::Accept {
            result.with_content(filled_in(&schema))
        } else {
            result
        })
    }

    async fn create_message(
        &self,
        _request: CreateMessageRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        Ok(CreateMessageResult::new(SamplingMessage::assistant_text("Paris."), "a-model".to_owned()))
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![Root::new("file:///home/ada")]))
    }

    async fn on_progress(
        &self,
        report: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.hear(format!("progress {}/{}", report.progress, report.total.unwrap_or_default())).await;
    }

    async fn on_logging_message(
        &self,
        entry: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.hear(format!("message {}", entry.data)).await;
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.hear("tools").await;
    }

    async fn on_prompt_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.hear("prompts").await;
    }

    async fn on_resource_updated(
        &self,
        update: ResourceUpdatedNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.hear(format!("updated {}", update.uri)).await;
    }
}

/// A form filled in with the first choice, or with something of the right type.
fn filled_in(schema: &Value) -> Value {
    let fill = |property: &Value| {
        let choice = ["/enum/0", "/oneOf/0/const", "/items/enum/0", "/items/anyOf/0/const"];
        let choice = choice.iter().find_map(|at| property.pointer(at)).cloned();
        match property["type"].as_str().unwrap() {
            "string" => choice.unwrap_or_else(|| "Ada".into()),
            "array" => json!([choice]),
            "boolean" => true.into(),
            "integer" => 36.into(),
            _ => json!(1.5),
        }
    };
    let properties = schema["properties"].as_object().unwrap();
    properties.iter().map(|(name, property)| (name.clone(), fill(property))).collect::<Map<_, _>>().into()
}

pub(crate) type Client = RunningService<RoleClient, Willing>;

/// Connects `client` to a session of `demo`.
pub(crate) async fn connect(demo: &Demo, client: Willing, lifecycle: ClientLifecycleMode) -> Client {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    serve(demo.clone(), theirs);
    client.serve_with_lifecycle(ours, lifecycle).await.unwrap()
}

/// A client that drops notifications, with a server of its own.
pub(crate) async fn client(lifecycle: ClientLifecycleMode) -> Client {
    connect(&Demo::new(Era::Both), Willing::new().0, lifecycle).await
}

/// Serves until the pipe closes. If the server refuses the client, the client's side of the test sees that.
pub(crate) fn serve(demo: Demo, pipe: DuplexStream) {
    tokio::spawn(async move {
        if let Ok(serving) = demo.serve(pipe).await {
            serving.waiting().await.unwrap();
        }
    });
}

pub(crate) fn arguments(value: Value) -> JsonObject {
    value.as_object().cloned().unwrap()
}

pub(crate) fn tool(name: &str, with: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(name.to_owned()).with_arguments(arguments(with))
}

pub(crate) async fn call(client: &Client, name: &str, with: Value) -> CallToolResult {
    client.call_tool(tool(name, with)).await.unwrap()
}

/// The first text of a result.
pub(crate) fn text(result: &CallToolResult) -> &str {
    result.content.iter().find_map(ContentBlock::as_text).map_or("", |text| &text.text)
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> i32 {
    match result {
        Err(ServiceError::McpError(error)) => error.code.0,
        other => panic!("no JSON-RPC error: {other:?}"),
    }
}

/// One JSON message per line, as a script writes and reads them.
#[derive(Debug)]
pub(crate) struct Raw {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
}

impl Raw {
    pub(crate) fn connect(demo: &Demo) -> Self {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        serve(demo.clone(), theirs);
        Self::over(ours)
    }

    pub(crate) fn over(pipe: DuplexStream) -> Self {
        let (reader, writer) = tokio::io::split(pipe);
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.writer.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next_line().await.unwrap().expect("the server hung up")).unwrap()
    }

    pub(crate) async fn request(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        self.next().await
    }

    /// The legacy handshake.
    pub(crate) async fn initialize(&mut self, revision: &str) -> Value {
        let params = json!({
            "protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}
        });
        let answer = self.request(0, "initialize", params).await;
        self.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        answer
    }
}

/// The `_meta` of a modern request, with `more` members.
pub(crate) fn meta(more: Value) -> Value {
    let mut meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}
    });
    meta.as_object_mut().unwrap().extend(arguments(more));
    meta
}

/// Reads a demo's pipe as rmcp does, with something added to each request's extensions.
pub(crate) struct With<T> {
    pub(crate) inner: AsyncRwTransport<RoleServer, ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>,
    pub(crate) extension: T,
}

impl<T: Clone + Send + Sync + 'static> rmcp::transport::Transport<RoleServer> for With<T> {
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: rmcp::service::TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<rmcp::service::RxJsonRpcMessage<RoleServer>> {
        let mut message = self.inner.receive().await?;
        if let JsonRpcMessage::Request(request) = &mut message {
            request.request.extensions_mut().insert(self.extension.clone());
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}
