//! A client on a stream of lines.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use crossway_proto::{Limits, Message};
use crossway_service::{Call, Connection, Extensions, Link, Reply, Scope, Upstream};
use crossway_stdio::{ServeOptions, Served, serve, serve_with_extensions};
use crossway_testkit::corpus::{NOT_MESSAGES, ODD_REQUESTS};
use crossway_testkit::{Scripted, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

use crate::support::{child_args, message};

/// The client's end of a stream that is being served, and the upstream's end of the connection.
struct Bench {
    write: WriteHalf<DuplexStream>,
    read: BufReader<ReadHalf<DuplexStream>>,
    server: Server,
    served: JoinHandle<std::io::Result<Served>>,
}

impl Bench {
    async fn new(options: ServeOptions) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (upstream, mut connections) = Scripted::new();
        let link = upstream.connect(Scope::Session);
        let (_, server) = connections.recv().await.unwrap();
        let (read, write) = tokio::io::split(theirs);
        let served = tokio::spawn(async move { serve(read, write, link, options).await });
        let (read, write) = tokio::io::split(ours);
        Self { write, read: BufReader::new(read), server, served }
    }

    async fn say(&mut self, line: impl AsRef<[u8]>) {
        self.write.write_all(line.as_ref()).await.unwrap();
        self.write.write_all(b"\n").await.unwrap();
    }

    /// The next line for the client; empty at the end.
    async fn hear(&mut self) -> String {
        let mut line = String::new();
        self.read.read_line(&mut line).await.unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    async fn hear_json(&mut self) -> Value {
        serde_json::from_str(&self.hear().await).unwrap()
    }

    /// Opens a session of a revision.
    async fn initialize(&mut self, version: &str) {
        let params = json!({ "protocolVersion": version });
        self.say(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }).to_string())
            .await;
        let id = self.server.expect("initialize").await;
        self.server.answer(&id, &params.to_string());
        assert_eq!(self.hear_json().await["result"], params);
    }
}

async fn bench() -> Bench {
    Bench::new(ServeOptions::default()).await
}

const PING: &str = r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#;

/// Answers each request with who makes it.
struct WhoCalls;

impl Connection for WhoCalls {
    fn call(&self, call: Call) -> Reply {
        let Some(id) = call.request().and_then(Message::id) else { return Reply::silent() };
        let who = json!(call.context.extensions.get::<&str>()).to_string();
        Reply::once(Message::result_of(&id, who.as_bytes()).unwrap())
    }
}

#[tokio::test]
async fn calls_of_a_client_have_what_is_known_of_it() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (read, write) = tokio::io::split(theirs);
    let mut known = Extensions::new();
    known.insert("alice");
    let served = serve_with_extensions(read, write, Link::new(WhoCalls), ServeOptions::default(), known);
    let client = async {
        let (read, mut write) = tokio::io::split(ours);
        write.write_all(format!("{PING}\n").as_bytes()).await.unwrap();
        let mut line = String::new();
        BufReader::new(read).read_line(&mut line).await.unwrap();
        line
    };
    tokio::select! {
        _ = served => panic!("the client is still there"),
        line = client => assert_eq!(line, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":\"alice\"}\n"),
    }
}

