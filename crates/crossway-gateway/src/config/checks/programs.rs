//! Warns about upstreams whose program is not there. Starts nothing.

use crossway_stdio::StartError;

use super::super::UpstreamSpec;
use super::super::file::ConfigFile;
use super::super::problem::Problem;
use super::super::read::Context;
use super::{Findings, steps};
use crate::plan::UpstreamPlan;
use crate::upstream::connect::to_command;

/// Looks for the programs of all upstreams that are commands, as starting them does. The gateway may run as another user, on another
/// machine: what is not there is a warning.
pub(super) fn check(
    file: &ConfigFile,
    specs: &[UpstreamSpec],
    context: &Context<'_>,
    findings: &mut Findings,
) {
    let Some(path) = (context.lookup)("PATH") else { return };
    for spec in specs {
        let UpstreamPlan::Command(plan) = &spec.plan else { continue };
        let mut plan = plan.clone();
        // The upstream's own `PATH` comes later, and counts.
        plan.env.insert(0, ("PATH".into(), path.clone().into()));
        if plan.program.is_empty() {
            continue;
        }
        if let Err(why @ (StartError::NotFound { .. } | StartError::NotExecutable { .. })) =
            to_command(plan, &[]).check()
        {
            let list = if file.upstreams.contains_key(&spec.name) { "upstreams" } else { "mcpServers" };
            findings.warning(steps![list, &spec.name, "command"], Problem::Program(why));
        }
    }
}
