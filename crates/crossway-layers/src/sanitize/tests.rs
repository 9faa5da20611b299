use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::script::{around, call_of, response};

async fn answer(layer: SanitizeLayer, method: &str, result: &str) -> String {
    let (link, server) = around(&layer).await;
    let reply = link.call(call_of("alice", 1, method, "{}"));
    let id = server.expect(method).await;
    server.answer(&id, result);
    let answer = response(reply).await.unwrap();
    assert_eq!(answer.id(), Some(1.into()));
    String::from_utf8(answer.result().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn texts_lose_what_people_can_not_see_and_nothing_else_changes() {
    let result = concat!(
        r#"{"tools": [ {"name":"a\u202eb", "description" : "reads\u0000 \u001b[31mfiles\u202e\n\tin order" , "x":1.50,"#,
        "\"inputSchema\":{\"properties\":{\"description\":{\"type\":\"string\",\"d\\u0065scription\":\"see\u{e0041}\u{e0042}n\"}},",
        r#""title":["\u202e"],"enum":["\u202e"]}} ],"nextCursor":"\u202e"}"#
    );
    let left = concat!(
        r#"{"tools": [ {"name":"a\u202eb", "description" : "reads [31mfiles\n\tin order" , "x":1.50,"#,
        r#""inputSchema":{"properties":{"description":{"type":"string","d\u0065scription":"seen"}},"#,
        r#""title":["\u202e"],"enum":["\u202e"]}} ],"nextCursor":"\u202e"}"#
    );
    assert_eq!(answer(SanitizeLayer::new(), "tools/list", result).await, left);
}

#[tokio::test]
async fn harmless_answers_stay_the_bytes_that_they_are() {
    let result = r#"{ "tools":[{"description":"plain \"text\"\n with \u00e4 and 👩‍👩‍👧 in it","n":1e2}] }"#;
    for method in ["tools/list", "server/discover", "initialize"] {
        assert_eq!(answer(SanitizeLayer::new(), method, result).await, result);
    }
}

#[tokio::test]
async fn texts_have_a_bound() {
    let layer = SanitizeLayer::new().description(5).instructions(0);
    let result = r#"{"instructions":"do as I say","serverInfo":{"title":"123456","description":"12345"}}"#;
    assert_eq!(
        answer(layer, "server/discover", result).await,
        r#"{"instructions":"","serverInfo":{"title":"12345…","description":"12345"}}"#
    );
}

#[tokio::test]
async fn names_that_nothing_is_called_by_are_texts() {
    for (method, list) in [("resources/list", "resources"), ("resources/templates/list", "resourceTemplates")]
    {
        let result = format!(r#"{{"{list}":[{{"uri":"x:\u202ea","name":"a\u202eb"}}]}}"#);
        let left = format!(r#"{{"{list}":[{{"uri":"x:\u202ea","name":"ab"}}]}}"#);
        assert_eq!(answer(SanitizeLayer::new(), method, &result).await, left);
    }
    let info = r#"{"name":"a\u202eb","version":"1\u202e","icons":[{"name":"\u202e"}],"n":"\u202e"}"#;
    let left = r#"{"name":"ab","version":"1","icons":[{"name":"\u202e"}],"n":"\u202e"}"#;
    for (method, member) in [
        ("initialize", r#""serverInfo""#),
        ("server/discover", r#""serverInfo""#),
        ("server/discover", r#""io.modelcontextprotocol\/serverInfo" "#),
        ("tools/list", r#""io.modelcontextprotocol/serverInfo""#),
    ] {
        let whole = |info| {
            format!(
                r#"{{"name":"\u202e","_meta":{{{member}: {info},"name":"\u202e"}},"tools":[{{"name":"\u202e"}}]}}"#
            )
        };
        assert_eq!(answer(SanitizeLayer::new(), method, &whole(info)).await, whole(left), "{method}");
    }
    // Prompts are called by their names.
    let prompts = r#"{"serverInfo":[],"prompts":[{"name":"\u202e","arguments":[{"name":"\u202e"}]}]}"#;
    assert_eq!(answer(SanitizeLayer::new(), "prompts/list", prompts).await, prompts);
}

#[tokio::test]
async fn a_prompts_description_is_a_text_and_its_messages_are_not() {
    let messages = r#""messages":[{"role":"user","content":{"type":"resource_link","uri":"x:a","name":"a\u202e","title":"1234567\u202e","description":"1234567\u202e"}},{"role":"user","content":{"type":"text","text":"\u202e","description":"\u202e","_meta":{"serverInfo":{"name":"\u202e"}}}}]"#;
    let info = |name| format!(r#""_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"{name}"}}}}"#);
    let result = format!(r#"{{{messages},"description":"a\u202eb",{}}}"#, info("a\\u202eb"));
    let left = format!(r#"{{{messages},"description":"ab",{}}}"#, info("ab"));
    let layer = SanitizeLayer::new().description(5);
    assert_eq!(answer(layer, "prompts/get", &result).await, left);
}

#[tokio::test]
async fn what_a_tool_answers_is_not_looked_at() {
    let result = r#"{"content":[{"type":"text","description":"\u202e"}]}"#;
    assert_eq!(answer(SanitizeLayer::new(), "tools/call", result).await, result);
}

#[tokio::test]
async fn half_a_surrogate_pair_is_no_text() {
    let result = r#"{"tools":[{"description":"a\ud800b"}]}"#;
    assert_eq!(answer(SanitizeLayer::new(), "tools/list", result).await, r#"{"tools":[{"description":""}]}"#);
}

/// Takes the texts out of a value.
fn split(value: &mut Value, texts: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text)
                        if ["description", "title", "instructions"].contains(&name.as_str()) =>
                    {
                        texts.push(std::mem::take(text));
                    }
                    value => split(value, texts),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| split(item, texts)),
        _ => {}
    }
}

fn json() -> impl Strategy<Value = Value> {
    let text = "[a\u{202e}\u{0}\"\\\\{:,\u{e0041}ä\n]{0,8}";
    let leaf = prop_oneof![text.prop_map(Value::from), Just(Value::Null), any::<i32>().prop_map(Value::from)];
    let name = prop_oneof![
        Just("description".to_owned()),
        Just("title".to_owned()),
        "[a:\"]{0,3}".prop_map(String::from)
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn texts_alone_change_and_are_harmless_then(value in json(), most in 0_usize..6) {
        let value = json!({ "tools": value });
        let bounds = text::Bounds { description: most, instructions: most, are_names_labels: false, is_shallow: false };
        let before = value.to_string();
        let mut after = before.clone();
        for (span, with) in text::edits(before.as_bytes(), &bounds).unwrap().into_iter().rev() {
            after.replace_range(span, &with);
        }
        let mut after: Value = serde_json::from_str(&after).unwrap();
        let (mut texts, mut rest) = (Vec::new(), value);
        split(&mut rest, &mut Vec::new());
        split(&mut after, &mut texts);
        prop_assert_eq!(after, rest);
        for text in texts {
            prop_assert!(text.chars().count() <= most + 1);
            let is_harmless = !text.contains(['\u{202e}', '\0', '\u{e0041}']);
            prop_assert!(is_harmless);
        }
    }
}
