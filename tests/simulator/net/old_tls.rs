//! A server that speaks TLS 1.1 and nothing newer, as far as a client lets it.

use std::io::{self, Read, Write};

/// Header of a record: type, version, length.
const HEADER: usize = 5;
const VERSION_1_1: [u8; 2] = [3, 2];
/// `TLS_RSA_WITH_AES_128_CBC_SHA`, which every client of that time offers.
const CIPHER_SUITE: [u8; 2] = [0, 0x2f];

/// Reads a client's greeting and answers it with a `ServerHello` of version 1.1 (RFC 4346,
/// section 7.4.1.3).
pub(super) fn answer(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut header = [0_u8; HEADER];
    stream.read_exact(&mut header)?;
    let length = u16::from_be_bytes([header[3], header[4]]);
    let mut greeting = vec![0_u8; usize::from(length)];
    stream.read_exact(&mut greeting)?;
    stream.write_all(&server_hello())?;
    stream.flush()
}

fn server_hello() -> Vec<u8> {
    // Version, 32 bytes that need not be random here, no session id, suite, no compression.
    let body = [&VERSION_1_1[..], &[0x5a; 32], &[0], &CIPHER_SUITE, &[0]].concat();
    // The lengths are known to fit: the body has 38 bytes.
    let message = [&[2, 0, 0, body.len() as u8][..], &body].concat();
    [&[22][..], &VERSION_1_1, &[0, message.len() as u8], &message].concat()
}
