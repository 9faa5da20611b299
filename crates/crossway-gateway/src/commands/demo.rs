//! `crossway demo`: serves the demo MCP server.

use crossway_demo::{Demo, Era, StreamCloser};
use crossway_rmcp::HandlerUpstream;
use crossway_stdio::OwnStdio;
use crossway_streamable_http::server::StreamControl;

use crate::args::{DemoArgs, EraArg};
use crate::commands::single::serve;
use crate::commands::stdio;
use crate::listener::BoundListener;
use crate::plan;
use crate::shutdown::{Hangup, Signals};
use crate::{RunError, Running};

/// Serves the demo server until asked to end.
///
/// # Errors
///
/// When the arguments can't be carried out, or the address is taken.
#[must_use]
pub fn demo(args: DemoArgs) -> Running {
    Box::pin(run(args))
}

async fn run(args: DemoArgs) -> Result<(), RunError> {
    let era = match args.era {
        EraArg::Both => Era::Both,
        EraArg::Legacy => Era::Legacy,
        EraArg::Modern => Era::Modern,
    };
    let demo = Demo::new(era).find_stream_closer_with(|extensions| {
        let control = extensions.get::<crossway_service::Extensions>()?.get::<StreamControl>()?.clone();
        Some(StreamCloser::new(move || control.close_stream()))
    });
    let upstream = HandlerUpstream::new(move || demo.clone());
    if args.stdio {
        let mut signals = Signals::new(Hangup::Ends).map_err(RunError::Signals)?;
        return stdio::serve(OwnStdio::open(), upstream, &mut signals).await;
    }
    let bound = BoundListener::new(plan::listen(&args.listen)?).await?.modern_only(era == Era::Modern);
    serve(bound, upstream, "crossway-demo", true).await?;
    Ok(())
}
