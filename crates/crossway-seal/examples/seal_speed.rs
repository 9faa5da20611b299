//! How long it takes to seal and to open 300 bytes: `cargo run --release -p crossway-seal --example seal_speed`.

#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::time::Instant;

use crossway_seal::Keyring;

const ROUNDS: u32 = 100_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ring = Keyring::random()?;
    let plaintext = [b'x'; 300];
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(ring.seal(b"session on /mcp", black_box(&plaintext))?);
    }
    let sealing = started.elapsed() / ROUNDS;
    let handle = ring.seal(b"session on /mcp", &plaintext)?;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(ring.open(b"session on /mcp", black_box(&handle))?);
    }
    #[expect(clippy::print_stdout, reason = "a program that prints its figure")]
    {
        println!("sealing: {sealing:?}, opening: {:?}, {} bytes", started.elapsed() / ROUNDS, handle.len());
    }
    Ok(())
}
