//! A content to the registry, unless it is there already.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use ureq::http::StatusCode;

use crate::client::{Client, Sent};
use crate::error::Error;
use crate::manifest::Descriptor;
use crate::options::Watch;

/// Where a content is.
pub(crate) enum Content<'c> {
    Bytes(&'c [u8]),
    File(&'c mut File, &'c Path),
}

/// Sends a content, if it must be; whether it was there already.
pub(crate) fn send(
    client: &mut Client<'_>,
    content: &mut Content<'_>,
    descriptor: &Descriptor,
) -> Result<bool, Error> {
    let there = client.url(&format!("blobs/{}", descriptor.digest));
    let answer = client.head(&there)?;
    match answer.status() {
        StatusCode::OK => return Ok(true),
        StatusCode::NOT_FOUND => {}
        _ => return Err(client.refused(answer, "the repository")),
    }
    // Half an upload is nothing to the registry: it may be begun again.
    client.again(|client| upload(client, content, descriptor))?;
    Ok(false)
}

fn upload(
    client: &mut Client<'_>,
    content: &mut Content<'_>,
    descriptor: &Descriptor,
) -> Result<(), Error> {
    let begin = client.url("blobs/uploads/");
    let answer = client.post(&begin)?;
    if answer.status() != StatusCode::ACCEPTED {
        return Err(client.refused(answer, "the repository"));
    }
    let location = answer.header("location").and_then(|to| begin.join(to));
    let location = location.ok_or_else(|| answer.nonsense("it does not say where to send to"))?;
    let location = client.allowed(location)?.with("digest", &descriptor.digest.to_string());
    let mut reader = content.reader(client, descriptor.size)?;
    let body = Sent {
        reader: &mut reader,
        bytes: descriptor.size,
        media_type: "application/octet-stream",
    };
    let answer = client.put(&location, body)?;
    match answer.status() {
        StatusCode::CREATED => Ok(()),
        _ => Err(client.refused(answer, "the upload")),
    }
}

impl Content<'_> {
    fn reader(&mut self, client: &Client<'_>, size: u64) -> Result<Watched<'_>, Error> {
        let (reader, watch): (Box<dyn Read + '_>, _) = match self {
            Self::Bytes(bytes) => (Box::new(*bytes), None),
            Self::File(file, path) => {
                file.seek(SeekFrom::Start(0)).map_err(|source| Error::Io {
                    doing: "read",
                    path: path.to_path_buf(),
                    source,
                })?;
                (Box::new(&mut **file), Some(Arc::clone(&client.options.watch)))
            }
        };
        Ok(Watched { reader: reader.take(size), watch, bytes: 0, of: size })
    }
}

/// Tells how far it is.
struct Watched<'c> {
    reader: io::Take<Box<dyn Read + 'c>>,
    watch: Option<Arc<dyn Watch>>,
    bytes: u64,
    of: u64,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes += count as u64;
        if let Some(watch) = &self.watch {
            watch.moved(self.bytes, self.of);
        }
        Ok(count)
    }
}
