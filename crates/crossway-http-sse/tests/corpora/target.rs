//! The fuzz target: requests to a server with an in-memory upstream, and low limits.

use crossway_http_sse::{Config, HttpSse, ServerLimits};
use crossway_testkit::fuzz;

/// Whatever is sent, in any order, each request is answered, and no session is left in the end.
pub(crate) fn run(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(async {
        let service = HttpSse::new(fuzz::upstream(), Config::new().limits(limits()));
        fuzz::http(data, service.clone()).await;
        service.close();
        service.drained().await;
        assert_eq!(service.sessions(), 0, "a session outlives its server");
    });
}

fn limits() -> ServerLimits {
    let message = crossway_proto::Limits::default().with(|limits| limits.message_bytes = 2048);
    ServerLimits::default().with(|limits| {
        limits.message = message;
        limits.sessions = 2;
    })
}
