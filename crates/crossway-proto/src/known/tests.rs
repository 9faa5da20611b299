//! Readers of a message that was edited, against those of the message that is written of it.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::Limits;

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const LEVEL: &str = "io.modelcontextprotocol/logLevel";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

/// What the readers say of a message.
fn said(message: &Message) -> Vec<Option<String>> {
    let json = |json: Option<&[u8]>| json.map(|json| String::from_utf8(json.to_vec()).unwrap());
    let id = |id: Option<RequestId>| json(id.as_ref().map(RequestId::as_json));
    let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    vec![
        text(message.name()),
        message.arguments().map_or(Some("ambiguous".into()), json),
        message.request_state().map_or(Some("ambiguous".into()), json),
        id(message.progress_token()),
        id(message.cancelled_id()),
        id(message.subscription_id()),
        text(message.meta_version()),
        json(message.log_level()),
        json(message.client_capabilities()),
        text(message.initialize_version()),
        Some(format!("says capabilities: {}", message.says_client_capabilities())),
    ]
}

#[test]
fn a_name_and_arguments_that_were_put_in_are_those_that_readers_give() {
    let mut call = message(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{"a":1},"arguments":{}}}"#,
    );
    assert_eq!(call.arguments(), Err(Ambiguous));
    call.set_name("set");
    assert_eq!(call.name().as_deref(), Some("set"));
    call.edit(Part::Params, &[], &[("name", b"\"delete\""), ("arguments", b"[2]")]).unwrap();
    assert_eq!(call.name().as_deref(), Some("delete"));
    assert_eq!(call.arguments(), Ok(Some(&b"[2]"[..])));
    call.set_name("again");
    assert_eq!(
        call.to_bytes(),
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"again","arguments":[2]}}"#
    );
    call.edit(Part::Params, &["name", "arguments"], &[]).unwrap();
    assert_eq!((call.name(), call.arguments()), (None, Ok(None)));
    assert_eq!(call.reread().unwrap().arguments(), Ok(None));
}

#[test]
fn rare_members_that_were_put_in_are_found() {
    let mut call = message(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#);
    call.edit(Part::Params, &[], &[("name", b"\"a\"")]).unwrap();
    assert!(!call.has_rare_members());
    call.edit(Part::Params, &[], &[("requestState", b"\"s\"")]).unwrap();
    assert!(call.has_rare_members());
    assert_eq!(call.request_state(), Ok(Some(&b"\"s\""[..])));
    let mut answer = message(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    answer.edit(Part::Result, &[], &[("cacheScope", b"\"private\"")]).unwrap();
    assert!(answer.has_rare_members());
}

#[derive(Debug, Clone)]
enum Step {
    Edit { part: Part, remove: Vec<&'static str>, put: Vec<(&'static str, &'static str)> },
    SetId,
    SetName,
    SetProgressToken,
    SetCancelledId,
    SetSubscriptionId,
}

fn step() -> impl Strategy<Value = Step> {
    let values = [
        ("name", vec![r#""n""#, r#""\u006e""#, "7"]),
        ("uri", vec![r#""u:1""#]),
        ("arguments", vec!["{}", r#"{"name":"inner"}"#]),
        ("requestState", vec![r#""s""#]),
        ("requestId", vec!["5", "null"]),
        ("progressToken", vec!["6", r#""p""#, "[]"]),
        ("protocolVersion", vec![r#""2025-11-25""#]),
        ("_meta", vec!["{}", r#"{"progressToken":"whole"}"#]),
    ];
    let in_meta = [
        ("progressToken", vec!["8", r#""q""#]),
        (VERSION, vec![r#""2026-07-28""#]),
        (LEVEL, vec![r#""info""#]),
        (SUBSCRIPTION, vec!["9"]),
        (keys::CLIENT_CAPABILITIES, vec!["{}", r#"{"roots":{}}"#]),
    ];
    let edit = |part: Part, values: Vec<(&'static str, Vec<&'static str>)>| {
        let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
        let put = prop::sample::subsequence(values, 0..3).prop_flat_map(|values| {
            let each = values.into_iter().map(|(name, values)| (Just(name), prop::sample::select(values)));
            each.collect::<Vec<_>>()
        });
        (prop::sample::subsequence(names, 0..3), put).prop_map(move |(remove, put)| Step::Edit {
            part,
            remove,
            put,
        })
    };
    prop_oneof![
        4 => edit(Part::Params, values.to_vec()),
        4 => edit(Part::Meta, in_meta.to_vec()),
        1 => Just(Step::SetId),
        1 => Just(Step::SetName),
        1 => Just(Step::SetProgressToken),
        1 => Just(Step::SetCancelledId),
        1 => Just(Step::SetSubscriptionId),
    ]
}

proptest! {
    #[test]
    fn readers_of_an_edited_message_give_what_will_be_read_of_it(
        params in prop::sample::select(vec![
            "", r#","params":{}"#, r#","params":{"name":"a","arguments":{"x":1},"uri":"a:1"}"#,
            r#","params":{ "arguments":{} , "arguments":{"x":1}, "_meta":{ "progressToken":1 } }"#,
            r#","params":{"requestState":"t","progressToken":2,"requestId":3,"_meta":{"io.modelcontextprotocol/logLevel":"debug"}}"#,
            r#","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{"roots":{}},"progressToken":"a","io.modelcontextprotocol/subscriptionId":4},"protocolVersion":"1"}"#,
            r#","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/protocolVersion":"2"}}"#,
        ]),
        head in prop::sample::select(vec![r#""id":1,"method":"tools/call""#, r#""id":1,"method":"resources/read""#, r#""method":"n""#]),
        steps in prop::collection::vec(step(), 1..6),
    ) {
        let mut edited = message(&format!(r#"{{"jsonrpc":"2.0",{head}{params}}}"#));
        // The same, where each step is done to what was written and read before.
        let mut anew = edited.clone();
        for step in &steps {
            for message in [&mut edited, &mut anew] {
                match step {
                    Step::Edit { part, remove, put } => {
                        let put: Vec<_> = put.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
                        message.edit(*part, remove, &put).unwrap();
                    }
                    Step::SetId => message.set_id(&RequestId::from("another")),
                    Step::SetName => message.set_name("set"),
                    Step::SetProgressToken => message.set_progress_token(&RequestId::from(77)),
                    Step::SetCancelledId => message.set_cancelled_id(&RequestId::from("cancelled")),
                    Step::SetSubscriptionId => message.set_subscription_id(&RequestId::from("heard")),
                }
            }
            let text = anew.to_bytes();
            anew = message(std::str::from_utf8(&text).unwrap());
            let reread = message(std::str::from_utf8(&edited.to_bytes()).unwrap());
            prop_assert_eq!(said(&edited), said(&reread), "{:?}", edited.to_bytes());
            prop_assert_eq!(said(&edited), said(&anew), "{:?} {:?}", edited.to_bytes(), text);
            prop_assert!(edited.has_rare_members() || !reread.has_rare_members());
        }
    }
}
