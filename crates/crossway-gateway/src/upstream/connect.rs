//! Connects to the server of a plan.

use std::sync::Arc;

use crossway_router::EraSupport;
use crossway_service::Upstream;
use crossway_stdio::{Command, Era, Options, StdioUpstream};
use futures_util::future::BoxFuture;

use crate::RunError;
use crate::plan::{CommandPlan, HIDDEN, UpstreamPlan};
use crate::upstream::detect::reach_url;
use crate::upstream::redetect::RedetectingUpstream;

/// A server that has been reached.
pub(crate) struct Connected {
    pub(crate) upstream: Arc<dyn Upstream>,
    speaks: EraSupport,
    ends: Ends,
}

/// What is to be ended with a server.
enum Ends {
    /// A command's children.
    Children(StdioUpstream),
    /// The sessions with a server at a URL.
    Sessions(RedetectingUpstream),
    Nothing,
}

impl Connected {
    /// A server in this process.
    #[cfg(test)]
    pub(crate) fn in_process(upstream: Arc<dyn Upstream>, speaks: EraSupport) -> Self {
        Self { upstream, speaks, ends: Ends::Nothing }
    }

    /// Which eras it speaks: a command that is slow to start may turn out to be modern later, and what is at a URL may be upgraded.
    pub(crate) fn speaks(&self) -> impl Fn() -> EraSupport + Send + Sync + use<> {
        let (speaks, children) = (self.speaks, self.children().cloned());
        let url = if let Ends::Sessions(server) = &self.ends { Some(server.clone()) } else { None };
        move || match (children.as_ref().and_then(StdioUpstream::era), &url) {
            (Some(Era::Modern), _) => EraSupport::Modern,
            (_, Some(url)) => url.speaks(),
            _ => speaks,
        }
    }

    /// Says whether it has ever answered anything. What is at a URL has, by now.
    pub(crate) fn answered(&self) -> Box<dyn Fn() -> bool + Send + Sync> {
        match self.children() {
            Some(children) => Box::new(children.answered()),
            None => Box::new(|| true),
        }
    }

    /// Says in the log that it is there, and which eras it speaks: of a command that has said nothing yet, once that is known.
    pub(crate) fn announce(&self, name: &str) {
        let answered = self.answered();
        let unknown = self.children().filter(|children| children.era().is_none() || !answered());
        let Some(children) = unknown else {
            tracing::info!(server = %name, speaks = revisions(self.speaks()()), "the MCP server is there");
            return;
        };
        tracing::info!(server = %name, "the MCP server is started, and has said nothing yet");
        let (name, known) = (name.to_owned(), children.era_when_known());
        tokio::spawn(async move {
            match known.await {
                Some(era) if answered() => {
                    tracing::info!(server = %name, speaks = revisions(speaks(era)), "the MCP server is there");
                }
                Some(_) => tracing::warn!(server = %name, "the MCP server has not answered yet"),
                None => {}
            }
        });
    }

    fn children(&self) -> Option<&StdioUpstream> {
        if let Ends::Children(children) = &self.ends { Some(children) } else { None }
    }

    /// Ends what was started for it, and its sessions, and waits for that, some seconds at most.
    pub(crate) async fn close(&self) {
        match &self.ends {
            Ends::Children(children) => children.close().await,
            Ends::Sessions(server) => server.close().await,
            Ends::Nothing => {}
        }
    }
}

/// What reaches the server of a name as its plan says: [`connect`], or what a test has instead.
pub(crate) type Connect =
    Arc<dyn Fn(&str, UpstreamPlan) -> BoxFuture<'static, Result<Connected, RunError>> + Send + Sync>;

/// What a command finds of this process's environment, beside the usual, where both are one user's: how the network is reached, without which
/// `npx` and `uvx` install nothing in a company's. A proxy's URL may have a password in it.
const NETWORK: [&str; 12] = [
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "https_proxy",
    "http_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
];

/// Reaches one user's own servers as their plans say.
pub(crate) fn by_plan() -> Connect {
    Arc::new(|name, plan| {
        let plan = Named::new(name, plan);
        Box::pin(connect_with(plan, Options::default(), &NETWORK))
    })
}

