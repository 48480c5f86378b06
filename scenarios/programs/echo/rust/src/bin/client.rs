//! The echo client: it sends each line typed and prints what comes back, until the end of input (^D).

use std::env;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;

fn main() -> io::Result<()> {
    let words: Vec<String> = env::args().collect();
    let Some(address) = words.get(1) else {
        eprintln!("usage: client SERVER-ADDRESS [port]");
        std::process::exit(1);
    };
    let port = words.get(2).map_or("10000", String::as_str);
    let mut connection = TcpStream::connect(format!("{address}:{port}"))?;
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        connection.write_all(&line)?;
        let mut answer = vec![0; line.len()];
        connection.read_exact(&mut answer)?;
        io::stdout().write_all(&answer)?;
        io::stdout().flush()?;
        line.clear();
    }
    Ok(())
}
