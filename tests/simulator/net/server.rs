//! The listeners and their accept loops.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustls::ServerConfig;

use super::connection;
use super::socket::Registry;
use crate::core::Core;

/// User and password the proxy asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyAuth {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// How connections are served.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) tls: Arc<ServerConfig>,
    /// Answer every greeting with TLS 1.1.
    pub(crate) old_tls: bool,
    pub(crate) proxy_auth: Option<ProxyAuth>,
}

/// What every connection needs.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) core: Arc<Core>,
    pub(super) settings: Settings,
}

/// The running listeners. Dropping it ends every connection and frees the ports.
#[derive(Debug)]
pub(crate) struct Server {
    registry: Arc<Registry>,
    listeners: Vec<(SocketAddr, JoinHandle<()>)>,
    proxy: SocketAddr,
    tls: SocketAddr,
}

impl Server {
    /// Listens as a proxy on `proxy` and for TLS on `tls`.
    pub(crate) fn start(
        core: Arc<Core>,
        settings: Settings,
        proxy: SocketAddr,
        tls: SocketAddr,
    ) -> io::Result<Self> {
        let (proxy, tls) = (TcpListener::bind(proxy)?, TcpListener::bind(tls)?);
        let shared = Arc::new(Shared { core, settings });
        let registry = Arc::new(Registry::default());
        let mut server = Self {
            registry: Arc::clone(&registry),
            listeners: Vec::new(),
            proxy: proxy.local_addr()?,
            tls: tls.local_addr()?,
        };
        for (listener, direct) in [(proxy, false), (tls, true)] {
            let address = listener.local_addr()?;
            let (registry, shared) = (Arc::clone(&registry), Arc::clone(&shared));
            let thread = std::thread::Builder::new()
                .name(format!("listener {address}"))
                .spawn(move || accept(&listener, &registry, &shared, direct))?;
            server.listeners.push((address, thread));
        }
        Ok(server)
    }

    /// Address of the proxy.
    pub(crate) fn proxy_address(&self) -> SocketAddr {
        self.proxy
    }

    /// Address that answers TLS at once.
    pub(crate) fn tls_address(&self) -> SocketAddr {
        self.tls
    }
}

fn accept(listener: &TcpListener, registry: &Arc<Registry>, shared: &Arc<Shared>, direct: bool) {
    for stream in listener.incoming() {
        if registry.is_stopped() {
            return;
        }
        // A client that is gone before it was accepted is no reason to stop.
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        registry.spawn(stream, move |socket, ticket| {
            if direct {
                connection::serve_tls(socket, ticket, &shared);
            } else {
                connection::serve_proxy(socket, ticket, &shared);
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.registry.stop();
        for (address, thread) in self.listeners.drain(..) {
            // Wakes the accept loop, which then sees that the org is stopped.
            drop(TcpStream::connect(address));
            let _ = thread.join();
        }
        self.registry.join();
    }
}
