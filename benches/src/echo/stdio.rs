//! The echo server on standard input and output.
//!
//! One thread reads, answers and writes in turn: like many real servers it does not read while it can't write, so its client must not let
//! writing wait for reading.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::rpc::{self, Message};
use crate::limits::MAX_MESSAGE;

/// The size of a read: a pipe's size.
const READ_SIZE: usize = 64 * 1024;

/// The server's faults.
#[derive(Debug, Default)]
pub(crate) struct Vices {
    /// The time that it blocks for each call.
    pub(crate) delay: Duration,
    /// The number of calls after which it ends.
    pub(crate) die_after: Option<u64>,
    /// The number of notifications it sends per second.
    pub(crate) noise: u32,
}

/// Answers line by line until the input ends.
pub(crate) fn serve(vices: &Vices) -> io::Result<()> {
    // Bypasses the locks and the line buffer of the standard handles.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if vices.noise > 0 {
        let (noise, output) = (vices.noise, output.try_clone()?);
        std::thread::spawn(move || make_noise(noise, output));
    }
    answer_lines(input, output, vices)
}

/// Sends notifications every hundredth of a second. A line fits into one write to a pipe.
fn make_noise(per_second: u32, mut output: impl io::Write) {
    const NOTE: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"noise\"}}\n";
    let start = Instant::now();
    let mut sent: u64 = 0;
    loop {
        let due = (start.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
        for _ in sent..due {
            if output.write_all(NOTE).is_err() {
                return;
            }
        }
        sent = sent.max(due);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn answer_lines(mut input: impl Read, mut output: impl io::Write, vices: &Vices) -> io::Result<()> {
    let mut calls = 0;
    let mut buffer = BytesMut::with_capacity(READ_SIZE);
    let mut answers = Vec::new();
    loop {
        let searched = buffer.len();
        buffer.resize(searched + READ_SIZE, 0);
        let read = input.read(&mut buffer[searched..])?;
        buffer.truncate(searched + read);
        if read == 0 {
            return Ok(());
        }
        // The answers to everything that was read go out in one write.
        let mut from = searched;
        while let Some(offset) = memchr::memchr(b'\n', &buffer[from..]) {
            let mut line = buffer.split_to(from + offset + 1);
            line.truncate(line.len() - 1);
            if memchr::memmem::find(&line, b"tools/call").is_some() {
                std::thread::sleep(vices.delay);
                calls += 1;
                if vices.die_after.is_some_and(|most| calls > most) {
                    return Ok(());
                }
            }
            answer_line(line.freeze(), &mut answers);
            from = 0;
        }
        if buffer.len() > MAX_MESSAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than a message may be"));
        }
        output.write_all(&answers)?;
        answers.clear();
    }
}

/// The credential in this process's environment.
fn credential() -> Option<&'static str> {
    static CREDENTIAL: OnceLock<Option<String>> = OnceLock::new();
    CREDENTIAL.get_or_init(|| std::env::var("ECHO_CREDENTIAL").ok()).as_deref()
}

fn answer_line(line: Bytes, answers: &mut Vec<u8>) {
    if line.trim_ascii().is_empty() {
        return;
    }
    let answer = match Message::read(&line) {
        Ok(message) => rpc::answer(&line, Message { credential: credential(), ..message }),
        Err(_) => Some(rpc::error(b"null", -32700, "the line is not a JSON object", "")),
    };
    let Some(answer) = answer else { return };
    for text in &answer.interim {
        answers.extend_from_slice(text);
        answers.push(b'\n');
    }
    for slice in &answer.last {
        answers.extend_from_slice(slice);
    }
    answers.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns its bytes in pieces of one size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(buffer.len()).min(self.0.len());
            buffer[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    #[test]
    fn answers_are_the_same_however_the_lines_are_cut() {
        let input = b"{\"id\":1,\"method\":\"ping\"}\r\n\n{\"method\":\"x\"}\nnonsense\n\
            {\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"text\":\"hi\"}}}\n{\"cut";
        let mut whole = Vec::new();
        answer_lines(Pieces(input, usize::MAX), &mut whole, &Vices::default()).unwrap();
        assert_eq!(whole.iter().filter(|byte| **byte == b'\n').count(), 3);
        for size in 1..input.len() {
            let mut answers = Vec::new();
            answer_lines(Pieces(input, size), &mut answers, &Vices::default()).unwrap();
            assert_eq!(answers, whole, "pieces of {size}");
        }
    }
}
