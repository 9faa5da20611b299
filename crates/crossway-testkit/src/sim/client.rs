//! The client's end of a simulated link.

use std::collections::HashMap;

use crossway_proto::{Message, RequestId, Revision};
use crossway_service::{Call, Context, Limits, Link, Origin, Pump, Reply};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::lane::{Cut, Lane};
use super::{Shape, Weather, over_the_wire};

/// The client's end of a connection with a link. Dropping it closes the connection.
#[derive(Debug)]
pub struct ClientEnd {
    way: ClientWay,
    heard: mpsc::Receiver<Message>,
    cut: Cut,
}

#[derive(Debug)]
enum ClientWay {
    Pipe(Lane<Message>),
    Streams(Box<Streams>),
}

/// The state of a client with a stream for each request.
#[derive(Debug)]
struct Streams {
    link: Link,
    context: Context,
    weather: Weather,
    said: mpsc::Sender<Message>,
    tasks: JoinSet<()>,
    calls: HashMap<RequestId, AbortHandle>,
}

impl ClientEnd {
    /// Makes a client on `link`, which a legacy client does not share. `context` goes with all its calls.
    #[must_use]
    pub fn new(shape: Shape, weather: &Weather, link: Link, context: Context) -> Self {
        let cut = Cut::new();
        let (way, heard) = match shape {
            Shape::Pipe => pipe(weather, &cut, link, context),
            Shape::Streams => streams(weather, link, context),
        };
        Self { way, heard, cut }
    }

    /// Sends a message.
    pub fn send(&mut self, message: Message) {
        match &mut self.way {
            ClientWay::Pipe(lane) => drop(lane.send(message)),
            ClientWay::Streams(streams) => streams.send(message),
        }
    }

    /// Sets the agreed revision. A legacy client then opens its standing stream, if its shape has one.
    pub fn agree(&mut self, revision: Revision) {
        if let ClientWay::Streams(streams) = &mut self.way {
            streams.context.revision = Some(revision);
            if revision.is_legacy() {
                let standing = streams.link.call(Call::listen(streams.context.clone()));
                streams.read(None, standing);
            }
        }
    }

    /// Closes the stream of a request: a modern client's cancellation. Returns false on a pipe, which can't do that.
    pub fn hang_up(&mut self, id: &RequestId) -> bool {
        let ClientWay::Streams(streams) = &mut self.way else { return false };
        if let Some(call) = streams.calls.remove(id) {
            call.abort();
        }
        true
    }

    /// Receives the next message; `None` once the connection has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped future has taken no message.
    pub async fn receive(&mut self) -> Option<Message> {
        self.heard.recv().await.as_ref().map(over_the_wire)
    }

    /// Returns a message if one has already arrived.
    pub fn try_receive(&mut self) -> Option<Message> {
        self.heard.try_recv().ok().as_ref().map(over_the_wire)
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        self.cut.cut();
    }
}

fn pipe(weather: &Weather, cut: &Cut, link: Link, context: Context) -> (ClientWay, mpsc::Receiver<Message>) {
    let is_no_request = |message: &Message| !message.is_request();
    let (there, mut arriving) = Lane::<Message>::new(weather, cut, is_no_request);
    let (back, heard) = Lane::<Message>::new(weather, cut, |_| false);
    let mut pump = Pump::new(link, Limits::default());
    pump.context_mut().extensions = context.extensions;
    let cut = cut.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                biased;
                () = cut.happened() => return,
                message = std::future::poll_fn(|cx| pump.poll_next(cx)) => match message {
                    Some(message) => drop(back.send(message)),
                    None => return,
                },
                message = arriving.recv() => match message {
                    Some(message) => pump.handle(message),
                    None => return,
                },
            }
        }
    });
    (ClientWay::Pipe(there), heard)
}

fn streams(weather: &Weather, link: Link, mut context: Context) -> (ClientWay, mpsc::Receiver<Message>) {
    let (said, heard) = mpsc::channel(65_536);
    context.origin = Origin::unique();
    let streams = Streams {
        link,
        context,
        weather: weather.clone(),
        said,
        tasks: JoinSet::new(),
        calls: HashMap::new(),
    };
    (ClientWay::Streams(Box::new(streams)), heard)
}

impl Streams {
    fn send(&mut self, message: Message) {
        let id = message.request_id();
        let mut context = self.context.clone();
        if let Some(version) = message.meta_version() {
            // Each stateless request has an origin of its own.
            context.revision = Revision::parse(&version);
            context.origin = Origin::unique();
        }
        let reply = self.link.call(Call::message(message, context));
        self.read(id, reply);
    }

    /// Reads a reply on a task of its own.
    fn read(&mut self, id: Option<RequestId>, mut reply: Reply) {
        while self.tasks.try_join_next().is_some() {}
        let (weather, said, asked) = (self.weather.clone(), self.said.clone(), id.clone());
        let task = self.tasks.spawn(async move {
            while let Some(item) = reply.next().await {
                let message = match (item, &asked) {
                    (Ok(message), _) => message,
                    (Err(error), Some(id)) => error.to_message(Some(id)),
                    (Err(_), None) => return,
                };
                tokio::time::sleep(weather.delay()).await;
                if said.send(message).await.is_err() {
                    return;
                }
            }
        });
        if let Some(id) = id {
            self.calls.insert(id, task);
        }
    }
}
