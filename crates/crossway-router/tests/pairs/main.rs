//! Clients of all revisions on servers of all revisions, in virtual time: whatever is called, cancelled, lost, sent twice or
//! overtaken, and whoever dies, each request ends once and with what is true, and nobody sees what is another's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod client;
mod knows;
mod modern_server;
mod schedule;
mod server;
mod world;

use crossway_proto::Revision;
use schedule::Route;

/// All servers, for clients of one revision.
fn clients_of(revision: Revision) {
    for server in Revision::ALL {
        for route in [Route::AnyEra, Route::Router] {
            schedule::check(revision, server, route);
        }
    }
}

#[test]
fn clients_of_2024_11_05_have_an_end_to_each_request_and_see_their_own_alone() {
    clients_of(Revision::V2024_11_05);
}

#[test]
fn clients_of_2025_03_26_have_an_end_to_each_request_and_see_their_own_alone() {
    clients_of(Revision::V2025_03_26);
}

#[test]
fn clients_of_2025_06_18_have_an_end_to_each_request_and_see_their_own_alone() {
    clients_of(Revision::V2025_06_18);
}

#[test]
fn clients_of_2025_11_25_have_an_end_to_each_request_and_see_their_own_alone() {
    clients_of(Revision::V2025_11_25);
}

#[test]
fn clients_of_2026_07_28_have_an_end_to_each_request_and_see_their_own_alone() {
    clients_of(Revision::V2026_07_28);
}

#[test]
fn clients_of_2026_07_28_that_listen_hear_what_their_own_calls_change() {
    for server in Revision::ALL.into_iter().filter(|revision| revision.is_legacy()) {
        schedule::check_calm(Revision::V2026_07_28, server);
    }
}
