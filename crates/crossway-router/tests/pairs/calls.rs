//! What a client has asked, and how it ended.

use crossway_proto::{RequestId, Revision};
use serde_json::Value;

use crate::world::World;

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Of the tool. Each round of a modern client's call is a request of its own.
    Call {
        deeds: Vec<&'static str>,
        round: String,
    },
    Listen,
    Other,
}

/// A request of a client's.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: RequestId,
    pub(crate) token: Option<RequestId>,
    pub(crate) mark: String,
    pub(crate) kind: Kind,
    pub(crate) params: Value,
    pub(crate) revision: Revision,
    pub(crate) is_cancelled: bool,
    /// The client has gone away since, or its connection has broken.
    pub(crate) is_lost: bool,
    pub(crate) ends: Vec<End>,
}

/// How a request ended.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Result(Value),
    Error(Value),
}

impl End {
    pub(crate) fn of(response: &Value) -> Self {
        if response["error"].is_null() {
            Self::Result(response["result"].clone())
        } else {
            Self::Error(response["error"].clone())
        }
    }
}

impl Asked {
    pub(crate) fn new(
        id: RequestId,
        token: Option<RequestId>,
        mark: String,
        kind: Kind,
        params: Value,
        revision: Revision,
    ) -> Self {
        Self {
            id,
            token,
            mark,
            kind,
            params,
            revision,
            is_cancelled: false,
            is_lost: false,
            ends: Vec::new(),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.ends.is_empty() && !self.is_cancelled && !self.is_lost
    }

    /// It has ended with a result, and the client was not asked before.
    pub(crate) fn is_done(&self) -> bool {
        matches!(&self.ends[..], [End::Result(result)] if result["resultType"] != "input_required")
    }

    /// It has no end unless it is cancelled.
    pub(crate) fn waits_for_ever(&self) -> bool {
        self.is_open()
            && match &self.kind {
                Kind::Call { deeds, .. } => deeds.contains(&"hang"),
                Kind::Listen => true,
                Kind::Other => false,
            }
    }

    /// It has ended once, and with what is true.
    pub(crate) fn check(&self, world: &World) {
        let may_have_none = self.is_cancelled || self.is_lost;
        let is_once = self.ends.len() == 1 || self.ends.is_empty() && may_have_none;
        world.expect(is_once, || format!("a request with {} ends: {self:?}", self.ends.len()));
        match self.ends.first() {
            Some(End::Result(result)) => self.check_result(result, world),
            Some(End::Error(error)) => self.check_error(error, world),
            None => {}
        }
    }

    fn check_result(&self, result: &Value, world: &World) {
        let Kind::Call { deeds, .. } = &self.kind else { return };
        if result["resultType"] == "input_required" {
            let is_of_it = deeds.iter().any(|deed| deed.starts_with("ask-"));
            // Legacy servers ask about roots outside of calls, too.
            let asked = result["inputRequests"].as_object().into_iter().flat_map(|asked| asked.values());
            let is_of_roots = asked.into_iter().all(|asked| asked["method"] == "roots/list");
            return world.expect(is_of_it || is_of_roots, || format!("asked for nothing: {self:?}"));
        }
        let is_whole = result["content"][0]["text"] == format!("done {}", self.mark);
        let failed = deeds.iter().any(|deed| ["fail", "missing", "die", "hang"].contains(deed));
        world.expect(is_whole && !failed, || format!("a wrong result: {self:?}"));
        let text = result.to_string();
        let refused = text.contains("not answered");
        world.expect(!refused, || format!("a question that the client could have answered: {self:?}"));
        for (deed, since) in [("audio", Revision::V2025_03_26), ("link", Revision::V2025_06_18)] {
            let is_there = text.contains(&format!("left out: it came with revision {since}"));
            let is_out = is_there && self.revision >= since;
            world.expect(!is_out, || format!("{deed} was left out for nothing: {self:?}"));
        }
    }

    fn check_error(&self, error: &Value, world: &World) {
        let Kind::Call { deeds, round } = &self.kind else {
            let is_typed = !error["data"]["outcome"].is_null();
            return world.expect(is_typed, || format!("not typed: {self:?}"));
        };
        let data = &error["data"];
        match data["outcome"].as_str() {
            Some("not sent") => {
                let times = world.times_seen(&format!("{}{round}", self.mark));
                world.expect(times == 0, || format!("not sent, and seen {times} times: {self:?}"));
            }
            Some("sent, unknown" | "answered with an error") => {}
            // The server's own.
            None if data["served"] == *self.mark || data["data"]["served"] == *self.mark => {
                let fails = deeds.iter().any(|deed| ["fail", "missing"].contains(deed));
                world.expect(fails, || format!("an error of another call: {self:?}"));
            }
            _ => world.wrong(format!("not typed: {self:?}")),
        }
    }
}
