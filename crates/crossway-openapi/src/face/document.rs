//! Builds the OpenAPI document (OpenAPI 3.1.0) of tools.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

use super::ask::Introduction;
use super::limits::{DOCUMENT_BYTES, DOCUMENT_TOOLS, OPERATION_ID};
use super::route::of_tool;
use super::schema::{Components, named, resolve};
use super::toolset::{Tool, Toolset};
use super::tree::{Object, Tree};
use super::written::Written;
use super::{Config, encode_segment};

/// The default title, description and version: mcpo's.
const TITLE: &str = "MCP OpenAPI Proxy";
const DESCRIPTION: &str = "Automatically generated API from MCP Tool Schemas";
const VERSION: &str = "1.0";

/// The document of one upstream's tools, each at `/{tool}`. `has_key`: whether callers need a key.
pub(crate) fn of_one(config: &Config, has_key: bool, said: &Introduction, toolset: &Toolset) -> Bytes {
    let server = &said.server;
    let name = server.name.as_deref().or(config.name.as_deref());
    let described = name.map(|name| format!("{name} MCP Server"));
    let mut writing = Writing::new(config, has_key);
    writing.tools(None, toolset, 1);
    writing.finish(
        config.title.as_deref().or(name).unwrap_or(TITLE),
        config
            .description
            .as_deref()
            .or(said.instructions.as_deref())
            .or(described.as_deref())
            .unwrap_or(DESCRIPTION),
        config.version.as_deref().or(server.version.as_deref()).unwrap_or(VERSION),
    )
}

/// The document of several upstreams' tools, each at `/{upstream}/{tool}`. If there is no room for all, each upstream has its share, so that
/// none takes the place of others.
pub(crate) fn of_many<'a>(
    config: &Config,
    has_key: bool,
    upstreams: impl Iterator<Item = (&'a str, &'a Toolset)> + Clone,
) -> Bytes {
    let upstreams = upstreams.filter(|(_, toolset)| !toolset.tools().is_empty());
    let write = |is_shared| {
        let mut writing = Writing::new(config, has_key);
        let mut sharing = if is_shared { upstreams.clone().count() } else { 1 };
        for (name, toolset) in upstreams.clone() {
            writing.tools(Some(name), toolset, sharing);
            sharing = sharing.saturating_sub(1).max(1);
        }
        writing
    };
    let mut writing = write(false);
    if writing.left_out > 0 {
        drop(writing);
        writing = write(true);
    }
    let mut listed = String::new();
    for (name, _) in upstreams {
        let segment = encode_segment(name);
        let before = format!("{}{}{}", config.root_path, config.at, config.path_prefix);
        listed.push_str(&format!("\n    - [{name}]({before}/{segment}/docs)"));
    }
    let mut description = config.description.as_deref().unwrap_or(DESCRIPTION).to_owned();
    if !listed.is_empty() {
        description = format!("{description}\n\n- **available tools**:{listed}");
    }
    let title = config.title.as_deref().unwrap_or(TITLE);
    writing.finish(title, &description, config.version.as_deref().unwrap_or(VERSION))
}

struct Writing<'a> {
    config: &'a Config,
    has_key: bool,
    paths: Written,
    ids: HashSet<String>,
    /// The last number that was tried for an operation id, by the text before it.
    numbers: HashMap<String, usize>,
    components: Components,
    /// The remaining room, in tools and in bytes of them.
    room: (usize, usize),
    /// The number of tools that did not fit.
    left_out: usize,
}

impl<'a> Writing<'a> {
    fn new(config: &'a Config, has_key: bool) -> Self {
        let mut components = Components::default();
        components.add("Problem", problem());
        components.add("HTTPValidationError", faults());
        Self {
            config,
            has_key,
            paths: Written::default(),
            ids: HashSet::new(),
            numbers: HashMap::new(),
            components,
            room: (DOCUMENT_TOOLS, DOCUMENT_BYTES),
            left_out: 0,
        }
    }

