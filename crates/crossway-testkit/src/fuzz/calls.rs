//! Fuzzes the table of calls in flight.

use std::collections::HashSet;

use bytes::Bytes;
use crossway_proto::{CallKey, Calls, Limits, Message, NotOpened, Owner, RequestId};

use super::input::Input;

/// Ids and tokens of clients. Several have the same value or a meaning for servers.
const IDS: [&str; 12] = [
    "1",
    "1.0",
    "1e0",
    "0",
    "-7",
    "65537",
    "\"1\"",
    "\"a\"",
    r#""\u0061""#,
    "\"\"",
    "18446744073709551616",
    r#""\ud800""#,
];

const METHODS: [&str; 4] = ["tools/call", "subscriptions/listen", "ping", r"subscriptions\/listen"];

/// Checks the table of calls under any order of opening, answering, cancelling and closing: no two calls in the table have the same
/// upstream id, each message finds its call and returns with the client's ids, and late messages find none.
///
/// # Panics
///
/// When a check fails.
pub fn calls(data: &[u8]) {
    let mut input = Input::new(data);
    let limit = usize::from(input.byte() % 16);
    let mut table = Table { calls: Calls::new(limit), limit, live: Vec::new(), gone: Vec::new(), opened: 0 };
    while let Some(step) = input.next() {
        let (choice, with) = (usize::from(input.byte()), usize::from(input.byte()));
        match step % 9 {
            0 | 1 => table.open(choice, with),
            2 => table.answer(choice, with),
            3 => table.progress(choice),
            4 => table.subscription(choice),
            5 => table.cancelled_by_upstream(choice),
            6 => table.cancelled_by_client(choice, with),
            7 => table.close(choice),
            _ => table.answer_to_nothing(choice),
        }
        table.check();
    }
}

/// The table, and what should be in it.
struct Table {
    calls: Calls<u64>,
    limit: usize,
    live: Vec<Expected>,
    /// The keys of closed calls.
    gone: Vec<CallKey>,
    opened: u64,
}

#[derive(Clone, Copy)]
struct Expected {
    key: CallKey,
    origin: u64,
    id: &'static str,
    token: Option<&'static str>,
    is_listen: bool,
    is_answered: bool,
    /// The number of calls opened before this one.
    state: u64,
}

impl Table {
    fn open(&mut self, choice: usize, with: usize) {
        let (id, method) = (IDS[choice % IDS.len()], METHODS[with % METHODS.len()]);
        let token = (with & 0x40 != 0).then(|| IDS[with % IDS.len()]);
        let meta = token.map_or_else(String::new, |token| {
            format!(r#","params":{{"_meta":{{"progressToken":{token}}}}}"#)
        });
        let mut request = parse(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"{meta}}}"#));
        let origin = (with >> 2) as u64 % 3;
        match self.calls.open(origin, &mut request, self.opened) {
            Err(why) => {
                assert_eq!((why, self.live.len()), (NotOpened::Full, self.limit), "refused with room")
            }
            Ok(key) => {
                assert!(self.live.len() < self.limit, "opened beyond the limit");
                assert_eq!(request.id(), Some(key.to_id()));
                assert_eq!(request.progress_token(), token.map(|_| key.to_id()));
                assert_eq!(Calls::<u64>::key_of(&request), Some(key));
                assert!(!self.gone.contains(&key), "an upstream id is given out again");
                let is_listen = request.is_method("subscriptions/listen");
                let state = self.opened;
                self.live.push(Expected { key, origin, id, token, is_listen, is_answered: false, state });
            }
        }
        self.opened += 1;
        let mut notification = parse(r#"{"jsonrpc":"2.0","method":"tools/call"}"#);
        let opened = self.calls.open(origin, &mut notification, 0);
        assert_eq!(opened, Err(NotOpened::NoRequest), "a notification is no call");
    }

    /// Chooses a call in the table or a closed one.
    fn choose(&self, choice: usize) -> Option<(CallKey, Option<usize>)> {
        let at = choice % (self.live.len() + self.gone.len()).max(1);
        match self.live.get(at) {
            Some(call) => Some((call.key, Some(at))),
            None => self.gone.get(at - self.live.len()).map(|key| (*key, None)),
        }
    }

    /// Like [`choose`](Self::choose), but returns the call only if it awaits an answer.
    fn choose_open(&self, choice: usize) -> Option<(CallKey, Option<Expected>)> {
        let (key, at) = self.choose(choice)?;
        Some((key, at.map(|at| self.live[at]).filter(|call| !call.is_answered)))
    }

    fn answer(&mut self, choice: usize, with: usize) {
        let Some((key, at)) = self.choose(choice) else { return };
        let open = at.filter(|at| !self.live[*at].is_answered);
        let key_id = key.to_id();
        let meta = if with & 1 == 0 {
            String::new()
        } else {
            format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{key_id}}}"#)
        };
        let what = if with & 2 == 0 {
            format!(r#""result":{{{meta}}}"#)
        } else {
            r#""error":{"code":1,"message":""}"#.to_owned()
        };
        let mut answer = parse(&format!(r#"{{"jsonrpc":"2.0","id":{key_id},{what}}}"#));
        let before = answer.to_bytes();
        let found = self.calls.answered(&mut answer);
        assert_eq!(found, open.map(|_| key), "an answer is late or early");
        match open {
            None => assert_eq!(answer.to_bytes(), before),
            Some(at) => {
                let id = self.live[at].id;
                let what = what.replace(&key_id.to_string(), id);
                assert_eq!(answer.to_bytes(), format!(r#"{{"jsonrpc":"2.0","id":{id},{what}}}"#));
                self.live[at].is_answered = true;
            }
        }
    }

    fn progress(&self, choice: usize) {
        let Some((key, call)) = self.choose_open(choice) else { return };
        let told = call.and_then(|call| call.token);
        let text = |token: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1}}}}"#
            )
        };
        let owner = if told.is_some() { Owner::Call(key) } else { Owner::Late };
        self.notified(&text(&key.to_id().to_string()), owner, told.map(text).as_deref());
    }

