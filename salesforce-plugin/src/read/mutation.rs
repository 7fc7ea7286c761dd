//! Answers that were changed on the way, for tests of what reads them.

/// A small generator of repeatable numbers (SplitMix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next number below `most`.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % most.max(1) as u64).unwrap_or(0)
    }
}

/// Calls `read` with changed copies of `text`: bytes flipped, left out, doubled, cut off.
pub(crate) fn mutations(text: &[u8], times: usize, mut read: impl FnMut(&[u8])) {
    let mut numbers = Numbers(7);
    for _ in 0..times {
        let mut bytes = text.to_vec();
        for _ in 0..=numbers.below(3) {
            if bytes.is_empty() {
                break;
            }
            let at = numbers.below(bytes.len());
            match numbers.below(6) {
                0 => bytes[at] ^= 1 << numbers.below(8),
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, b"{}[]\",:0-\n"[numbers.below(10)]),
                3 => bytes.truncate(at),
                4 => {
                    let end = (at + numbers.below(40)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => bytes[at] = u8::try_from(numbers.below(256)).unwrap_or(0),
            }
        }
        read(&bytes);
    }
}
