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
    ("cancel", &[]),
    ("time", &[]),
    ("redact", &[]),
    ("owned", &[]),
    ("manifest_check", &[]),
    ("preflight", &[]),
    ("library", &["error"]),
    ("home", &["error"]),
    ("safe_file", &["error", "home"]),
    ("locks", &["cancel", "error", "home", "time"]),
    ("store", &["cancel", "error", "home", "time"]),
    ("secret_store", &["error", "home", "locks", "redact", "store"]),
    ("services", &["cancel", "error", "locks", "redact", "secret_store", "store"]),
    ("sink", &["services", "store"]),
    ("sealed", &[]),
    ("trust", &["error", "sealed"]),
    ("worker", &["cancel", "manifest_check", "process", "redact"]),
    ("plugin", &["library", "manifest_check", "preflight", "sealed", "trust", "worker"]),
    ("plugin_pins", &["error", "home", "plugin", "trust", "worker"]),
    ("plugin_dir", &["error", "home", "plugin", "plugin_pins", "preflight", "trust", "worker"]),
    (
        "conformance",
        &[
            "cancel",
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
    ("process", &[]),
    ("schedule", &["error", "store"]),
    ("position", &["error", "home", "redact", "store", "time"]),
    ("money", &["error", "position", "time"]),
    ("findings", &["error", "money", "position", "time"]),
    ("diff", &["error", "money", "position", "store", "time"]),
    (
        "settings",
        &["error", "findings", "home", "position", "redact", "secret_store", "trust", "worker"],
    ),
    (
        "app",
        &[
            "cancel",
            "conformance",
            "diff",
            "error",
            "findings",
            "home",
            "locks",
            "money",
            "plugin",
            "plugin_dir",
            "plugin_pins",
            "position",
            "redact",
            "safe_file",
            "schedule",
            "secret_store",
            "services",
            "settings",
            "sink",
            "source",
            "store",
            "time",
            "trust",
            "worker",
        ],
    ),
    (
        "serve",
        &[
            "app",
            "cancel",
            "error",
            "home",
            "owned",
            "plugin",
            "plugin_dir",
            "schedule",
            "services",
            "store",
            "time",
            "worker",
        ],
    ),
    (
        "cli",
        &[
            "app",
            "cancel",
            "conformance",
            "diff",
            "error",
            "findings",
            "home",
            "locks",
            "money",
            "plugin",
            "plugin_dir",
            "plugin_pins",
            "position",
            "process",
            "redact",
            "safe_file",
            "schedule",
            "secret_store",
            "serve",
            "services",
            "settings",
            "store",
            "time",
            "trust",
            "worker",
        ],
    ),
    ("main", &["cli", "settings"]),
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
pub(super) const UPWARD: Allowed = &[
    ("store", &["app", "diff", "findings", "money", "position", "schedule", "secret_store"]),
    ("locks", &["store"]),
    ("position", &["diff", "findings", "money"]),
    ("sealed", &["plugin_pins"]),
    ("trust", &["plugin_pins"]),
    ("process", &["worker"]),
    ("worker", &["app", "plugin"]),
];

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
