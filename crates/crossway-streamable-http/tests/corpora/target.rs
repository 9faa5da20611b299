//! What is fuzzed: requests to an endpoint with an upstream in memory, and bounds that few requests reach.

use crossway_streamable_http::server::{Config, Limits, StreamableHttp};
use crossway_testkit::fuzz;

/// Whatever is sent, in whatever order, each request has its answer, and in the end nothing is left.
pub(crate) fn run(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(async {
        let service = StreamableHttp::new(fuzz::upstream(), Config::new().limits(limits()));
        fuzz::http(data, service.clone()).await;
        service.close().await;
        assert_eq!(service.sessions(), 0, "a session outlives its endpoint");
    });
}

fn limits() -> Limits {
    let message = crossway_proto::Limits::default().with(|limits| {
        limits.message_bytes = 2048;
        limits.batch_messages = 4;
    });
    Limits::default().with(|limits| {
        limits.message = message;
        limits.header_bytes = 2048;
        limits.sessions = 3;
        limits.standing_streams = 2;
        limits.detached_calls = 2;
        limits.kept_events = 4;
        limits.kept_bytes = 4096;
    })
}
