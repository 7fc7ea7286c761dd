//! An instance whose words may be shown: every text that comes out of a connector passes
//! [`foreign`](crate::redact::foreign) here.

use connector_api::Error;
use connector_api::host_side::{Instance, RecordSink};
use connector_api::message::{
    CheckReport, CollectRequest, CollectSummary, ConfigureRequest, DeauthorizeReply, Problem,
};

use crate::redact::foreign;

/// Masks what an instance says.
pub(crate) struct Masked(pub(crate) Box<dyn Instance>);

impl Instance for Masked {
    fn operation(&self, operation: &str, json: &str) -> Result<String, Error> {
        self.0.operation(operation, json).map_err(error)
    }

    fn collect_json(&self, request_json: &str, sink: Box<dyn RecordSink>) -> Result<String, Error> {
        self.0.collect_json(request_json, sink).map_err(error)
    }

    fn kill(&self) -> bool {
        self.0.kill()
    }

    fn configure(&self, request: &ConfigureRequest) -> Result<Vec<Problem>, Error> {
        let problems = self.0.configure(request).map_err(error)?;
        let masked = |problem: Problem| Problem {
            message: foreign(&problem.message),
            hint: hint(problem.hint),
            ..problem
        };
        Ok(problems.into_iter().map(masked).collect())
    }

    fn deauthorize(&self) -> Result<DeauthorizeReply, Error> {
        let reply = self.0.deauthorize().map_err(error)?;
        Ok(DeauthorizeReply { message: foreign(&reply.message), hint: hint(reply.hint), ..reply })
    }

    fn check(&self) -> Result<CheckReport, Error> {
        let mut report = self.0.check().map_err(error)?;
        for finding in &mut report.findings {
            finding.message = foreign(&finding.message);
            finding.hint = hint(finding.hint.take());
        }
        Ok(report)
    }

    fn collect(
        &self,
        request: &CollectRequest,
        sink: Box<dyn RecordSink>,
    ) -> Result<CollectSummary, Error> {
        let mut summary = self.0.collect(request, sink).map_err(error)?;
        summary.error = summary.error.map(error);
        for dataset in &mut summary.datasets {
            dataset.reason = hint(dataset.reason.take());
        }
        Ok(summary)
    }
}

fn error(error: Error) -> Error {
    Error { message: foreign(&error.message), hint: hint(error.hint), ..error }
}

fn hint(text: Option<String>) -> Option<String> {
    text.as_deref().map(foreign)
}
