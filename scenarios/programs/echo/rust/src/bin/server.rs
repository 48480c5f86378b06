//! The echo server: it accepts one client and sends back what it receives, until read gives 0.

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpListener;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().collect();
    let address = words.get(1).map_or("0.0.0.0", String::as_str);
    let port = words.get(2).map_or("10000", String::as_str);
    let listener = TcpListener::bind(format!("{address}:{port}"))?; // with SO_REUSEADDR
    let (mut client, _) = listener.accept()?;
    let mut buffer = [0; 1024];
    loop {
        let size = client.read(&mut buffer)?;
        if size == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..size])?;
    }
}
