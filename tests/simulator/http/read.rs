//! Reads requests from a connection that may carry many.

use std::io::{self, Read, Write};

use super::Request;

/// Longest URI, in bytes.
const URI_LIMIT: usize = 16_384;
/// Longest URI and headers together, in bytes; the request line's other words and the line
/// ends are not counted.
const HEAD_LIMIT: usize = 16_384;
/// Nothing beyond this is looked at.
const READ_LIMIT: usize = 128 * 1_024;
/// Largest request body, in bytes.
const BODY_LIMIT: usize = 50 * 1_024 * 1_024;
const MAX_HEADERS: usize = 128;

/// Why there is no request.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The client is gone.
    Closed,
    /// It is not HTTP.
    Malformed,
    /// 414.
    UriTooLong,
    /// 431.
    HeadTooLong,
    /// 413.
    BodyTooLarge,
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// A connection and what was read from it too early.
#[derive(Debug)]
pub(crate) struct Connection<S> {
    pub(crate) stream: S,
    buffer: Vec<u8>,
}

struct Head {
    length: usize,
    request: Request,
    target: String,
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Gives the stream back, with the bytes nobody asked for.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// The next request and its target as sent (a path, a URL or an authority).
    pub(crate) fn read_request(&mut self) -> Result<(Request, String), ReadError> {
        let Head { length, mut request, target } = loop {
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
            if self.buffer.len() > READ_LIMIT {
                let first_line_ended = self.buffer.contains(&b'\n');
                return Err(if first_line_ended {
                    ReadError::HeadTooLong
                } else {
                    ReadError::UriTooLong
                });
            }
            self.fill()?;
        };
        self.buffer.drain(..length);
        if request.method != "CONNECT" {
            if request
                .header("expect")
                .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
            {
                self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                self.stream.flush()?;
            }
            request.body = self.read_body(&request)?;
        }
        Ok((request, target))
    }

    fn read_body(&mut self, request: &Request) -> Result<Vec<u8>, ReadError> {
        if let Some(coding) = request.header("transfer-encoding") {
            if !coding.eq_ignore_ascii_case("chunked") || request.header("content-length").is_some()
            {
                return Err(ReadError::Malformed);
            }
            return self.read_chunks();
        }
        let Some(length) = request.header("content-length") else { return Ok(Vec::new()) };
        let length: usize = length.trim().parse().map_err(|_| ReadError::Malformed)?;
        if length > BODY_LIMIT {
            return Err(ReadError::BodyTooLarge);
        }
        self.take(length)
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut body = Vec::new();
        loop {
            let (header, size) = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete(parsed)) => break parsed,
                    Ok(httparse::Status::Partial) => self.fill()?,
                    Err(_) => return Err(ReadError::Malformed),
                }
            };
            self.buffer.drain(..header);
            let size = usize::try_from(size).map_err(|_| ReadError::BodyTooLarge)?;
            if size == 0 {
                // Trailers, up to the empty line.
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            if body.len().saturating_add(size) > BODY_LIMIT {
                return Err(ReadError::BodyTooLarge);
            }
            body.extend(self.take(size)?);
            if !self.read_line()?.is_empty() {
                return Err(ReadError::Malformed);
            }
        }
    }

    fn read_line(&mut self) -> Result<Vec<u8>, ReadError> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                line.truncate(end);
                return Ok(line);
            }
            if self.buffer.len() > READ_LIMIT {
                return Err(ReadError::Malformed);
            }
            self.fill()?;
        }
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, ReadError> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn fill(&mut self) -> Result<(), ReadError> {
        let mut piece = [0_u8; 16 * 1_024];
        match self.stream.read(&mut piece)? {
            0 => Err(ReadError::Closed),
            count => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(())
            }
        }
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<Head>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(ReadError::HeadTooLong),
        Err(_) => return Err(ReadError::Malformed),
    };
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version)
    else {
        return Err(ReadError::Malformed);
    };
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    if target.len() > URI_LIMIT {
        return Err(ReadError::UriTooLong);
    }
    let head: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if target.len() + head > HEAD_LIMIT {
        return Err(ReadError::HeadTooLong);
    }
    let path = target
        .split_once("://")
        .map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let mut request = Request::new(method, "", path);
    request.headers = headers;
    request.http_1_0 = version == 0;
    let connection = request.header("connection").unwrap_or_default().to_ascii_lowercase();
    request.last = if version == 0 { connection != "keep-alive" } else { connection == "close" };
    request.host = crate::hosts::without_port(request.header("host").unwrap_or_default());
    Ok(Some(Head { length, request, target: target.to_owned() }))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Reads from one buffer, writes to nowhere.
    struct Wire(Cursor<Vec<u8>>);

    impl Read for Wire {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            // A byte at a time: no assumption about where the network splits may survive.
            let end = into.len().min(1);
            self.0.read(&mut into[..end])
        }
    }

    impl Write for Wire {
        fn write(&mut self, from: &[u8]) -> io::Result<usize> {
            Ok(from.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn connection(text: &str) -> Connection<Wire> {
        Connection::new(Wire(Cursor::new(text.as_bytes().to_vec())))
    }

    #[test]
    fn two_requests_on_one_connection_are_kept_apart() {
        let mut wire = connection(
            "POST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        );
        let (first, _) = wire.read_request().expect("a request");
        assert_eq!(
            (first.path.as_str(), first.query.get("x"), first.body.as_slice()),
            ("/a", Some("1"), &b"abc"[..])
        );
        let (second, _) = wire.read_request().expect("a request");
        assert!(second.last);
        assert!(matches!(wire.read_request(), Err(ReadError::Closed)));
    }

    #[test]
    fn a_chunked_body_is_put_together() {
        let mut wire = connection(
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n",
        );
        assert_eq!(wire.read_request().expect("a request").0.body, b"abcde");
    }

    #[test]
    fn a_uri_over_the_limit_is_named_before_the_headers() {
        let long = "x".repeat(URI_LIMIT);
        let mut wire = connection(&format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert!(matches!(wire.read_request(), Err(ReadError::UriTooLong)));
        let mut wire = connection(&format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}\r\n\r\n"));
        assert!(matches!(wire.read_request(), Err(ReadError::HeadTooLong)));
    }

    #[test]
    fn two_lengths_for_one_body_are_refused() {
        let mut wire = connection(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        );
        assert!(matches!(wire.read_request(), Err(ReadError::Malformed)));
    }
}
