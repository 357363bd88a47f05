//! A server of scripted answers, which remembers the requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path with query, such as `GET /api/job/job_1`.
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// A header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Only so much of the body is sent before the connection ends.
    sent: usize,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, body.to_string().as_bytes()).with("Content-Type", "application/json")
    }

    pub fn bytes(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec(), sent: body.len() }
    }

    /// A stream of events, which ends after them.
    pub fn events(text: &str) -> Self {
        Self::bytes(200, text.as_bytes()).with("Content-Type", "text/event-stream")
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The connection ends after so many bytes of the body.
    pub fn cut(self, sent: usize) -> Self {
        Self { sent, ..self }
    }
}

/// A server, until the test ends.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by the number of those with the same line before.
    pub fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, answer, stream) = (Arc::clone(&seen), Arc::clone(&answer), stream.unwrap());
                thread::spawn(move || serve(stream, &seen, &*answer));
            }
        });
        Self { url, requests }
    }

    /// Answers a line with the replies in turn, the last one again and again; anything else with 404.
    pub fn scripted(script: Vec<(&'static str, Vec<Reply>)>) -> Self {
        Self::start(move |request, before| {
            let replies = script.iter().find(|(line, _)| *line == request.line).map(|(_, replies)| replies);
            let missing =
                serde_json::json!({ "error": format!("{} is not scripted", request.line), "code": "unknown_route" });
            replies.map_or_else(|| Reply::json(404, &missing), |replies| replies[before.min(replies.len() - 1)].clone())
        })
    }

    /// The requests that came, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Their lines.
    pub fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }

    /// The only request with this line.
    pub fn only(&self, line: &str) -> Request {
        let found: Vec<Request> = self.requests().into_iter().filter(|request| request.line == line).collect();
        assert_eq!(found.len(), 1, "{line}: {:?}", self.lines());
        found.into_iter().next().unwrap()
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, answer: &(impl Fn(&Request, usize) -> Reply + ?Sized)) {
    let Some(request) = read(&stream) else { return };
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.iter().filter(|other| other.line == request.line).count() - 1
    };
    let Reply { status, headers, body, sent } = answer(&request, before);
    let mut head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // The program may have gone.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(&body[..sent.min(body.len())]);
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.first()?.trim_end_matches(" HTTP/1.1").to_owned();
    let fields = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
    let headers: Vec<(String, String)> =
        fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, headers, body })
}
