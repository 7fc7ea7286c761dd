//! Sinks that keep nothing.

use connector_api::Error;
use connector_api::batch::ArrowBatch;
use connector_api::host_side::RecordSink;

/// A sink that gives each batch to a function; checkpoints are accepted.
pub fn each_batch(
    each: impl FnMut(ArrowBatch) -> Result<(), Error> + Send + 'static,
) -> Box<dyn RecordSink> {
    Box::new(Each(each))
}

/// A sink that drops everything.
pub fn discard() -> Box<dyn RecordSink> {
    each_batch(|_| Ok(()))
}

struct Each<F>(F);

impl<F: FnMut(ArrowBatch) -> Result<(), Error> + Send> RecordSink for Each<F> {
    fn batch(&mut self, _: &str, batch: ArrowBatch) -> Result<(), Error> {
        (self.0)(batch)
    }

    fn checkpoint(&mut self, _: &str, _: &str) -> Result<(), Error> {
        Ok(())
    }
}