    /// Adds tools of an upstream: as many as fit into its share of the remaining room, one of `sharing` equal parts.
    fn tools(&mut self, upstream: Option<&str>, toolset: &Toolset, sharing: usize) {
        let (tools, bytes) = (self.room.0 / sharing, self.room.1 / sharing);
        let (mut written, mut used) = (0, 0);
        for tool in toolset.tools().iter().take(tools) {
            let (paths, components) = (self.paths.len(), self.components.len());
            self.tool(upstream, tool);
            let with_this = used + self.paths.len() - paths + self.components.len() - components;
            if with_this > bytes {
                self.paths.truncate(paths);
                self.components.truncate(components);
                break;
            }
            (written, used) = (written + 1, with_this);
        }
        self.room = (self.room.0 - written, self.room.1 - used);
        self.left_out += toolset.tools().len() - written;
    }

    fn tool(&mut self, upstream: Option<&str>, tool: &Tool) {
        let base = match upstream {
            Some(upstream) => format!("{upstream}_{}", tool.name),
            None => tool.name.clone(),
        };
        let mut operation = Object::new();
        operation.push("operationId", Tree::Text(self.operation_id(&base)));
        if let Some(upstream) = upstream {
            operation.push("tags", Tree::List(vec![Tree::text(upstream)]));
        }
        let summary = tool.title.clone().filter(|title| !title.is_empty());
        operation.push("summary", Tree::Text(summary.unwrap_or_else(|| titled(&tool.name))));
        if let Some(description) = &tool.description {
            operation.push("description", Tree::text(description));
        }
        let input = self.input(tool, &base);
        let is_needed = input.as_object().is_some_and(|schema| needs_members(schema, tool));
        let body = Object::new().with("required", Tree::Bool(is_needed)).with("content", content(input));
        operation.push("requestBody", body.into());
        operation.push("responses", self.responses(tool, &base));
        if self.has_key {
            let needed = Object::new().with("HTTPBearer", Tree::List(Vec::new()));
            operation.push("security", Tree::List(vec![needed.into()]));
        }
        let at = of_tool(&tool.name, &encode_segment(&tool.name), self.config.is_beside_mcp);
        let path = match upstream {
            Some(upstream) => format!("{}/{}{at}", self.config.path_prefix, encode_segment(upstream)),
            None => at,
        };
        self.paths.push(&path, &Object::new().with("post", operation.into()));
    }

    /// FastAPI's operation id for mcpo's function `tool` and the path, which is the tool's name in Open WebUI; but never longer than models
    /// accept, and unique.
    fn operation_id(&mut self, base: &str) -> String {
        const END: &str = "_post";
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut stem: String = format!("tool_{base}").chars().map(word).collect();
        stem.truncate(OPERATION_ID - END.len());
        let number = self.numbers.entry(stem.clone()).or_default();
        loop {
            *number += 1;
            let suffix = if *number == 1 { END.to_owned() } else { format!("_{number}{END}") };
            let id = format!("{}{suffix}", &stem[..stem.len().min(OPERATION_ID - suffix.len())]);
            if self.ids.insert(id.clone()) {
                return id;
            }
        }
    }

    /// The schema of the arguments; always an object.
    fn input(&mut self, tool: &Tool, base: &str) -> Tree {
        let resolved = tool.input().map(|schema| resolve(&schema, base, &mut self.components));
        let Some(Tree::Object(mut schema)) = resolved else {
            return Object::new()
                .with("type", Tree::text("object"))
                .with("properties", Object::new().into())
                .into();
        };
        if schema.get("type").is_none() {
            schema.set("type", Tree::text("object"));
        }
        if schema.get("properties").is_none() {
            schema.set("properties", Object::new().into());
        }
        named(&mut schema);
        schema.into()
    }

    fn responses(&mut self, tool: &Tool, base: &str) -> Tree {
        let (declared, form) = (tool.output(), tool.form());
        let answer = match declared {
            Some(schema) => {
                let schema = form.schema(&resolve(&schema, &format!("{base}_answer"), &mut self.components));
                let list = Object::new().with("type", Tree::text("array")).with(
                    "description",
                    Tree::text("The same, and pictures, sounds or resources beside it."),
                );
                Object::new().with("anyOf", Tree::List(vec![schema, list.into()])).into()
            }
            None => Tree::Object(Object::new()),
        };
        let mut responses = Object::new().with("200", response("Successful Response", answer));
        let problem = || reference("Problem");
        let keyed: &[(&str, &str)] = &[
            ("401", "There is no key, or no proof of who calls."),
            ("403", "The key is not the right one, or the caller may not be here."),
        ];
        let others: &[(&str, &str)] = &[
            ("400", "The body is not JSON."),
            ("404", "There is no such tool, or none for this caller."),
            ("413", "The arguments are too long."),
            ("415", "The body is said to be something else than JSON."),
            ("424", "The tool has failed, or its server can't be reached."),
            ("429", "Too many calls; `Retry-After` says when to come back."),
            ("504", "The tool's server has not answered in time."),
        ];
        for (status, what) in keyed.iter().chain(others) {
            responses.push(*status, response(what, problem()));
        }
        let refused =
            Object::new().with("anyOf", Tree::List(vec![reference("HTTPValidationError"), problem()]));
        responses.push("422", response("The arguments do not fit.", refused.into()));
        responses.into()
    }

