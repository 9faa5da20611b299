//! The filter of a `subscriptions/listen` request.

use crossway_proto::{ErrorCode, ErrorObject, Message, Outcome, Part};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// The `notifications` of a `subscriptions/listen` request, or of its acknowledgment (2026-07-28, schema, SubscriptionFilter).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionFilter {
    /// Whether the client is notified of changes of the list of tools.
    pub tools: bool,
    /// Whether the client is notified of changes of the list of prompts.
    pub prompts: bool,
    /// Whether the client is notified of changes of the list of resources.
    pub resources: bool,
    /// The resources whose changes the client is notified of.
    pub uris: Vec<String>,
}

/// Its members as JSON text. Null counts as absent.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Said<'a> {
    #[serde(borrow)]
    tools_list_changed: Option<&'a RawValue>,
    #[serde(borrow)]
    prompts_list_changed: Option<&'a RawValue>,
    #[serde(borrow)]
    resources_list_changed: Option<&'a RawValue>,
    #[serde(borrow)]
    resource_subscriptions: Option<&'a RawValue>,
}

impl SubscriptionFilter {
    /// Reads the filter of a request. Members that are absent or null ask for nothing.
    ///
    /// # Errors
    ///
    /// When a member has another type than the schema says. If it were ignored, the client would wait for
    /// notifications that never come.
    pub fn of(request: &Message) -> Result<Self, ErrorObject> {
        let json = request.member(Part::Params, "notifications").filter(|json| *json != b"null");
        let Some(json) = json else { return Ok(Self::default()) };
        let is_object = json.starts_with(b"{");
        let said = serde_json::from_slice(json).ok().filter(|_| is_object);
        let said: Said<'_> = said.ok_or_else(|| malformed("\"notifications\""))?;
        let flag = |name, value| read(value).ok_or_else(|| malformed(name));
        Ok(Self {
            tools: flag("\"toolsListChanged\"", said.tools_list_changed)?,
            prompts: flag("\"promptsListChanged\"", said.prompts_list_changed)?,
            resources: flag("\"resourcesListChanged\"", said.resources_list_changed)?,
            uris: read(said.resource_subscriptions).ok_or_else(|| malformed("\"resourceSubscriptions\""))?,
        })
    }

    /// Reads the filter of an acknowledgment, or one of our own: JSON text. Unreadable parts are ignored.
    #[must_use]
    pub fn readable(json: &[u8]) -> Self {
        let said: Said<'_> = serde_json::from_slice(json).unwrap_or_default();
        Self {
            tools: read(said.tools_list_changed).unwrap_or_default(),
            prompts: read(said.prompts_list_changed).unwrap_or_default(),
            resources: read(said.resources_list_changed).unwrap_or_default(),
            uris: read(said.resource_subscriptions).unwrap_or_default(),
        }
    }
}

fn read<T: DeserializeOwned + Default>(value: Option<&RawValue>) -> Option<T> {
    value.map_or_else(|| Some(T::default()), |value| serde_json::from_str(value.get()).ok())
}

fn malformed(what: &str) -> ErrorObject {
    ErrorObject::of_call(
        ErrorCode::INVALID_PARAMS,
        format!("{what} of the subscription is not what it has to be"),
        Outcome::NotSent,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossway_proto::RequestId;

    fn of(params: &str) -> Result<SubscriptionFilter, ErrorObject> {
        let id = RequestId::from(1);
        SubscriptionFilter::of(
            &Message::request_of(&id, "subscriptions/listen", Some(params.as_bytes())).unwrap(),
        )
    }

    #[test]
    fn null_is_absent_and_what_is_malformed_is_refused_by_its_name() {
        let tools = SubscriptionFilter { tools: true, ..SubscriptionFilter::default() };
        for asked in [
            r#"{"toolsListChanged":true}"#,
            r#"{"toolsListChanged":true,"resourceSubscriptions":null,"promptsListChanged":null}"#,
            r#"{"toolsListChanged":true,"vendor":5}"#,
        ] {
            assert_eq!(of(&format!(r#"{{"notifications":{asked}}}"#)).unwrap(), tools, "{asked}");
        }
        for nothing in ["{}", r#"{"notifications":null}"#, r#"{"notifications":{}}"#] {
            assert_eq!(of(nothing).unwrap(), SubscriptionFilter::default(), "{nothing}");
        }
        for (malformed, named) in [
            ("[]", "notifications"),
            ("5", "notifications"),
            (r#"{"toolsListChanged":"yes"}"#, "toolsListChanged"),
            (r#"{"toolsListChanged":true,"promptsListChanged":1}"#, "promptsListChanged"),
            (r#"{"resourceSubscriptions":"u:1"}"#, "resourceSubscriptions"),
            (r#"{"toolsListChanged":true,"resourceSubscriptions":["u:1",5]}"#, "resourceSubscriptions"),
        ] {
            let error = of(&format!(r#"{{"notifications":{malformed}}}"#)).unwrap_err();
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
            assert!(error.message.contains(named), "{malformed}: {error:?}");
        }
    }

    #[test]
    fn of_an_acknowledgment_each_member_counts_by_itself() {
        let taken =
            br#"{"toolsListChanged":"yes","resourceSubscriptions":["u:1"],"promptsListChanged":null}"#;
        let uris = vec!["u:1".to_owned()];
        assert_eq!(
            SubscriptionFilter::readable(taken),
            SubscriptionFilter { uris, ..SubscriptionFilter::default() }
        );
        assert_eq!(SubscriptionFilter::readable(b""), SubscriptionFilter::default());
    }
}
