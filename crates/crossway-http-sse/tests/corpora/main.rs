//! Replays the fuzzer's corpus `fuzz/corpus/http_sse_head`.
#![cfg(feature = "server")]

mod target;

#[test]
fn the_corpus_of_requests_holds() {
    crossway_testkit::fuzz::replay("http_sse_head", target::run);
}
