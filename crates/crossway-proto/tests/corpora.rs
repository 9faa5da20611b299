//! What the fuzzer found worth keeping, tried again: `fuzz/corpus`.

use crossway_testkit::fuzz;

#[test]
fn the_corpus_of_lines_holds() {
    fuzz::replay("line", fuzz::line);
}

#[test]
fn the_corpus_of_event_streams_holds() {
    fuzz::replay("sse", fuzz::sse);
}

#[test]
fn the_corpus_of_envelopes_holds() {
    fuzz::replay("envelope", fuzz::envelope);
}

#[test]
fn the_corpus_of_headers_holds() {
    fuzz::replay("headers", fuzz::headers);
}

#[test]
fn the_corpus_of_calls_holds() {
    fuzz::replay("calls", fuzz::calls);
}
