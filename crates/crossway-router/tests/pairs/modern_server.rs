//! A server of 2026-07-28.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossway_proto::Revision;
use crossway_testkit::sim::{ServerEnd, Way};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::knows::strange_to_server;
use crate::server::{
    Host, answer, audio, check_answer, fail, id_text, link, log, progress, question, token_text, value,
};

/// One connection: any number of clients'.
struct Process {
    host: Host,
    listeners: Mutex<HashMap<String, Listener>>,
    end: Box<dyn Fn() + Send + Sync>,
}

struct Listener {
    way: Way,
    filter: Value,
}

pub(crate) async fn serve(host: Host, mut end: ServerEnd) {
    let cut = end.cutter();
    let process = Arc::new(Process { host, listeners: Mutex::default(), end: Box::new(cut) });
    let mut tasks = JoinSet::new();
    let mut calls: HashMap<String, AbortHandle> = HashMap::new();
    while let Some(arrived) = end.receive().await {
        let Some(message) = arrived.message else { continue };
        let (said, id, way) = (value(&message), id_text(&message), arrived.way);
        if let Some(strange) = strange_to_server(Revision::V2026_07_28, &said) {
            process.host.world.wrong(strange);
        }
        let done = |result: Value| answer(&way, &id, &result);
        let cached = |member: &str, items: Value| json!({ "resultType": "complete", "ttlMs": 1000, "cacheScope": "public", member: items });
        match said["method"].as_str().unwrap_or_default() {
            "server/discover" => done(json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "ttlMs": 0, "cacheScope": "public",
                "capabilities": {
                    "tools": { "listChanged": true }, "logging": {},
                    "resources": { "subscribe": true, "listChanged": true },
                },
                "_meta": { "io.modelcontextprotocol/serverInfo": { "name": "sim", "version": "1" } },
            })),
            "tools/list" => {
                done(cached("tools", json!([{ "name": "work", "inputSchema": { "type": "object" } }])));
            }
            "resources/list" => done(cached("resources", json!([{ "uri": "sim:///news", "name": "news" }]))),
            "resources/templates/list" => done(cached("resourceTemplates", json!([]))),
            "prompts/list" => done(cached("prompts", json!([]))),
            "subscriptions/listen" => process.listen(&id, &said["params"]["notifications"], &way),
            "notifications/cancelled" => {
                let id = said["params"]["requestId"].to_string();
                process.forget(&id);
                if let Some(call) = calls.remove(&id) {
                    call.abort();
                }
            }
            "tools/call" => {
                let work = Work {
                    process: Arc::clone(&process),
                    way: way.clone(),
                    id,
                    token: token_text(&message),
                    params: said["params"].clone(),
                };
                let call = tasks.spawn(async move {
                    tokio::select! {
                        () = way.closed() => {}
                        () = work.run() => {}
                    }
                });
                calls.insert(said["id"].to_string(), call);
            }
            method if message.is_request() => fail(&way, &id, -32601, &json!({ "served": method })),
            _ => {}
        }
    }
}

impl Process {
    fn listen(&self, id: &str, filter: &Value, way: &Way) {
        way.send(&format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}},"notifications":{filter}}}}}"#
        ));
        let listener = Listener { way: way.clone(), filter: filter.clone() };
        self.listeners.lock().insert(id.to_owned(), listener);
    }

    fn forget(&self, id: &str) {
        self.listeners.lock().remove(id);
    }

    fn announce(&self, method: &str, params: &str, is_wanted: impl Fn(&Value) -> bool) {
        let listeners = self.listeners.lock();
        for (id, listener) in listeners.iter().filter(|(_, listener)| is_wanted(&listener.filter)) {
            listener.way.send(&format!(
                r#"{{"jsonrpc":"2.0","method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}{params}}}}}"#
            ));
        }
    }
}

/// One round of a call of the tool.
struct Work {
    process: Arc<Process>,
    way: Way,
    id: String,
    token: Option<String>,
    params: Value,
}

impl Work {
    async fn run(&self) {
        let arguments = &self.params["arguments"];
        let mark = arguments["mark"].as_str().unwrap();
        let meta = &self.params["_meta"];
        let world = &self.process.host.world;
        world.saw(&format!("{mark}{}", meta["round"].as_str().unwrap_or_default()));
        let capabilities = &meta["io.modelcontextprotocol/clientCapabilities"];
        let deeds = arguments["do"].as_array().unwrap();
        let mut begin = 0;
        if let Some(state) = self.params["requestState"].as_str() {
            let (of, number) = state.split_once('/').unwrap_or_default();
            world.expect(of == mark, || format!("the state of another call: {}", self.params));
            check_answer(world, mark, &self.params["inputResponses"]["q"]);
            begin = number.parse::<usize>().unwrap_or_default();
        }
        for (number, deed) in deeds.iter().enumerate().skip(begin) {
            match deed.as_str().unwrap() {
                "progress" => {
                    if let Some(token) = &self.token {
                        self.way.send(&progress(token, number, mark));
                    }
                }
                "log" if !meta["io.modelcontextprotocol/logLevel"].is_null() => self.way.send(&log(mark)),
                "wait" => sleep(Duration::from_millis(30)).await,
                "changed" => self.process.announce("notifications/tools/list_changed", "", |filter| {
                    filter["toolsListChanged"] == true
                }),
                "updated" => {
                    let uri = r#","uri":"sim:///news""#;
                    self.process.announce("notifications/resources/updated", uri, |filter| {
                        filter["resourceSubscriptions"].to_string().contains("sim:///news")
                    });
                }
                "fail" => return fail(&self.way, &self.id, -31500, &json!({ "served": mark })),
                "missing" => return fail(&self.way, &self.id, -32602, &json!({ "served": mark })),
                "die" => return (self.process.end)(),
                "hang" => std::future::pending().await,
                ask => {
                    let Some((method, params)) = question(ask, mark, Revision::V2026_07_28, capabilities)
                    else {
                        continue;
                    };
                    let asked = json!({
                        "resultType": "input_required",
                        "inputRequests": { "q": { "method": method, "params": params } },
                        "requestState": format!("{mark}/{}", number + 1),
                    });
                    return answer(&self.way, &self.id, &asked);
                }
            }
        }
        let mut content = vec![json!({ "type": "text", "text": format!("done {mark}") })];
        content.extend(deeds.iter().filter_map(|deed| match deed.as_str() {
            Some("audio") => Some(audio(mark)),
            Some("link") => Some(link(mark)),
            _ => None,
        }));
        let mut result = json!({ "resultType": "complete", "content": content });
        if deeds.iter().any(|deed| deed == "structured") {
            result["structuredContent"] = json!([mark]);
        }
        answer(&self.way, &self.id, &result);
    }
}
