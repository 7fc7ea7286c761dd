//! One request over the network, to the host of an org and nowhere else.

pub(crate) mod http;
