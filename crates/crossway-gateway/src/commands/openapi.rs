//! `crossway openapi`: serves MCP tools as OpenAPI, with mcpo's flags and config file.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;

use crossway_dial::{BadProxy, Proxies};
use crossway_openapi::face::{self, ApiKey};
use crossway_proto::Revision;
use crossway_proto::http_rules::{AllowedHosts, AllowedOrigins};
use crossway_router::{SharedBy, ToLegacyOptions};
use crossway_service::{Call, Context, Origin, Scope, Upstream};
use serde_json::{Map, Value};

use crate::args::{HeaderArg, HeaderError, OpenApiArgs, ServerTypeArg, TransportArg};
use crate::commands::fleet::Fleet;
use crate::faces::{Faces, UpstreamFaces};
use crate::limits::{OPENAPI_DRAIN, OPENAPI_FIRST_LIST, OPENAPI_IDLE};
use crate::listener::BoundListener;
use crate::metrics::Metrics;
use crate::openapi_face::{OpenApiFace, alone};
use crate::plan::{CommandPlan, ListenPlan, UpstreamPlan, UrlPlan, http_url};
use crate::run::run;
use crate::serve::{Edge, list};
use crate::tls::{MaybeTls, Tls, TlsFiles};
use crate::upstream::connect::connect_unless_asked;
use crate::upstream::eras::any_era_of;
use crate::{RunError, Running};

