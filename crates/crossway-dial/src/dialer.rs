//! Opens connections, directly or through a proxy.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::error::{DialError, ProxyFault};
use crate::proxies::{Proxies, Proxy, Way};
use crate::tunnel::{self, Failure};

/// Opens connections to origins, directly or through their proxies.
///
/// As a service, it is the connector below TLS of `hyper-rustls`, or the connector without TLS of `hyper-util`'s client.
#[derive(Debug, Clone)]
pub struct Dialer {
    tcp: HttpConnector,
    proxies: Proxies,
    time: Option<Duration>,
}

impl Dialer {
    /// Connects by `tcp`, whose options apply to connections to origins and to proxies.
    #[must_use]
    pub fn new(mut tcp: HttpConnector, proxies: Proxies) -> Self {
        tcp.enforce_http(false);
        Self { tcp, proxies, time: None }
    }

    /// Sets the timeout of a connection through a proxy, from resolving the proxy's name to its answer.
    #[must_use]
    pub fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Opens a connection for speaking with the origin of `url`: TLS if that is `https`, else HTTP, which the proxy reads itself if
    /// [`Proxies::forward`] says so.
    ///
    /// # Errors
    ///
    /// When the origin or the proxy can't be reached, or the proxy refuses.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn dial(&self, url: &Uri) -> Result<TcpStream, DialError> {
        let Some(proxy) = self.proxies.of(url) else {
            let connected = self.tcp.clone().call(url.clone()).await;
            return connected.map(TokioIo::into_inner).map_err(|error| DialError::Straight(error.into()));
        };
        let connected = match self.time {
            Some(time) => match tokio::time::timeout(time, self.through(&proxy, url)).await {
                Ok(connected) => connected,
                Err(_) => Err(ProxyFault::TimedOut(time)),
            },
            None => self.through(&proxy, url).await,
        };
        connected.map_err(|fault| proxy.failed(fault))
    }

    /// The error for a connection to the origin of `url` that took longer than `time`, if it was to go through a proxy.
    #[must_use]
    pub fn timed_out(&self, url: &Uri, time: Duration) -> Option<DialError> {
        Some(self.proxies.of(url)?.failed(ProxyFault::TimedOut(time)))
    }

    async fn through(&self, proxy: &Proxy, url: &Uri) -> Result<TcpStream, ProxyFault> {
        let connected = self.tcp.clone().call(proxy.uri().clone()).await;
        let io = connected.map_err(|error| ProxyFault::Unreachable(error.into()))?;
        match proxy.way() {
            Way::Forward => Ok(io.into_inner()),
            Way::Tunnel => {
                let host = with_port(url);
                let opened = tunnel::open(io, &host, proxy.authorization()).await;
                opened.map(TokioIo::into_inner).map_err(|failure| match failure {
                    Failure::Status(status) => proxy.refusal(status, &host),
                    Failure::Http(error) => ProxyFault::NoAnswer(error),
                    Failure::Early => ProxyFault::Early,
                })
            }
            Way::Socks => {
                let mut socks = SocksV5::new(proxy.uri().clone(), Given(Some(io)));
                if let Some((user, password)) = proxy.user() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                // Without a port, SOCKS would use the port of TLS.
                let url = Uri::builder().scheme("http").authority(with_port(url)).path_and_query("/").build();
                let opened = socks.call(url.map_err(|error| ProxyFault::Socks(error.into()))?).await;
                opened.map(TokioIo::into_inner).map_err(|error| ProxyFault::Socks(error.into()))
            }
        }
    }
}

/// Host and port of a URL.
fn with_port(url: &Uri) -> String {
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    format!("{}:{}", url.host().unwrap_or_default(), url.port_u16().unwrap_or(default))
}

impl Service<Uri> for Dialer {
    type Response = Dialed;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Dialed, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let io = TokioIo::new(dialer.dial(&url).await?);
            Ok(Dialed { io, is_forwarded: dialer.proxies.forward(&url).is_some() })
        })
    }
}

/// A connection that a [`Dialer`] has opened, for `hyper`.
#[derive(Debug)]
pub struct Dialed {
    io: TokioIo<TcpStream>,
    is_forwarded: bool,
}

impl Connection for Dialed {
    /// Tells `hyper-util`'s client to write requests in absolute-form if a proxy makes them.
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.is_forwarded)
    }
}

impl Read for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Dialed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A connector that returns an existing connection: SOCKS is spoken on it.
struct Given<T>(Option<T>);

impl<T> Service<Uri> for Given<T> {
    type Response = T;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<T>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        std::future::ready(self.0.take().ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}
