//! Each proof against requests of each kind, without a socket and without a clock.

mod anybody;
mod api_keys;
mod jwt;
mod jwt_keys;
mod open_webui;
mod plain;
mod service;
#[expect(unreachable_pub, reason = "the tests over sockets share it")]
#[path = "../../../tests/identity_tokens/mod.rs"]
mod tokens;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Request;
use http::request::{Builder, Parts};

use super::{Caller, Connection, Identity, IdentityConfig, Refusal};

/// The time in these tests.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn config(json: &serde_json::Value) -> IdentityConfig {
    serde_json::from_value(json.clone()).unwrap()
}

fn identity(json: &serde_json::Value) -> Identity {
    Identity::new(&config(json)).unwrap()
}

fn post(path: &str) -> Builder {
    Request::post(format!("http://gateway.example{path}"))
}

fn parts(builder: Builder) -> Parts {
    builder.body(()).unwrap().into_parts().0
}

fn check(identity: &Identity, builder: Builder) -> Result<Caller, Refusal> {
    identity.check(&parts(builder), &Connection::default(), now())
}

/// Returns the subject of an accepted caller.
fn subject(checked: Result<Caller, Refusal>) -> String {
    checked.unwrap().principal().subject().to_owned()
}

/// Returns the word for why a request was refused.
fn reason(checked: Result<Caller, Refusal>) -> &'static str {
    checked.unwrap_err().reason()
}
