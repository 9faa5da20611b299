//! Replays the fuzzer's corpus `fuzz/corpus/openapi`.
#![cfg(feature = "rest")]

mod target;

#[test]
fn the_corpus_of_documents_holds() {
    crossway_testkit::fuzz::replay("openapi", target::run);
}
