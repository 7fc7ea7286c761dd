//! Writes answers, whole or broken on purpose.

use std::io::{self, Write};
use std::time::Duration;

use super::{Delivery, Request, Response};

const CHUNK: usize = 16 * 1_024;

/// What the connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterAnswer {
    /// Wait for the next request.
    KeepOpen,
    /// Say goodbye and close.
    Close,
    /// Close without a goodbye, as a broken line would.
    Drop,
    /// Reset.
    Reset,
    /// Stay open and silent until the client gives up.
    Stall,
}

/// Writes `response`; `pause` waits, and answers `false` when the org is being stopped.
pub(crate) fn write(
    stream: &mut impl Write,
    request: &Request,
    response: &Response,
    pause: impl Fn(Duration) -> bool,
) -> io::Result<AfterAnswer> {
    let bodiless = request.method == "HEAD" || matches!(response.status, 100..=199 | 204 | 304);
    let mut chunked = response.chunked && !request.http_1_0 && !response.body.is_empty();
    let (limit, after) = match response.delivery {
        Delivery::CloseBeforeAnswer => return Ok(AfterAnswer::Drop),
        Delivery::Reset { bytes: None } => return Ok(AfterAnswer::Reset),
        Delivery::Stall { after: None } => return Ok(AfterAnswer::Stall),
        Delivery::CloseAfter { bytes, content_length } => {
            chunked = !content_length;
            (Some(bytes), AfterAnswer::Drop)
        }
        Delivery::Reset { bytes } => (bytes, AfterAnswer::Reset),
        Delivery::Stall { after } => (after, AfterAnswer::Stall),
        Delivery::Whole | Delivery::Drip { .. } => {
            let after = if response.close || request.last {
                AfterAnswer::Close
            } else {
                AfterAnswer::KeepOpen
            };
            (None, after)
        }
    };
    stream.write_all(head(request, response, bodiless, chunked, after).as_bytes())?;
    if bodiless {
        stream.flush()?;
        return Ok(after);
    }
    let end = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX)
        .min(response.body.len());
    let (size, wait) = match response.delivery {
        Delivery::Drip { bytes, pause } => (bytes.max(1), Some(pause)),
        _ => (CHUNK, None),
    };
    for piece in response.body[..end].chunks(size) {
        if let Some(wait) = wait {
            stream.flush()?;
            if !pause(wait) {
                return Ok(AfterAnswer::Drop);
            }
        }
        if chunked {
            write!(stream, "{:x}\r\n", piece.len())?;
            stream.write_all(piece)?;
            stream.write_all(b"\r\n")?;
        } else {
            stream.write_all(piece)?;
        }
    }
    if chunked && limit.is_none() {
        stream.write_all(b"0\r\n\r\n")?;
    }
    stream.flush()?;
    Ok(after)
}

fn head(
    request: &Request,
    response: &Response,
    bodiless: bool,
    chunked: bool,
    after: AfterAnswer,
) -> String {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
    for (name, value) in &response.headers {
        // A header value never ends the head early, whatever it was made from.
        let value: String = value.chars().filter(|character| !character.is_control()).collect();
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if chunked {
        head.push_str("Transfer-Encoding: chunked\r\n");
    } else if !bodiless || request.method == "HEAD" {
        head.push_str(&format!("Content-Length: {}\r\n", response.body.len()));
    }
    if after == AfterAnswer::Close {
        head.push_str("Connection: close\r\n");
    } else if request.http_1_0 && after == AfterAnswer::KeepOpen {
        head.push_str("Connection: keep-alive\r\n");
    }
    head.push_str("\r\n");
    head
}

/// The reason phrase of a status (RFC 9110).
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        409 => "Conflict",
        410 => "Gone",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        420 => "Enhance Your Calm",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, request: &Request) -> (String, AfterAnswer) {
        let mut wire = Vec::new();
        let after = write(&mut wire, request, response, |_| true).expect("memory takes everything");
        (String::from_utf8(wire).expect("text"), after)
    }

    #[test]
    fn a_cut_body_announces_its_whole_length() {
        let mut response = Response::json(200, "0123456789");
        response.delivery = Delivery::CloseAfter { bytes: 4, content_length: true };
        let (text, after) = written(&response, &Request::new("GET", "h", "/"));
        assert!(text.contains("Content-Length: 10\r\n"));
        assert!(text.ends_with("\r\n\r\n0123"));
        assert_eq!(after, AfterAnswer::Drop);
    }

    #[test]
    fn a_cut_chunked_body_has_no_last_chunk() {
        let mut response = Response::json(200, "0123456789");
        response.delivery = Delivery::CloseAfter { bytes: 4, content_length: false };
        let (text, _) = written(&response, &Request::new("GET", "h", "/"));
        assert!(text.ends_with("4\r\n0123\r\n"));
    }

    #[test]
    fn an_answer_to_head_has_no_body() {
        let (text, _) =
            written(&Response::json(200, "0123456789"), &Request::new("HEAD", "h", "/"));
        assert!(text.ends_with("Content-Length: 10\r\n\r\n"));
    }

    #[test]
    fn a_header_value_cannot_end_the_head() {
        let response = Response::empty(302).with("Location", "https://a/?state=x\r\n\r\nbody");
        let (text, _) = written(&response, &Request::new("GET", "h", "/"));
        assert_eq!(text.matches("\r\n\r\n").count(), 1);
    }
}
