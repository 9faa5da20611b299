//! A slow reader.

use std::io;
use std::time::Duration;

use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use crate::load::Address;

/// The size of its socket's receive buffer.
const RECEIVE_BUFFER: u32 = 16 * 1024;
/// The size of a read, and the pause after it: some 600 KiB a second.
const READ: usize = 16 * 1024;
const PAUSE: Duration = Duration::from_millis(25);

/// Posts a request on its own connection, and reads the answer slowly. Returns the body.
///
/// # Errors
///
/// When the connection breaks off, or the answer is not a complete JSON body.
pub(crate) async fn read_slowly(address: &Address, headers: &HeaderMap, body: &[u8]) -> io::Result<Vec<u8>> {
    let socket = if address.socket().is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    let mut stream = socket.connect(address.socket()).await?;
    let mut head = format!("POST {} HTTP/1.1\r\n", address.path()).into_bytes();
    let host = [("host", address.host()), ("connection", &http::HeaderValue::from_static("close"))];
    for (name, value) in headers.iter().map(|(name, value)| (name.as_str(), value)).chain(host) {
        for part in [name.as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    head.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    stream.write_all(&head).await?;
    stream.write_all(body).await?;
    let (mut answer, mut part) = (Vec::new(), vec![0; READ]);
    loop {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&part[..read]);
        tokio::time::sleep(PAUSE).await;
    }
    body_of(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the answer is not whole"))
}

/// The body of a complete answer with a `Content-Length`.
fn body_of(answer: &[u8]) -> Option<Vec<u8>> {
    let end = memchr::memmem::find(answer, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let body = &answer[end + 4..];
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    (length.trim().parse() == Ok(body.len())).then(|| body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_broke_off_is_not_whole() {
        assert_eq!(body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").as_deref(), Some(&b"{}"[..]));
        assert_eq!(body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"), None);
        assert_eq!(body_of(b"HTTP/1.1 200 OK\r\nContent"), None);
    }
}
