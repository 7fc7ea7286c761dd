//! A TCP connection that the org can cut from outside.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sync::lock;

/// One TCP connection; clones are the same connection.
#[derive(Debug, Clone)]
pub(super) struct Socket(Arc<TcpStream>);

impl Socket {
    /// Makes the close that follows a reset.
    pub(super) fn reset_on_close(&self) {
        // If the system refuses, the client sees an ordinary close, which is a fault as well.
        let _ = socket2::SockRef::from(&*self.0).set_linger(Some(Duration::ZERO));
    }
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(into)
    }
}

impl Write for Socket {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        (&*self.0).write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

#[derive(Debug, Default)]
struct Open {
    stopped: bool,
    next: u64,
    sockets: HashMap<u64, Socket>,
    threads: HashMap<u64, JoinHandle<()>>,
}

/// Every open connection, so that all can be ended at once.
#[derive(Debug, Default)]
pub(super) struct Registry {
    open: Mutex<Open>,
    stopping: Condvar,
}

impl Registry {
    /// Runs `serve` on a thread of its own, unless the org is being stopped.
    pub(super) fn spawn(
        self: &Arc<Self>,
        stream: TcpStream,
        serve: impl FnOnce(Socket, Ticket) + Send + 'static,
    ) {
        // Answers are small and written in one go; waiting for more would only cost time.
        let _ = stream.set_nodelay(true);
        let socket = Socket(Arc::new(stream));
        let id = {
            let mut open = lock(&self.open);
            if open.stopped {
                return;
            }
            open.next += 1;
            let id = open.next;
            open.sockets.insert(id, socket.clone());
            id
        };
        // The lock is free here: a thread that cannot be started drops its ticket at once.
        let ticket = Ticket { registry: Arc::clone(self), id };
        let spawned = std::thread::Builder::new()
            .name(format!("connection {id}"))
            .spawn(move || serve(socket, ticket));
        let mut open = lock(&self.open);
        if let Ok(thread) = spawned
            && open.sockets.contains_key(&id)
        {
            open.threads.insert(id, thread);
        }
    }

    /// Whether the org is being stopped.
    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.open).stopped
    }

    /// Waits for `pause`; `false` if the org is being stopped meanwhile.
    pub(super) fn pause(&self, pause: Duration) -> bool {
        let open = lock(&self.open);
        let (open, _) = self
            .stopping
            .wait_timeout_while(open, pause, |open| !open.stopped)
            .unwrap_or_else(PoisonError::into_inner);
        !open.stopped
    }

    /// Refuses new connections and ends the open ones.
    pub(super) fn stop(&self) {
        let mut open = lock(&self.open);
        open.stopped = true;
        for socket in open.sockets.values() {
            // A connection that is already gone needs no end.
            let _ = socket.0.shutdown(Shutdown::Both);
        }
        drop(open);
        self.stopping.notify_all();
    }

    /// Waits for the threads of all connections, after [`Registry::stop`].
    pub(super) fn join(&self) {
        let threads = std::mem::take(&mut lock(&self.open).threads);
        for thread in threads.into_values() {
            // A connection's thread that panicked has closed its connection.
            let _ = thread.join();
        }
    }
}

/// A connection's place in the registry; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Ticket {
    registry: Arc<Registry>,
    id: u64,
}

impl Ticket {
    /// The registry, to wait and to learn of the end.
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut open = lock(&self.registry.open);
        open.sockets.remove(&self.id);
        // Dropping the handle lets the thread, which is about to end, end by itself.
        open.threads.remove(&self.id);
    }
}
