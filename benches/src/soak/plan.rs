//! The users and their rights: the source of the config, and what answers are checked against.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::open_webui::OpenWebUi;

/// An upstream of the soak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Server {
    /// Streamable HTTP, all revisions, a secret for each user.
    Wiki,
    /// Streamable HTTP, legacy revisions alone, a secret for each tenant.
    Files,
    /// HTTP+SSE, a secret for each tenant.
    Tickets,
    /// A process on stdio for each tenant, with the tenant's secret in its environment.
    Notes,
}

impl Server {
    pub(crate) const ALL: [Self; 4] = [Self::Wiki, Self::Files, Self::Tickets, Self::Notes];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wiki => "wiki",
            Self::Files => "files",
            Self::Tickets => "tickets",
            Self::Notes => "notes",
        }
    }

    /// Whether each user has a secret of their own, rather than each tenant.
    pub(crate) fn is_per_user(self) -> bool {
        self == Self::Wiki
    }
}

/// The numbers of users and tenants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) users: usize,
    pub(crate) tenants: usize,
}

/// One user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct User {
    pub(crate) number: usize,
    pub(crate) tenant: usize,
}

impl User {
    pub(crate) fn email(self) -> String {
        format!("user-{}@tenant-{}.example", self.number, self.tenant)
    }

    /// Whether the user is an administrator, who may call one more tool.
    pub(crate) fn is_admin(self) -> bool {
        self.number % 10 == 3
    }

    /// The user's role in Open WebUI.
    pub(crate) fn role(self) -> &'static str {
        if self.is_admin() { "admin" } else { "user" }
    }
}

impl Plan {
    pub(crate) fn user(&self, number: usize) -> User {
        User { number, tenant: number % self.tenants }
    }

    /// The number of a server's additional tools: one for each tenant alone.
    pub(crate) fn more_tools(&self) -> usize {
        self.tenants
    }

    /// Whether this generation's config denies a tenant all of [`Server::Files`]: each tenant is denied in turn.
    pub(crate) fn denies_files(&self, generation: u64, tenant: usize) -> bool {
        generation % 2 == 1 && (generation / 2) as usize % self.tenants == tenant
    }

    /// The tools that a user may see and call, by their names at the merged endpoint.
    pub(crate) fn granted(&self, generation: u64, user: User) -> BTreeSet<String> {
        let mut granted = BTreeSet::new();
        for server in Server::ALL {
            if server == Server::Files && self.denies_files(generation, user.tenant) {
                continue;
            }
            let name = server.name();
            granted.extend(["echo", "whoami"].map(|tool| format!("{name}__{tool}")));
            granted.insert(format!("{name}__tool_{}", user.tenant));
            // In every second generation, administrators have one more.
            if user.is_admin() && generation.is_multiple_of(2) {
                granted.insert(format!("{name}__progress"));
            }
        }
        granted
    }

    /// The config of a generation. `url` returns each server's URL; notes are processes of `echo`.
    pub(crate) fn config(
        &self,
        generation: u64,
        listen: &str,
        operations: &str,
        echo: &str,
        url: impl Fn(Server) -> String,
    ) -> Value {
        let tenants: Map<String, Value> = (0..self.tenants)
            .map(|tenant| {
                (format!("tenant-{tenant}"), json!({ "email_domains": [format!("tenant-{tenant}.example")] }))
            })
            .collect();
        let upstreams: Map<String, Value> = Server::ALL
            .into_iter()
            .map(|server| {
                let mut upstream = match server {
                    Server::Notes => json!({
                        "command": echo,
                        "args": ["stdio", "--whoami", "--era", "legacy", "--more-tools", self.more_tools().to_string()],
                        "scope": "tenant",
                    }),
                    Server::Wiki => json!({ "url": url(server), "scope": "user" }),
                    Server::Files => json!({ "url": url(server), "scope": "tenant" }),
                    Server::Tickets => {
                        json!({ "url": url(server), "scope": "tenant", "transport": "http-sse" })
                    }
                };
                // Killed servers are back at once; a breaker that doubles its time would outlast them.
                upstream["limits"] = json!({
                    "sessions": self.users + 64,
                    "session_idle": "2m",
                    "breaker": { "failures": 5, "first": "500ms", "most": "1s" },
                });
                (server.name().to_owned(), upstream)
            })
            .collect();
        let mut grants: Vec<Value> = Vec::new();
        for tenant in 0..self.tenants {
            let name = format!("tenant-{tenant}");
            grants.push(json!({
                "tenant": name, "upstream": "*", "tools": ["whoami", format!("tool_{tenant}")],
                "when": "args.message.startsWith('~') && user.email.endsWith(tenant + '.example')",
            }));
            // Conditions do not cover long arguments.
            grants.push(json!({ "tenant": name, "upstream": "*", "tools": ["echo"] }));
            if generation.is_multiple_of(2) {
                grants
                    .push(json!({ "tenant": name, "role": "admin", "upstream": "*", "tools": ["progress"] }));
            }
            if self.denies_files(generation, tenant) {
                grants.push(json!({ "tenant": name, "upstream": "files", "tools": ["*"], "effect": "deny" }));
            }
        }
        let credentials: Vec<Value> = Server::ALL
            .into_iter()
            .map(|server| {
                let name = server.name();
                let mut credential = if server.is_per_user() {
                    json!({ "upstream": name, "for": "user", "from": { "directory": format!("secrets/{name}") } })
                } else {
                    json!({ "upstream": name, "for": "tenant", "from": { "file": format!("secrets/{name}/{{tenant}}") } })
                };
                let (place, called) = match server {
                    Server::Notes => ("env", "ECHO_CREDENTIAL"),
                    _ => ("header", "X-Echo-Credential"),
                };
                credential[place] = called.into();
                credential
            })
            .collect();
        json!({
            "listen": listen,
            "operations": { "listen": operations, "admin_key": "a-key-for-operators-of-a-soak" },
            "session_keys": ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="],
            "identity": OpenWebUi::identity(),
            "upstreams": upstreams,
            "tenants": tenants,
            "grants": grants,
            "credentials": credentials,
            "quotas": [{ "requests": "100000/s", "calls": "1000000/min", "in_flight": 10_000, "per_user": { "calls": "100000/min", "in_flight": 100 } }],
            "audit": { "file": "audit.jsonl", "key": "a key that only a soak hashes with" },
            "log": { "filter": "info", "format": "json" },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { users: 40, tenants: 4 };

    #[test]
    fn nobody_is_granted_the_tool_of_another_tenant() {
        for generation in 0..16 {
            for number in 0..PLAN.users {
                let user = PLAN.user(number);
                let granted = PLAN.granted(generation, user);
                for tenant in 0..PLAN.tenants {
                    let own = granted.contains(&format!("notes__tool_{tenant}"));
                    assert_eq!(own, tenant == user.tenant);
                }
            }
        }
    }

    #[test]
    fn each_tenant_is_denied_files_in_its_turn() {
        for tenant in 0..PLAN.tenants {
            assert!((0..16).any(|generation| PLAN.denies_files(generation, tenant)));
            assert!((0..16).any(|generation| !PLAN.denies_files(generation, tenant)));
        }
    }
}
