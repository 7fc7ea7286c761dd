//! Golden files of every `--json` document, in `tests/fixtures/golden`: a host and an org whose clocks
//! stand still, filled from a seed.
//!
//! `GOLDEN_RECORD=1` writes the files of new cases; a file that exists is never written again.

mod compare;
mod mask;
mod recorder;
mod stories;
