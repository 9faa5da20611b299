//! Connections that stop in the middle, over sockets.

use std::time::Duration;

use crossway_streamable_http::server::http::{HttpLimits, serve_connection};
use crossway_streamable_http::server::{Config, Limits, StreamableHttp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{ACCEPT, Client, Raw, Served, call, echo, initialize};

const HEAD: &str =
    "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n";
/// Short to wait for, and long for a machine that is busy.
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_body_shorter_than_its_length_times_out() {
    let served = Served::echo(
        "2025-11-25",
        Config::new().limits(Limits::default().with(|limits| limits.body_idle = SHORT)),
    )
    .await;
    let answer = served.raw(format!("{HEAD}{ACCEPT}content-length: 100\r\n\r\n{{").as_bytes()).await;
    answer.assert_refused(408, -32600);
    let nothing = served.raw(format!("{HEAD}{ACCEPT}content-length: 100\r\n\r\n").as_bytes()).await;
    nothing.assert_refused(408, -32600);
    served.assert_serves().await;
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_read() {
    let limits = Limits::default().with(|limits| limits.body_idle = Duration::from_secs(5));
    let served = Served::echo("2025-11-25", Config::new().limits(limits)).await;
    let session = served.session().await;
    let body = call("1");
    let mut stream = served.connect().await;
    let head = format!("{HEAD}{ACCEPT}{session}content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    for byte in body.as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(Raw::read(stream).await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_cut_off_does_no_harm() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let mut stream = served.connect().await;
    stream.write_all(format!("{HEAD}{ACCEPT}content-length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&bytes));
    served.assert_serves().await;
}

#[tokio::test]
async fn two_lengths_are_a_bad_request() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let request = format!("{HEAD}{ACCEPT}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}}}");
    let answer = served.raw(request.as_bytes()).await;
    assert_eq!((answer.status, answer.body.as_str()), (400, ""), "hyper refuses it before MCP");
    let same = "content-length: 2\r\ncontent-length: 2\r\n";
    served.raw(format!("{HEAD}{ACCEPT}{same}\r\n{{}}").as_bytes()).await.assert_refused(400, -32600);
    for length in ["-1", "+2", "1e3", "99999999999999999999", "2, 3"] {
        let answer =
            served.raw(format!("{HEAD}{ACCEPT}content-length: {length}\r\n\r\n{{}}").as_bytes()).await;
        assert!(matches!(answer.status, 400 | 413), "{length}: {answer:?}");
    }
    served.assert_serves().await;
}

/// RFC 9112, section 6.3: the chunks count, and the length is not to be believed.
#[tokio::test]
async fn a_length_beside_chunks_is_not_believed() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let session = served.session().await;
    let body = call("1");
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for both in [
        "content-length: 3\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
    ] {
        let answer = served.raw(format!("{HEAD}{ACCEPT}{session}{both}\r\n{chunked}").as_bytes()).await;
        assert_eq!((answer.status, answer.json()["id"].as_u64()), (200, Some(1)));
    }
    let unknown = served.raw(format!("{HEAD}{ACCEPT}transfer-encoding: gzip\r\n\r\n").as_bytes()).await;
    assert_eq!(unknown.status, 400);
    served.assert_serves().await;
}

#[tokio::test]
async fn a_request_that_is_never_finished_is_closed() {
    let limits = HttpLimits::default().with(|limits| limits.first_request = SHORT);
    let served = Served::new(StreamableHttp::new(echo("2025-11-25"), Config::new()), limits).await;
    // Nothing; half a request line; half of HTTP/2's greeting; a head without its end.
    let mut unfinished = Vec::new();
    for start in ["", "POST /m", "PRI * HTTP", "POST /mcp HTTP/1.1\r\nhost: localhost\r\n"] {
        let mut stream = served.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        unfinished.push((start, stream));
    }
    for (start, mut stream) in unfinished {
        let mut bytes = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
        assert!(closed.is_ok(), "{start:?} hangs");
        assert!(bytes.is_empty());
    }
    served.assert_serves().await;
}

#[tokio::test]
async fn a_connection_without_a_further_request_is_closed() {
    let limits = HttpLimits::default().with(|limits| {
        limits.first_request = SHORT;
        limits.idle = SHORT;
    });
    let served = Served::new(StreamableHttp::new(echo("2025-11-25"), Config::new()), limits).await;
    let mut stream = served.connect().await;
    let request = "PUT / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    assert!(closed.is_ok());
    assert!(bytes.starts_with(b"HTTP/1.1 405"));
}

/// Each connection takes two descriptors of this process; where those don't suffice, there are fewer connections.
#[tokio::test]
async fn ten_thousand_connections_that_say_nothing_keep_nobody_out() {
    let served = Served::echo("2025-11-25", Config::new()).await;
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let count = most.map_or(10_000, |most| most.saturating_sub(400) / 2).min(10_000);
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(served.connect().await);
    }
    served.assert_serves().await;
    drop(silent);
    served.assert_serves().await;
}

#[tokio::test]
async fn beyond_the_most_connections_the_next_one_waits() {
    let limits = HttpLimits::default().with(|limits| limits.connections = 1);
    let served = Served::new(StreamableHttp::new(echo("2025-11-25"), Config::new()), limits).await;
    let mut first = served.connect().await;
    let mut second = served.connect().await;
    let head = "PUT / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n";
    second.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await.unwrap();
    // While the first is served, the second is not.
    first.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    assert_eq!(first.read_u8().await.unwrap(), b'H');
    let early = second.try_read(&mut [0]);
    assert_eq!(early.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(Raw::read(second).await.status, 405);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_answers_are_not_read_is_closed() {
    let result = format!(r#"{{"text":"{}"}}"#, "x".repeat(8 << 20));
    let upstream = crossway_testkit::Scripted::answering(move |message: &crossway_proto::Message| {
        let Some(id) = message.request_id() else { return Vec::new() };
        if message.is_method("initialize") {
            return vec![crate::support::initialize_result(&id.to_string(), "2025-11-25")];
        }
        vec![format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)]
    });
    let service = StreamableHttp::new(upstream, Config::new());
    let client = Client::new(&service);
    let opened = client.post(&initialize("2025-11-25")).await;
    let session = opened.header("mcp-session-id");
    let (mut ours, theirs) = tokio::io::duplex(4096);
    let serving = tokio::spawn(async move {
        serve_connection(theirs, service, &HttpLimits::default(), std::future::pending()).await;
    });
    let body = call("1");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\n{ACCEPT}content-type: application/json\r\nmcp-session-id: {session}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    ours.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await.unwrap();
    // Who reads, however slowly, gets on.
    let mut taken = [0; 1024];
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(50)).await;
        ours.read_exact(&mut taken).await.unwrap();
    }
    let since = tokio::time::Instant::now();
    serving.await.unwrap();
    assert_eq!(since.elapsed(), Duration::from_secs(60));
}
