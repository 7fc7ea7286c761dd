//! Sockets: the proxy, TLS inside its tunnels, and one thread per connection.

mod connection;
mod server;
mod socket;

pub(crate) use server::{ProxyAuth, Server};
