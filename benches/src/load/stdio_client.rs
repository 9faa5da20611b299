//! A session with a child process.

use std::process::Stdio;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::check::Fault;
use super::mailbox::Mailbox;
use super::work::Work;
use crate::body::Slices;
use crate::limits::{END_TIMEOUT, MAX_MESSAGE};

/// The size of a read: a pipe's size.
const READ_SIZE: usize = 64 * 1024;

/// A session: the process and its pipes.
#[derive(Debug)]
pub(crate) struct StdioSession {
    child: Child,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// `None` once the session is being closed.
    stdin: Mutex<Option<ChildStdin>>,
    mailbox: Mailbox,
}

/// A slot for one call at a time.
#[derive(Debug)]
pub(crate) struct StdioSlot {
    shared: Arc<Shared>,
}

impl StdioSession {
    /// Starts the command.
    pub(crate) fn open(work: &Work, command: &[String]) -> Result<Self, Fault> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Fault::Failed("no command is given".to_owned()));
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(if work.show_stderr { Stdio::inherit() } else { Stdio::null() })
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Fault::failed(&format!("could not start {program:?}"), &error))?;
        let shared = Arc::new(Shared { stdin: Mutex::new(child.stdin.take()), mailbox: Mailbox::default() });
        if let Some(stdout) = child.stdout.take() {
            // The task ends with the child's output. Reading never waits for writing.
            tokio::spawn(read_lines(stdout, shared.clone()));
        }
        Ok(Self { child, shared })
    }

    /// A slot for calls.
    pub(crate) fn slot(&self) -> StdioSlot {
        StdioSlot { shared: self.shared.clone() }
    }

    /// The number of answers that no call expected.
    pub(crate) fn strays(&self) -> u64 {
        self.shared.mailbox.strays()
    }

    /// The child's process id.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Closes stdin and waits for the process, which is killed if it does not end.
    pub(crate) async fn close(mut self) -> Result<(), Fault> {
        self.shared.stdin.lock().await.take();
        if tokio::time::timeout(END_TIMEOUT, self.child.wait()).await.is_ok() {
            return Ok(());
        }
        let _ = self.child.kill().await;
        Err(Fault::Failed("the command did not end when its input was closed".to_owned()))
    }
}

impl StdioSlot {
    /// Makes one call.
    pub(crate) async fn call(&mut self, id: u64, request: Slices) -> Result<Bytes, Fault> {
        let answer = self.shared.mailbox.expect(id);
        self.send(&request).await?;
        answer.await.map_err(|_| {
            Fault::Lost("the command ended its output (--show-stderr shows what it says)".to_owned())
        })
    }

    /// Sends one message.
    pub(crate) async fn send(&mut self, message: &Slices) -> Result<(), Fault> {
        let mut line = Vec::with_capacity(message.iter().map(Bytes::len).sum::<usize>() + 1);
        for slice in message {
            line.extend_from_slice(slice);
        }
        line.push(b'\n');
        let mut stdin = self.shared.stdin.lock().await;
        let Some(stdin) = stdin.as_mut() else {
            return Err(Fault::Failed("the session is closed".to_owned()));
        };
        stdin.write_all(&line).await.map_err(|error| {
            Fault::lost("the command does not read (--show-stderr shows what it says)", &error)
        })
    }

    /// Stops waiting for an answer.
    pub(crate) fn give_up(&mut self, id: u64) {
        self.shared.mailbox.forget(id);
    }
}

async fn read_lines(mut stdout: ChildStdout, shared: Arc<Shared>) {
    let mut buffer = BytesMut::with_capacity(READ_SIZE);
    let mut searched = 0;
    loop {
        buffer.reserve(READ_SIZE);
        match stdout.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        while let Some(offset) = memchr::memchr(b'\n', &buffer[searched..]) {
            let line = buffer.split_to(searched + offset + 1).freeze();
            searched = 0;
            if !line.trim_ascii().is_empty() {
                shared.mailbox.deliver(line);
            }
        }
        searched = buffer.len();
        if searched > MAX_MESSAGE {
            break;
        }
    }
    shared.mailbox.close();
}
