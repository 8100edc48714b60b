//! A server that speaks just enough of the distribution API to lie in it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use wfhost_registry::Reference;
use wfhost_workflow::Digest;

use crate::place::reference;

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_blob(&self) -> bool {
        self.path.contains("/blobs/")
    }

    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut request = Self { method, path, headers, body: Vec::new() };
        let bytes = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        request.body.resize(bytes, 0);
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }
}

/// Serves a request a connection, until it is dropped.
pub(crate) struct Liar {
    address: String,
    asked: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Liar {
    /// `answer` writes what it likes.
    pub(crate) fn start(
        answer: impl Fn(&Request, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, ends) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::<AtomicBool>::default());
        let (record, ended, answer) = (Arc::clone(&asked), Arc::clone(&ends), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let (mut stream, record, answer) =
                    (stream.unwrap(), Arc::clone(&record), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(request) = Request::read(&stream) else { return };
                    record.lock().unwrap().push(request.clone());
                    // Who asked may have left.
                    drop(answer(&request, &mut stream));
                });
            }
        });
        Self { address, asked, ends, thread: Some(thread) }
    }

    /// A manifest of a component, and a content of which the file is told by `blob`.
    pub(crate) fn with_component(
        content: &[u8],
        blob: impl Fn(&Request, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let manifest = manifest(content);
        Self::start(move |request, stream| {
            if request.is_blob() {
                blob(request, stream)
            } else {
                ok(stream, "", manifest.as_bytes())
            }
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn reference(&self) -> Reference {
        reference(&format!("oci://{}/acme/text:1", self.address))
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn blobs_asked(&self) -> usize {
        self.asked().iter().filter(|request| request.is_blob()).count()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes it; it looks and ends.
        drop(TcpStream::connect(&self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

pub(crate) fn manifest(content: &[u8]) -> String {
    manifest_of(Digest::of(content), &content.len().to_string())
}

pub(crate) fn manifest_of(digest: Digest, size: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.wasm.config.v0+json","digest":"{}","size":2}},"layers":[{{"mediaType":"application/wasm","digest":"{digest}","size":{size}}}]}}"#,
        Digest::of(b"{}")
    )
}

/// The head of an answer; `headers` are lines that end in `\r\n`.
pub(crate) fn head(stream: &mut TcpStream, status: &str, headers: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")
}

pub(crate) fn status(stream: &mut TcpStream, status: &str, headers: &str) -> std::io::Result<()> {
    head(stream, status, &format!("{headers}Content-Length: 0\r\n"))
}

pub(crate) fn ok(stream: &mut TcpStream, headers: &str, body: &[u8]) -> std::io::Result<()> {
    head(stream, "200 OK", &format!("{headers}Content-Length: {}\r\n", body.len()))?;
    stream.write_all(body)
}

/// The beginning of a body of so many bytes, and no more of it.
pub(crate) fn begun(stream: &mut TcpStream, bytes: usize, part: &[u8]) -> std::io::Result<()> {
    head(stream, "200 OK", &format!("Content-Length: {bytes}\r\n"))?;
    stream.write_all(part)
}

/// A body whose length nobody tells before.
pub(crate) fn chunked(stream: &mut TcpStream, parts: &[&[u8]]) -> std::io::Result<()> {
    head(stream, "200 OK", "Transfer-Encoding: chunked\r\n")?;
    for part in parts {
        chunk(stream, part)?;
    }
    stream.write_all(b"0\r\n\r\n")
}

pub(crate) fn chunk(stream: &mut TcpStream, part: &[u8]) -> std::io::Result<()> {
    write!(stream, "{:x}\r\n", part.len())?;
    stream.write_all(part)?;
    stream.write_all(b"\r\n")
}

/// Says nothing until the other side has left.
pub(crate) fn silence(stream: &mut TcpStream) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(drop)
}
