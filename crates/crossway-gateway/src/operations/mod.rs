//! The operations listener: probes, metrics and administration.
//!
//! | path | method | behind the key | says |
//! |---|---|---|---|
//! | `/livez` | GET | no | 200 while the process answers |
//! | `/readyz` | GET | no | 200 while calls are taken, else 503; upstreams beside it |
//! | `/metrics` | GET | no | metrics, in Prometheus' text format |
//! | `/admin/upstreams` | GET | yes | how each upstream is |
//! | `/admin/sessions` | GET | yes | how many sessions there are |
//! | `/admin/explain` | POST | yes | what policy would say to a call |

mod answer;
mod key;
pub mod limits;
mod readiness;
mod service;
mod status;

pub use key::{AdminKey, BadAdminKey};
pub use readiness::{Readiness, ReadinessParts, ReadinessStatus};
pub use service::{Operations, OperationsFuture};
pub use status::{
    AuditStatus, BadQuestion, InstanceCounts, OperationsSource, SessionCount, UpstreamState, UpstreamStatus,
};
