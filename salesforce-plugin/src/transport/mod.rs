//! One request over the network, to the host of an org and nowhere else.

pub(crate) mod http;
pub(crate) mod http_error;
pub(crate) mod pause;
pub(crate) mod proxy;
