//! Frames on a pipe: `kind (1 byte) | length (4 bytes, little endian) | payload`.

use std::io::{Error, ErrorKind, Read, Result, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// A JSON message.
pub(super) const MESSAGE: u8 = b'm';
/// A record batch: call id (4 bytes), length of the dataset's name (2 bytes), name, Arrow IPC stream.
pub(super) const BATCH: u8 = b'b';

/// The longest payload of a message.
const LONGEST_MESSAGE: u32 = 16 << 20;
/// The longest payload of a record batch.
const LONGEST_BATCH: u32 = 256 << 20;

/// Writes a frame.
pub(super) fn write(out: &mut impl Write, kind: u8, parts: &[&[u8]]) -> Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length)
        .ok()
        .filter(|length| *length <= longest(kind))
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "it is too long for one frame"))?;
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_le_bytes());
    out.write_all(&head)?;
    for part in parts {
        out.write_all(part)?;
    }
    out.flush()
}

/// Writes a message.
pub(super) fn write_message(out: &mut impl Write, message: &impl Serialize) -> Result<()> {
    // It may hold a secret.
    let json = Zeroizing::new(serde_json::to_vec(message).map_err(Error::other)?);
    write(out, MESSAGE, &[&json])
}

/// Reads a frame; none at the end of the stream.
pub(super) fn read(input: &mut impl Read) -> Result<Option<(u8, Zeroizing<Vec<u8>>)>> {
    let mut head = [0; 5];
    if input.read(&mut head[..1])? == 0 {
        return Ok(None);
    }
    let kind = head[0];
    if kind != MESSAGE && kind != BATCH {
        return Err(invalid("it begins with an unknown kind"));
    }
    input.read_exact(&mut head[1..])?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    if length > longest(kind) {
        return Err(invalid("it is too long"));
    }
    // As much as really arrives, not as much as is claimed.
    let mut payload = Zeroizing::new(Vec::new());
    let got = input.take(u64::from(length)).read_to_end(&mut payload)?;
    if got < length as usize {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((kind, payload)))
}

/// Understands a message.
pub(super) fn message<T: DeserializeOwned>(payload: &[u8]) -> Result<T> {
    serde_json::from_slice(payload).map_err(|_| invalid("its text is not understood"))
}

/// Takes a record batch's payload apart: call id, dataset, Arrow IPC stream.
pub(super) fn batch(payload: &[u8]) -> Result<(u32, &str, &[u8])> {
    let short = || invalid("its record batch is cut short");
    let (id, rest) = payload.split_first_chunk::<4>().ok_or_else(short)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(short)?;
    let (name, ipc) =
        rest.split_at_checked(usize::from(u16::from_le_bytes(*length))).ok_or_else(short)?;
    let name = std::str::from_utf8(name).map_err(|_| invalid("its dataset is not text"))?;
    Ok((u32::from_le_bytes(*id), name, ipc))
}

fn longest(kind: u8) -> u32 {
    if kind == BATCH { LONGEST_BATCH } else { LONGEST_MESSAGE }
}

fn invalid(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_arrives_as_it_was_sent_and_a_damaged_one_is_an_error() {
        let mut pipe = Vec::new();
        write(&mut pipe, BATCH, &[&7_u32.to_le_bytes(), &3_u16.to_le_bytes(), b"abc", b"ipc"])
            .unwrap();
        write_message(&mut pipe, &"text").unwrap();
        let mut reader = pipe.as_slice();
        let (kind, payload) = read(&mut reader).unwrap().unwrap();
        assert_eq!((kind, batch(&payload).unwrap()), (BATCH, (7, "abc", b"ipc".as_slice())));
        let (_, payload) = read(&mut reader).unwrap().unwrap();
        assert_eq!(message::<String>(&payload).unwrap(), "text");
        assert!(read(&mut reader).unwrap().is_none());
        for cut in 1..pipe.len() {
            let mut reader = &pipe[..cut];
            // Whole frames before the cut are fine; the cut one is an error or the end.
            while let Ok(Some(_)) = read(&mut reader) {}
        }
        assert!(read(&mut b"x12345".as_slice()).is_err());
        assert!(read(&mut [MESSAGE, 255, 255, 255, 255].as_slice()).is_err());
        assert!(batch(&[1, 0, 0, 0, 9, 0, b'a']).is_err());
    }
}
