//! Edits of a message's members, against maps.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()).unwrap()
}

fn edited(text: &str, part: Part, remove: &[&str], put: &[(&str, &str)]) -> String {
    let mut message = message(text);
    let put: Vec<(&str, &[u8])> = put.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    message.edit(part, remove, &put).unwrap();
    assert_eq!(message.len(), message.to_bytes().len());
    String::from_utf8(message.to_bytes().to_vec()).unwrap()
}

#[test]
fn members_are_taken_away_with_their_commas() {
    for (remove, left) in [
        (&["a"][..], r#"{ "b" :2 , "c":3 }"#),
        (&["b"], r#"{ "a":1, "c":3 }"#),
        (&["c"], r#"{ "a":1, "b" :2 }"#),
        (&["a", "b"], r#"{ "c":3 }"#),
        (&["b", "c"], r#"{ "a":1 }"#),
        (&["a", "c"], r#"{ "b" :2 }"#),
        (&["a", "b", "c"], r#"{  }"#),
        (&["x"], r#"{ "a":1, "b" :2 , "c":3 }"#),
    ] {
        let text = r#"{"jsonrpc":"2.0","id":1,"result":{ "a":1, "b" :2 , "c":3 }}"#;
        let wanted = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{left}}}"#);
        assert_eq!(edited(text, Part::Result, remove, &[]), wanted, "{remove:?}");
    }
}

#[test]
fn members_are_put_first_and_replace_their_namesakes() {
    let text = r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"b":2}}"#;
    assert_eq!(
        edited(text, Part::Result, &[], &[("b", "[]"), ("c", "3")]),
        r#"{"jsonrpc":"2.0","id":1,"result":{"b":[],"c":3,"a":1}}"#
    );
    let empty = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert_eq!(
        edited(empty, Part::Result, &[], &[("a", "1")]),
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"#
    );
}

#[test]
fn parts_that_are_absent_are_made() {
    let bare = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    assert_eq!(
        edited(bare, Part::Meta, &["x"], &[("k", "1")]),
        r#"{"params":{"_meta":{"k":1}},"jsonrpc":"2.0","id":1,"method":"tools/list"}"#
    );
    assert_eq!(edited(bare, Part::Meta, &["x"], &[]), bare);
    let result = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#;
    assert_eq!(
        edited(result, Part::Meta, &[], &[("k", "1")]),
        r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"k":1},"tools":[]}}"#
    );
}

#[test]
fn changes_of_one_part_add_up() {
    let mut message = message(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"#);
    message.edit(Part::Result, &[], &[("x", b"1"), ("y", b"2")]).unwrap();
    message.edit(Part::Result, &["a", "x"], &[]).unwrap();
    message.set_id(&crate::RequestId::from("i"));
    assert_eq!(message.to_bytes(), r#"{"jsonrpc":"2.0","id":"i","result":{"y":2}}"#);
    message.edit(Part::Result, &[], &[("y", b"3"), ("z", b"4")]).unwrap();
    assert_eq!(message.to_bytes(), r#"{"jsonrpc":"2.0","id":"i","result":{"y":3,"z":4}}"#);
}

#[test]
fn a_token_in_what_is_taken_away_is_gone() {
    let mut message = message(
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"progressToken":1,"k":2},"name":"n"}}"#,
    );
    message.set_progress_token(&crate::RequestId::from("long token"));
    message.set_name("other");
    message.edit(Part::Meta, &["progressToken"], &[]).unwrap();
    message.set_progress_token(&crate::RequestId::from("again"));
    assert_eq!(
        message.to_bytes(),
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"k":2},"name":"other"}}"#
    );
    assert_eq!(message.reread().unwrap().name().as_deref(), Some("other"));
    assert!(message.reread().unwrap().progress_token().is_none());
}

#[test]
fn a_part_is_edited_if_something_within_it_is() {
    let mut message = message(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"_meta":{"b":2}}}"#);
    message.set_id(&crate::RequestId::from(2));
    assert!(message.is_edited() && !message.is_edited_in(Part::Result));
    message.edit(Part::Meta, &["b"], &[]).unwrap();
    assert!(message.is_edited_in(Part::Meta) && message.is_edited_in(Part::Result));
    assert!(!message.reread().unwrap().is_edited_in(Part::Result));
    assert!(!message.is_edited_in(Part::Params));
}

