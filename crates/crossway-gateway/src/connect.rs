//! Reaching the server that a plan names.

use std::sync::Arc;

use crossway_router::Speaks;
use crossway_service::Upstream;
use crossway_stdio::{Command, Era, Options, StdioUpstream};
use futures_util::future::BoxFuture;

use crate::plan::{CommandPlan, UpstreamPlan};
use crate::{RunError, connect_url};

/// A server that has been reached.
pub(crate) struct Connected {
    pub(crate) upstream: Arc<dyn Upstream>,
    speaks: Speaks,
    /// A command's children, which are ended with it.
    children: Option<StdioUpstream>,
}

impl Connected {
    /// A server in this process.
    #[cfg(test)]
    pub(crate) fn in_process(upstream: Arc<dyn Upstream>, speaks: Speaks) -> Self {
        Self { upstream, speaks, children: None }
    }

    /// Which eras it speaks: a command that is slow to start may turn out to be modern later.
    pub(crate) fn speaks(&self) -> impl Fn() -> Speaks + Send + Sync + use<> {
        let (speaks, children) = (self.speaks, self.children.clone());
        move || match children.as_ref().and_then(StdioUpstream::era) {
            Some(Era::Modern) => Speaks::Modern,
            _ => speaks,
        }
    }

    /// Ends what was started for it, and waits for that.
    pub(crate) async fn close(&self) {
        if let Some(children) = &self.children {
            children.close().await;
        }
    }
}

/// What reaches the server that a plan names: [`connect`], or what a test has instead.
pub(crate) type Connect =
    Arc<dyn Fn(UpstreamPlan) -> BoxFuture<'static, Result<Connected, RunError>> + Send + Sync>;

/// Reaches servers as their plans say.
pub(crate) fn by_plan() -> Connect {
    Arc::new(|plan| Box::pin(connect(plan)))
}

/// The same for those who share servers. What a server says on stderr as it dies may be about anybody who uses it, so no caller's error
/// quotes it: it is in the log alone.
pub(crate) fn by_plan_unquoted() -> Connect {
    Arc::new(|plan| Box::pin(connect_with(plan, Options { quoted_lines: 0, ..Options::default() })))
}

/// Starts the command, asks the URL, or reads the API's document, and finds out which eras it speaks.
pub(crate) async fn connect(plan: UpstreamPlan) -> Result<Connected, RunError> {
    connect_with(plan, Options::default()).await
}

async fn connect_with(plan: UpstreamPlan, options: Options) -> Result<Connected, RunError> {
    match plan {
        UpstreamPlan::Url(url) => {
            let (upstream, speaks) = connect_url(url).await?;
            Ok(Connected { upstream, speaks, children: None })
        }
        UpstreamPlan::Api(api) => {
            Ok(Connected { upstream: api.connect().await?, speaks: Speaks::Modern, children: None })
        }
        UpstreamPlan::Command(command) => {
            let children = StdioUpstream::new(to_command(command), options);
            let era = children.probe().await?;
            let speaks = if era == Era::Modern { Speaks::Modern } else { Speaks::Legacy };
            Ok(Connected { upstream: Arc::new(children.clone()), speaks, children: Some(children) })
        }
    }
}

fn to_command(plan: CommandPlan) -> Command {
    let mut command = Command::new(plan.program).args(plan.args);
    for (name, value) in plan.env {
        command = command.env(name, value);
    }
    match plan.cwd {
        Some(directory) => command.current_dir(directory),
        None => command,
    }
}
