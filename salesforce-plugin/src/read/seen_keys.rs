//! The keys of the records that were seen.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;

use roaring::RoaringTreemap;

/// Length of an id without the letters that make it readable without regard to case.
const ID: usize = 15;
/// Length of an id with them.
const LONG_ID: usize = 18;
/// Length of what ids of one object in one instance have in common.
const PREFIX: usize = 5;

/// A set of keys. Ids count up within an instance, so that they are kept exactly, at about two bytes
/// each; other keys are kept as hashes: two keys that share one make a dataset look short, never
/// complete.
///
/// # Source
/// Salesforce, "What is a Salesforce ID composed of?": 3 characters for the object, 2 for the
/// instance, the number in base 62.
#[derive(Debug, Default)]
pub(crate) struct SeenKeys {
    /// The numbers of ids, by what is before them.
    ids: BTreeMap<[u8; PREFIX], RoaringTreemap>,
    others: HashSet<u64>,
    hasher: RandomState,
}

impl SeenKeys {
    /// Adds a key; says whether it is new.
    pub(crate) fn insert(&mut self, key: &str) -> bool {
        match number(key) {
            Some((prefix, number)) => self.ids.entry(prefix).or_default().insert(number),
            None => self.others.insert(self.hasher.hash_one(key)),
        }
    }

    /// The number of distinct keys.
    pub(crate) fn len(&self) -> u64 {
        self.ids.values().map(RoaringTreemap::len).sum::<u64>() + self.others.len() as u64
    }

    /// Whether every key is in the other set, too. That must be this set or come from
    /// [`SeenKeys::another`].
    pub(crate) fn is_part_of(&self, other: &SeenKeys) -> bool {
        self.others.is_subset(&other.others)
            && self.ids.iter().all(|(prefix, numbers)| {
                other.ids.get(prefix).is_some_and(|others| numbers.is_subset(others))
            })
    }

    /// An empty set that can be compared with this one.
    pub(crate) fn another(&self) -> SeenKeys {
        SeenKeys { hasher: self.hasher.clone(), ..SeenKeys::default() }
    }
}

/// An id as its prefix and its number; `None` if the key is not an id.
fn number(key: &str) -> Option<([u8; PREFIX], u64)> {
    let bytes = key.as_bytes();
    if !matches!(bytes.len(), ID | LONG_ID) {
        return None;
    }
    let (prefix, digits) = bytes[..ID].split_first_chunk::<PREFIX>()?;
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'Z' => Some(byte - b'A' + 10),
        b'a'..=b'z' => Some(byte - b'a' + 36),
        _ => None,
    };
    // 62^10 is below 2^60.
    let number =
        digits.iter().try_fold(0, |sum, byte| Some(sum * 62 + u64::from(digit(*byte)?)))?;
    Some((*prefix, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An id of that number as the platform spells it, and keys that are none.
    fn key(number: u64) -> String {
        const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut left = number / 7;
        let mut digits = [b'0'; 10];
        for digit in digits.iter_mut().rev() {
            *digit = DIGITS[(left % 62) as usize];
            left /= 62;
        }
        let digits = String::from_utf8_lossy(&digits).into_owned();
        match number % 7 {
            0 => format!("name {digits}"),
            1 => format!("0055g{digits}!!!!"),
            2 => format!("00e5g{digits}AAA"),
            3 => format!("0055h{digits}AAA"),
            _ => format!("0055g{digits}AAA"),
        }
    }

    #[test]
    fn it_holds_what_a_set_of_texts_holds() {
        let mut seen = SeenKeys::default();
        let mut model = HashSet::new();
        let mut number = 1u64;
        for round in 0..20_000u64 {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(round);
            let key = key((number >> 33) % 30_000);
            assert_eq!(seen.insert(&key), model.insert(key.clone()), "{key}");
        }
        assert_eq!(seen.len(), model.len() as u64);

        let mut part = seen.another();
        for key in model.iter().step_by(3) {
            part.insert(key);
        }
        assert!(part.is_part_of(&seen) && !seen.is_part_of(&part));
        part.insert("0055g0000ZZZZZZAAA");
        assert!(!part.is_part_of(&seen));
    }

    #[test]
    fn keys_that_differ_in_case_alone_are_two() {
        let mut seen = SeenKeys::default();
        assert!(seen.insert("0055g00000abcdeAAA"));
        assert!(seen.insert("0055g00000abcdEAAA"));
        assert!(!seen.insert("0055g00000abcdE"), "the short spelling is the same record");
        assert_eq!(seen.len(), 2);
    }
}
