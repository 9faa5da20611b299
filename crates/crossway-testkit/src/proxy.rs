//! An outgoing HTTP proxy on a loopback address.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::{Mutex, MutexGuard};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// How a proxy treats its clients.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// Connects clients to this address, whatever name they ask for.
    Leads(SocketAddr),
    /// Does so for clients with this `Proxy-Authorization`, and answers others with 407.
    LeadsWith(SocketAddr, &'static str),
    /// Answers with this status.
    Answers(u16),
    /// Accepts connections, and says nothing.
    Silent,
}

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: AbortHandle,
}

/// A request to a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The method and the target of the request line: `CONNECT upstream.test:443`.
    pub line: String,
    /// The value of `Host`.
    pub host: String,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<String>,
}

impl Proxy {
    /// Starts a proxy.
    ///
    /// # Errors
    ///
    /// When no port can be bound.
    pub async fn start(manner: Manner) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let asked = Arc::default();
        let task = tokio::spawn(serve(listener, manner, Arc::clone(&asked))).abort_handle();
        Ok(Self { address, asked, task })
    }

    /// The proxy's URL, as users write it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The proxy's URL with a user and a password.
    #[must_use]
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}", self.address)
    }

    /// The requests so far, from the first on.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    /// The request lines of the requests so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, manner: Manner, asked: Arc<Mutex<Vec<Asked>>>) {
    // Dropping the set closes the connections: they last as long as the proxy.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let asked = Arc::clone(&asked);
        let service = service_fn(move |request| {
            note(&request, &asked);
            answer(request, manner)
        });
        let connection = hyper::server::conn::http1::Builder::new();
        connections.spawn(connection.serve_connection(TokioIo::new(stream), service).with_upgrades());
    }
}

fn note(request: &Request<Incoming>, asked: &Mutex<Vec<Asked>>) {
    let text = |name| Some(request.headers().get(name)?.to_str().unwrap_or_default().to_owned());
    lock(asked).push(Asked {
        line: format!("{} {}", request.method(), request.uri()),
        host: text(header::HOST).unwrap_or_default(),
        authorization: text(header::PROXY_AUTHORIZATION),
    });
}

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

async fn answer(request: Request<Incoming>, manner: Manner) -> Result<Answer, Infallible> {
    let to = match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Answers(status) => return Ok(empty(StatusCode::from_u16(status).unwrap_or_default())),
        Manner::LeadsWith(_, wanted)
            if request.headers().get(header::PROXY_AUTHORIZATION).is_none_or(|shown| shown != wanted) =>
        {
            return Ok(empty(StatusCode::PROXY_AUTHENTICATION_REQUIRED));
        }
        Manner::Leads(to) | Manner::LeadsWith(to, _) => to,
    };
    let led = if request.method() == Method::CONNECT {
        tunnel(request, to).await
    } else {
        forward(request, to).await
    };
    Ok(led.unwrap_or_else(|_| empty(StatusCode::BAD_GATEWAY)))
}

async fn tunnel(request: Request<Incoming>, to: SocketAddr) -> io::Result<Answer> {
    let mut origin = TcpStream::connect(to).await?;
    tokio::spawn(async move {
        let upgraded = hyper::upgrade::on(request).await.map_err(io::Error::other)?;
        tokio::io::copy_bidirectional(&mut TokioIo::new(upgraded), &mut origin).await
    });
    Ok(empty(StatusCode::OK))
}

async fn forward(mut request: Request<Incoming>, to: SocketAddr) -> io::Result<Answer> {
    let origin = TokioIo::new(TcpStream::connect(to).await?);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(origin).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = path.into();
    request.headers_mut().remove(header::PROXY_AUTHORIZATION);
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    Ok(response.map(BodyExt::boxed))
}

fn empty(status: StatusCode) -> Answer {
    let body = Empty::new().map_err(|never: Infallible| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn lock(asked: &Mutex<Vec<Asked>>) -> MutexGuard<'_, Vec<Asked>> {
    asked.lock()
}