    fn subscription(&self, choice: usize) {
        let Some((key, call)) = self.choose_open(choice) else { return };
        let text = |id: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#
            )
        };
        let owner = if call.is_some() { Owner::Call(key) } else { Owner::Late };
        self.notified(&text(&key.to_id().to_string()), owner, call.map(|call| text(call.id)).as_deref());
    }

    fn cancelled_by_upstream(&self, choice: usize) {
        let Some((key, call)) = self.choose_open(choice) else { return };
        let call = call.filter(|call| call.is_listen);
        let text = |id: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"r"}}}}"#
            )
        };
        let owner = if call.is_some() { Owner::Call(key) } else { Owner::Nobody };
        self.notified(&text(&key.to_id().to_string()), owner, call.map(|call| text(call.id)).as_deref());
    }

    /// Checks that an upstream's notification goes to `owner` as `rewritten`, or stays unchanged if that is `None`.
    fn notified(&self, text: &str, owner: Owner, rewritten: Option<&str>) {
        let mut notification = parse(text);
        assert_eq!(self.calls.owner(&mut notification), owner);
        assert_eq!(notification.to_bytes(), rewritten.unwrap_or(text));
    }

    fn cancelled_by_client(&self, choice: usize, with: usize) {
        let (id, origin) = (IDS[choice % IDS.len()], with as u64 % 3);
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        let mut notification = parse(&text);
        let id = notification.cancelled_id();
        let mut meant = self.live.iter().filter(|call| {
            call.origin == origin && !call.is_answered && RequestId::parse(call.id.as_bytes()) == id
        });
        match self.calls.cancelled(origin, &mut notification) {
            None => {
                assert!(meant.next().is_none(), "a cancellation does not find its call");
                assert_eq!(notification.to_bytes(), text);
            }
            Some(key) => {
                assert!(meant.any(|call| call.key == key), "a cancellation finds a call that is not meant");
                assert_eq!(notification.cancelled_id(), Some(key.to_id()));
            }
        }
    }

    fn close(&mut self, choice: usize) {
        let Some((key, at)) = self.choose(choice) else { return };
        let closed = at.map(|at| self.live.remove(at));
        assert_eq!(self.calls.close(key), closed.map(|call| call.state));
        self.gone.extend(closed.map(|call| call.key));
        assert_eq!(self.calls.close(key), None, "closed twice");
    }

    /// Answers with ids that no call in the table has.
    fn answer_to_nothing(&mut self, choice: usize) {
        let id = IDS[choice % IDS.len()];
        let mut answer = parse(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        let asked = answer.id();
        if !self.live.iter().any(|call| Some(call.key.to_id()) == asked) {
            assert_eq!(self.calls.answered(&mut answer), None);
            assert_eq!(answer.id(), asked);
        }
    }

    fn check(&mut self) {
        assert_eq!((self.calls.len(), self.calls.is_empty()), (self.live.len(), self.live.is_empty()));
        let mut ids = HashSet::new();
        for call in &self.live {
            let id = call.key.to_id();
            assert!(id.as_u64().is_some_and(|id| id < 1 << 53), "JavaScript can't carry {id}");
            assert_eq!(CallKey::from_id(&id), Some(call.key));
            assert!(ids.insert(id), "two calls in the table have one upstream id");
            assert_eq!(self.calls.id(call.key).map(RequestId::as_json), Some(call.id.as_bytes()));
            assert_eq!(self.calls.state_mut(call.key), Some(&mut call.state.clone()));
            assert_eq!(self.calls.is_answered(call.key), call.is_answered);
        }
        assert_eq!(self.calls.iter_mut().count(), self.live.len());
        for key in &self.gone {
            assert_eq!((self.calls.id(*key), self.calls.is_answered(*key)), (None, false));
        }
        let mut open: Vec<_> = self.live.iter().filter(|call| !call.is_answered && !call.is_listen).collect();
        open.sort_by_key(|call| call.state);
        assert_eq!(self.calls.newest(), open.last().map(|call| (call.key, open.len() == 1)));
    }
}

fn parse(text: &str) -> Message {
    let text = Bytes::copy_from_slice(text.as_bytes());
    Message::parse(text, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}
