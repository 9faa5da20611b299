//! Every tool, prompt and resource, requested by a legacy client and by a modern one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    deprecated,
    reason = "sampling, roots and logging are deprecated from 2026-07-28 on, and tested here"
)]

mod support;

use std::collections::BTreeSet;

use crossway_demo::{Demo, Era};
use rmcp::model::*;
use serde_json::{Value, json};
use support::{Willing, both, call, client, code, connect, text, tool};

/// Each tool, with arguments and the beginning of its first text.
fn calls() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("test_simple_text", json!({}), "This is a simple text response for testing."),
        ("test_image_content", json!({}), ""),
        ("test_audio_content", json!({}), ""),
        ("test_embedded_resource", json!({}), ""),
        ("test_multiple_content_types", json!({}), "Multiple content types test:"),
        ("json_schema_2020_12_tool", json!({"phone": "1"}), r#"{"phone":"1"}"#),
        ("echo", json!({"message": "grüß dich"}), "grüß dich"),
        ("slow", json!({"steps": 2, "ms": 10}), "Took 2 steps of 10 ms."),
        ("slow", json!({}), "Took 5 steps of 200 ms."),
        ("ask", json!({}), "The user answered: Ada"),
        ("ask", json!({"question": "Who?"}), "The user answered: Ada"),
        ("test_tool_with_logging", json!({}), "The tool has logged."),
        ("test_logging_tool", json!({}), "The tool has logged, if it was asked to."),
        ("test_tool_with_progress", json!({}), "The tool has reported its progress."),
        ("test_reconnection", json!({}), "The call went on while its stream was closed."),
        ("test_missing_capability", json!({}), "The client declared sampling."),
        ("test_sampling", json!({"prompt": "Where?"}), "LLM response: Paris."),
        ("test_elicitation", json!({"message": "Who?"}), "User response: action=accept"),
        ("test_elicitation_sep1034_defaults", json!({}), "Elicitation completed: action=accept"),
        ("test_elicitation_sep1330_enums", json!({}), "Elicitation completed: action=accept"),
        ("test_custom_header", json!({"value": "x"}), "The value was: x"),
        ("test_input_required_result_elicitation", json!({}), "Hello, Ada!"),
        ("test_input_required_result_sampling", json!({}), "The model says: Paris."),
        ("test_input_required_result_list_roots", json!({}), "The client has 1 roots: file:///home/ada"),
        ("test_input_required_result_request_state", json!({}), "state-ok: the user answered true"),
        ("test_input_required_result_tampered_state", json!({}), "state-ok: the user answered true"),
        ("test_input_required_result_multiple_inputs", json!({}), "Paris. Ada has 1 roots."),
        ("test_input_required_result_multi_round", json!({}), "Ada likes Ada."),
        (
            "test_input_required_result_capabilities",
            json!({}),
            "The client answered all that it can be asked.",
        ),
        ("test_streaming_elicitation", json!({}), "The value is: Ada"),
        ("test_trigger_tool_change", json!({}), "Listeners told: "),
        ("test_trigger_prompt_change", json!({}), "Listeners told: "),
        ("test_trigger_resource_update", json!({}), "The resource is at version 2. Listeners told: 0."),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_tool_does_what_it_says() {
    for era in both() {
        let client = client(era).await;
        for (name, arguments, expected) in calls() {
            let result = call(&client, name, arguments).await;
            assert_ne!(result.is_error, Some(true), "{name}: {result:?}");
            assert!(text(&result).starts_with(expected), "{name}: {result:?}");
        }
        let tried: BTreeSet<_> = calls().into_iter().map(|(name, ..)| name.to_owned()).collect();
        let listed = client.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name.into_owned());
        let not_tried: Vec<_> = listed.filter(|name| !tried.contains(name)).collect();
        assert_eq!(not_tried, ["test_error_handling"]);
    }
}

