//! Sockets: the proxy, TLS inside its tunnels, and one thread per connection.

mod connection;
mod old_tls;
mod server;
mod socket;

pub(crate) use server::{ProxyAuth, Server, Settings};
