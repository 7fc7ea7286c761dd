//! The estate as its users see it: through queries and describes only.

mod errors;
mod later;
mod licences;
mod org;
mod queries;
mod resources;
mod rules;
mod scale;
mod visibility;
