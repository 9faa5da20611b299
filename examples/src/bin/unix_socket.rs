//! A stdio server behind a Unix socket: each connection gets a process of its own. The framing of stdio serves any
//! stream of bytes (2026-07-28, basic/transports/stdio).

#![expect(clippy::print_stdout, reason = "that is what an example is for")]

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    use crossway::service::{Scope, Upstream};
    use crossway::stdio::{Command, Options, ServeOptions, StdioUpstream, serve, serve_stdio};
    use crossway_examples::Shouting;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{UnixListener, UnixStream};

    if std::env::args().nth(1).as_deref() == Some("child") {
        serve_stdio(Shouting.connect(Scope::Session), ServeOptions::default()).await?;
        return Ok(());
    }
    let path = std::env::temp_dir().join(format!("crossway-example-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path)?;
    let upstream =
        StdioUpstream::new(Command::new(std::env::current_exe()?).arg("child"), Options::default());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let (reader, writer) = stream.into_split();
        let served = serve(reader, writer, upstream.connect(Scope::Session), ServeOptions::default()).await;
        upstream.close().await;
        served
    });

    let mut client = BufReader::new(UnixStream::connect(&path).await?);
    client.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await?;
    let mut answer = String::new();
    client.read_line(&mut answer).await?;
    println!("{} says {}", path.display(), answer.trim());
    drop(client);
    println!("{:?}", server.await??);
    std::fs::remove_file(&path)?;
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    println!("this example needs Unix sockets");
}