/// Why the flags can't be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenApiError {
    /// There is no server.
    #[error(
        "whose tools are to be served? Add a command behind `--` (crossway openapi --port 8000 -- uvx mcp-server-time), a URL \
         with --server-type, or --config FILE"
    )]
    NoServer,
    /// A flag has no effect here.
    #[error("{flag} is for {of}")]
    OutOfPlace {
        /// The flag.
        flag: &'static str,
        /// What the flag is for.
        of: &'static str,
    },
    /// The host has no address.
    #[error("--host {0:?} is no name and no address of this machine")]
    BadHost(String),
    /// An origin is invalid.
    #[error(
        "--cors-allow-origins {0:?} is not an origin; one is written as https://chat.example.com, and * stands for all"
    )]
    BadOrigin(String),
    /// The key is invalid.
    #[error("--api-key can't be sent by anybody: {0}")]
    BadKey(face::InvalidKey),
    /// `--strict-auth` is given without a key.
    #[error("--strict-auth needs --api-key")]
    NoKey,
    /// A variable is not `NAME=VALUE`.
    #[error("--env {0:?} is not NAME=VALUE")]
    BadVariable(String),
    /// The file of variables can't be read.
    #[error("--env-path {} can't be read", file.display())]
    VariablesFile {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line of the file of variables is not `NAME=VALUE`.
    #[error("--env-path {}:{line} is not NAME=VALUE", file.display())]
    BadVariableLine {
        /// The file.
        file: PathBuf,
        /// Its line.
        line: usize,
    },
    /// The headers are no JSON object of texts.
    #[error(r#"--header is a JSON object of texts, such as '{{"Authorization": "Bearer ${{TOKEN}}"}}'"#)]
    BadHeaders,
    /// A header can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A URL is needed behind `--`.
    #[error("with this --server-type, one URL stands behind `--`: {0}")]
    BadUrl(String),
    /// A command is needed behind `--`, and a URL is there.
    #[error("a URL stands behind `--`: say --server-type streamable-http, or sse, before it")]
    UrlAsCommand,
    /// A variable names no proxy that can be used.
    #[error(transparent)]
    Proxy(#[from] BadProxy),
    /// Only one of certificate and key is given.
    #[error("--ssl-certfile and --ssl-keyfile need each other")]
    HalfTls,
}

/// The flags, validated.
struct Plan {
    listen: ListenPlan,
    hosts: AllowedHosts,
    origins: AllowedOrigins,
    tools: face::Config,
    tls: Option<TlsFiles>,
    /// The only server; `None` if there is a file of servers.
    upstream: Option<UpstreamPlan>,
    /// The environment of servers' commands.
    env: Vec<(OsString, OsString)>,
}

/// Serves the tools of the flags' servers as OpenAPI until asked to end.
///
/// # Errors
///
/// When the flags can't be carried out, the address is taken, or the only server can't be started or reached. Of several, those that
/// can't are tried again while the others are served.
#[must_use]
pub fn openapi(args: OpenApiArgs) -> Running {
    Box::pin(serve(args))
}

async fn serve(args: OpenApiArgs) -> Result<(), RunError> {
    let (config, hot_reload) = (args.config.clone(), args.hot_reload);
    let Plan { listen, hosts, origins, tools, tls, upstream, env } = plan(args)?;
    if tools.key.is_none() && !listen.address.ip().is_loopback() {
        tracing::warn!("there is no --api-key: whoever reaches this address can call the tools behind it");
    }
    let door = match tls {
        Some(files) => {
            let tls = Tls::load("clients", files, Metrics::new())?;
            tokio::spawn(tls.clone().watch(crate::tls::limits::LOOK));
            MaybeTls::Tls(tls)
        }
        None => MaybeTls::Plain,
    };
    let tools = tools.hosts(hosts).origins(origins);
    let Some(upstream) = upstream else {
        // A file that can't be used is reported before anything is bound.
        let fleet = Fleet::new(config, Vec::new(), None)?.in_environment(env);
        let mut fleet = if hot_reload { fleet } else { fleet.fixed() };
        let bound = BoundListener::new(listen).await?.of_tools(&tools);
        return fleet.serve_tools(bound, tools, door).await;
    };
    let mut bound = BoundListener::new(listen).await?.of_tools(&tools);
    let Some(connected) = connect_unless_asked(upstream, bound.asked()).await? else { return Ok(()) };
    connected.announce("mcp");
    let any_era = any_era_of(
        "mcp",
        Arc::clone(&connected.upstream),
        &connected,
        ToLegacyOptions::shared_by(SharedBy::Everyone),
    );
    // The first client should see all tools, even if the server takes long to start.
    let modern = any_era.modern();
    tokio::select! {
        listed = tokio::time::timeout(OPENAPI_FIRST_LIST, first_list(&modern)) => if listed.is_err() {
            tracing::warn!("the MCP server has not listed its tools yet; the document has them when it has");
        },
        asked = bound.asked() => {
            asked.map_err(RunError::Signals)?;
            connected.close().await;
            return Ok(());
        }
    }
    let upstream = Arc::new(alone("mcp", &modern));
    let face = bound.maker(false).openapi(upstream, tools);
    let faces = Faces::new(UpstreamFaces::openapi_only(OpenApiFace::One(face)));
    let served = run(bound, faces.clone(), Edge::open(faces), door, |_| {}, "mcp", &[]).await?;
    served.close(connected.close()).await;
    Ok(())
}

/// Asks for the list of tools, and waits for any answer.
async fn first_list(upstream: &dyn Upstream) {
    let context = Context::new(Origin::unique(), Some(Revision::V2026_07_28));
    let Ok(list) = list("crossway openapi") else { return };
    let mut reply = upstream.connect(Scope::Shared).call(Call::message(list, context));
    while reply.next().await.is_some_and(|item| item.is_ok_and(|message| !message.is_response())) {}
}

fn plan(args: OpenApiArgs) -> Result<Plan, OpenApiError> {
    let key = args.api_key.as_deref().filter(|key| !key.is_empty());
    let key = key.map(ApiKey::new).transpose().map_err(OpenApiError::BadKey)?;
    if args.strict_auth && key.is_none() {
        return Err(OpenApiError::NoKey);
    }
    let address = address(args.host.as_deref(), args.port, key.is_some())?;
    let is_open = key.is_some() || !address.ip().is_loopback();
    let origins = origins(&args.cors_allow_origins, key.is_some())?;
    let mut tools = face::Config::new()
        .info(args.name.clone(), args.description.clone(), args.version.clone())
        .root_path(&args.root_path)
        .path_prefix(&args.path_prefix);
    if let Some(key) = key {
        tools = tools.key(if args.strict_auth { key.strict() } else { key });
    }
    let tls = match (args.ssl_certfile.clone(), args.ssl_keyfile.clone()) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, client_ca: None }),
        (None, None) => None,
        _ => return Err(OpenApiError::HalfTls),
    };
    let env = variables(&args)?;
    Ok(Plan {
        listen: ListenPlan {
            address,
            allow_hosts: Vec::new(),
            allow_origins: Vec::new(),
            drain: OPENAPI_DRAIN,
            timeout: OPENAPI_IDLE,
        },
        // A page that gets here under another host name (DNS rebinding) has no key. Without a key, only this machine's names are allowed,
        // unless other machines are meant to call.
        hosts: if is_open { AllowedHosts::any() } else { AllowedHosts::loopback() },
        origins,
        tools,
        tls,
        upstream: upstream(args, &env)?,
        env,
    })
}

fn address(host: Option<&str>, port: u16, has_key: bool) -> Result<SocketAddr, OpenApiError> {
    let host = host.unwrap_or(if has_key { "0.0.0.0" } else { "127.0.0.1" });
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let found = (host, port).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| OpenApiError::BadHost(host.to_owned()))
}

/// The origins that may call: with a key, all, because browsers never add the key by themselves.
fn origins(given: &[String], has_key: bool) -> Result<AllowedOrigins, OpenApiError> {
    if given.iter().any(|origin| origin == "*") || given.is_empty() && has_key {
        return Ok(AllowedOrigins::any());
    }
    given.iter().try_fold(AllowedOrigins::loopback(), |origins, origin| {
        origins.and(origin).map_err(|_| OpenApiError::BadOrigin(origin.clone()))
    })
}

