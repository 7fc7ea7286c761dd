//! `limits`: the org's allowances and what is left of them.
//!
//! # Source
//! REST API Developer Guide, "Limits".

use crate::dataset::model::{Countable, Dataset, Paging, Source, integer, object, text};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::No,
    source: Source::Limits,
    key: "Name",
    paging: Paging::None,
    ..object(
        "limits",
        "Org limits",
        "",
        &[VIEW_SETUP],
        &[text("Name"), integer("Max"), integer("Remaining")],
    )
};
