//! One run of a tool or prompt: its arguments, and its access to the client.

use std::time::Duration;

use rmcp::{
    RoleServer,
    model::{
        ClientCapabilities, ErrorData, InputResponses, JsonObject, LoggingLevel,
        LoggingMessageNotificationParam, ProgressNotificationParam,
    },
    service::RequestContext,
};
use serde_json::Value;

use crate::{answers::Answers, demo::Demo, era::Dialect, questions::Questions, seal::Kept, stop::Stop};

/// The common parts of `tools/call` and `prompts/get`.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) demo: &'a Demo,
    pub(crate) context: &'a RequestContext<RoleServer>,
    pub(crate) dialect: Dialect,
    pub(crate) method: &'static str,
    pub(crate) name: &'a str,
    pub(crate) arguments: JsonObject,
    pub(crate) responses: InputResponses,
    pub(crate) state: Option<String>,
}

impl Turn<'_> {
    /// A required text argument.
    pub(crate) fn text(&self, name: &str) -> Result<&str, Stop> {
        let text = self.arguments.get(name).and_then(Value::as_str);
        text.ok_or_else(|| Stop::Failed(format!("the argument {name} has to be a string")))
    }

    /// An optional text argument.
    pub(crate) fn text_or<'t>(&'t self, name: &str, default: &'t str) -> Result<&'t str, Stop> {
        if self.arguments.contains_key(name) { self.text(name) } else { Ok(default) }
    }

    /// An optional argument, a whole number up to `most`.
    pub(crate) fn whole_or(&self, name: &str, default: u64, most: u64) -> Result<u64, Stop> {
        let Some(value) = self.arguments.get(name) else { return Ok(default) };
        let whole = value.as_u64().filter(|whole| *whole <= most);
        whole.ok_or_else(|| {
            Stop::Failed(format!("the argument {name} has to be a whole number, {most} at most"))
        })
    }

    /// Reports progress, if the caller wants that.
    pub(crate) async fn progress(&self, done: u64, total: u64, message: &str) {
        let Some(token) = self.context.meta.get_progress_token() else { return };
        // f64 is what the protocol has; both counts are far below 2^53.
        let report =
            ProgressNotificationParam::new(token, done as f64).with_total(total as f64).with_message(message);
        // A client that is gone needs no report; the end of the call will show it.
        let _gone = self.context.peer.notify_progress(report).await;
    }

    /// Sends a log message, if the client wants messages of that level.
    ///
    /// A modern client sets the level in each request, else nothing may be sent (2026-07-28, server/utilities/logging). A legacy one sets
    /// it once, and gets everything until then.
    pub(crate) async fn log(&self, level: LoggingLevel, message: &str) {
        let wanted = match self.dialect {
            Dialect::Modern => self.context.meta.log_level(),
            Dialect::Legacy => Some(self.demo.session.level()),
        };
        if wanted.is_some_and(|wanted| level as u8 >= wanted as u8) {
            let entry =
                LoggingMessageNotificationParam::new(level, message.into()).with_logger("crossway-demo");
            let _gone = self.context.peer.notify_logging_message(entry).await;
        }
    }

    /// Waits; ends the turn if it is cancelled meanwhile.
    pub(crate) async fn pause(&self, pause: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.context.ct.cancelled() => Err(Stop::Failed("cancelled".to_owned())),
        }
    }

    /// The capabilities that the client declared.
    pub(crate) fn declared(&self) -> ClientCapabilities {
        self.context.client_capabilities().unwrap_or_default()
    }

    /// Asks the client. A modern client's answers may have come with the request already.
    pub(crate) async fn ask(&self, questions: Questions) -> Result<Answers, Stop> {
        self.put(questions, None).await
    }

    /// Like [`ask`](Self::ask), with a state that a modern client has to return: answers without that state don't count.
    pub(crate) async fn ask_with_state(&self, questions: Questions, state: &Kept) -> Result<Answers, Stop> {
        self.put(questions, Some(state)).await
    }

    /// The state in the request. One that this server did not seal for this subject is refused.
    pub(crate) fn kept(&self) -> Result<Option<Kept>, Stop> {
        let open = |sealed: &String| self.demo.server.seal.open(&self.subject(), sealed);
        Ok(self.state.as_ref().map(open).transpose()?)
    }

    /// The subject that a state is bound to. Members of JSON objects are sorted, so that equal arguments always give the same text.
    fn subject(&self) -> String {
        format!("{} {} {}", self.method, self.name, Value::Object(self.arguments.clone()))
    }

    async fn put(&self, questions: Questions, state: Option<&Kept>) -> Result<Answers, Stop> {
        questions.check(self.dialect, &self.declared())?;
        match self.dialect {
            Dialect::Legacy => questions.put_to(self.context).await,
            Dialect::Modern => {
                let in_turn = state.is_none() || self.kept()?.as_ref() == state;
                if let Some(answers) = questions.answered_by(&self.responses).filter(|_| in_turn) {
                    return Ok(answers);
                }
                let seal = |state: &Kept| self.demo.server.seal.seal(&self.subject(), state);
                let sealed: Option<String> =
                    state.map(seal).transpose().map_err(|error: ErrorData| Stop::from(error))?;
                Err(Stop::NeedsInput(Box::new(questions.into_result(sealed))))
            }
        }
    }
}
