//! The estate as its users see it: through queries and describes only.

mod errors;
mod licences;
mod org;
mod queries;
mod resources;
mod scale;
mod visibility;
