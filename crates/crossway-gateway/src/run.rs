//! Serves faces until asked to end.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use bytes::Bytes;
use crossway_streamable_http::server::http::{HttpService, serve_with};
use futures_util::FutureExt as _;
use futures_util::future::{join, select};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::banner;
use crate::cors::CorsService;
use crate::faces::Faces;
use crate::limits::LAST_ANSWERS;
use crate::listener::{BoundListener, ServeError};
use crate::tls::MaybeTls;

/// The steps of ending that are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The process was asked to end. Nothing has ended yet.
    Asked,
    /// Calls that are still in flight are cancelled.
    CutsOff,
}

/// Serves faces behind `edge` until asked to end, and tells `ending` first. Calls in flight may then finish within the drain time; the rest
/// is for [`Drained::close`]. `named` are the servers that are served below their names.
///
/// # Errors
///
/// When the URLs can't be printed.
pub(crate) async fn run<E: FnMut(Ending)>(
    bound: BoundListener,
    faces: Faces,
    edge: impl HttpService<Body: http_body::Body<Data = Bytes>>,
    door: MaybeTls,
    mut ending: E,
    name: &str,
    named: &[String],
) -> Result<Drained<E>, ServeError> {
    let BoundListener {
        listeners,
        hosts,
        origins,
        plan,
        is_open,
        tools_below,
        is_modern_only,
        limits,
        mut signals,
    } = bound;
    let edge = CorsService::new(hosts, origins, edge);
    let address = listeners.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let is_secure = door.is_secure();
    let server = tokio::spawn(serve_with(listeners, door, edge, limits.http, async { drop(stopped.await) }));
    tell(address, is_secure, |base, for_people| match tools_below.as_deref() {
        Some(prefix) => banner::of_tools(base, prefix, named),
        None if is_modern_only => banner::modern_only(base),
        None => banner::text(base, name, named, for_people),
    })?;
    if is_open && !address.ip().is_loopback() {
        tracing::warn!(%address, "nobody is authenticated: whoever reaches this address can call the server behind it");
    }

    signals.asked().await?;
    ending(Ending::Asked);
    tracing::info!(seconds = plan.drain.as_secs_f64(), "ending; calls in flight may finish");
    faces.drain();
    let _ = stop.send(());
    let mut server = server;
    let is_cut_off = tokio::select! {
        drained = tokio::time::timeout(plan.drain, &mut server) => {
            if drained.is_err() {
                tracing::warn!("calls were still in flight when the time to drain was over; they are cancelled");
            }
            drained.is_err()
        }
        again = signals.asked() => {
            again?;
            tracing::warn!("asked to end once more; calls that are still in flight are cancelled");
            true
        }
    };
    Ok(Drained { faces, server, is_cut_off, ending })
}

/// What is left to close after the drain time.
#[must_use]
pub(crate) struct Drained<E> {
    faces: Faces,
    server: JoinHandle<()>,
    is_cut_off: bool,
    ending: E,
}

impl<E: FnMut(Ending)> Drained<E> {
    /// Cancels the calls that are still in flight, and ends all sessions and `upstreams` at the same time, so that none waits for another.
    pub(crate) async fn close(mut self, upstreams: impl Future<Output = ()>) {
        let closing = self.faces.close().shared();
        if self.is_cut_off {
            (self.ending)(Ending::CutsOff);
            // Calls get their outcome from the faces, and connections have to be there for it.
            let sessions = closing.clone().then(|()| std::future::pending::<()>());
            let told = select(&mut self.server, Box::pin(sessions));
            let _ = tokio::time::timeout(LAST_ANSWERS, told).await;
            self.server.abort();
        }
        join(closing, upstreams).await;
    }
}

/// Prints where the server is: for programs, and for people more than that.
fn tell(
    address: SocketAddr,
    is_secure: bool,
    text: impl FnOnce(&str, bool) -> String,
) -> std::io::Result<()> {
    // A warning of the start stands before the addresses, not between them.
    crate::log::flush();
    let mut out = std::io::stdout().lock();
    let text = text(&banner::base(address, is_secure), out.is_terminal());
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use crossway_openapi::face;
    use crossway_service::{Call, Closing, Connection, Link, Reply, Scope, Upstream};
    use tokio::sync::Barrier;

    use super::*;
    use crate::faces::UpstreamFaces;
    use crate::openapi_face::OpenApiFace;

    /// An upstream whose links end when another upstream does, and not before.
    struct Together(Arc<Barrier>);

    impl Upstream for Together {
        fn connect(&self, _: Scope) -> Link {
            Link::new(Together(Arc::clone(&self.0)))
        }
    }

    impl Connection for Together {
        fn call(&self, _: Call) -> Reply {
            Reply::accepted()
        }

        fn close(&self) -> Closing {
            let barrier = Arc::clone(&self.0);
            Box::pin(async move {
                barrier.wait().await;
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_and_upstreams_end_at_once() {
        for is_cut_off in [false, true] {
            let barrier = Arc::new(Barrier::new(2));
            let face = face::OpenApi::new(Arc::new(Together(Arc::clone(&barrier))), face::Config::new());
            let faces = Faces::new(UpstreamFaces::openapi_only(OpenApiFace::One(face)));
            let server = tokio::spawn(std::future::pending());
            let drained = Drained { faces, server, is_cut_off, ending: |_| {} };
            let closed = drained.close(async {
                barrier.wait().await;
            });
            tokio::time::timeout(Duration::from_secs(60), closed).await.expect("an end");
        }
    }
}