#[tokio::test]
async fn messages_pass_both_ways_unchanged() {
    let mut bench = bench().await;
    for odd in ODD_REQUESTS {
        bench.say(odd).await;
        let request = bench.server.receive().await.unwrap();
        let mut arrived = request.clone();
        let sent = message(*odd);
        arrived.set_id(&sent.id().unwrap());
        sent.progress_token().inspect(|token| arrived.set_progress_token(token));
        assert_eq!(arrived.to_bytes(), sent.to_bytes());
        bench.server.answer(&request.id().unwrap(), r#"{"n":1.50}"#);
        let id = sent.id().unwrap();
        assert_eq!(bench.hear().await, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"n":1.50}}}}"#));
    }
    bench.server.send(r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
    assert_eq!(bench.hear().await, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
    bench.say(r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#).await;
    assert_eq!(
        bench.server.receive().await.unwrap().to_bytes(),
        r#"{"jsonrpc":"2.0","id":1,"result":{"roots":[]}}"#
    );
}

#[tokio::test]
async fn what_is_no_message_is_answered_with_an_error_and_the_next_line_is_served() {
    let mut bench = bench().await;
    for (name, bytes) in NOT_MESSAGES {
        if bytes.trim_ascii().is_empty() || bytes.contains(&b'\n') {
            continue;
        }
        bench.say(bytes).await;
        let error = bench.hear_json().await;
        let id = format!("\"id\":{}", error["id"]);
        assert!(
            (error["id"].is_null() || String::from_utf8_lossy(bytes).contains(&id))
                && [-32700, -32600].map(|code| json!(code)).contains(&error["error"]["code"]),
            "{name}: {error}"
        );
        bench.say(PING).await;
        let id = bench.server.expect("ping").await;
        bench.server.answer(&id, "{}");
        assert_eq!(bench.hear_json().await["id"], "p", "{name}");
    }
    // Empty lines are nobody's business.
    bench.say("\n \r\n").await;
    bench.say(PING).await;
    bench.server.expect("ping").await;
}

#[tokio::test]
async fn a_request_that_is_no_message_is_refused_under_its_id() {
    let mut bench = bench().await;
    for (line, id) in [
        (r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":null}"#, json!(7)),
        (r#"{"jsonrpc":"2.0","id":"a","method":"tools/list","params":7}"#, json!("a")),
        (r#"{"jsonrpc":"2.0","id":[7],"method":"tools/list"}"#, json!(null)),
        (r#"{"jsonrpc":"2.0","id":7,"params":null}"#, json!(null)),
    ] {
        bench.say(line).await;
        let error = bench.hear_json().await;
        assert_eq!((&error["id"], &error["error"]["code"]), (&id, &json!(-32600)), "{line}");
        assert_eq!(error["error"]["data"]["outcome"], "not sent", "{line}");
    }
}

#[tokio::test]
async fn a_line_that_is_too_long_is_refused_once() {
    let messages = Limits::default().with(|limits| limits.message_bytes = 1000);
    let mut bench = Bench::new(ServeOptions::default().with(|options| options.message = messages)).await;
    bench.say("x".repeat(100_000)).await;
    bench.say(PING).await;
    assert_eq!(bench.hear_json().await["error"]["code"], -32600);
    let id = bench.server.expect("ping").await;
    bench.server.answer(&id, "{}");
    assert_eq!(bench.hear_json().await["id"], "p");
}

#[tokio::test]
async fn a_batch_is_answered_together_in_the_revision_that_has_them() {
    let mut bench = bench().await;
    bench.initialize("2025-03-26").await;
    bench.say(r#"[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","method":"n"},{"jsonrpc":"2.0","id":2,"method":"b"}]"#).await;
    let a = bench.server.expect("a").await;
    assert!(bench.server.receive().await.unwrap().is_method("n"));
    let b = bench.server.expect("b").await;
    bench.server.answer(&b, "{}");
    bench.server.send(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#);
    bench.server.answer(&a, "[1]");
    assert_eq!(bench.hear_json().await["method"], "notifications/tools/list_changed");
    let answers = r#"[{"jsonrpc":"2.0","id":2,"result":{}},{"jsonrpc":"2.0","id":1,"result":[1]}]"#;
    assert_eq!(bench.hear().await, answers);
}

#[tokio::test]
async fn a_batch_is_refused_in_other_revisions_and_before_initialize() {
    let mut bench = bench().await;
    let batch = format!("[{PING}]");
    bench.say(&batch).await;
    assert_eq!(bench.hear_json().await["error"]["code"], -32600);
    bench.initialize("2025-06-18").await;
    bench.say(&batch).await;
    let error = bench.hear_json().await;
    assert!(
        error["id"].is_null() && error["error"]["message"].as_str().unwrap().contains("2025-03-26"),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_asked_before_the_client_left_is_answered() {
    let mut bench = bench().await;
    bench.say(PING).await;
    bench.write.shutdown().await.unwrap();
    let id = bench.server.expect("ping").await;
    bench.server.answer(&id, "{}");
    assert_eq!(bench.hear_json().await["id"], "p");
    assert_eq!(bench.served.await.unwrap().unwrap(), Served::Left);
    assert!(bench.server.receive().await.is_none());
}

#[tokio::test]
async fn a_last_line_without_an_end_is_a_line() {
    let mut bench = bench().await;
    bench.write.write_all(PING.as_bytes()).await.unwrap();
    bench.write.shutdown().await.unwrap();
    let id = bench.server.expect("ping").await;
    bench.server.answer(&id, "{}");
    assert_eq!(bench.hear_json().await["id"], "p");
}

#[tokio::test]
async fn a_listen_request_does_not_keep_a_client_that_has_left() {
    let mut bench = bench().await;
    bench.say(r#"{"jsonrpc":"2.0","id":"l","method":"subscriptions/listen","params":{}}"#).await;
    let id = bench.server.expect("subscriptions/listen").await;
    bench.write.shutdown().await.unwrap();
    let cancelled = bench.server.receive().await.unwrap();
    assert_eq!(cancelled.cancelled_id(), Some(id));
    assert_eq!(bench.served.await.unwrap().unwrap(), Served::Left);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_in_time_after_the_client_left_is_given_up() {
    let drain = Duration::from_secs(7);
    let mut bench = Bench::new(ServeOptions::default().with(|options| options.drain = drain)).await;
    bench.say(PING).await;
    bench.server.expect("ping").await;
    bench.write.shutdown().await.unwrap();
    let start = tokio::time::Instant::now();
    assert_eq!(bench.served.await.unwrap().unwrap(), Served::Left);
    assert_eq!(start.elapsed().as_secs(), drain.as_secs());
    // The server is told.
    assert!(bench.server.receive().await.unwrap().is_method("notifications/cancelled"));
}

#[tokio::test]
async fn the_end_of_the_upstream_is_told_to_those_who_wait_and_ends_it_all() {
    let mut bench = bench().await;
    bench.say(PING).await;
    bench.server.expect("ping").await;
    drop(bench.server);
    let mut line = String::new();
    bench.read.read_line(&mut line).await.unwrap();
    let error: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&error["id"], &error["error"]["data"]["outcome"]), (&json!("p"), &json!("sent, unknown")));
    assert_eq!(bench.served.await.unwrap().unwrap(), Served::UpstreamEnded);
}

/// Time stands still until nothing else can happen: then what waits, waits for the client.
#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_not_read_from_until_it_does() {
    let mut bench = bench().await;
    let nonsense = "nonsense\n".repeat(1000);
    let mut lines = 0;
    while tokio::time::timeout(Duration::from_secs(1), bench.write.write_all(nonsense.as_bytes()))
        .await
        .is_ok()
    {
        lines += 1000;
        assert!(lines < 100_000, "its refusals are kept without bound");
    }
    let mut refusals = 0;
    while tokio::time::timeout(Duration::from_secs(1), bench.hear()).await.is_ok() {
        refusals += 1;
    }
    assert!(refusals >= lines);
    bench.say(format!("\n{PING}")).await;
    bench.server.expect("ping").await;
}

#[tokio::test]
async fn large_messages_pass_both_ways_through_a_narrow_stream() {
    let mut bench = bench().await;
    let text = "x".repeat(3 << 20);
    let request = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{{"t":"{text}"}}}}"#);
    let (server, write, read) = (&bench.server, &mut bench.write, &mut bench.read);
    let client_writes = async {
        for _ in 0..4 {
            write.write_all(request.as_bytes()).await.unwrap();
            write.write_all(b"\n").await.unwrap();
        }
    };
    let server_answers = async {
        for _ in 0..4 {
            let id = server.expect("m").await;
            server.answer(&id, &format!("\"{text}\""));
        }
    };
    // Only when all is written does the client begin to read: its answers have to wait meanwhile.
    let client = async {
        client_writes.await;
        for _ in 0..4 {
            let mut line = String::new();
            read.read_line(&mut line).await.unwrap();
            assert_eq!(line.len(), text.len() + r#"{"jsonrpc":"2.0","id":1,"result":""}"#.len() + 1);
        }
    };
    tokio::join!(client, server_answers);
}

#[tokio::test]
async fn a_pipeline_of_more_than_may_be_in_flight_is_served_in_parts() {
    let mut options = ServeOptions::default();
    options.service.inbox_messages = 10;
    let bench = Bench::new(options).await;
    let (server, mut write, mut read) = (bench.server, bench.write, bench.read);
    let writing = async move {
        for n in 0..500 {
            let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"m\"}}\n");
            write.write_all(line.as_bytes()).await.unwrap();
        }
        write.shutdown().await.unwrap();
    };
    let answering = async {
        for _ in 0..500 {
            let id = server.expect("m").await;
            server.answer(&id, "{}");
        }
    };
    let reading = async move {
        let mut all = String::new();
        read.read_to_string(&mut all).await.unwrap();
        all
    };
    let ((), (), all) = tokio::join!(writing, answering, reading);
    assert_eq!(all.lines().count(), 500);
    assert!(!all.contains("error"));
}

#[tokio::test]
async fn a_response_passes_a_client_s_requests_that_are_too_many() {
    let mut options = ServeOptions::default();
    options.service.inbox_messages = 1;
    let mut bench = Bench::new(options).await;
    bench.say(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#).await;
    let id = bench.server.expect("m").await;
    bench.server.send(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#);
    assert_eq!(bench.hear_json().await["id"], "q");
    for id in 2..=4 {
        bench.say(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#)).await;
    }
    bench.say(r#"{"jsonrpc":"2.0","id":"q","result":{"roots":[]}}"#).await;
    assert!(bench.server.receive().await.unwrap().is_response());
    bench.server.answer(&id, "{}");
    let heard = [bench.hear_json().await, bench.hear_json().await, bench.hear_json().await];
    let of = |id: u32| heard.iter().find(|heard| heard["id"] == id).unwrap();
    assert!(of(1)["result"].is_object() && of(3)["error"].is_object() && of(4)["error"].is_object());
    let id = bench.server.expect("m").await;
    bench.server.answer(&id, "{}");
    assert_eq!(bench.hear_json().await["id"], 2);
}

/// What a child of ours says that serves an echo on its own stdin and stdout, as the streams are set up here.
///
/// Also how many threads it took: the two of the test runner, and more where the event loop is of no use.
async fn served_by_a_process(stdin: Stdio, merge_stderr: bool) -> (String, usize) {
    let exe = std::env::current_exe().unwrap();
    let run = format!("exec \"$0\" \"$@\"{}", if merge_stderr { " 2>&1" } else { "" });
    let output = tokio::process::Command::new("sh")
        .args(["-c", &run])
        .arg(exe)
        .args(child_args())
        .env("CROSSWAY_TEST_SCRIPT", "serve-stdio")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let threads = said.lines().find_map(|line| line.strip_prefix("threads ")).unwrap().parse().unwrap();
    (said, threads)
}

fn requests(count: usize, text: &str) -> Vec<u8> {
    let line =
        |n| format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"m\",\"params\":{{\"t\":\"{text}\"}}}}\n");
    (0..count).flat_map(|n| line(n).into_bytes()).collect()
}

fn check_answers(said: &str, count: usize) {
    let answers = said.lines().filter(|line| line.contains("\"result\":{\"t\":")).count();
    assert_eq!(answers, count, "{}", said.chars().take(2000).collect::<String>());
}

#[tokio::test]
async fn a_pipeline_on_real_pipes_is_answered_before_the_end() {
    for merge_stderr in [false, true] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let writing =
            std::thread::spawn(move || writer.write_all(&requests(50, &"x".repeat(100_000))).unwrap());
        let (said, threads) = served_by_a_process(reader.into(), merge_stderr).await;
        check_answers(&said, 50);
        assert_eq!(threads, if cfg!(target_os = "linux") { 2 } else { threads });
        writing.join().unwrap();
    }
}

#[tokio::test]
async fn a_file_as_stdin_is_answered_to_its_end() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&requests(50, &"x".repeat(10_000))).unwrap();
    let (said, threads) = served_by_a_process(file.reopen().unwrap().into(), false).await;
    check_answers(&said, 50);
    assert!(threads > 2 || !cfg!(target_os = "linux"));
}

#[tokio::test]
async fn a_socket_as_stdin_is_answered_to_its_end() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let writing = std::thread::spawn(move || {
        let mut ours = ours;
        ours.write_all(&requests(50, &"x".repeat(100_000))).unwrap();
    });
    let stdin = std::os::fd::OwnedFd::from(theirs);
    let (said, threads) = served_by_a_process(stdin.into(), false).await;
    check_answers(&said, 50);
    assert_eq!(threads, if cfg!(target_os = "linux") { 2 } else { threads });
    writing.join().unwrap();
}

#[tokio::test]
async fn a_unix_socket_is_served_like_any_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let upstream = Scripted::answering(|request| {
        let id = request.id().unwrap();
        vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"here"}}"#)]
    });
    let serving = async {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, write) = stream.into_split();
        serve(read, write, upstream.connect(Scope::Session), ServeOptions::default()).await.unwrap()
    };
    let client = async {
        let (read, mut write) = tokio::net::UnixStream::connect(&path).await.unwrap().into_split();
        write.write_all(format!("{PING}\n").as_bytes()).await.unwrap();
        write.shutdown().await.unwrap();
        let mut said = String::new();
        BufReader::new(read).read_to_string(&mut said).await.unwrap();
        said
    };
    let (served, said) = tokio::join!(serving, client);
    assert_eq!(
        (served, said.as_str()),
        (Served::Left, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":\"here\"}\n")
    );
}