#[tokio::test(start_paused = true)]
async fn content_is_of_the_kind_that_the_name_says() {
    for era in both() {
        let client = client(era).await;
        let image = call(&client, "test_image_content", json!({})).await;
        assert_eq!(image.content[0].as_image().unwrap().mime_type, "image/png");
        let audio = call(&client, "test_audio_content", json!({})).await;
        assert_eq!(audio.content[0].as_audio().unwrap().mime_type, "audio/wav");
        let embedded = call(&client, "test_embedded_resource", json!({})).await;
        assert_eq!(
            embedded.content[0].as_resource().unwrap().get_text(),
            "This is an embedded resource content."
        );
        let mixed = call(&client, "test_multiple_content_types", json!({})).await;
        assert!(mixed.content[1].as_image().is_some());
        assert_eq!(mixed.content[2].as_resource().unwrap().get_text(), r#"{"test":"data","value":123}"#);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_tool_says_so_in_its_result() {
    for era in both() {
        let client = client(era).await;
        let failing = [
            ("test_error_handling", json!({}), "This tool intentionally returns an error for testing"),
            ("echo", json!({}), "the argument message has to be a string"),
            ("echo", json!({"message": 1}), "the argument message has to be a string"),
            ("slow", json!({"steps": -1}), "the argument steps has to be a whole number, 1000 at most"),
            ("slow", json!({"ms": 60_001}), "the argument ms has to be a whole number, 60000 at most"),
        ];
        for (name, arguments, expected) in failing {
            let result = call(&client, name, arguments).await;
            assert_eq!((result.is_error, text(&result)), (Some(true), expected));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_will_not_answer_is_no_error() {
    for era in both() {
        for (action, expected) in [
            (ElicitationAction::Decline, "The user declined to answer."),
            (ElicitationAction::Cancel, "The user dismissed the question."),
        ] {
            let user = Willing { action, ..Willing::new().0 };
            let client = connect(&Demo::new(Era::Both), user, era.clone()).await;
            let result = call(&client, "ask", json!({})).await;
            assert_eq!((result.is_error, text(&result)), (Some(false), expected));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_refused() {
    for era in both() {
        let modern = era != support::LEGACY;
        let client = client(era).await;
        assert_eq!(code(client.call_tool(tool("nothing", json!({}))).await), -32602);
        assert_eq!(code(client.get_prompt(GetPromptRequestParams::new("nothing")).await), -32602);
        assert_eq!(
            code(client.get_prompt(GetPromptRequestParams::new("test_prompt_with_arguments")).await),
            -32602
        );
        let unknown = client.read_resource(ReadResourceRequestParams::new("test://nothing")).await;
        assert_eq!(code(unknown), if modern { -32602 } else { -32002 });
        let nothing = Reference::for_prompt("nothing");
        let request = CompleteRequestParams::new(nothing, ArgumentInfo::new("a", ""));
        assert_eq!(code(client.complete(request).await), -32602);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_asked_what_it_cannot_answer() {
    for era in both() {
        let modern = era != support::LEGACY;
        let unable = Willing { capabilities: ClientCapabilities::default(), ..Willing::new().0 };
        let client = connect(&Demo::new(Era::Both), unable, era).await;
        for name in ["ask", "test_missing_capability", "test_input_required_result_multiple_inputs"] {
            let result = client.call_tool(tool(name, json!({}))).await;
            if modern {
                assert_eq!(code(result), -32021, "{name}");
            } else {
                let result = result.unwrap();
                assert_eq!(result.is_error, Some(true), "{name}");
                assert!(
                    text(&result).starts_with("this tool needs a client with the capability"),
                    "{result:?}"
                );
            }
        }
        let result = call(&client, "test_input_required_result_capabilities", json!({})).await;
        assert_eq!(text(&result), "The client declared nothing that it could be asked.");
    }
}

#[tokio::test(start_paused = true)]
async fn every_prompt_can_be_got() {
    for era in both() {
        let client = client(era).await;
        let all = json!({"arg1": "one", "arg2": "two", "resourceUri": "test://example-resource"});
        let expected = [
            ("test_simple_prompt", "This is a simple prompt for testing."),
            ("test_prompt_with_arguments", "Prompt with arguments: arg1='one', arg2='two'"),
            ("test_prompt_with_embedded_resource", "Please process the embedded resource above."),
            ("test_prompt_with_image", "Please analyze the image above."),
            ("test_input_required_result_prompt", "Answer in this context: Ada"),
        ];
        let listed = client.list_all_prompts().await.unwrap();
        assert_eq!(listed.len(), expected.len());
        for (prompt, (name, expected)) in listed.iter().zip(expected) {
            assert_eq!(prompt.name, name);
            let request = GetPromptRequestParams::new(name).with_arguments(support::arguments(all.clone()));
            let got = client.get_prompt(request).await.unwrap();
            assert_eq!(got.messages.last().unwrap().content.as_text().unwrap().text, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_resource_can_be_read() {
    for era in both() {
        let client = client(era).await;
        for resource in client.list_all_resources().await.unwrap() {
            let read = client.read_resource(ReadResourceRequestParams::new(&resource.uri)).await.unwrap();
            assert_eq!(read.contents.len(), 1, "{}", resource.uri);
        }
        let templates = client.list_all_resource_templates().await.unwrap();
        assert_eq!(templates[0].uri_template, "test://template/{id}/data");
        let read =
            client.read_resource(ReadResourceRequestParams::new("test://template/4%2F2/data")).await.unwrap();
        let ResourceContents::TextResourceContents { text, .. } = &read.contents[0] else {
            panic!("no text")
        };
        assert_eq!(text, r#"{"data":"Data for ID: 4%2F2","id":"4%2F2","templateTest":true}"#);
    }
}

fn after(cursor: &str) -> Option<PaginatedRequestParams> {
    Some(PaginatedRequestParams::default().with_cursor(Some(cursor.to_owned())))
}

#[tokio::test(start_paused = true)]
async fn prompts_and_resources_come_in_two_pages_of_their_own() {
    for era in both() {
        let client = client(era).await;
        let first = client.list_prompts(None).await.unwrap();
        let second = client.list_prompts(after(&first.next_cursor.unwrap())).await.unwrap();
        assert_eq!((first.prompts.len(), second.prompts.len(), second.next_cursor), (3, 2, None));
        assert!(second.prompts.iter().all(|prompt| !first.prompts.contains(prompt)));

        let first = client.list_resources(None).await.unwrap();
        let second = client.list_resources(after(&first.next_cursor.unwrap())).await.unwrap();
        assert_eq!((first.resources.len(), second.resources.len(), second.next_cursor), (3, 2, None));
        assert!(second.resources.iter().all(|resource| !first.resources.contains(resource)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_no_list_gave_is_refused_by_every_list() {
    for era in both() {
        let client = client(era).await;
        assert_eq!(code(client.list_tools(after("nothing")).await), -32602);
        assert_eq!(code(client.list_prompts(after("nothing")).await), -32602);
        assert_eq!(code(client.list_resources(after("nothing")).await), -32602);
        assert_eq!(code(client.list_resource_templates(after("nothing")).await), -32602);
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_are_completed() {
    for era in both() {
        let client = client(era).await;
        for (reference, name, value, expected) in [
            (
                Reference::for_prompt("test_prompt_with_arguments"),
                "arg1",
                "testV",
                vec!["testValue1", "testValue2"],
            ),
            (Reference::for_prompt("test_prompt_with_arguments"), "arg3", "", vec![]),
            (Reference::for_prompt("test_simple_prompt"), "arg1", "", vec![]),
            (Reference::for_resource("test://template/{id}/data"), "id", "12", vec!["12", "123"]),
            (Reference::for_resource("test://static-text"), "id", "", vec![]),
        ] {
            let request = CompleteRequestParams::new(reference, ArgumentInfo::new(name, value));
            assert_eq!(client.complete(request).await.unwrap().completion.values, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn progress_is_reported_step_by_step() {
    for era in both() {
        let (willing, mut heard) = Willing::new();
        let client = connect(&Demo::new(Era::Both), willing, era).await;
        call(&client, "slow", json!({"steps": 2})).await;
        call(&client, "test_tool_with_progress", json!({})).await;
        for expected in
            ["progress 1/2", "progress 2/2", "progress 0/100", "progress 50/100", "progress 100/100"]
        {
            assert_eq!(heard.recv().await.unwrap(), expected);
        }
    }
}