#[test]
fn a_noted_layout_goes_with_clones_and_not_with_what_is_written_anew() {
    let mut first = message(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"b":[2]}}"#);
    first.note_layout(Part::Result);
    let mut second = first.clone();
    assert!(Arc::ptr_eq(&first.0.noted.as_ref().unwrap().members, &second.0.noted.as_ref().unwrap().members));
    second.set_id(&crate::RequestId::from("longer"));
    second.edit(Part::Result, &["a"], &[("longer", b"3")]).unwrap();
    assert_eq!(second.member(Part::Result, "b").unwrap(), b"[2]");
    let reread = second.reread().unwrap();
    assert_eq!(reread.member(Part::Result, "longer").unwrap(), b"3");
    assert!(reread.member(Part::Result, "a").is_none());
    let names: Vec<_> = reread.members(Part::Result).map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["longer", "b"]);
    let at: Vec<_> = reread.layout(Part::Result).members.iter().map(|member| member.name).collect();
    assert_ne!(at, first.layout(Part::Result).members.iter().map(|member| member.name).collect::<Vec<_>>());
    assert_eq!(first.layout(Part::Meta).members.len(), 0);
}

#[test]
fn what_is_put_into_a_part_goes_with_it() {
    let text = r#"{"jsonrpc":"2.0","id":1,"result":{ "a":1, "_meta":{ "b":2 }, "c":3 }}"#;
    let mut message = message(text);
    message.edit(Part::Meta, &[], &[("k", b"4")]).unwrap();
    assert_eq!(message.member(Part::Meta, "k"), Some(&b"4"[..]));
    message.edit(Part::Result, &["_meta"], &[]).unwrap();
    assert_eq!(message.to_bytes(), r#"{"jsonrpc":"2.0","id":1,"result":{ "a":1, "c":3 }}"#);
    assert_eq!((message.members(Part::Meta).count(), message.member(Part::Meta, "b")), (0, None));
    // What comes after that is put into another one.
    message.edit(Part::Meta, &["b"], &[("x", b"5")]).unwrap();
    message.edit(Part::Meta, &[], &[("y", b"6")]).unwrap();
    message.edit(Part::Meta, &["x"], &[]).unwrap();
    assert_eq!(message.to_bytes(), r#"{"jsonrpc":"2.0","id":1,"result":{"_meta":{"y":6}, "a":1, "c":3 }}"#);
    let mut request = self::message(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"name":"n"}}"#);
    request.edit(Part::Params, &["name"], &[]).unwrap();
    request.set_name("other");
    assert_eq!(request.to_bytes(), r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{}}"#);
}

#[test]
fn of_several_members_of_one_name_the_last_counts() {
    let message = message(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1,"\u0061":2}}"#);
    let layout = message.layout(Part::Result);
    assert_eq!(message.member(Part::Result, "a"), Some(&b"2"[..]));
    assert_eq!(message.member_at(&layout, "a"), Some(&b"2"[..]));
}

#[test]
fn what_is_no_object_is_left_alone() {
    let mut message = message(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#);
    assert_eq!(message.edit(Part::Params, &["a"], &[("b", b"1")]), Err(NotAnObject(Part::Params)));
    assert_eq!(message.to_bytes(), r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#);
    assert_eq!(message.members(Part::Params).count(), 0);
}

#[test]
fn members_are_read_by_their_decoded_names() {
    let message = message(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1.0,"b":{"a":2}}}"#);
    assert_eq!(message.member(Part::Result, "a"), Some(&b"1.0"[..]));
    let names: Vec<_> = message.members(Part::Result).map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["a", "b"]);
}

/// What is done to one of two objects, one in the other.
#[derive(Debug, Clone)]
struct Step {
    is_meta: bool,
    remove: Vec<&'static str>,
    put: std::collections::BTreeMap<&'static str, u32>,
    /// Of `_meta` as a whole.
    whole: Option<u32>,
}

fn step() -> impl Strategy<Value = Step> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d"]);
    let remove = prop::collection::vec(prop_oneof![3 => name(), 1 => Just("_meta")], 0..3);
    let put = prop::collection::btree_map(name(), 10u32..19, 0..3);
    let whole = prop::option::weighted(0.2, 20u32..29);
    (any::<bool>(), remove, put, whole).prop_map(|(is_meta, remove, put, whole)| Step {
        is_meta,
        remove,
        put,
        whole: whole.filter(|_| !is_meta),
    })
}

