//! Connects to the server of a plan.

use std::sync::Arc;

use crossway_proto::Era;
use crossway_router::EraSupport;
use crossway_service::Upstream;
use crossway_stdio::{Command, Options, StdioUpstream};
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

/// What to end together with a server.
enum Ends {
    /// A command's children.
    Children(StdioUpstream),
    /// The sessions with a server at a URL.
    Sessions(RedetectingUpstream),
    Nothing,
}

impl Connected {
    /// Creates a connection to a server in this process.
    #[cfg(test)]
    pub(crate) fn in_process(upstream: Arc<dyn Upstream>, speaks: EraSupport) -> Self {
        Self { upstream, speaks, ends: Ends::Nothing }
    }

    /// Returns a function for the eras that the server speaks now. A slow command may turn out to be modern later, and the server at a URL
    /// may be upgraded.
    pub(crate) fn speaks(&self) -> impl Fn() -> EraSupport + Send + Sync + use<> {
        let (speaks, children) = (self.speaks, self.children().cloned());
        let url = if let Ends::Sessions(server) = &self.ends { Some(server.clone()) } else { None };
        move || match (children.as_ref().and_then(StdioUpstream::era), &url) {
            (Some(Era::Modern), _) => EraSupport::Modern,
            (_, Some(url)) => url.speaks(),
            _ => speaks,
        }
    }

    /// Returns a function that tells whether the server has ever answered. A server at a URL always has by now.
    pub(crate) fn answered(&self) -> Box<dyn Fn() -> bool + Send + Sync> {
        match self.children() {
            Some(children) => Box::new(children.answered()),
            None => Box::new(|| true),
        }
    }

    /// Logs that the server is there, and which eras it speaks. For a command that has not answered yet, this waits until that is known.
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

    /// Ends the server's processes or sessions, and waits for that, for some seconds at most.
    pub(crate) async fn close(&self) {
        match &self.ends {
            Ends::Children(children) => children.close().await,
            Ends::Sessions(server) => server.close().await,
            Ends::Nothing => {}
        }
    }
}

/// Connects to a named server by its plan: one of the functions below, or a substitute in tests.
pub(crate) type Connect =
    Arc<dyn Fn(&str, UpstreamPlan) -> BoxFuture<'static, Result<Connected, RunError>> + Send + Sync>;

/// Further variables that a command inherits if it and this process belong to the same user: how to reach the network, without which
/// `npx` and `uvx` can't install anything in many companies. A proxy's URL may contain a password.
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

/// Connects to a single user's own servers.
pub(crate) fn by_plan() -> Connect {
    Arc::new(|name, plan| {
        let plan = Named::new(name, plan);
        Box::pin(connect_with(plan, Options::default(), &NETWORK))
    })
}

/// Connects to the servers of a config, whose commands inherit no variables besides the usual ones.
pub(crate) fn by_plan_of_config() -> Connect {
    Arc::new(|name, plan| Box::pin(connect_with(Named::new(name, plan), Options::default(), &[])))
}

/// Connects to servers that callers share. The last lines on a server's stderr may be about any of its users, so callers' errors do not
/// quote them; they are only in the log.
pub(crate) fn by_plan_unquoted() -> Connect {
    Arc::new(|name, plan| {
        let options = Options::default().with(|options| options.quoted_lines = 0);
        Box::pin(connect_with(Named::new(name, plan), options, &[]))
    })
}

/// A plan, with the server's name if there are several.
struct Named {
    name: Option<Arc<str>>,
    plan: UpstreamPlan,
}

impl Named {
    fn new(name: &str, plan: UpstreamPlan) -> Self {
        Self { name: Some(name.into()), plan }
    }
}

/// Starts the user's command, connects to the URL, or reads the API's document, and detects the server's eras. If the process is asked
/// to end first, returns `None` once the started command has ended.
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

/// Connects by the plan. Sets `started` as soon as a command is started.
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

/// Returns the revisions of these eras, for the log.
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

/// The command that a plan describes, with these variables of ours beside those that it always inherits.
pub(crate) fn to_command(plan: CommandPlan, inherited: &[&str]) -> Command {
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
