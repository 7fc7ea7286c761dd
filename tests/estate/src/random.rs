//! Numbers that look random and depend only on the seed: nothing is drawn in sequence.

/// A 64-bit mix of seed, topic and index (the SplitMix64 finaliser).
pub(crate) fn mix(seed: u64, topic: u64, index: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(topic.wrapping_mul(0xD1B5_4A32_D192_ED03))
        .wrapping_add(index.wrapping_mul(0x8CB9_2BA7_2F3D_8DD7));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A number in `0..bound` (0 for an empty range), from [`mix`].
pub(crate) fn below(seed: u64, topic: u64, index: u64, bound: u64) -> u64 {
    ((u128::from(mix(seed, topic, index)) * u128::from(bound)) >> 64) as u64
}

/// A bijection of `0..len` that can be walked both ways without a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shuffle {
    len: u64,
    factor: u64,
    inverse: u64,
    shift: u64,
}

impl Shuffle {
    /// The shuffle that leaves everything in place.
    pub(crate) fn identity(len: u64) -> Self {
        Self { len, factor: 1, inverse: 1, shift: 0 }
    }

    /// A shuffle chosen by the seed.
    pub(crate) fn new(len: u64, seed: u64, topic: u64) -> Self {
        if len < 3 {
            return Self::identity(len);
        }
        // Near the golden section, neighbours land far apart and evenly.
        let mut factor =
            (len as f64 * 0.618_033_988_75) as u64 + below(seed, topic, 0, len / 16 + 1);
        factor = factor.clamp(2, len - 1);
        while gcd(factor, len) != 1 {
            factor = if factor + 1 < len { factor + 1 } else { 1 };
        }
        Self { len, factor, inverse: inverse(factor, len), shift: below(seed, topic, 1, len) }
    }

    /// The same shuffle turned by another amount.
    pub(crate) fn turned(self, by: u64) -> Self {
        Self { shift: by.checked_rem(self.len).unwrap_or(0), ..self }
    }

    /// Where `index` goes.
    pub(crate) fn forward(&self, index: u64) -> u64 {
        let place = u128::from(self.factor) * u128::from(index) + u128::from(self.shift);
        (place % u128::from(self.len)) as u64
    }

    /// What came to `place`.
    pub(crate) fn backward(&self, place: u64) -> u64 {
        let distance = place + self.len - self.shift;
        (u128::from(self.inverse) * u128::from(distance) % u128::from(self.len)) as u64
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The inverse of `factor` modulo `len`; both are coprime.
fn inverse(factor: u64, len: u64) -> u64 {
    let (mut old_r, mut r) = (factor as i128, len as i128);
    let (mut old_s, mut s) = (1_i128, 0_i128);
    while r != 0 {
        let quotient = old_r / r;
        (old_r, r) = (r, old_r - quotient * r);
        (old_s, s) = (s, old_s - quotient * s);
    }
    old_s.rem_euclid(len as i128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_meets_every_number_once_and_can_be_undone() {
        for len in [1, 2, 3, 4, 10, 97, 360, 1_000] {
            let shuffle = Shuffle::new(len, 7, 1);
            let mut seen = vec![false; len as usize];
            for index in 0..len {
                let place = shuffle.forward(index);
                assert_eq!(shuffle.backward(place), index);
                assert!(!std::mem::replace(&mut seen[place as usize], true));
            }
        }
    }
}
