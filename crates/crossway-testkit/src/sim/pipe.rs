//! A simulated connection with one stream each way, as on stdio.

use crossway_proto::Message;
use crossway_service::{Limits, Link, Mux, Outlet, Reason, Scope};

use tokio::sync::mpsc;

use super::lane::{Cut, Lane};
use super::server::{Arrived, ServerEnd, Way};
use super::{Weather, over_the_wire};

/// Opens a connection over a pipe. Returns the client's link and the server's end.
pub(super) fn connect(weather: &Weather, cut: &Cut, scope: Scope) -> (Link, ServerEnd) {
    let is_no_request = |message: &Message| !message.is_request();
    let (there, mut arriving) = Lane::<Message>::new(weather, cut, is_no_request);
    let (back, mut answers) = Lane::<Message>::new(weather, cut, is_no_request);
    let (told, incoming) = mpsc::channel(1024);
    let way = Way { lane: back, is_own: false };
    tokio::spawn(async move {
        while let Some(message) = arriving.recv().await {
            let arrived = Arrived { message: Some(over_the_wire(&message)), way: way.clone() };
            if told.send(arrived).await.is_err() {
                return;
            }
        }
    });
    let mux = Mux::new(Pipe { there, cut: cut.clone() }, Limits::default(), scope.into());
    let link = mux.link();
    let until = cut.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                () = until.happened() => break,
                message = received(&mux, &mut answers) => match message {
                    Some(message) => mux.accept(message),
                    None => break,
                },
            }
        }
        until.cut();
        mux.end(gone(), |_| false);
    });
    (link, ServerEnd { incoming, cut: cut.clone() })
}

/// Receives the next message, once the mux has capacity for it.
async fn received(mux: &Mux<Pipe>, answers: &mut mpsc::Receiver<Message>) -> Option<Message> {
    std::future::poll_fn(|cx| mux.poll_capacity(cx)).await;
    answers.recv().await
}

pub(super) fn gone() -> Reason {
    Reason::Ended("the simulated connection broke".into())
}

struct Pipe {
    there: Lane<Message>,
    cut: Cut,
}

impl Outlet for Pipe {
    fn send(&self, message: Message) -> Result<(), Reason> {
        if self.there.send(message) { Ok(()) } else { Err(gone()) }
    }

    fn hang_up(&self) {
        self.cut.cut();
    }
}
