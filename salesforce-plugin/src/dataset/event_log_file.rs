//! `event_log_file`: which event logs there are; the logs themselves are not read.

use crate::dataset::model::{Changes, Dataset, Paging, double, integer, object, text, timestamp};
use crate::dataset::permission::VIEW_EVENT_LOG_FILES;

pub(super) const DATASET: Dataset = Dataset {
    by_default: false,
    paging: Paging::Stamp("CreatedDate"),
    changes: Changes::log_of("CreatedDate"),
    ..object(
        "event_log_file",
        "Event log files",
        "EventLogFile",
        &[VIEW_EVENT_LOG_FILES],
        &[
            text("Id"),
            text("EventType"),
            text("Interval"),
            timestamp("LogDate"),
            integer("Sequence"),
            double("LogFileLength"),
            timestamp("CreatedDate"),
        ],
    )
};
