//! The audit log's file, reopened when it is renamed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use crate::config::limits::AUDIT_LOOK;

/// Appends to a file. If the file is renamed or removed, as when logs are rotated, a new one is opened at the next [look](AUDIT_LOOK); until
/// then, records go to the old one. A line that is only partly written by then is written to the new one as a whole.
pub(super) struct AuditFile {
    path: PathBuf,
    file: File,
    looked: Instant,
    /// The part of an unfinished line that is in the file.
    begun: Vec<u8>,
    /// The part of it that a new file does not have yet.
    owed: Vec<u8>,
    /// Whether opening the new file has failed and the failure was logged.
    is_lost: bool,
}

impl AuditFile {
    /// Opens the file, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// When the file can't be opened or created.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = appending(&path)?;
        let (begun, owed) = Default::default();
        Ok(Self { path, file, looked: Instant::now(), begun, owed, is_lost: false })
    }

    /// Opens the file again if another file, or none, has its name now. Until that succeeds, the old file stays in use.
    fn follow(&mut self) {
        self.looked = Instant::now();
        if is_at(&self.file, &self.path) {
            return;
        }
        match appending(&self.path) {
            Ok(file) => {
                (self.file, self.is_lost) = (file, false);
                self.owed.clone_from(&self.begun);
            }
            Err(error) if !self.is_lost => {
                self.is_lost = true;
                tracing::error!(file = %self.path.display(), %error, "the audit log is gone and can't be opened anew; records go on into the old file");
            }
            Err(_) => {}
        }
    }
}

fn appending(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(unix)]
fn is_at(file: &File, path: &PathBuf) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(named)) => id(open) == id(named),
        _ => false,
    }
}

/// On other systems an open file can't be renamed.
#[cfg(not(unix))]
fn is_at(_: &File, _: &PathBuf) -> bool {
    true
}

impl Write for AuditFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        if self.looked.elapsed() >= AUDIT_LOOK {
            self.follow();
        }
        while !self.owed.is_empty() {
            match self.file.write(&self.owed)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => drop(self.owed.drain(..count)),
            }
        }
        let count = self.file.write(lines)?;
        let written = &lines[..count];
        match memchr::memrchr(b'\n', written) {
            Some(end) => {
                self.begun.clear();
                self.begun.extend_from_slice(&written[end + 1..]);
            }
            None => self.begun.extend_from_slice(written),
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_renamed_is_followed_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("audit.jsonl"), dir.path().join("audit.jsonl.1"));
        let mut log = AuditFile::open(path.clone()).unwrap();
        log.write_all(b"one\n").unwrap();
        fs::rename(&path, &old).unwrap();
        log.follow();
        log.write_all(b"two\n").unwrap();
        log.follow();
        log.write_all(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\nthree\n");
        // Where it can't be made anew, the old one has the records.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        log.follow();
        log.write_all(b"four\n").unwrap();
        fs::remove_dir(&path).unwrap();
        log.follow();
        log.write_all(b"five\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "five\n");
    }

    #[test]
    fn a_line_that_was_written_in_part_is_whole_in_the_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("audit.jsonl"), dir.path().join("audit.jsonl.1"));
        let mut log = AuditFile::open(path.clone()).unwrap();
        // As a file system takes them that has become full.
        for part in ["one\ntw", "o-and"] {
            assert_eq!(log.write(part.as_bytes()).unwrap(), part.len());
        }
        fs::rename(&path, &old).unwrap();
        log.follow();
        log.write_all(b"-more\nthree\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\ntwo-and");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two-and-more\nthree\n");
    }
}
