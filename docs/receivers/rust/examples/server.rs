//! A receiver of webhooks with the standard library only: `WEBHOOK_SECRETS=whsec_… cargo run --example server`. Takes
//! WEBHOOK_PUBLIC_KEYS (`whpk_…`) and PORT too; both kinds of keys by commas. A server of your choice does the HTTP
//! better; the order of the steps in `receive` stays.

use std::collections::HashSet;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reelhook_receiver::{Keys, TOLERANCE_SECONDS, Webhook, verify};

const HEAD_LIMIT: u64 = 64 * 1024;
const BODY_LIMIT: usize = 1024 * 1024;

/// Ids that were taken. A real receiver keeps them in its database, in one transaction with what the webhook changes.
type Seen = Mutex<HashSet<String>>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secrets = env::var("WEBHOOK_SECRETS").unwrap_or_default();
    let public_keys = env::var("WEBHOOK_PUBLIC_KEYS").unwrap_or_default();
    let keys = Arc::new(Keys::parse(&listed(&secrets), &listed(&public_keys))?);
    let seen = Arc::new(Seen::default());
    let port = env::var("PORT").unwrap_or("8080".to_owned()).parse::<u16>()?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let (stream, keys, seen) = (stream?, Arc::clone(&keys), Arc::clone(&seen));
        thread::spawn(move || {
            // Who is gone can't be answered.
            let _ = serve(&stream, &keys, &seen);
        });
    }
    Ok(())
}

fn listed(keys: &str) -> Vec<&str> {
    keys.split(',').filter(|key| !key.is_empty()).collect()
}

fn serve(stream: &TcpStream, keys: &Keys, seen: &Seen) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream);
    let answer = match read(&mut reader)? {
        Ok((headers, body)) => receive(&headers, &body, keys, seen),
        Err(refusal) => refusal,
    };
    let mut stream = stream;
    let length = if answer.starts_with("204") { "" } else { "Content-Length: 0\r\n" };
    write!(stream, "HTTP/1.1 {answer}\r\n{length}Connection: close\r\n\r\n")
}

/// The status line's end for one webhook.
fn receive(headers: &[(String, String)], body: &[u8], keys: &Keys, seen: &Seen) -> &'static str {
    let header = |wanted| headers.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value);
    let id = header("webhook-id");
    let webhook = Webhook { id, timestamp: header("webhook-timestamp"), signature: header("webhook-signature"), body };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    if let Err(refused) = verify(webhook, keys, now, TOLERANCE_SECONDS) {
        println!("refused: {refused}");
        return "401 Unauthorized";
    }
    let Ok(mut seen) = seen.lock() else {
        return "500 Internal Server Error";
    };
    if seen.contains(id) {
        println!("{id} again");
        return "204 No Content";
    }
    // Only now is the body parsed; what takes long belongs into a queue.
    println!("{id} {}", String::from_utf8_lossy(body));
    seen.insert(id.to_owned());
    "204 No Content"
}

type Request = (Vec<(String, String)>, Vec<u8>);

/// Headers with lower-case names, and the body's bytes; or the status line's end for what is not read.
fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Result<Request, &'static str>> {
    let mut head = String::new();
    let mut limited = reader.by_ref().take(HEAD_LIMIT);
    while !head.ends_with("\r\n\r\n") {
        if limited.read_line(&mut head)? == 0 {
            return Ok(Err("400 Bad Request"));
        }
    }
    if !head.starts_with("POST ") {
        return Ok(Err("405 Method Not Allowed"));
    }
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let headers: Vec<(String, String)> =
        fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.parse::<usize>());
    let Some(Ok(length)) = length else {
        return Ok(Err("411 Length Required"));
    };
    if length > BODY_LIMIT {
        return Ok(Err("413 Content Too Large"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Ok((headers, body)))
}
