//! `installed_subscriber_package`: the names behind the namespaces of managed packages.

use crate::dataset::model::{Countable, Dataset, Paging, Source, integer, object, text};
use crate::dataset::permission::VIEW_SETUP;

pub(super) const DATASET: Dataset = Dataset {
    countable: Countable::No,
    source: Source::Tooling("InstalledSubscriberPackage"),
    paging: Paging::None,
    ..object(
        "installed_subscriber_package",
        "Installed packages",
        "InstalledSubscriberPackage",
        &[VIEW_SETUP],
        &[
            text("Id"),
            text("SubscriberPackageId"),
            text("SubscriberPackage.Name"),
            text("SubscriberPackage.NamespacePrefix"),
            text("SubscriberPackageVersionId"),
            integer("SubscriberPackageVersion.MajorVersion"),
            integer("SubscriberPackageVersion.MinorVersion"),
        ],
    )
};
