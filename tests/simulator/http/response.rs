//! One answer, and how it is put on the wire.

use std::any::Any;
use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

/// The data API's content type.
const JSON: &str = "application/json;charset=UTF-8";
/// The content type of pages and of the edge's plain answers.
pub(crate) const TEXT_HTML: &str = "text/html;charset=UTF-8";

/// What happens between the answer and the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The client gets all of it.
    #[default]
    Whole,
    /// The connection ends before the first byte.
    CloseBeforeAnswer,
    /// The connection ends after the head and this many bytes of the body.
    CloseAfter {
        /// Bytes of the body, as sent.
        bytes: u64,
        /// Announce the whole length, rather than chunks.
        content_length: bool,
    },
    /// The connection is reset after the head and this many bytes of the body; before the
    /// head if there is no number.
    Reset {
        /// Bytes of the body, as sent.
        bytes: Option<u64>,
    },
    /// Nothing is ever sent; the connection stays open until the client gives up.
    Stall {
        /// Send the head and this many bytes of the body first.
        after: Option<u64>,
    },
    /// The body comes in pieces of `bytes`, with a pause before each.
    Drip {
        /// Size of a piece.
        bytes: usize,
        /// Pause before a piece.
        pause: Duration,
    },
}

/// Something that lasts until the answer left, such as the lock of a refresh.
pub(crate) struct Hold(#[allow(dead_code, reason = "kept only to be dropped")] Box<dyn Any + Send>);

impl Hold {
    /// Keeps `guard` until the answer was written.
    pub(crate) fn new(guard: impl Any + Send) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hold")
    }
}

/// An answer.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delivery: Delivery,
    pub(crate) chunked: bool,
    pub(crate) close: bool,
    pub(crate) hold: Option<Hold>,
    /// Somebody between client and org answers, without Salesforce's headers.
    pub(crate) foreign: bool,
}

impl Response {
    /// An answer with a body.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            body: body.into(),
            ..Self::default()
        }
    }

    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// A JSON answer of the data API.
    pub(crate) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, JSON, body)
    }

    /// A redirect.
    pub(crate) fn found(location: &str) -> Self {
        Self::empty(302).with("Location", location)
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The first header called `name`.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Replaces the header called `name`, or adds it.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Compresses the body. An `ETag` then names the compressed form, as the platform does.
    pub(crate) fn compress(&mut self) {
        let body = member(&self.body);
        self.encoded(body);
    }

    /// Compresses the body as two gzip members, which RFC 1952 allows.
    pub(crate) fn compress_in_two(&mut self) {
        let (first, second) = self.body.split_at(self.body.len() / 2);
        let body = [member(first), member(second)].concat();
        self.encoded(body);
    }

    fn encoded(&mut self, body: Vec<u8>) {
        self.body = body;
        self.set("Content-Encoding", "gzip");
        if let Some(tag) =
            self.header("ETag").map(|tag| format!("{}--gzip\"", tag.trim_end_matches('"')))
        {
            self.set("ETag", tag);
        }
    }
}

/// One gzip member.
fn member(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
