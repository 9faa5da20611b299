//! The cost of a router: `cargo bench -p crossway-benches --bench router`. Each is paired with the same call to the upstream itself.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossway_proto::{Limits, Message};
use crossway_router::{Router, RouterOptions, SealedSessions};
use crossway_seal::Keyring;
use crossway_service::{
    Ask, Call, Connection, Context, Link, Reply, Scope, SessionHandles, SessionState, Upstream,
};

const UPSTREAMS: usize = 20;
const TOOLS: usize = 500;

/// What a server says that has tools, and no resources.
const DISCOVERED: &str = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"bench","version":"1"},"ttlMs":3600000}"#;

/// Says what it has, and answers no calls: only the way there is measured.
#[derive(Clone)]
struct Server(Bytes);

impl Upstream for Server {
    fn connect(&self, _: Scope) -> Link {
        Link::new(self.clone())
    }
}

impl Connection for Server {
    fn call(&self, call: Call) -> Reply {
        match call.ask {
            Ask::Message(message) if message.is_method("tools/list") => {
                let id = message.id().expect("a request has an id");
                Reply::once(Message::result_of(&id, &self.0).expect("it is JSON"))
            }
            Ask::Message(message) if message.is_method("server/discover") => {
                let id = message.id().expect("a request has an id");
                Reply::once(Message::result_of(&id, DISCOVERED.as_bytes()).expect("it is JSON"))
            }
            Ask::Message(message) if message.is_method("subscriptions/listen") => Reply::silent(),
            _ => Reply::accepted(),
        }
    }
}

fn server() -> Server {
    let description =
        "Does what its name says, and says so in a few lines for a model that reads it. ".repeat(3);
    let tools: Vec<String> = (0..TOOLS)
        .map(|number| {
            format!(r#"{{"name":"tool_{number}","description":"{description}","inputSchema":{{"type":"object"}}}}"#)
        })
        .collect();
    Server(Bytes::from(format!(r#"{{"tools":[{}],"ttlMs":3600000}}"#, tools.join(","))))
}

fn request(method: &str, rest: &str) -> Message {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
    let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{meta}{rest}}}}}"#);
    Message::parse(Bytes::from(text), &Limits::default()).expect("the samples are messages")
}

fn router(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    let router = Router::new(RouterOptions::default().same_for_all());
    let upstream = server();
    for number in 0..UPSTREAMS {
        router.insert(&format!("upstream{number}"), &upstream);
    }
    let (through, direct) = (router.connect(Scope::Shared), upstream.connect(Scope::Shared));
    let list = request("tools/list", "");
    let listed = |link: &Link| {
        runtime.block_on(async {
            let mut reply = link.call(Call::message(list.clone(), Context::default()));
            reply.next().await.expect("an answer").expect("a message")
        })
    };
    let merged = listed(&through);

    let mut group = criterion.benchmark_group("router");
    let call =
        |name: &str| request("tools/call", &format!(r#","name":"{name}","arguments":{{"text":"hello"}}"#));
    for (name, link, message) in [
        ("call, direct", &direct, call("tool_77")),
        ("call, of 20 upstreams", &through, call("upstream7__tool_77")),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                black_box(link.call(Call::message(black_box(&message).clone(), Context::default())))
            });
        });
    }
    group.throughput(Throughput::Bytes(merged.len() as u64));
    group.bench_function("tools/list of 10,000 tools, from memory", |bencher| {
        bencher.iter(|| listed(&through))
    });
    group.bench_function("the same bytes, copied once", |bencher| {
        bencher.iter(|| black_box(merged.to_bytes()))
    });
    group.finish();
}

fn handles(criterion: &mut Criterion) {
    let ring = Keyring::random().expect("randomness");
    let handles = SealedSessions::new(std::sync::Arc::new(ring), "/mcp");
    let initialize =
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}"#;
    let expires = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(2_000_000_000);
    let state = SessionState::new(7, None, initialize.into(), expires);
    let handle = handles.issue(&state, Some("alice")).expect("it is short");
    let mut group = criterion.benchmark_group("session handle");
    group.bench_function("seal", |bencher| bencher.iter(|| handles.issue(black_box(&state), Some("alice"))));
    group.bench_function("open", |bencher| bencher.iter(|| handles.open(black_box(&handle), Some("alice"))));
    group.finish();
}

criterion_group!(benches, router, handles);
criterion_main!(benches);
