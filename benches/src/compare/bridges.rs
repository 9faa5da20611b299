//! The bridges, their versions, and the settings that their own documentation recommends for speed.

use std::fs;

use super::plan::{Place, Plan, Route, Task, shell};

/// A bridge, or its stand-in.
pub(crate) struct Bridge {
    /// The name in the record.
    pub(crate) name: &'static str,
    /// The version and its source.
    pub(crate) version: &'static str,
    /// The settings and the reason for them.
    pub(crate) settings: &'static str,
    /// Plans the bridge for a route; `None` if it does not support the route.
    pub(crate) plan: fn(Task<'_>) -> anyhow::Result<Option<Plan>>,
}

/// All bridges, beginning with direct.
pub(crate) const BRIDGES: [Bridge; 11] = [
    Bridge {
        name: DIRECT,
        version: "crossway-echo, no bridge",
        settings: "the echo server asked over the clients' own transport: what there is to lose",
        plan: direct,
    },
    Bridge {
        name: FLOOR,
        version: "crossway-floor",
        settings: "a hundred lines of hyper that splice ids and check nothing, a child per session: what the work itself costs",
        plan: floor,
    },
    Bridge {
        name: CROSSWAY,
        version: "this repository",
        settings: "`crossway bridge`, no options: a child per session. `crossway stdio` for clients on stdio",
        plan: crossway,
    },
    Bridge {
        name: "mcp-proxy (crates.io)",
        version: "0.6.0, crates.io",
        settings: "its quick start's file with one stdio backend, release build; one child for all sessions. None of its optional middleware. It has no HTTP+SSE face",
        plan: mcp_proxy_rust,
    },
    Bridge {
        name: "mcp-proxy (npm)",
        version: "6.7.19, npm, on Node 24.21.0",
        settings: "`--server stream --no-eventStore` (\"request/response-only deployments\" need no event store) `--maxBodySize 0`; `--server sse` for HTTP+SSE. One child for all sessions. An HTTP+SSE server through mcp-remote 0.15.1",
        plan: mcp_proxy_npm,
    },
    Bridge {
        name: "mcp-proxy (PyPI)",
        version: "0.13.0, PyPI, on Python 3",
        settings: "`--log-level ERROR`, without which it logs each request. One child for all sessions. An HTTP+SSE server through a second one",
        plan: mcp_proxy_python,
    },
    Bridge {
        name: "supergateway",
        version: "4.0.0, npm, on Node 24.21.0",
        settings: "`--stateful`, which spares it a child per request, and `--logLevel none`. A child per session. An HTTP+SSE server through a second one; `--streamableHttp` for clients on stdio",
        plan: supergateway,
    },
    Bridge {
        name: "supergateway, stateless",
        version: "4.0.0, npm, on Node 24.21.0",
        settings: "its default for Streamable HTTP, `--logLevel none`: a child per request",
        plan: supergateway_stateless,
    },
    Bridge {
        name: "mcp-remote",
        version: "0.15.1, npm, on Node 24.21.0",
        settings: "`--allow-http --transport http-only --silent`: a process per client, as it is launched by desktop clients",
        plan: mcp_remote,
    },
    Bridge {
        name: "mcpo",
        version: "0.0.20, PyPI, on Python 3",
        settings: "`--log-level ERROR`; with mcp below 2 and fastapi 0.128.0, for with what pip takes by itself it does not start. One child for all callers, who speak OpenAPI and no MCP",
        plan: mcpo,
    },
    Bridge {
        name: "fastmcp",
        version: "4.1.6, PyPI, on Python 3",
        settings: "`create_proxy()` on a stdio or SSE transport, run over HTTP with `log_level=\"error\"` (benches/compare/fastmcp_proxy.py)",
        plan: fastmcp,
    },
];

pub(crate) const DIRECT: &str = "direct";
pub(crate) const FLOOR: &str = "floor";
pub(crate) const CROSSWAY: &str = "crossway";

fn address(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn direct(Task { place, route, port, .. }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    let transport = match route {
        Route::StdioToSse => "http-sse",
        Route::HttpToStdio => return Ok(Some(Plan::new(&place.echo, route).words("stdio"))),
        // No server speaks OpenAPI.
        Route::StdioToOpenApi => return Ok(None),
        _ => "streamable-http",
    };
    Ok(Some(Plan::new(&place.echo, route).words(transport).words("--listen").argument(address(port))))
}

fn floor(Task { place, route, port, .. }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    let plan = Plan::new(&place.floor, route).words("--listen").argument(address(port)).words("--");
    Ok((route == Route::StdioToHttp).then(|| plan.argument(&place.echo).words("stdio")))
}

fn crossway(Task { place, route, port, server }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    match route {
        Route::HttpToStdio => {
            let plan = Plan::new(&place.crossway, route).words("stdio --log error");
            return Ok(Some(plan.argument(server)));
        }
        Route::StdioToOpenApi => return Ok(None),
        _ => {}
    }
    let plan = Plan::new(&place.crossway, route).words("bridge --listen").argument(address(port));
    Ok(Some(match route {
        Route::SseToHttp => plan.words("--upstream").argument(server),
        _ => plan.words("--").argument(&place.echo).words("stdio"),
    }))
}

fn mcp_proxy_rust(Task { place, route, port, .. }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    if route != Route::StdioToHttp {
        return Ok(None);
    }
    let file = place.installed.join("mcp-proxy.toml");
    let echo = place.echo.display();
    fs::write(
        &file,
        format!(
            "[proxy]\nname = \"compared\"\n\n[proxy.listen]\nhost = \"127.0.0.1\"\nport = {port}\n\n\
             [[backends]]\nname = \"echo\"\ntransport = \"stdio\"\ncommand = \"{echo}\"\nargs = [\"stdio\"]\n"
        ),
    )?;
    let plan = Plan::new(place.installed.join("cargo/bin/mcp-proxy"), route).words("--config").argument(file);
    // It serves at the root, and prefixes each tool's name with the server's.
    Ok(Some(Plan { path: "/", tool: "echo/echo", ..plan }))
}

fn mcp_proxy_npm(Task { place, route, port, server }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    if matches!(route, Route::HttpToStdio | Route::StdioToOpenApi) {
        return Ok(None);
    }
    let face = if route == Route::StdioToSse { "sse" } else { "stream" };
    let plan = Plan::new(place.node(), route)
        .argument(place.npm("mcp-proxy/dist/bin/mcp-proxy.mjs"))
        .words(&format!("--host 127.0.0.1 --port {port} --server {face} --no-eventStore --maxBodySize 0 --"));
    Ok(Some(match route {
        Route::SseToHttp => plan
            .argument(place.node())
            .argument(place.npm("mcp-remote/dist/proxy.js"))
            .argument(server)
            .words("--allow-http --transport sse-only --silent"),
        _ => plan.argument(&place.echo).words("stdio"),
    }))
}

fn mcp_proxy_python(Task { place, route, port, server }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    let program = place.python("mcp-proxy", "mcp-proxy");
    match route {
        Route::HttpToStdio => {
            let plan = Plan::new(program, route).words("--transport streamablehttp --log-level ERROR");
            return Ok(Some(plan.argument(server)));
        }
        Route::StdioToOpenApi => return Ok(None),
        _ => {}
    }
    let plan =
        Plan::new(&program, route).words(&format!("--host 127.0.0.1 --port {port} --log-level ERROR --"));
    Ok(Some(match route {
        Route::SseToHttp => plan.argument(program).words("--log-level ERROR").argument(server),
        _ => plan.argument(&place.echo).words("stdio"),
    }))
}

fn supergateway(task: Task<'_>) -> anyhow::Result<Option<Plan>> {
    match task.route {
        Route::HttpToStdio => {
            let plan = Plan::new(task.place.node(), task.route).argument(supergateway_script(task.place));
            return Ok(Some(plan.words("--logLevel none --streamableHttp").argument(task.server)));
        }
        Route::StdioToOpenApi => return Ok(None),
        _ => {}
    }
    let inner = match task.route {
        Route::SseToHttp => {
            let place = task.place;
            let this = shell(&[&place.node(), &supergateway_script(place)]);
            format!("{this} --sse {} --logLevel none", task.server)
        }
        _ => format!("{} stdio", shell(&[&task.place.echo])),
    };
    let plan = supergateway_with(task, inner);
    Ok(Some(if task.route == Route::StdioToSse { plan } else { plan.words("--stateful") }))
}

fn supergateway_stateless(task: Task<'_>) -> anyhow::Result<Option<Plan>> {
    let inner = format!("{} stdio", shell(&[&task.place.echo]));
    Ok((task.route == Route::StdioToHttp).then(|| supergateway_with(task, inner)))
}

fn supergateway_script(place: &Place) -> std::path::PathBuf {
    place.npm("supergateway/dist/index.js")
}

fn supergateway_with(Task { place, route, port, .. }: Task<'_>, command: String) -> Plan {
    let face = if route == Route::StdioToSse { "sse" } else { "streamableHttp" };
    Plan::new(place.node(), route)
        .argument(supergateway_script(place))
        .words(&format!("--port {port} --outputTransport {face} --logLevel none --stdio"))
        .argument(command)
}

fn mcp_remote(Task { place, route, server, .. }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    let plan = Plan::new(place.node(), route).argument(place.npm("mcp-remote/dist/proxy.js"));
    let plan = plan.argument(server).words("--allow-http --transport http-only --silent");
    Ok((route == Route::HttpToStdio).then_some(plan))
}

fn mcpo(Task { place, route, port, .. }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    let plan = Plan::new(place.python("mcpo", "mcpo"), route)
        .words(&format!("--host 127.0.0.1 --port {port} --log-level ERROR --"))
        .argument(&place.echo)
        .words("stdio");
    Ok((route == Route::StdioToOpenApi).then_some(plan))
}

fn fastmcp(Task { place, route, port, server }: Task<'_>) -> anyhow::Result<Option<Plan>> {
    let plan = Plan::new(place.python("fastmcp", "python"), route)
        .argument(place.lists.join("fastmcp_proxy.py"))
        .words(&port.to_string());
    Ok(match route {
        Route::StdioToHttp => Some(plan.words("stdio").argument(&place.echo).words("stdio")),
        Route::SseToHttp => Some(plan.words("sse").argument(server)),
        Route::StdioToSse | Route::HttpToStdio | Route::StdioToOpenApi => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bridge_has_a_plan_for_a_route() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_path_buf();
        let place = Place {
            installed: path.clone(),
            lists: path.clone(),
            echo: path.join("echo"),
            floor: path.join("floor"),
            crossway: path.join("crossway"),
        };
        for bridge in &BRIDGES {
            let task = |route| Task { place: &place, route, port: 1, server: "http://server" };
            let plans = Route::ALL.into_iter().filter_map(|route| (bridge.plan)(task(route)).unwrap());
            let plans: Vec<String> = plans.map(|plan| format!("{plan:?}")).collect();
            assert!(!plans.is_empty(), "{}", bridge.name);
            for words in plans {
                let is_to_the_point = words.contains("echo") || words.contains("http://server");
                assert!(is_to_the_point || bridge.name.starts_with("mcp-proxy (crates"), "{words}");
            }
        }
    }
}
