//! The allowed arrows: between crates, and between the folders (or files) at the top of a crate.

/// Who may use whom.
pub(super) type Allowed = &'static [(&'static str, &'static [&'static str])];

/// Crates, each with those of this workspace it is built with; tests may use more.
pub(super) const CRATES: Allowed = &[
    ("connector-api", &[]),
    ("salesforce-plugin", &["connector-api"]),
    ("inventory", &["connector-api"]),
    ("position", &["connector-api"]),
    ("plugin-host", &["connector-api", "inventory"]),
    ("host-harness", &["connector-api", "inventory", "position", "plugin-host", "tests"]),
];

/// Folders of the product's crates.
pub(super) const FOLDERS: &[(&str, &str)] = &[
    ("connector-api", "connector-api"),
    ("salesforce-plugin", "salesforce-plugin"),
    ("inventory", "host-harness/inventory"),
    ("position", "host-harness/position"),
    ("plugin-host", "host-harness/plugin-host"),
    ("host-harness", "host-harness"),
];

/// Folders and files at the top of a crate's sources, lowest first.
pub(super) const ROOMS: &[(&str, Allowed)] = &[
    ("salesforce-plugin", PLUGIN),
    ("position", POSITION),
    ("plugin-host", PLUGIN_HOST),
    ("host-harness", HOST),
];

const PLUGIN: Allowed = &[
    ("dataset", &[]),
    ("position", &[]),
    ("settings", &["dataset"]),
    ("transport", &["settings"]),
    ("auth", &["settings", "transport"]),
    ("client", &["auth", "settings", "transport"]),
    ("read", &["client", "dataset", "settings", "transport"]),
    ("check", &["auth", "client", "dataset", "read", "settings", "transport"]),
    ("fuzz", &["auth", "client", "read", "settings", "transport"]),
    ("connector", &["auth", "check", "client", "dataset", "position", "read", "settings"]),
];

const POSITION: Allowed = &[
    ("error", &[]),
    ("number", &[]),
    ("time", &[]),
    ("source", &["error"]),
    ("model", &["number", "source", "time"]),
    ("evidence", &["model", "source"]),
    ("money", &["error", "model"]),
    ("daily", &["error", "evidence", "source", "time"]),
    ("inputs", &["model", "money", "source"]),
    ("tables", &["daily", "error", "evidence", "inputs", "model", "source", "time"]),
    ("diff", &["error", "evidence", "model", "source", "tables", "time"]),
    ("seats", &["error", "model", "tables", "time"]),
    ("visibility", &["evidence", "model", "seats", "tables", "time"]),
    (
        "reconcile",
        &["error", "evidence", "model", "number", "seats", "tables", "time", "visibility"],
    ),
    (
        "rules",
        &["error", "evidence", "model", "money", "number", "seats", "tables", "time", "visibility"],
    ),
    ("summary", &["error", "evidence", "model", "number", "source", "visibility"]),
    ("claims", &["evidence", "model", "number", "rules", "source", "visibility"]),
    (
        "position",
        &[
            "claims",
            "error",
            "evidence",
            "inputs",
            "model",
            "money",
            "reconcile",
            "rules",
            "seats",
            "source",
            "summary",
            "tables",
            "time",
            "visibility",
        ],
    ),
    ("listing", &["error", "model", "position", "rules", "seats", "source", "tables"]),
];

const PLUGIN_HOST: Allowed = &[
    ("cancel", &[]),
    ("error", &[]),
    ("library", &[]),
    ("manifest_check", &[]),
    ("owned", &[]),
    ("preflight", &[]),
    ("redact", &[]),
    ("sealed", &[]),
    ("space", &[]),
    ("loader", &["error"]),
    ("masked", &["redact"]),
    ("pins", &["error"]),
    ("services", &["cancel", "error", "redact"]),
    ("trust", &["error", "sealed"]),
    ("plugin", &["library", "manifest_check", "masked", "trust"]),
    ("sink", &["services", "space"]),
    ("checked", &["loader", "plugin", "preflight", "sealed", "trust"]),
    ("worker", &["cancel", "checked", "library", "plugin", "preflight", "redact", "sealed"]),
    (
        "conformance",
        &[
            "cancel",
            "checked",
            "error",
            "manifest_check",
            "owned",
            "plugin",
            "preflight",
            "redact",
            "sink",
            "trust",
            "worker",
        ],
    ),
    ("dir", &["checked", "error", "pins", "plugin", "preflight", "trust", "worker"]),
    ("install", &["checked", "error", "pins", "trust", "worker"]),
];

const HOST: Allowed = &[
    ("error", &[]),
    ("process", &[]),
    ("time", &[]),
    ("home", &["error"]),
    ("report", &["error", "time"]),
    ("safe_file", &["error"]),
    ("schedule", &["error"]),
    ("source", &["error"]),
    ("settings", &["error", "home"]),
    ("app", &["error", "home", "safe_file", "schedule", "settings", "source", "time"]),
    ("serve", &["app", "error", "schedule", "time"]),
    (
        "cli",
        &[
            "app",
            "error",
            "process",
            "report",
            "safe_file",
            "schedule",
            "serve",
            "settings",
            "time",
        ],
    ),
    ("main", &["cli", "settings"]),
];

/// A crate of somebody else and the only places that may name it.
pub(super) struct Edge {
    pub(super) names: &'static [&'static str],
    /// Paths of folders and files below the workspace.
    pub(super) only: &'static [&'static str],
}

/// Crates that are kept to the edge of the house.
pub(super) const EDGES: &[Edge] = &[
    Edge { names: &["abi_stable"], only: &["connector-api/src/ffi/"] },
    Edge { names: &["rusqlite"], only: &["host-harness/inventory/", "host-harness/position/"] },
    Edge {
        names: &["clap", "clap_complete", "clap_mangen", "comfy_table", "indicatif", "rpassword"],
        only: &["host-harness/src/cli/", "host-harness/src/main.rs"],
    },
];
