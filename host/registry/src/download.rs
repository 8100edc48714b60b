//! A content from the registry into a file: held against its size and digest while it comes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use ureq::http::StatusCode;
use wfhost_workflow::Digesting;

use crate::answer::{Answer, of_reading};
use crate::client::Client;
use crate::error::Error;
use crate::manifest::Descriptor;

const BUFFER_BYTES: usize = 64 << 10;

/// What has come so far.
struct Download<'f> {
    wanted: &'f Descriptor,
    into: &'f mut File,
    /// For messages: where it will be.
    path: &'f Path,
    bytes: u64,
    digesting: Digesting,
}

/// Fetches a content. After an error there is something in the file, and nothing that counts.
pub(crate) fn fetch(
    client: &mut Client<'_>,
    wanted: &Descriptor,
    into: &mut File,
    path: &Path,
) -> Result<(), Error> {
    let digesting = Digesting::default();
    let mut download = Download { wanted, into, path, bytes: 0, digesting };
    client.again(|client| download.go_on(client))?;
    let found = download.digesting.finish();
    if found == wanted.digest {
        Ok(())
    } else {
        Err(Error::Digest { what: "the file", wanted: wanted.digest, found })
    }
}

impl Download<'_> {
    /// From where the last attempt was cut, if the registry can do that.
    fn go_on(&mut self, client: &mut Client<'_>) -> Result<(), Error> {
        let url = client.url(&format!("blobs/{}", self.wanted.digest));
        let mut headers = Vec::new();
        if self.bytes > 0 {
            headers.push(("range", format!("bytes={}-", self.bytes)));
        }
        let answer = client.get(&url, &headers)?;
        match answer.status() {
            StatusCode::OK => self.begin_again()?,
            StatusCode::PARTIAL_CONTENT if self.bytes > 0 => self.check_range(&answer)?,
            _ => return Err(client.refused(answer, format!("the file {}", self.wanted.digest))),
        }
        self.check_announced(&answer)?;
        let read = self.read(client, answer);
        read.map_err(|error| client.told(error))
    }

    fn begin_again(&mut self) -> Result<(), Error> {
        if self.bytes > 0 {
            self.bytes = 0;
            self.digesting = Digesting::default();
            let emptied = self.into.set_len(0).and_then(|()| self.into.seek(SeekFrom::Start(0)));
            emptied.map_err(|source| self.cannot_write(source))?;
        }
        Ok(())
    }

    /// Another part than the one that is missing would be found by the digest, later.
    fn check_range(&self, answer: &Answer) -> Result<(), Error> {
        let begins = format!("bytes {}-", self.bytes);
        match answer.header("content-range") {
            Some(range) if range.starts_with(&begins) => Ok(()),
            _ => Err(answer.nonsense("another part than the one that was asked for")),
        }
    }

    fn check_announced(&self, answer: &Answer) -> Result<(), Error> {
        let announced = answer.header("content-length").and_then(|text| text.parse::<u64>().ok());
        match announced.map(|rest| self.bytes.saturating_add(rest)) {
            Some(found) if found != self.wanted.size => self.wrong_size(found),
            _ => Ok(()),
        }
    }

    fn read(&mut self, client: &Client<'_>, answer: Answer) -> Result<(), Error> {
        let host = answer.host;
        let mut body = answer.response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let count = body.read(&mut buffer).map_err(|error| of_reading(&host, error))?;
            if count == 0 {
                break;
            }
            self.bytes += count as u64;
            if self.bytes > self.wanted.size {
                return self.wrong_size(self.bytes);
            }
            let part = &buffer[..count];
            self.digesting.update(part);
            self.into.write_all(part).map_err(|source| self.cannot_write(source))?;
            client.options.watch.moved(self.bytes, self.wanted.size);
        }
        if self.bytes < self.wanted.size { self.wrong_size(self.bytes) } else { Ok(()) }
    }

    fn wrong_size(&self, found: u64) -> Result<(), Error> {
        Err(Error::Size { declared: self.wanted.size, found })
    }

    fn cannot_write(&self, source: std::io::Error) -> Error {
        Error::Io { doing: "write", path: self.path.to_owned(), source }
    }
}