/// The environment of commands: as with mcpo, this process's own and the variables of the flags.
fn variables(args: &OpenApiArgs) -> Result<Vec<(OsString, OsString)>, OpenApiError> {
    let mut all: Vec<(OsString, OsString)> =
        std::env::vars_os().filter(|(name, _)| name != "CROSSWAY_API_KEY").collect();
    let mut set = |name: &str, value: &str| {
        all.retain(|(known, _)| known != name);
        all.push((name.into(), value.into()));
    };
    if let Some(file) = &args.env_path {
        let unreadable = |source| OpenApiError::VariablesFile { file: file.clone(), source };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line);
            let bad = || OpenApiError::BadVariableLine { file: file.clone(), line: index + 1 };
            let (name, value) = line.split_once('=').ok_or_else(bad)?;
            if name.trim().is_empty() {
                return Err(bad());
            }
            set(name.trim(), &value_of(value).ok_or_else(bad)?);
        }
    }
    for variable in &args.env {
        match variable.split_once('=') {
            Some((name, value)) if !name.is_empty() => set(name, value),
            // The value may be a secret.
            _ => {
                return Err(OpenApiError::BadVariable(
                    variable.split('=').next().unwrap_or_default().to_owned(),
                ));
            }
        }
    }
    Ok(all)
}

/// A value as python-dotenv reads it: the text in quotes, or all text before a comment. `None` if a quotation does not end, or if anything
/// but a comment follows it.
fn value_of(text: &str) -> Option<String> {
    let mut rest = text.trim().chars();
    let Some(quote) = rest.next().filter(|first| ['"', '\''].contains(first)) else {
        let is_comment = |at: usize| text[..at].ends_with(char::is_whitespace);
        let comment = text.match_indices('#').find(|(at, _)| is_comment(*at));
        return Some(comment.map_or(text, |(at, _)| &text[..at]).trim().to_owned());
    };
    let mut value = String::new();
    loop {
        match rest.next()? {
            '\\' => match rest.next()? {
                escaped if escaped == '\\' || escaped == '\'' => value.push(escaped),
                '"' if quote == '"' => value.push('"'),
                'n' if quote == '"' => value.push('\n'),
                'r' if quote == '"' => value.push('\r'),
                't' if quote == '"' => value.push('\t'),
                other => value.extend(['\\', other]),
            },
            end if end == quote => break,
            other => value.push(other),
        }
    }
    let behind = rest.as_str().trim_start();
    (behind.is_empty() || behind.starts_with('#')).then_some(value)
}

fn upstream(args: OpenApiArgs, env: &[(OsString, OsString)]) -> Result<Option<UpstreamPlan>, OpenApiError> {
    let out_of_place = |flag, of| Err(OpenApiError::OutOfPlace { flag, of });
    if args.header.is_some() && (args.config.is_some() || args.server_type == ServerTypeArg::Stdio) {
        return out_of_place("--header", "a URL behind `--`, with --server-type sse or streamable-http");
    }
    if args.config.is_some() {
        return match () {
            () if !args.command.is_empty() => {
                out_of_place("--config", "servers of a file alone; put what stands behind `--` into it")
            }
            () if args.server_type != ServerTypeArg::Stdio => out_of_place(
                "--server-type",
                "what stands behind `--`; in a file, each server has its \"type\"",
            ),
            () => Ok(None),
        };
    }
    if args.hot_reload {
        return out_of_place("--hot-reload", "--config");
    }
    let Some((first, rest)) = args.command.split_first() else { return Err(OpenApiError::NoServer) };
    let transport = match args.server_type {
        ServerTypeArg::Stdio if http_url(first).is_ok() => return Err(OpenApiError::UrlAsCommand),
        ServerTypeArg::Stdio => {
            return Ok(Some(UpstreamPlan::Command(CommandPlan {
                program: first.into(),
                args: rest.iter().map(OsString::from).collect(),
                env: env.to_vec(),
                cwd: None,
                is_hidden: false,
                tenant: None,
            })));
        }
        ServerTypeArg::Sse => TransportArg::HttpSse,
        ServerTypeArg::StreamableHttp => TransportArg::StreamableHttp,
    };
    if !rest.is_empty() {
        return Err(OpenApiError::BadUrl("there is more than one word".to_owned()));
    }
    let url =
        http_url(first).map_err(|reason| OpenApiError::BadUrl(format!("{first:?} is none: {reason}")))?;
    let headers = headers(args.header.as_deref())?;
    let proxies = Proxies::from_variables(|name| std::env::var(name).ok())?;
    Ok(Some(UpstreamPlan::Url(UrlPlan {
        url,
        transport: Some(transport),
        headers,
        proxies,
        keeps_ids: true,
    })))
}

fn headers(text: Option<&str>) -> Result<Vec<(http::HeaderName, http::HeaderValue)>, OpenApiError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let headers: Map<String, Value> = serde_json::from_str(text).map_err(|_| OpenApiError::BadHeaders)?;
    let headers = headers.iter().map(|(name, value)| {
        let value = value.as_str().ok_or(OpenApiError::BadHeaders)?;
        Ok(HeaderArg::new(name, value)?.resolve(|name| std::env::var(name).ok())?)
    });
    headers.collect()
}

#[cfg(test)]
mod tests;
