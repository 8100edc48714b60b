//! An answer of a registry, read no further than it may go.

use std::io::{self, Read};

use serde::Deserialize;
use ureq::Body;
use ureq::http::{Response, StatusCode};

use crate::bounds::{ANSWER_BYTES_MAX, SAID_CHARS_MAX};
use crate::error::Error;
use crate::url::Url;

/// The head of an answer, and its body that has not been read yet.
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    /// Who gave it, after redirects.
    pub(crate) url: Url,
    /// The registry that was asked, for messages.
    pub(crate) host: String,
}

impl Answer {
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    pub(crate) fn nonsense(&self, what: impl Into<String>) -> Error {
        Error::Nonsense { host: self.host.clone(), what: what.into() }
    }

    /// The whole body.
    pub(crate) fn bytes(self, what: &'static str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let host = self.host;
        let mut bytes = Vec::new();
        let mut reader = self.response.into_body().into_reader().take(bytes_max + 1);
        reader.read_to_end(&mut bytes).map_err(|error| of_reading(&host, error))?;
        if bytes.len() as u64 > bytes_max {
            return Err(Error::TooLarge { what, bytes_max });
        }
        Ok(bytes)
    }

    /// The error that an answer other than the wanted one is.
    pub(crate) fn refused(self, what: String, had_login: bool) -> Error {
        let (status, host) = (self.status(), self.host.clone());
        let message = self.words();
        match status {
            StatusCode::UNAUTHORIZED => Error::Unauthorized { host, had_login, message },
            StatusCode::FORBIDDEN => Error::Denied { host, message },
            StatusCode::NOT_FOUND => Error::NotFound { what, message },
            _ => Error::Status { host, status: status.as_u16(), message },
        }
    }

    /// What the registry says in it: the first error of its list.
    fn words(self) -> String {
        let mut bytes = Vec::new();
        // What cannot be read says nothing.
        let read =
            self.response.into_body().into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
        let listed: Option<Listed> = read.ok().and_then(|_| serde_json::from_slice(&bytes).ok());
        let said = listed.and_then(|listed| listed.errors.into_iter().next());
        let Some(Said { code, message }) = said else { return String::new() };
        let text = if message.is_empty() { code } else { message };
        text.chars().take(SAID_CHARS_MAX).collect()
    }
}

/// The list of errors, as the distribution specification has it.
#[derive(Deserialize)]
struct Listed {
    errors: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What a body that cannot be read on means.
pub(crate) fn of_reading(host: &str, error: io::Error) -> Error {
    of_request(host, error.into())
}

/// What a request without an answer means; limits of time are filled in by who knows them.
pub(crate) fn of_request(host: &str, error: ureq::Error) -> Error {
    use io::ErrorKind as Of;
    use ureq::Timeout;
    let host = host.to_owned();
    match error {
        ureq::Error::Timeout(Timeout::PerRead | Timeout::PerWrite) => {
            Error::Stalled { host, limit: std::time::Duration::ZERO }
        }
        ureq::Error::Io(source) => match source.kind() {
            Of::UnexpectedEof
            | Of::ConnectionReset
            | Of::ConnectionAborted
            | Of::BrokenPipe
            | Of::NotConnected => Error::Cut { host, source },
            // Rustls reports what it does not like within an error of reading.
            Of::InvalidData => Error::Tls { host, source: ureq::Error::Io(source) },
            _ => Error::Unreachable { host, source: ureq::Error::Io(source) },
        },
        error @ (ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired) => {
            Error::Tls { host, source: error }
        }
        error @ (ureq::Error::Protocol(_)
        | ureq::Error::Http(_)
        | ureq::Error::LargeResponseHeader(..)
        | ureq::Error::BodyStalled
        | ureq::Error::BadUri(_)) => Error::Nonsense { host, what: error.to_string() },
        error => Error::Unreachable { host, source: error },
    }
}
