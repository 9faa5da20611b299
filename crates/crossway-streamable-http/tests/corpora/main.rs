//! What the fuzzer found worth keeping, tried again: `fuzz/corpus/streamable_http_head`.
#![cfg(feature = "server")]

mod target;

#[test]
fn the_corpus_of_requests_holds() {
    crossway_testkit::fuzz::replay("streamable_http_head", target::run);
}
