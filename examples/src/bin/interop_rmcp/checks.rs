//! The features, in the order in which they are tried.

#![expect(deprecated, reason = "much of what is tried here is deprecated since 2026-07-28")]

use std::collections::HashSet;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures_util::future::try_join_all;
use rmcp::RoleClient;
use rmcp::model::{ServerNotification, SubscriptionFilter};
use rmcp::service::{RunningService, ServiceError, Subscription};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Options;
use crate::handler::Handler;
use crate::plans::{Absent, Plans};

const CALLS_AT_ONCE: usize = 20;
/// Of a legacy server on stdio four calls at once that may ask a modern client something have a process each; more wait, or start another.
const TRANSLATED_AT_ONCE: usize = 5;
const INVALID_PARAMS: i32 = -32602;
/// How long what has arrived may take to be handled.
const ALL_CAME: Duration = Duration::from_secs(10);
/// How long a session may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// What is tried, with what.
pub(crate) struct Checks {
    client: RunningService<RoleClient, Handler>,
    handler: Handler,
    plans: Plans,
    about: String,
}

/// A subscription as each era has it.
enum Watch {
    Legacy { uri: Option<String> },
    Modern(Box<Subscription>),
}

impl Checks {
    pub(crate) const FEATURES: [&str; 20] = [
        "tools",
        "prompts",
        "resources",
        "templates",
        "paging",
        "call",
        "call_unknown",
        "read",
        "prompt",
        "completion",
        "ping",
        "progress",
        "cancellation",
        "sampling",
        "elicitation",
        "roots",
        "subscription",
        "list_changed",
        "logging",
        "at_once",
    ];