    fn finish(self, title: &str, description: &str, version: &str) -> Bytes {
        let mut description = description.to_owned();
        if self.left_out > 0 {
            tracing::warn!(title, tools = self.left_out, "a document has no room for some tools");
            description.push_str(&format!(
                "\n\nThis document is not whole: it has no room for {} tools. They can be called all the same.",
                self.left_out
            ));
        }
        let info = Object::new()
            .with("title", Tree::text(title))
            .with("description", Tree::Text(description))
            .with("version", Tree::text(version));
        let mut document = Written::default();
        document.push("openapi", &"3.1.0");
        document.push("info", &info);
        let at = format!("{}{}", self.config.root_path, self.config.at);
        if !at.is_empty() {
            let server = Object::new().with("url", Tree::Text(at));
            document.push("servers", &[server]);
        }
        document.push_written("paths", self.paths);
        let mut components = Written::default();
        components.push_written("schemas", self.components.into_written());
        if self.has_key {
            let bearer = Object::new().with("type", Tree::text("http")).with("scheme", Tree::text("bearer"));
            components.push("securitySchemes", &Object::new().with("HTTPBearer", bearer.into()));
        }
        document.push_written("components", components);
        Bytes::from(document.into_json())
    }
}

/// Whether a call without arguments is invalid. Runs the checker only if keywords other than `required` can decide that.
fn needs_members(schema: &Object, tool: &Tool) -> bool {
    const SAYERS: [&str; 9] =
        ["allOf", "anyOf", "oneOf", "not", "if", "minProperties", "const", "enum", "$ref"];
    if matches!(schema.get("required"), Some(Tree::List(names)) if !names.is_empty()) {
        return true;
    }
    let may_say = SAYERS.iter().any(|keyword| schema.get(keyword).is_some());
    may_say && tool.checker().is_some_and(|checker| checker.check(&serde_json::json!({})).is_err())
}

/// `get_current_time` as `Get Current Time`.
fn titled(name: &str) -> String {
    let mut titled = String::with_capacity(name.len());
    let mut is_first = true;
    for c in name.chars() {
        let c = if c == '_' { ' ' } else { c };
        if is_first {
            titled.extend(c.to_uppercase());
        } else {
            titled.extend(c.to_lowercase());
        }
        is_first = !c.is_alphabetic();
    }
    titled
}

fn reference(component: &str) -> Tree {
    Object::new().with("$ref", Tree::Text(format!("#/components/schemas/{component}"))).into()
}

fn content(schema: Tree) -> Tree {
    let media = Object::new().with("schema", schema);
    Object::new().with("application/json", media.into()).into()
}

fn response(description: &str, schema: Tree) -> Tree {
    Object::new().with("description", Tree::text(description)).with("content", content(schema)).into()
}

fn of_type(name: &str) -> Tree {
    Object::new().with("type", Tree::text(name)).into()
}

/// The schema of a [`Problem`](super::problem::Problem).
fn problem() -> Tree {
    let detail = Object::new()
        .with("message", of_type("string"))
        .with("outcome", of_type("string"))
        .with("code", of_type("integer"))
        .with("data", Tree::Object(Object::new()));
    let detail = Object::new()
        .with("type", Tree::text("object"))
        .with("properties", detail.into())
        .with("required", Tree::List(vec![Tree::text("message")]));
    object("Problem", Object::new().with("detail", detail.into()))
}

