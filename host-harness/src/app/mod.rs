//! What the endpoint server can do: one file per noun, functions that return typed views.
//!
//! No command line and no terminal here: whoever calls parses, calls and prints.

pub mod authorization;
pub mod collection;
pub mod deployment;
pub mod exports;
