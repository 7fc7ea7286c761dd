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

/// Rooms of the host, lowest first.
pub(super) const HOST: Allowed = &[
    ("error", &[]),
    ("time", &[]),
    ("home", &["error"]),
    ("safe_file", &["error", "home"]),
    ("process", &[]),
    ("source", &["error"]),
    ("schedule", &["error", "time"]),
    ("settings", &["error", "home"]),
    ("report", &["error", "source", "time"]),
    ("app", &["error", "home", "report", "safe_file", "schedule", "settings", "source", "time"]),
    ("serve", &["app", "error", "home", "schedule", "time"]),
    (
        "cli",
        &[
            "app",
            "error",
            "home",
            "process",
            "report",
            "safe_file",
            "schedule",
            "serve",
            "settings",
            "source",
            "time",
        ],
    ),
    ("main", &["cli", "settings"]),
];

/// Rooms of the crate that runs libraries, lowest first.
pub(super) const PLUGIN_HOST: Allowed = &[
    ("cancel", &[]),
    ("error", &[]),
    ("manifest_check", &[]),
    ("owned", &[]),
    ("preflight", &[]),
    ("redact", &[]),
    ("sealed", &[]),
    ("library", &[]),
    ("loader", &["error"]),
    ("pins", &["error"]),
    ("trust", &["error", "sealed"]),
    ("services", &["cancel", "error", "redact"]),
    ("sink", &["services"]),
    ("plugin", &["library", "manifest_check", "trust"]),
    ("checked", &["loader", "plugin", "preflight", "sealed", "trust"]),
    ("worker", &["cancel", "checked", "library", "plugin", "preflight", "redact", "sealed"]),
    ("dir", &["checked", "error", "pins", "plugin", "preflight", "trust", "worker"]),
    ("install", &["checked", "error", "pins", "trust", "worker"]),
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
];

/// Rooms of the plugin, lowest first.
pub(super) const PLUGIN: Allowed = &[
    ("dataset", &[]),
    ("position", &[]),
    ("settings", &["dataset"]),
    ("transport", &["settings"]),
    ("auth", &["settings", "transport"]),
    ("client", &["auth", "settings", "transport"]),
    ("read", &["client", "dataset", "settings", "transport"]),
    ("check", &["auth", "client", "dataset", "read", "settings", "transport"]),
    ("connector", &["auth", "check", "client", "dataset", "position", "read", "settings"]),
    ("lib", &["connector"]),
    ("fuzz", &["auth", "client", "read", "settings", "transport"]),
];

/// Arrows that still run upward.
pub(super) const UPWARD: Allowed = &[];

/// Folders and files at the top of a crate that are still in a circle.
pub(super) const CIRCLES: Allowed = &[(
    "host-harness",
    &[
        "app",
        "cli",
        "diff",
        "findings",
        "locks",
        "money",
        "plugin",
        "plugin_pins",
        "position",
        "sealed",
        "secret_store",
        "services",
        "settings",
        "store",
        "trust",
    ],
)];

/// A crate of somebody else and the only places that may name it.
pub(super) struct Edge {
    pub(super) names: &'static [&'static str],
    /// Paths of folders and files below the workspace.
    pub(super) only: &'static [&'static str],
    /// Places that still name it.
    pub(super) open: &'static [&'static str],
}

/// Crates that are kept to the edge of the house.
pub(super) const EDGES: &[Edge] = &[
    Edge { names: &["abi_stable"], only: &["connector-api/src/ffi/"], open: &[] },
    Edge {
        names: &["rusqlite"],
        only: &["host-harness/inventory/", "host-harness/position/"],
        open: &[],
    },
    Edge {
        names: &["clap", "clap_complete", "clap_mangen", "comfy_table", "indicatif", "rpassword"],
        only: &["host-harness/src/cli/", "host-harness/src/main.rs"],
        open: &["host-harness/src/app/exports/mod.rs", "host-harness/src/store/additions.rs"],
    },
];
