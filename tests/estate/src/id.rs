//! Record ids: 15 case-sensitive characters, written with a 3-character checksum.

use std::fmt;

/// The 62 characters of an id in ASCII order, so that greater numbers give greater ids.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// Key prefix, pod and a reserved zero come before the number.
const NUMBER_AT: usize = 6;

/// A record id. Order is the order of its 15 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id([u8; 15]);

impl Id {
    /// The id of record number `number` of the object with this key prefix.
    pub(crate) fn new(prefix: [u8; 3], pod: [u8; 2], mut number: u64) -> Self {
        let mut text = [b'0'; 15];
        text[..3].copy_from_slice(&prefix);
        text[3..5].copy_from_slice(&pod);
        for place in (NUMBER_AT..15).rev() {
            text[place] = DIGITS[(number % 62) as usize];
            number /= 62;
        }
        Self(text)
    }

    /// Reads the 15 or 18 character form; a wrong checksum is not an id.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !matches!(bytes.len(), 15 | 18) || !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut short = [0; 15];
        short.copy_from_slice(&bytes[..15]);
        let id = Self(short);
        (bytes.len() == 15 || id.checksum().eq_ignore_ascii_case(&bytes[15..])).then_some(id)
    }

    /// The three characters that name the object.
    pub(crate) fn prefix(&self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// The pod characters after the prefix.
    pub(crate) fn pod(&self) -> [u8; 2] {
        [self.0[3], self.0[4]]
    }

    /// The number the id was made from, if it is written in the nine last characters.
    pub(crate) fn number(&self) -> Option<u64> {
        if self.0[5] != b'0' {
            return None;
        }
        self.0[NUMBER_AT..].iter().try_fold(0_u64, |number, &character| {
            let digit = match character {
                b'0'..=b'9' => character - b'0',
                b'A'..=b'Z' => character - b'A' + 10,
                b'a'..=b'z' => character - b'a' + 36,
                _ => return None,
            };
            number.checked_mul(62)?.checked_add(u64::from(digit))
        })
    }

    /// Appends the 18-character form.
    pub(crate) fn write(&self, out: &mut String) {
        out.extend(self.0.iter().map(|&byte| byte as char));
        out.extend(self.checksum().iter().map(|&byte| byte as char));
    }

    fn checksum(&self) -> [u8; 3] {
        let mut sum = [0; 3];
        for (group, place) in self.0.chunks_exact(5).zip(&mut sum) {
            let index = group
                .iter()
                .enumerate()
                .filter(|(_, byte)| byte.is_ascii_uppercase())
                .fold(0_usize, |index, (bit, _)| index | 1 << bit);
            *place = CHECKSUM[index];
        }
        sum
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(18);
        self.write(&mut text);
        f.write_str(&text)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_agrees_with_ids_published_in_the_rest_guide() {
        for known in
            ["005dM00000aYaE4QAK", "00e3h000001TwmfAAC", "1003h0000014mJTAAY", "0YaHn0000EUyGdHKQV"]
        {
            let id = Id::parse(&known[..15]).unwrap();
            assert_eq!(id.to_string(), known);
        }
    }

    #[test]
    fn both_forms_name_the_same_record_and_a_wrong_checksum_names_none() {
        assert_eq!(Id::parse("005dM00000aYaE4"), Id::parse("005dM00000aYaE4QAK"));
        assert_eq!(Id::parse("005dM00000aYaE4AAA"), None);
        assert_eq!(Id::parse("005dM00000aYaE"), None);
    }

    #[test]
    fn ids_ascend_with_their_number() {
        let ids: Vec<String> = [0, 1, 35, 36, 61, 62, 3_843, 238_327]
            .iter()
            .map(|&n| Id::new(*b"005", *b"Hn", n).to_string())
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        assert_eq!(Id::parse(&ids[7]).unwrap().number(), Some(238_327));
    }
}
