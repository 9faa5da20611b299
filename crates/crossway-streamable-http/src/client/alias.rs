//! Ids of the upstream's own, for requests on links that several clients share.

use std::sync::atomic::{AtomicU64, Ordering};

use crossway_proto::{Message, RequestId};

/// Numbers the requests of all links that share the connections of one upstream.
///
/// Connections are pooled, so a server that answers a request twice may have its second answer read as the answer to the
/// next request on the connection, which may be another client's. No id goes out twice, so that such an answer is
/// recognized.
#[derive(Debug)]
pub(super) struct Numbers(AtomicU64);

impl Default for Numbers {
    fn default() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Numbers {
    fn next(&self) -> RequestId {
        RequestId::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// The id and the progress token that the client gave a request, which the upstream knows under a number.
pub(super) struct Alias {
    number: RequestId,
    id: RequestId,
    token: Option<RequestId>,
}

impl Alias {
    /// Replaces the id and the progress token of a request by the next number.
    pub(super) fn put_on(request: &mut Message, id: RequestId, numbers: &Numbers) -> Self {
        let number = numbers.next();
        request.set_id(&number);
        let token = request.progress_token();
        if token.is_some() {
            request.set_progress_token(&number);
        }
        Self { number, id, token }
    }

    /// The id under which the upstream knows the request.
    pub(super) fn number(&self) -> &RequestId {
        &self.number
    }

    /// Writes the client's id into the answer.
    pub(super) fn restore_answer(&self, answer: &mut Message) {
        answer.set_id(&self.id);
        // The answer to `subscriptions/listen` names the subscription.
        if answer.subscription_id().is_some() {
            answer.set_subscription_id(&self.id);
        }
    }

    /// Writes the client's id and progress token into a notification. Returns false if it is of another request.
    pub(super) fn restore_notification(&self, notification: &mut Message) -> bool {
        if notification.is_method("notifications/progress") {
            let is_ours = notification.progress_token().as_ref() == Some(&self.number);
            return match &self.token {
                Some(token) if is_ours => {
                    notification.set_progress_token(token);
                    true
                }
                _ => false,
            };
        }
        if let Some(subscription) = notification.subscription_id() {
            notification.set_subscription_id(&self.id);
            return subscription == self.number;
        }
        if notification.is_method("notifications/cancelled")
            && let Some(cancelled) = notification.cancelled_id()
        {
            notification.set_cancelled_id(&self.id);
            return cancelled == self.number;
        }
        true
    }
}
