//! The cost of calling a REST API's tool, against a bare hyper client on the same hyper server, in processor time of client and
//! server together: `cargo run --release -p crossway-openapi --features rest --example rest_speed`.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use crossway_openapi::CallOptions;
use crossway_openapi::rest::{Api, ApiOptions, Document, RestUpstream};
use crossway_proto::{Limits, Message};
use crossway_service::{Call, Context, Link, Scope, Upstream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::time::{ClockId, clock_gettime};
use tokio::net::{TcpListener, TcpStream};

const CALLS: u32 = 20_000;
/// The variants alternate, since the machine's other load varies.
const ROUNDS: usize = 5;

const ANSWER: &str = r#"{"id":"c1","name":"Water the plants","due":null,"labels":["home"],"closed":false}"#;

const DOCUMENT: &str = r#"{"openapi":"3.1.0","paths":{"/cards/{id}":{"get":{"operationId":"card",
    "parameters":[{"name":"id","in":"path","required":true},{"name":"fields","in":"query"}],
    "responses":{"200":{"content":{"application/json":{"schema":{"type":"object"}}}}}}}}}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let answer = service_fn(|_: Request<hyper::body::Incoming>| async {
                let answer = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
                let (mut head, body) = answer.into_parts();
                head.headers.insert("content-type", http::HeaderValue::from_static("application/json"));
                Ok::<_, hyper::Error>(Response::from_parts(head, body))
            });
            tokio::spawn(server::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });

    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut bare, connection) = client::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let api = Api::new(
        &Document::parse(DOCUMENT.as_bytes())?,
        &ApiOptions::new().server(format!("http://{address}")),
    )?;
    let link = RestUpstream::new(api, CallOptions::new()).connect(Scope::Shared);

    let (mut least_bare, mut least_tool) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        least_bare = least_bare.min(of_bare(&mut bare, &address.to_string()).await?);
        least_tool = least_tool.min(of_tool(&link).await?);
    }
    let ratio = least_tool.as_secs_f64() / least_bare.as_secs_f64();
    #[expect(clippy::print_stdout, reason = "a program that prints its figures")]
    {
        println!(
            "per call, client and server: bare {least_bare:?}, as a tool {least_tool:?}: {ratio:.2} times"
        );
    }
    Ok(())
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

async fn of_bare(
    sender: &mut client::SendRequest<Full<Bytes>>,
    host: &str,
) -> Result<Duration, Box<dyn Error>> {
    let started = cpu();
    for _ in 0..CALLS {
        let request = Request::get("/cards/c1?fields=all").header("host", host);
        sender.ready().await?;
        let answer = sender.send_request(request.body(Full::default())?).await?;
        black_box(answer.into_body().collect().await?.to_bytes());
    }
    Ok((cpu() - started) / CALLS)
}

async fn of_tool(link: &Link) -> Result<Duration, Box<dyn Error>> {
    let text = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"card","arguments":{"id":"c1","fields":"all"}}}"#;
    let started = cpu();
    for _ in 0..CALLS {
        let message = Message::parse(Bytes::from_static(text), &Limits::default())?;
        let mut reply = link.call(Call::message(message, Context::default()));
        let answer = reply.next().await.ok_or("no answer")??;
        black_box(answer.to_bytes());
    }
    Ok((cpu() - started) / CALLS)
}
