//! salesforce-plugin
