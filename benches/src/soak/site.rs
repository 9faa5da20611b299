//! The gateway, its servers and their secrets, and the state that users and events share.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::check::mark;
use super::plan::{Plan, Server, User};
use super::tally::Tally;
use super::truth::{Holder, Truth};
use crate::load::Address;
use crate::open_webui::OpenWebUi;
use crate::program::Program;

/// The time limit for the operations endpoint.
const OPERATIONS_TIME: Duration = Duration::from_secs(10);

/// The state that users and events share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) address: Address,
    pub(crate) open_webui: OpenWebUi,
    /// A counter for unique numbers.
    pub(crate) next: AtomicU64,
    truth: Mutex<Truth>,
    tally: Mutex<Tally>,
}

impl Shared {
    pub(crate) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The holder of the secret that a server is sent for a user.
    pub(crate) fn holder(&self, server: Server, user: User) -> Holder {
        (server, if server.is_per_user() { user.number } else { user.tenant })
    }

    /// A secret. Its mark names its tenant.
    pub(crate) fn secret(&self, (server, holder): Holder, tenant: usize, version: u64) -> String {
        format!("{}secret of {holder} at {}, {version}", mark(tenant), server.name())
    }
}

/// The programs and the files.
#[derive(Debug)]
pub(crate) struct Site {
    folder: PathBuf,
    gateway: Child,
    operations: SocketAddr,
    echo: PathBuf,
    ports: [u16; 3],
    servers: Vec<(Server, Option<Program>)>,
    plan: Plan,
}

/// The gateway's process and operations endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operations {
    pub(crate) pid: u32,
    address: SocketAddr,
}

