//! The body of an answer as it arrives: decoded, and refused where it comes too slowly, or is far
//! larger than what was sent.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;

/// Time that may be spent waiting for a body before its rate counts.
const GRACE: Duration = Duration::from_secs(20);
/// Bytes a second, on the wire, that a body needs after that.
const LEAST_RATE: u64 = 1_024;
/// Decoded bytes for one on the wire. Records full of equal flags reach a hundred.
const MOST_RATIO: u64 = 400;
/// Decoded bytes from which on the ratio counts.
const RATIO_FROM: u64 = 1 << 20;

/// Why a body is not read further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Abuse {
    #[error("it comes at less than {LEAST_RATE} bytes a second")]
    TooSlow,
    #[error("it is more than {MOST_RATIO} times as large as what was sent")]
    TooDense,
}

/// A decoded body. It remembers how the connection failed, which a parser on top of it cannot tell.
pub(super) struct Body<R: Read> {
    decoder: Decoder<R>,
    /// Decoded bytes so far.
    pub(super) length: u64,
    pub(super) failure: Option<io::Error>,
}

enum Decoder<R: Read> {
    Plain(Wire<R>),
    // Several gzip members in a row are one body.
    Gzip(Box<MultiGzDecoder<Wire<R>>>),
}

impl<R: Read> Body<R> {
    pub(super) fn new(source: R, gzip: bool) -> Body<R> {
        let wire = Wire { source, received: 0, waited: Duration::ZERO };
        let decoder = if gzip {
            Decoder::Gzip(Box::new(MultiGzDecoder::new(wire)))
        } else {
            Decoder::Plain(wire)
        };
        Body { decoder, length: 0, failure: None }
    }

    fn received(&self) -> u64 {
        match &self.decoder {
            Decoder::Plain(wire) => wire.received,
            Decoder::Gzip(decoder) => decoder.get_ref().received,
        }
    }
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match &mut self.decoder {
            Decoder::Plain(wire) => wire.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
        };
        let error = match result {
            Ok(read) => {
                self.length += read as u64;
                if self.length <= RATIO_FROM || self.length / MOST_RATIO <= self.received() {
                    return Ok(read);
                }
                io::Error::other(Abuse::TooDense)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => error,
        };
        let kind = error.kind();
        self.failure = Some(error);
        Err(kind.into())
    }
}

/// Counts what arrives, and the time that was waited for it; a slow reader is not the sender's fault.
struct Wire<R> {
    source: R,
    received: u64,
    waited: Duration,
}

impl<R: Read> Read for Wire<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let asked = Instant::now();
        let result = self.source.read(buffer);
        self.waited += asked.elapsed();
        let read = result?;
        self.received += read as u64;
        if read > 0 && is_too_slow(self.received, self.waited) {
            return Err(io::Error::other(Abuse::TooSlow));
        }
        Ok(read)
    }
}

fn is_too_slow(received: u64, waited: Duration) -> bool {
    waited > GRACE && received < waited.as_secs().saturating_mul(LEAST_RATE)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(body: &[u8], gzip: bool) -> Result<Vec<u8>, Option<Abuse>> {
        let mut body = Body::new(body, gzip);
        let mut whole = Vec::new();
        match body.read_to_end(&mut whole) {
            Ok(_) => Ok(whole),
            Err(_) => {
                let failure = body.failure.expect("the failure is kept");
                Err(failure.get_ref().and_then(|inner| inner.downcast_ref::<Abuse>()).copied())
            }
        }
    }

    #[test]
    fn a_body_of_two_gzip_members_is_read_to_its_end() {
        let both = [gzip(b"{\"a\":"), gzip(b"1}")].concat();
        assert_eq!(read(&both, true).unwrap(), b"{\"a\":1}");
        assert_eq!(read(&both[..both.len() - 4], true), Err(None));
        assert_eq!(read(b"{\"a\":1}", true), Err(None));
        assert_eq!(read(b"{\"a\":1}", false).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn a_body_that_decodes_to_far_more_than_was_sent_is_not_read_to_its_end() {
        assert_eq!(read(&gzip(&vec![b' '; 40 << 20]), true), Err(Some(Abuse::TooDense)));
        // Records full of equal flags are dense, and are read.
        let record = br#"{"Id":"0PS000000000001AAA","PermissionsApiEnabled":false,"PermissionsViewSetup":false},"#;
        let mut flags = Vec::new();
        for number in 0..40_000 {
            flags.extend_from_slice(record);
            flags.extend_from_slice(format!("{number:x}").as_bytes());
        }
        assert_eq!(read(&gzip(&flags), true).unwrap(), flags);
    }

    #[test]
    fn a_body_needs_a_rate_once_some_time_was_waited_for_it() {
        assert!(!is_too_slow(1, GRACE));
        assert!(is_too_slow(30, Duration::from_secs(21)));
        assert!(!is_too_slow(30 * LEAST_RATE, Duration::from_secs(30)));
        assert!(is_too_slow(30 * LEAST_RATE - 1, Duration::from_secs(30)));
    }
}
