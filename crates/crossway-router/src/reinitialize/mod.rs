//! Renews a legacy client's session when the server has ended it.
//!
//! "When a client receives HTTP 404 in response to a request containing an `MCP-Session-Id`, it **MUST** start a new session by sending
//! a new `InitializeRequest` without a session ID attached" (2025-11-25, basic/transports, Session Management). A client on standard
//! input and output has no session ids and cannot do so: [`Reinitialize`] does it instead. It repeats the client's `initialize` and
//! sends `notifications/initialized`, then restores the log level that the client set and the resources that it subscribed to. A call
//! that found the session gone, and so has not run, is sent on the new one.
//!
//! If the server agrees on another revision than before, or cannot be reached, the client's session ends as well. Calls that were in
//! flight fail as they do otherwise; see `docs/outcomes.md`. Modern requests have no session, and pass untouched.

mod session;

use std::fmt;
use std::sync::Arc;

use crossway_proto::Kind;
use crossway_service::{
    Ask, Call, CallError, Closing, Connection, Link, Outcome, Reason, Reply, Scope, Upstream,
};
use futures_util::stream::unfold;
use tokio::time::sleep;

use session::Session;

use crate::limits::RENEW_PAUSE;

/// An upstream whose legacy sessions are renewed when the server has ended them.
pub struct Reinitialize {
    upstream: Arc<dyn Upstream>,
}

impl Reinitialize {
    /// Renews the sessions of `upstream`.
    pub fn new(upstream: impl Upstream) -> Self {
        Self { upstream: Arc::new(upstream) }
    }
}

impl Upstream for Reinitialize {
    fn connect(&self, scope: Scope) -> Link {
        match scope {
            Scope::Session | Scope::Pooled => {
                Link::new(ReinitializeConnection(Arc::new(Session::new(Arc::clone(&self.upstream), scope))))
            }
            Scope::Shared => self.upstream.connect(scope),
        }
    }
}

impl fmt::Debug for Reinitialize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reinitialize")
    }
}

struct ReinitializeConnection(Arc<Session>);

impl Connection for ReinitializeConnection {
    fn call(&self, call: Call) -> Reply {
        let (link, era) = self.0.link();
        match &call.ask {
            Ask::Message(message) if message.kind() == Kind::Request => {
                if call.is_modern() {
                    link.call(call)
                } else {
                    self.request(call, &link, era)
                }
            }
            Ask::Message(message) => {
                if message.is_method("notifications/initialized") {
                    self.0.initialized();
                }
                link.call(call)
            }
            Ask::Listen => self.listen(call, &link, era),
        }
    }

    fn close(&self) -> Closing {
        self.0.link().0.close()
    }
}

/// A call on its way.
struct Course {
    session: Arc<Session>,
    call: Call,
    reply: Reply,
    /// The number of the server session that the call is on.
    era: u64,
    was_renewed: bool,
}

impl ReinitializeConnection {
    fn course(&self, call: Call, link: &Link, era: u64) -> Course {
        let reply = link.call(call.clone());
        Course { session: Arc::clone(&self.0), call, reply, era, was_renewed: false }
    }

    fn request(&self, call: Call, link: &Link, era: u64) -> Reply {
        Reply::stream(unfold(self.course(call, link, era), |mut course| async move {
            loop {
                let item = course.reply.next().await?;
                match &item {
                    Err(error) if is_gone(error) && !course.was_renewed && !course.opens() => {
                        course.was_renewed = true;
                        let Ok((link, era)) = course.session.renewed(course.era).await else {
                            return Some((item, course));
                        };
                        course.reply = link.call(course.call.clone());
                        course.era = era;
                        continue;
                    }
                    Ok(answer) if answer.kind() == Kind::Result => {
                        if let Ask::Message(request) = &course.call.ask {
                            course.session.note(request, answer, &course.call.context);
                        }
                    }
                    _ => {}
                }
                return Some((item, course));
            }
        }))
    }

    /// Continues the standing stream in the next session. A server that ends each stream at once is asked again after a pause.
    fn listen(&self, call: Call, link: &Link, era: u64) -> Reply {
        Reply::stream(unfold(self.course(call, link, era), |mut course| async move {
            loop {
                let item = course.reply.next().await?;
                if !matches!(&item, Err(error) if *error.reason() == Reason::SessionEnded) {
                    return Some((item, course));
                }
                if course.session.is_new() {
                    sleep(RENEW_PAUSE).await;
                }
                let Ok((link, era)) = course.session.renewed(course.era).await else {
                    return Some((item, course));
                };
                course.reply = link.call(course.call.clone());
                course.era = era;
            }
        }))
    }
}

impl Course {
    fn opens(&self) -> bool {
        self.call.is_method("initialize")
    }
}

/// Whether a call has not run because the server does not know the session: not sent, or refused by 404.
fn is_gone(error: &CallError) -> bool {
    *error.reason() == Reason::SessionEnded && error.outcome() != Outcome::Unknown
}

#[cfg(test)]
mod tests;
