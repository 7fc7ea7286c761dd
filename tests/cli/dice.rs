//! Chance that can be played again.

/// A seeded sequence; `SEED` replays one.
pub(crate) struct Dice(u64);

impl Dice {
    /// Prints the seed: with it a failure can be replayed.
    pub(crate) fn new() -> Dice {
        let seed = number("SEED").unwrap_or_else(|| u64::from(std::process::id()));
        println!("SEED={seed}");
        Dice::seeded(seed)
    }

    pub(crate) fn seeded(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }
}

/// A number that an environment variable asks for, such as `KILLS`.
pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