/// The same for the servers of a config, whose commands find no more of the environment than the config says.
pub(crate) fn by_plan_of_config() -> Connect {
    Arc::new(|name, plan| Box::pin(connect_with(Named::new(name, plan), Options::default(), &[])))
}

/// The same for those who share servers. What a server says on stderr as it dies may be about anybody who uses it, so no caller's error
/// quotes it: it is in the log alone.
pub(crate) fn by_plan_unquoted() -> Connect {
    Arc::new(|name, plan| {
        let options = Options { quoted_lines: 0, ..Options::default() };
        Box::pin(connect_with(Named::new(name, plan), options, &[]))
    })
}

/// A plan, and what its server is called where there are several.
struct Named {
    name: Option<Arc<str>>,
    plan: UpstreamPlan,
}

impl Named {
    fn new(name: &str, plan: UpstreamPlan) -> Self {
        Self { name: Some(name.into()), plan }
    }
}

/// Starts the user's command, asks the URL, or reads the API's document, and finds out which eras it speaks; unless the process is asked to end
/// first: `None` then, once what was started for it has ended.
pub(crate) async fn connect_unless_asked(
    plan: UpstreamPlan,
    asked: impl Future<Output = std::io::Result<()>>,
) -> Result<Option<Connected>, RunError> {
    let mut started = None;
    let connected = tokio::select! {
        connected = connect_as(Named { name: None, plan }, Options::default(), &NETWORK, &mut started) => {
            return connected.map(Some);
        }
        asked = asked => asked,
    };
    connected.map_err(RunError::Signals)?;
    if let Some(children) = started {
        children.close().await;
    }
    Ok(None)
}

async fn connect_with(named: Named, options: Options, inherited: &[&str]) -> Result<Connected, RunError> {
    connect_as(named, options, inherited, &mut None).await
}

/// Reaches what the plan names. A command is there as `started` as soon as it is.
async fn connect_as(
    Named { name, plan }: Named,
    options: Options,
    inherited: &[&str],
    started: &mut Option<StdioUpstream>,
) -> Result<Connected, RunError> {
    match plan {
        UpstreamPlan::Url(url) => {
            let server = reach_url(url).await?;
            let (upstream, speaks) = (Arc::new(server.clone()), server.speaks());
            Ok(Connected { upstream, speaks, ends: Ends::Sessions(server) })
        }
        UpstreamPlan::Api(api) => {
            Ok(Connected { upstream: api.connect().await?, speaks: EraSupport::Modern, ends: Ends::Nothing })
        }
        UpstreamPlan::Command(command) => {
            let mut command = to_command(command, inherited);
            if let Some(name) = name {
                command = command.named(name);
            }
            let children = StdioUpstream::new(command, options);
            *started = Some(children.clone());
            let era = children.probe().await?;
            let speaks = speaks(era);
            let upstream = Arc::new(children.clone());
            Ok(Connected { upstream, speaks, ends: Ends::Children(children) })
        }
    }
}

/// Which revisions an era has, as the log says it.
fn revisions(speaks: EraSupport) -> &'static str {
    match speaks {
        EraSupport::Modern => "2026-07-28",
        EraSupport::Legacy => "before 2026-07-28",
        EraSupport::Both => "2026-07-28 and before",
    }
}

fn speaks(era: Era) -> EraSupport {
    if era == Era::Modern { EraSupport::Modern } else { EraSupport::Legacy }
}

fn to_command(plan: CommandPlan, inherited: &[&str]) -> Command {
    let mut command = Command::new(plan.program).args(plan.args);
    if let Some(tenant) = plan.tenant {
        command = command.for_tenant(tenant);
    }
    if plan.is_hidden {
        command = command.shown_as(HIDDEN);
    }
    for name in inherited {
        command = command.inherit(*name);
    }
    for (name, value) in plan.env {
        command = command.env(name, value);
    }
    match plan.cwd {
        Some(directory) => command.current_dir(directory),
        None => command,
    }
}
