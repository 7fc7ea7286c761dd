//! One request over the network, to the host of an org and nowhere else, and what may be kept of its
//! answer.

pub(crate) mod answer;
mod body;
pub(crate) mod foreign_text;
pub(crate) mod http;
pub(crate) mod http_error;
pub(crate) mod masker;
pub(crate) mod pause;
pub(crate) mod proof;
pub(crate) mod proxy;
