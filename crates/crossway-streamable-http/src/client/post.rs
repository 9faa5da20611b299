//! Sends messages that get no response: notifications and responses to the server's requests.

use std::sync::Arc;

use crossway_proto::Message;
use crossway_service::CallError;
use http::Method;

use super::answer;
use super::headers;
use super::http::{Outbound, Purpose};
use super::open::Manner;
use super::session::{Badge, Session};

/// POSTs a message and waits until it is accepted: "the server **MUST** return HTTP status code 202 Accepted with
/// no body" (2025-11-25, basic/transports). Any success status is accepted, and a body is ignored.
pub(super) async fn post(session: Arc<Session>, message: Message, manner: Manner) -> Result<(), CallError> {
    session.check(manner.is_modern())?;
    let badge = if manner.is_modern() { Badge::default() } else { session.badge() };
    let outbound = Outbound {
        method: Method::POST,
        headers: || {
            let mut headers = session.shared.headers.clone();
            match &manner {
                Manner::Modern { version, .. } => headers::mirror(&mut headers, &message, version),
                _ => badge.put_on(&mut headers),
            }
            headers
        },
        message: Some(&message),
        purpose: Purpose::Call,
    };
    let response = session.shared.http.send(outbound).await?;
    let status = response.head.status;
    if !status.is_success() {
        // This never returns an answer here, since there is no id for one.
        return answer::refusal(&session, &badge, None, status, &response.head.headers, response.body)
            .await
            .map(drop);
    }
    response.body.let_go();
    if message.is_method("notifications/initialized") {
        session.initialized();
    }
    Ok(())
}
