//! Requests to the data API with a grant's token: what may be sent, how often, and what an answer means.

pub(crate) mod allow_list;
pub(crate) mod api_error;
pub(crate) mod budget;
pub(crate) mod describe;
pub(crate) mod gate;
pub(crate) mod request;
pub(crate) mod retry;
pub(crate) mod session;