/// FastAPI's validation errors.
fn faults() -> Tree {
    let segment = Object::new().with("anyOf", Tree::List(vec![of_type("string"), of_type("integer")]));
    let way = Object::new().with("type", Tree::text("array")).with("items", segment.into());
    let properties =
        Object::new().with("loc", way.into()).with("msg", of_type("string")).with("type", of_type("string"));
    let fault = Object::new()
        .with("type", Tree::text("object"))
        .with("properties", properties.into())
        .with("required", Tree::List(["loc", "msg", "type"].map(Tree::text).into()));
    let list = Object::new().with("type", Tree::text("array")).with("items", fault.into());
    object("HTTPValidationError", Object::new().with("detail", list.into()))
}

fn object(title: &str, properties: Object) -> Tree {
    Object::new()
        .with("title", Tree::text(title))
        .with("type", Tree::text("object"))
        .with("properties", properties.into())
        .with("required", Tree::List(vec![Tree::text("detail")]))
        .into()
}

#[cfg(test)]
mod tests {
    use crossway_proto::{Message, RequestId};

    use super::*;

    #[test]
    fn names_are_titled_as_python_does() {
        assert_eq!(titled("get_current_time"), "Get Current Time");
        assert_eq!(titled("get-SUM2x"), "Get-Sum2X");
    }

    #[test]
    fn operation_ids_are_those_of_mcpo_and_never_the_same_twice_nor_too_long() {
        let config = Config::new();
        let mut writing = Writing::new(&config, false);
        assert_eq!(writing.operation_id("get-sum"), "tool_get_sum_post");
        assert_eq!(writing.operation_id("get_sum"), "tool_get_sum_2_post");
        assert_eq!(writing.operation_id("get.sum"), "tool_get_sum_3_post");
        let long = "a".repeat(100);
        let (first, second) = (writing.operation_id(&long), writing.operation_id(&long));
        assert!(first.len() == 64 && second.len() == 64 && first != second, "{first} {second}");
        assert!(first.ends_with("_post") && second.ends_with("_2_post"));
    }

    fn toolset(names: impl Iterator<Item = String>, description: &str) -> Toolset {
        let tools: Vec<_> =
            names.map(|name| serde_json::json!({ "name": name, "description": description })).collect();
        let list = serde_json::json!({ "tools": tools }).to_string();
        Toolset::of(&[Message::result_of(&RequestId::from(1), list.as_bytes()).unwrap()])
    }

    fn of_one_told(toolset: &Toolset) -> (usize, serde_json::Value) {
        let document = of_one(&Config::new(), false, &Introduction::default(), toolset);
        (document.len(), serde_json::from_slice(&document).unwrap())
    }

    #[test]
    fn a_document_has_no_more_tools_and_bytes_than_there_is_room_for_and_says_so() {
        let numbered = |count: usize| (0..count).map(|number| format!("a{number}"));
        let (_, whole) = of_one_told(&toolset(numbered(3), "short"));
        assert_eq!(whole["paths"].as_object().unwrap().len(), 3);
        assert_eq!(whole["info"]["description"], DESCRIPTION);

        let (_, many) = of_one_told(&toolset(numbered(DOCUMENT_TOOLS + 7), "short"));
        assert_eq!(many["paths"].as_object().unwrap().len(), DOCUMENT_TOOLS);
        assert!(many["info"]["description"].as_str().unwrap().contains("no room for 7 tools"));

        let long = "x".repeat(DOCUMENT_BYTES / 4);
        let (length, long) = of_one_told(&toolset(numbered(6), &long));
        assert_eq!(long["paths"].as_object().unwrap().keys().collect::<Vec<_>>(), ["/a0", "/a1", "/a2"]);
        assert!(length <= DOCUMENT_BYTES);
    }

    #[test]
    fn an_upstream_with_too_many_or_too_long_tools_leaves_others_their_place() {
        let few = || toolset(["echo".to_owned()].into_iter(), "short");
        let numbered = |count: usize| (0..count).map(|number| format!("a{number}"));
        let many = toolset(numbered(DOCUMENT_TOOLS), "short");
        let long = toolset(numbered(6), &"x".repeat(DOCUMENT_BYTES / 6));
        for (greedy, places) in [(many, DOCUMENT_TOOLS / 2), (long, 2)] {
            let upstreams = [("greedy", greedy), ("modest", few())];
            let all = upstreams.iter().map(|(name, toolset)| (*name, toolset));
            let document = of_many(&Config::new(), false, all);
            let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
            let paths = document["paths"].as_object().unwrap();
            assert!(paths.contains_key("/modest/echo") && paths.len() == places + 1, "{}", paths.len());
        }
    }
}
