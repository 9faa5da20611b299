//! A server that knows none of the pool's sessions any more.

use std::sync::atomic::AtomicUsize;

use tokio::sync::watch;

use super::*;

/// A server that forgets its sessions when it is started anew.
struct Restarting {
    starts: Arc<AtomicUsize>,
    /// Whether it answers calls.
    answers: watch::Receiver<bool>,
}

impl Upstream for Restarting {
    fn connect(&self, _: Scope) -> Link {
        let (starts, answers) = (Arc::clone(&self.starts), self.answers.clone());
        let known_since = starts.load(Ordering::Relaxed);
        Link::new(Session { starts, known_since, answers })
    }
}

struct Session {
    starts: Arc<AtomicUsize>,
    known_since: usize,
    answers: watch::Receiver<bool>,
}

impl Connection for Session {
    fn call(&self, call: Call) -> Reply {
        let Ask::Message(message) = call.ask else { return Reply::silent() };
        let Some(id) = message.request_id() else { return Reply::accepted() };
        if message.is_method("initialize") {
            return Reply::once(Message::result_of(&id, OPENED.as_bytes()).unwrap());
        }
        if self.known_since != self.starts.load(Ordering::Relaxed) {
            return Reply::failed(CallError::answered(Reason::SessionEnded));
        }
        let mut answers = self.answers.clone();
        Reply::pending(async move {
            answers.wait_for(|answers| *answers).await.unwrap();
            Reply::once(Message::result_of(&id, br#"{"content":[]}"#).unwrap())
        })
    }
}

#[tokio::test]
async fn a_call_goes_to_a_new_session_however_many_old_ones_the_server_has_forgotten() {
    let (starts, (answer, answers)) = (Arc::<AtomicUsize>::default(), watch::channel(false));
    let server = Restarting { starts: Arc::clone(&starts), answers };
    let back = ToLegacy::new("b", server, ToLegacyOptions::shared_by(SharedBy::Everyone));
    let link = back.connect(Scope::Shared);
    let call =
        |id: &str| Asked::of(link.call(Call::message(tool(id, r#"{"elicitation":{}}"#), Context::default())));
    let mut before = [call("1"), call("2"), call("3")];
    assert_eq!(back.sessions(), 3);
    answer.send(true).unwrap();
    for call in &mut before {
        assert_eq!(call.next().await.kind(), Kind::Result);
        call.end().await;
    }
    starts.fetch_add(1, Ordering::Relaxed);
    assert_eq!(call("4").next().await.kind(), Kind::Result);
    // The three that are forgotten are not counted.
    assert_eq!(back.sessions(), 1);
}