proptest! {
    #[test]
    fn edits_of_an_object_and_of_one_within_it_add_up(
        members in prop::collection::btree_map("[a-c]", 0u32..9, 0..3),
        meta in prop::option::of(prop::collection::btree_map("[a-c]", 0u32..9, 0..3)),
        steps in prop::collection::vec(step(), 1..6),
        gap in prop::sample::select(vec!["", " "]),
        is_request in any::<bool>(),
    ) {
        let object = |members: &std::collections::BTreeMap<String, u32>| {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("{gap}\"{name}\":{value}{gap}")).collect();
            members.join(",")
        };
        let (mut outer, mut inner) = (members.clone(), meta.clone());
        let mut parts = vec![object(&members)];
        parts.extend(meta.iter().map(|meta| format!("\"_meta\":{{{}}}", object(meta))));
        parts.retain(|part| !part.is_empty());
        let (head, part) = if is_request {
            (r#""method":"m","params""#, Part::Params)
        } else {
            (r#""result""#, Part::Result)
        };
        let mut message = message(&format!(r#"{{"jsonrpc":"2.0","id":1,{head}:{{{}}}}}"#, parts.join(",")));
        for step in &steps {
            let texts: Vec<_> = step.put.iter().map(|(name, value)| (*name, value.to_string())).collect();
            let whole = step.whole.map(|value| format!("{{\"d\":{value}}}"));
            let mut put: Vec<(&str, &[u8])> =
                texts.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            put.extend(whole.iter().map(|whole| ("_meta", whole.as_bytes())));
            let target = if step.is_meta { Part::Meta } else { part };
            message.edit(target, &step.remove, &put).unwrap();
            let new = step.put.iter().map(|(name, value)| ((*name).to_owned(), *value));
            if step.is_meta {
                if let Some(inner) = &mut inner {
                    inner.retain(|name, _| !step.remove.contains(&name.as_str()));
                }
                if !step.put.is_empty() {
                    inner.get_or_insert_default().extend(new);
                }
            } else {
                outer.retain(|name, _| !step.remove.contains(&name.as_str()));
                outer.extend(new);
                if step.remove.contains(&"_meta") {
                    inner = None;
                }
                if let Some(value) = step.whole {
                    inner = Some([("d".to_owned(), value)].into());
                }
            }
            let seen = |message: &Message, part: Part| -> std::collections::BTreeMap<String, u32> {
                let members = message.members(part).filter(|(name, _)| name != "_meta");
                members.map(|(name, value)| (name.into_owned(), serde_json::from_slice(value).unwrap())).collect()
            };
            let reread = message.reread().unwrap();
            for message in [&message, &reread] {
                prop_assert_eq!(&seen(message, part), &outer);
                prop_assert_eq!(seen(message, Part::Meta), inner.clone().unwrap_or_default());
                prop_assert_eq!(message.member(part, "_meta").is_some(), inner.is_some());
                for name in ["a", "d"] {
                    let value = message.member(part, name).map(|value| serde_json::from_slice(value).unwrap());
                    prop_assert_eq!(value, outer.get(name).copied());
                }
            }
        }
    }

    #[test]
    fn an_edit_is_what_it_would_be_on_a_map(
        members in prop::collection::btree_map("[a-e]", 0u32..9, 0..5),
        steps in prop::collection::vec(
            (prop::collection::vec("[a-g]", 0..3), prop::collection::btree_map("[a-g]", 10u32..19, 0..3)), 1..4),
        spaces in prop::sample::select(vec!["", " "]),
    ) {
        let mut expected = members.clone();
        let text: Vec<String> =
            members.iter().map(|(name, value)| format!("{spaces}\"{name}\":{value}{spaces}")).collect();
        let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{}}}}}"#, text.join(","));
        let mut message = message(&text);
        for (remove, put) in &steps {
            expected.retain(|name, _| !remove.contains(name));
            expected.extend(put.clone());
            let remove: Vec<&str> = remove.iter().map(String::as_str).collect();
            let values: Vec<(&str, String)> =
                put.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
            let values: Vec<(&str, &[u8])> =
                values.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            message.edit(Part::Result, &remove, &values).unwrap();
        }
        let reread = message.reread().unwrap();
        prop_assert_eq!(reread.0.envelope, self::message(std::str::from_utf8(&reread.to_bytes()).unwrap()).0.envelope);
        let found: std::collections::BTreeMap<String, u32> =
            serde_json::from_slice(reread.result().unwrap()).unwrap();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn the_members_of_a_modern_result_are_noted_as_it_is_read() {
    let members = |text: &str| {
        let message = message(text);
        let noted = message.0.noted.as_ref().map(|layout| (layout.part, format!("{:?}", layout.members)));
        let scanned = format!("{:?}", message.scan_members(Part::Result));
        (noted, (Part::Result, scanned))
    };
    for result in [
        r#"{"resultType":"complete"}"#,
        "\n{ \"a\\u0062\" :\t[1, {\"resultType\":2}] , \"resultType\":\r\"complete\",\"_meta\": {\"x\" : 1 } } ",
        r#"{"result\u0054ype":"complete","a":{"b":[]},"a":2}"#,
    ] {
        let (noted, scanned) = members(&format!(r#"{{"id":1,"result": {result} ,"jsonrpc":"2.0"}}"#));
        assert_eq!(noted, Some(scanned), "{result}");
    }
    for result in [r#"{"content":[{"resultType":"complete"}]}"#, "[]", r#""resultType""#, "{}"] {
        let (noted, _) = members(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#));
        assert_eq!(noted, None, "{result}");
    }
    let many: String = (0..100).map(|number| format!(r#","{number}":{number}"#)).collect();
    let (noted, _) =
        members(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete"{many}}}}}"#));
    assert_eq!(noted, None, "of so many not all are noted");
}