    pub(crate) fn new(
        options: &Options,
        client: RunningService<RoleClient, Handler>,
        handler: Handler,
    ) -> Result<Self> {
        let server = client.peer_info().context("nothing is known of the server")?;
        let server = serde_json::to_value(server.as_ref())?;
        let revision = server.get("protocolVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = server.pointer("/serverInfo/name").and_then(Value::as_str).unwrap_or("(no name)");
        let capabilities = server.get("capabilities").cloned().unwrap_or_default();
        let modern = revision.as_str() >= "2026-07-28";
        ensure!(modern || revision == handler.revision, "the server speaks {revision}");
        let plans = Plans::new(options, &handler, capabilities, modern)?;
        Ok(Self { client, handler, plans, about: format!("{name} {revision}") })
    }

    pub(crate) fn about(&self) -> String {
        self.about.clone()
    }

    pub(crate) async fn check(&self, feature: &str) -> Result<String> {
        match feature {
            "tools" | "prompts" | "resources" | "templates" => self.list_all(feature).await,
            "paging" => self.paging().await,
            "call" => self.call_and_echo().await,
            "call_unknown" => self.call_unknown().await,
            "read" => self.read().await,
            "prompt" => self.prompt().await,
            "completion" => self.completion().await,
            "ping" if self.plans.modern => Err(Absent::because("impossible", "ping")),
            "ping" => self.ping().await,
            "progress" => self.progress().await,
            "cancellation" => self.cancellation().await,
            "sampling" => {
                self.asked("sampling/createMessage", &format!("sampled-{}", self.handler.nonce)).await
            }
            "elicitation" if !self.handler.knows_elicitation() => {
                Err(Absent::because("impossible", "elicitation"))
            }
            "elicitation" => self.asked("elicitation/create", &self.handler.nonce).await,
            "roots" => self.roots().await,
            "subscription" => self.subscription().await,
            "list_changed" => self.list_changed().await,
            "logging" => self.logging().await,
            "at_once" => self.at_once().await,
            _ => Err(anyhow!("{feature} is not known")),
        }
    }

    /// Ends the session.
    pub(crate) async fn close(self) -> Result<String> {
        tokio::time::timeout(CLOSE_LIMIT, self.client.cancel()).await.context("it does not end")??;
        Ok(String::new())
    }

    async fn call(&self, tool: &str, arguments: &Value) -> Result<Value> {
        let mut params = json!({"name": tool, "arguments": arguments});
        if self.plans.modern {
            params["_meta"] = json!({"io.modelcontextprotocol/logLevel": "debug"});
        }
        Ok(serde_json::to_value(self.client.call_tool(typed(params)?).await?)?)
    }

    /// Calls as a plan says, and sees that the answer is as it says.
    async fn used(&self, plan: &Value) -> Result<String> {
        let tool = text(plan, "tool")?;
        let none = json!({});
        let result = self.call(tool, plan.get("arguments").unwrap_or(&none)).await?;
        let said = text_of(&result);
        let is_error = |value: &Value, key| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        ensure!(is_error(&result, "isError") == is_error(plan, "is_error"), "isError: {said}");
        let expect = plan.get("expect").and_then(Value::as_str).unwrap_or_default();
        ensure!(said.contains(expect), "{said}");
        Ok(said)
    }

    /// Some servers echo in their errors alone.
    async fn echo(&self, message: &str) -> Result<()> {
        let plan = self.plans.plan("echo")?.to_string().replace("$MESSAGE", message);
        let answer = self.used(&serde_json::from_str(&plan)?).await?;
        ensure!(answer.contains(message), "echo of {message:?} answered {answer:?}");
        Ok(())
    }

    async fn page(&self, list: &str, cursor: Option<&str>) -> Result<Value, ServiceError> {
        let params = cursor.map(|cursor| json!({"cursor": cursor}));
        let params = params.map(typed).transpose().map_err(|_| ServiceError::UnexpectedResponse)?;
        let page = match list {
            "tools" => value(self.client.list_tools(params).await?),
            "prompts" => value(self.client.list_prompts(params).await?),
            "resources" => value(self.client.list_resources(params).await?),
            _ => value(self.client.list_resource_templates(params).await?),
        };
        Ok(page)
    }

    /// How many items each page of a list has, each page asked for with the cursor of the one before.
    async fn walk(&self, list: &str) -> Result<Vec<usize>> {
        let (field, key) = match list {
            "resources" => ("resources", "uri"),
            "templates" => ("resourceTemplates", "uriTemplate"),
            _ => (list, "name"),
        };
        let (mut sizes, mut keys, mut cursors) = (Vec::new(), HashSet::new(), HashSet::new());
        let mut cursor: Option<String> = None;
        loop {
            let page = self.page(list, cursor.as_deref()).await?;
            let items = page.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
            sizes.push(items.len());
            for item in items {
                let known = item.get(key).cloned().unwrap_or_default().to_string();
                ensure!(keys.insert(known.clone()), "an item came twice: {known}");
            }
            cursor = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            match &cursor {
                None => return Ok(sizes),
                Some(next) => ensure!(cursors.insert(next.clone()), "the cursor {next} came twice"),
            }
        }
    }

    async fn list_all(&self, list: &str) -> Result<String> {
        let has_items = self.plans.has_items(list)?;
        let sizes = self.walk(list).await?;
        let items: usize = sizes.iter().sum();
        ensure!((items > 0) == has_items, "{items} {list}");
        ensure!(sizes.len() == 1 || self.plans.raw("paging").is_some(), "{} pages of {list}", sizes.len());
        Ok(items.to_string())
    }

    /// As many pages as the fixture has, and no cursor that the server never gave.
    async fn paging(&self) -> Result<String> {
        let plan = self.plans.plan("paging")?.as_object().context("paging is no object")?;
        for (list, expect) in plan {
            let sizes = self.walk(list).await?;
            let found = json!({"pages": sizes.len(), "items": sizes.iter().sum::<usize>()});
            ensure!(found == *expect, "{list} came in pages of {sizes:?}");
            match self.page(list, Some("not-a-cursor")).await {
                Err(ServiceError::McpError(error)) if error.code.0 == INVALID_PARAMS => {}
                Err(error) => bail!("a cursor that {list} never had: {error}"),
                Ok(_) => bail!("{list} took a cursor that it never gave"),
            }
        }
        Ok(format!("{} lists", plan.len()))
    }

    async fn call_and_echo(&self) -> Result<String> {
        self.echo(&format!("hello {} \u{fc}\u{4e16}\u{1f30d}", self.handler.nonce)).await?;
        match self.plans.raw("call") {
            Some(plan) => self.used(plan).await,
            None => Ok(String::new()),
        }
    }

    /// Servers may refuse an unknown tool with an error, or answer with a result that says `isError`.
    async fn call_unknown(&self) -> Result<String> {
        let said = match self.call("no-such-tool", &json!({})).await {
            Ok(result) => {
                ensure!(result.get("isError") == Some(&json!(true)), "an unknown tool gave a result");
                text_of(&result)
            }
            Err(error) => format!("{error:#}"),
        };
        let said = said.to_lowercase();
        ensure!(["unknown", "not found", "no-such-tool"].iter().any(|word| said.contains(word)), "{said}");
        self.echo("after an error").await?;
        Ok(String::new())
    }

    async fn read(&self) -> Result<String> {
        let plan = self.plans.plan("resource")?;
        let params = typed(json!({"uri": text(plan, "uri")?}))?;
        let contents = value(self.client.read_resource(params).await?);
        let contents: Vec<&str> = contents
            .get("contents")
            .and_then(Value::as_array)
            .map(|contents| contents.iter().filter_map(|item| item.get("text")?.as_str()).collect())
            .unwrap_or_default();
        ensure!(contents.join("\n").contains(text(plan, "expect")?), "{contents:?}");
        Ok(String::new())
    }

    async fn prompt(&self) -> Result<String> {
        let plan = self.plans.plan("prompt")?;
        let params = json!({"name": text(plan, "name")?, "arguments": plan.get("arguments")});
        let messages = value(self.client.get_prompt(typed(params)?).await?).to_string();
        ensure!(messages.contains(text(plan, "expect")?), "{messages}");
        Ok(String::new())
    }

    async fn completion(&self) -> Result<String> {
        let plan = self.plans.plan("completion")?;
        let params = typed(json!({"ref": plan.get("ref"), "argument": plan.get("argument")}))?;
        let result = value(self.client.complete(params).await?);
        let values = result.pointer("/completion/values").and_then(Value::as_array).cloned();
        let values = values.with_context(|| format!("no values: {result}"))?;
        let expect = plan.get("expect").filter(|expect| !expect.is_null());
        ensure!(expect.is_none_or(|expect| values.contains(expect)), "{values:?}");
        Ok(format!("{values:?}"))
    }

    async fn ping(&self) -> Result<String> {
        let ping = typed(json!({"method": "ping"}))?;
        self.client.send_request(ping).await?;
        Ok(String::new())
    }

    /// rmcp gives each request a progress token.
    async fn progress(&self) -> Result<String> {
        let before = self.handler.events.of("progress").len();
        if self.plans.raw("progress").is_none() {
            self.echo("with a progress token").await?;
            let none = self.handler.events.of("progress").len() == before;
            ensure!(none, "the fixture does not know of the server's progress");
        }
        let plan = self.plans.plan("progress")?;
        self.used(plan).await?;
        // Each is handled in a task of its own: it may run after the answer's, and their order is not to be seen here.
        let sends = plan.get("sends").and_then(Value::as_u64).context("`sends` of `progress`")? as usize;
        let seen = || self.handler.events.of("progress").split_off(before);
        let _ =
            tokio::time::timeout(ALL_CAME, self.handler.events.wait("progress", |_| seen().len() >= sends))
                .await;
        let seen = seen();
        ensure!(seen.len() == sends, "{} progress notifications, not {sends}", seen.len());
        let total = plan.get("total").and_then(Value::as_f64);
        let totals = seen.iter().all(|note| note.get(1).and_then(Value::as_f64) == total);
        ensure!(totals, "{seen:?}");
        Ok(format!("{} notifications", seen.len()))
    }

    /// Where nothing takes long the answer may win: then all that is seen is that the session goes on.
    async fn cancellation(&self) -> Result<String> {
        if let Some(plan) = self.plans.raw("slow") {
            let before = self.handler.events.of("progress").len();
            let started =
                self.handler.events.wait("progress", |_| self.handler.events.of("progress").len() > before);
            tokio::select! {
                answer = self.used(plan) => bail!("the cancelled call ended: {answer:?}"),
                () = started => {}
            }
        } else {
            tokio::select! {
                biased;
                answer = self.echo("to be cancelled") => answer?,
                () = tokio::task::yield_now() => {}
            }
        }
        self.echo("after a cancel").await?;
        Ok(String::new())
    }

    async fn asked(&self, method: &str, expect: &str) -> Result<String> {
        self.plans.unasked(method, &self.handler)?;
        let answer = self.used(self.plans.plan(method.split('/').next().unwrap_or(method))?).await?;
        ensure!(answer.contains(expect), "{answer}");
        Ok(String::new())
    }

    async fn roots(&self) -> Result<String> {
        let root = self.handler.root().display().to_string();
        self.plans.unasked("roots/list", &self.handler)?;
        let plan = self.plans.plan("roots")?;
        if plan.get("by").is_none() {
            return self.asked("roots/list", &root).await;
        }
        // It asks when the session begins, and takes its time with the answer.
        self.handler.events.wait("asked", |method| method == "roots/list").await;
        while !self.used(plan).await?.contains(text(plan, "shown")?) {}
        Ok(String::new())
    }

    async fn watch(&self, uri: Option<&str>, kind: Option<&str>) -> Result<Watch> {
        if !self.plans.modern {
            if let Some(uri) = uri {
                self.client.subscribe(typed(json!({"uri": uri}))?).await?;
            }
            return Ok(Watch::Legacy { uri: uri.map(str::to_owned) });
        }
        let filter: SubscriptionFilter = match (uri, kind) {
            (Some(uri), _) => typed(json!({"resourceSubscriptions": [uri]}))?,
            (_, kind) => typed(json!({format!("{}ListChanged", kind.unwrap_or("tools")): true}))?,
        };
        Ok(Watch::Modern(Box::new(self.client.listen(filter).await?)))
    }

    /// Waits for a notification of a subscription, and ends it.
    async fn told(&self, watch: Watch, kind: &str, expect: &str) -> Result<()> {
        match watch {
            Watch::Legacy { uri } => {
                self.handler.events.wait(kind, |value| value == expect).await;
                if let Some(uri) = uri {
                    self.client.unsubscribe(typed(json!({"uri": uri}))?).await?;
                }
                Ok(())
            }
            Watch::Modern(mut subscription) => loop {
                let told = match subscription.next().await?.context("the stream has ended")? {
                    ServerNotification::ResourceUpdatedNotification(updated) => updated.params.uri,
                    ServerNotification::ToolListChangedNotification(_) => "tools".to_owned(),
                    ServerNotification::ResourceListChangedNotification(_) => "resources".to_owned(),
                    _ => continue,
                };
                if told == expect {
                    return Ok(subscription.cancel().await?);
                }
            },
        }
    }

    async fn subscription(&self) -> Result<String> {
        let plan = self.plans.plan("subscription")?;
        let uri = text(plan, "uri")?;
        let watch = self.watch(Some(uri), None).await?;
        self.used(plan.get("on").context("no way to change it")?).await?;
        self.told(watch, "updated", uri).await?;
        if let Some(off) = plan.get("off") {
            self.used(off).await?;
        }
        Ok(String::new())
    }

    async fn list_changed(&self) -> Result<String> {
        let plan = match self.plans.plan("list_changed") {
            Ok(plan) => plan,
            Err(absent) => {
                let is_elsewhere = absent.downcast_ref::<Absent>().is_some_and(|absent| absent.is_elsewhere);
                let none = self.handler.events.of("list_changed").is_empty();
                ensure!(is_elsewhere || none, "the fixture does not know of it");
                return Err(absent);
            }
        };
        let kind = text(plan, "kind")?;
        let watch = self.watch(None, Some(kind)).await?;
        self.used(plan).await?;
        self.told(watch, "list_changed", kind).await?;
        Ok(String::new())
    }

    async fn logging(&self) -> Result<String> {
        let plan = self.plans.plan("logging")?;
        let says = text(plan, "says")?;
        let said = |data: &Value| data.to_string().contains(says);
        if !self.plans.modern {
            self.client.set_level(typed(json!({"level": "debug"}))?).await?;
        }
        if text(plan, "by")? == "subscribe" {
            let params = json!({"uri": text(plan, "uri")?});
            self.client.subscribe(typed(params.clone())?).await?;
            self.client.unsubscribe(typed(params)?).await?;
        } else {
            self.used(plan.get("on").context("no way to log")?).await?;
        }
        if let Some(during) = plan.get("during") {
            // A message reaches a modern client in the course of a call alone, and of one in the same session of a pool.
            let again_after = plan.get("again_after").and_then(Value::as_u64).unwrap_or(1);
            for call in 1.. {
                if self.handler.events.of("log").iter().any(said) {
                    break;
                }
                self.used(during).await?;
                if call % again_after == 0 {
                    self.used(plan.get("on").context("no way to log")?).await?;
                }
            }
        }
        self.handler.events.wait("log", said).await;
        Ok(String::new())
    }

    async fn at_once(&self) -> Result<String> {
        let calls = if self.plans.is_translated() { TRANSLATED_AT_ONCE } else { CALLS_AT_ONCE };
        let messages: Vec<String> =
            (0..calls).map(|number| format!("call {number} of {};", self.handler.nonce)).collect();
        try_join_all(messages.iter().map(|message| self.echo(message))).await?;
        Ok(format!("{calls} calls"))
    }
}

/// rmcp's types can't be built outside of it but from JSON.
fn typed<T: DeserializeOwned>(value: Value) -> Result<T> {
    serde_json::from_value(value).context("a request of no shape that rmcp knows")
}

fn value(typed: impl Serialize) -> Value {
    serde_json::to_value(typed).unwrap_or_default()
}

fn text<'a>(plan: &'a Value, key: &str) -> Result<&'a str> {
    plan.get(key).and_then(Value::as_str).with_context(|| format!("the fixture has no {key}"))
}

/// The text of a result's content.
fn text_of(result: &Value) -> String {
    let content = result.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    content.iter().filter_map(|item| item.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
}