/// A free port, for a server that keeps it when it is restarted.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Site {
    /// Starts everything in an empty folder.
    ///
    /// # Errors
    ///
    /// When a program does not start.
    pub(crate) fn start(
        plan: Plan,
        crossway: &Path,
        echo: &Path,
        folder: &Path,
    ) -> anyhow::Result<(Self, Shared)> {
        let ports = [free_port()?, free_port()?, free_port()?];
        let operations = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut truth = Truth::default();
        let now = Instant::now();
        truth.config_written(now);
        truth.config_holds(now);
        // The gateway is started last, so a program that ends at once takes its place.
        let mut site = Self {
            folder: folder.to_owned(),
            gateway: Command::new("true").spawn()?,
            operations,
            echo: echo.to_owned(),
            ports,
            servers: Vec::new(),
            plan,
        };
        for server in [Server::Wiki, Server::Files, Server::Tickets] {
            let program = site.server(server)?;
            site.servers.push((server, Some(program)));
        }
        fs::write(folder.join("crossway.json"), site.config(0))?;
        let address = Address::parse("http://127.0.0.1:1/mcp")?;
        let mut shared = Shared {
            plan,
            address,
            open_webui: OpenWebUi::new(),
            next: AtomicU64::new(1),
            truth: Mutex::new(truth),
            tally: Mutex::default(),
        };
        for number in 0..plan.users {
            site.replace_secret(&shared, Server::Wiki, plan.user(number))?;
        }
        for tenant in 0..plan.tenants {
            for server in [Server::Files, Server::Tickets, Server::Notes] {
                site.replace_secret(&shared, server, plan.user(tenant))?;
            }
        }
        let (gateway, url) = site.serve(crossway)?;
        site.gateway = gateway;
        shared.address = Address::parse(&url)?;
        Ok((site, shared))
    }

    fn serve(&self, crossway: &Path) -> anyhow::Result<(Child, String)> {
        let mut gateway = Command::new(crossway)
            .args(["serve", "--config"])
            .arg(self.folder.join("crossway.json"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(self.log_file())?)
            .spawn()
            .with_context(|| format!("could not start {}", crossway.display()))?;
        let output = gateway.stdout.take().context("it has no stdout")?;
        for line in BufReader::new(output).lines() {
            if let Some((_, url)) = line?.split_once("Streamable HTTP  ") {
                return Ok((gateway, url.to_owned()));
            }
        }
        let said = fs::read_to_string(self.log_file()).unwrap_or_default();
        bail!("{} does not serve:\n{said}", crossway.display());
    }

    fn server(&self, server: Server) -> anyhow::Result<Program> {
        let (transport, era, path) = match server {
            Server::Wiki => ("streamable-http", "both", "/mcp"),
            Server::Files => ("streamable-http", "legacy", "/mcp"),
            _ => ("http-sse", "legacy", "/sse"),
        };
        let listen = format!("127.0.0.1:{}", self.port(server));
        let tools = self.plan.more_tools().to_string();
        let arguments = [transport, "--whoami", "--listen", &listen, "--era", era, "--more-tools", &tools];
        Program::start(&self.echo, &arguments.map(Into::into), &[path])
    }

    fn port(&self, server: Server) -> u16 {
        let place = [Server::Wiki, Server::Files, Server::Tickets].iter().position(|other| *other == server);
        self.ports[place.unwrap_or_default()]
    }

    fn config(&self, generation: u64) -> String {
        let url = |server| {
            let path = if server == Server::Tickets { "sse" } else { "mcp" };
            format!("http://127.0.0.1:{}/{path}", self.port(server))
        };
        let (operations, echo) = (self.operations.to_string(), self.echo.to_string_lossy());
        self.plan.config(generation, "127.0.0.1:0", &operations, &echo, url).to_string()
    }

    /// Kills a server, which stays down until it is [revived](Self::revive). Of those on stdio, which the gateway restarts itself, one is
    /// killed.
    pub(crate) fn kill(&mut self, shared: &Shared, server: Server) -> anyhow::Result<()> {
        shared.truth().killed(server, Instant::now());
        if server == Server::Notes {
            let children = children_of(self.gateway.id())?;
            if let Some(pid) = children.get(fastrand::usize(..children.len().max(1))) {
                kill_process(*pid, Signal::KILL)?;
            }
        }
        if let Some((_, program)) = self.servers.iter_mut().find(|(other, _)| *other == server)
            && let Some(program) = program.take()
        {
            program.signal(Signal::KILL)?;
        }
        Ok(())
    }

    /// Restarts a server at its port.
    pub(crate) fn revive(&mut self, shared: &Shared, server: Server) -> anyhow::Result<()> {
        if server != Server::Notes {
            let program = self.server(server)?;
            if let Some((_, place)) = self.servers.iter_mut().find(|(other, _)| *other == server) {
                *place = Some(program);
            }
        }
        shared.truth().revived(server, Instant::now());
        Ok(())
    }

    /// Replaces a secret as Kubernetes does: by another file in its place.
    pub(crate) fn replace_secret(&self, shared: &Shared, server: Server, user: User) -> io::Result<()> {
        let holder = shared.holder(server, user);
        let version = shared.truth().secret_written(holder, Instant::now());
        let name = if server.is_per_user() {
            user.email().replace('@', "_40")
        } else {
            format!("tenant-{}", user.tenant)
        };
        let folder = self.folder.join("secrets").join(server.name());
        fs::create_dir_all(&folder)?;
        replace(&folder.join(name), &(shared.secret(holder, user.tenant, version) + "\n"))
    }

    /// Writes another config, and waits until the gateway has loaded it.
    ///
    /// # Errors
    ///
    /// When the gateway has not done so within half a minute.
    pub(crate) fn reload(&self, shared: &Shared) -> anyhow::Result<()> {
        let before = self.operations().metric(r#"crossway_config_reloads_total{result="ok"}"#)?;
        let generation = shared.truth().config_written(Instant::now());
        replace(&self.folder.join("crossway.json"), &self.config(generation))?;
        self.wait(r#"crossway_config_reloads_total{result="ok"}"#, before + 1.0)?;
        shared.truth().config_holds(Instant::now());
        Ok(())
    }

    /// Writes an invalid config, and waits until the gateway has rejected it.
    ///
    /// # Errors
    ///
    /// As [`Self::reload`].
    pub(crate) fn reload_broken(&self) -> anyhow::Result<()> {
        let failed = r#"crossway_config_reloads_total{result="failed"}"#;
        let before = self.operations().metric(failed)?;
        replace(&self.folder.join("crossway.json"), r#"{ "listen": "127.0.0.1:0", "upstreamz": {} }"#)?;
        self.wait(failed, before + 1.0)
    }

    fn wait(&self, name: &str, value: f64) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while self.operations().metric(name)? < value {
            if Instant::now() > until {
                bail!("the gateway has not looked at a changed config within 30 s: {name} is below {value}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The gateway's process and operations endpoint.
    pub(crate) fn operations(&self) -> Operations {
        Operations { pid: self.gateway.id(), address: self.operations }
    }

    /// Asks the gateway to end, and waits for that.
    ///
    /// # Errors
    ///
    /// When it does not end, or fails.
    pub(crate) fn end(&mut self) -> anyhow::Result<()> {
        let pid =
            i32::try_from(self.gateway.id()).ok().and_then(Pid::from_raw).context("it has no number")?;
        kill_process(pid, Signal::TERM)?;
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            match self.gateway.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the gateway ended with {status}"),
                None if Instant::now() > until => bail!("the gateway does not end"),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("crossway.log")
    }

    /// The number of lines in the audit log, and of lines in it and in the log with a secret in them.
    ///
    /// # Errors
    ///
    /// When the logs can't be read.
    pub(crate) fn logs(&self) -> io::Result<(u64, u64)> {
        let (mut audited, mut leaks) = (0, 0);
        for (file, is_audit) in [(self.folder.join("audit.jsonl"), true), (self.log_file(), false)] {
            for line in BufReader::new(File::open(file)?).split(b'\n') {
                audited += u64::from(is_audit);
                leaks += u64::from(memchr::memmem::find(&line?, b"~secret of ").is_some());
            }
        }
        Ok((audited, leaks))
    }
}

impl Operations {
    /// The value of a metric; 0 if it does not exist.
    ///
    /// # Errors
    ///
    /// When the gateway does not answer.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut stream = TcpStream::connect_timeout(&self.address, OPERATIONS_TIME)?;
        stream.set_read_timeout(Some(OPERATIONS_TIME))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        Ok(value.unwrap_or(0.0))
    }

    /// The number of the gateway's open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid)).map_or(0, Iterator::count)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

/// The running child processes of a process.
fn children_of(parent: u32) -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        // Behind the name, which may have any characters: state and parent.
        let of = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<u32>().ok());
        if of == Some(parent) {
            children.extend(Pid::from_raw(pid));
        }
    }
    Ok(children)
}
