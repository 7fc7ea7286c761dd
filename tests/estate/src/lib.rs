//! The records of a simulated Salesforce org, and SOQL over them.
//!
//! An [`Estate`] is made from a seed and a size. Rows are computed when they are read, so ten million users cost no
//! more memory than ten. [`query`] answers any client's SOQL as a [`Viewer`] with certain permissions would see it;
//! errors carry the platform's codes and texts. [`Estate::truth`] tells what a licence report should find.
//!
//! Reading order: [`Estate`] and what follows from it in `org`, the describes in `schema`, what viewers see in
//! `viewer`, queries in `soql`, everything that is one record or one describe in `resource`.

mod clock;
mod error;
mod id;
mod org;
mod person;
mod random;
mod resource;
mod schema;
mod soql;
mod value;
mod viewer;

pub use error::ApiError;
pub use org::{
    Case, EditError, Editor, Elsewhere, Estate, EstateSpec, LicenseTruth, RuleTruth, Truth,
};
pub use person::Person;
pub use resource::{basic_info, event_log, record, record_counts};
pub use schema::describe::{describe, describe_global};
pub use soql::{CsvFormat, ResultSet, bulk_query, login_window, query};
pub use viewer::Viewer;
