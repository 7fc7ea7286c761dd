//! One connection: proxy requests, then TLS, then the org's own HTTP.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::{ServerConnection, StreamOwned};

use super::old_tls;
use super::server::Shared;
use super::socket::{Socket, Ticket};
use crate::hosts::without_port;
use crate::http::{
    AfterAnswer, Connection, ReadError, Request, Response, basic_credentials, write,
};
use crate::router::{answer, fault_of_tunnel, record_refused_tunnel, record_unread_request};

const REALM: &str = "Basic realm=\"simulated org\"";

/// Serves a client of the proxy.
pub(super) fn serve_proxy(socket: Socket, ticket: Ticket, shared: &Arc<Shared>) {
    // Declared before the ticket is moved in: a reset needs the socket to go last.
    let mut connection = Connection::new(socket);
    let ticket = ticket;
    loop {
        let Some((mut request, target)) = next_request(&mut connection, shared) else { return };
        let allowed = shared.settings.proxy_auth.as_ref().is_none_or(|wanted| {
            request
                .header("proxy-authorization")
                .and_then(basic_credentials)
                .is_some_and(|(user, password)| user == wanted.user && password == wanted.password)
        });
        if request.method == "CONNECT" {
            let host = without_port(&target);
            let foreign = refuse_tunnel(&target, shared);
            let refusal = match fault_of_tunnel(&shared.core, &host) {
                Some(response) => response,
                None => {
                    let status = if allowed { foreign } else { Some(407) };
                    let Some(status) = status else {
                        return open_tunnel(connection, ticket, shared);
                    };
                    refusal_of(status)
                }
            };
            let user_agent = request.header("user-agent");
            record_refused_tunnel(&shared.core, &host, foreign.is_some(), &refusal, user_agent);
            if !keeps_open(&mut connection.stream, &request, &refusal, &ticket) {
                return;
            }
            continue;
        }
        // Anything else a proxy gets is a plain request for a URL.
        request.plain = true;
        if let Some(authority) =
            target.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default())
        {
            request.host = without_port(authority);
        }
        let response = if !allowed {
            refusal_of(407)
        } else if target.starts_with('/') {
            refusal_of(400)
        } else {
            answer(&shared.core, &request)
        };
        if !keeps_open(&mut connection.stream, &request, &response, &ticket) {
            return;
        }
    }
}

/// Why no tunnel is opened to `authority`, as a status.
fn refuse_tunnel(authority: &str, shared: &Shared) -> Option<u16> {
    match authority.rsplit_once(':') {
        Some((_, "443")) => {}
        _ => return Some(403),
    }
    shared.core.hosts.door(&without_port(authority)).is_none().then_some(502)
}

fn refusal_of(status: u16) -> Response {
    let text = format!("{status} by the proxy of the simulated org\n");
    let response = Response::new(status, "text/plain;charset=UTF-8", text);
    if status == 407 { response.with("Proxy-Authenticate", REALM) } else { response }
}

fn open_tunnel(connection: Connection<Socket>, ticket: Ticket, shared: &Arc<Shared>) {
    let (mut socket, early) = connection.into_parts();
    if socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_err() {
        return;
    }
    serve(Tunnel { early: io::Cursor::new(early), socket }, ticket, shared);
}

/// Serves a client that speaks TLS from the first byte.
pub(super) fn serve_tls(socket: Socket, ticket: Ticket, shared: &Arc<Shared>) {
    serve(Tunnel { early: io::Cursor::new(Vec::new()), socket }, ticket, shared);
}

/// A socket, after what was already read from it.
struct Tunnel {
    early: io::Cursor<Vec<u8>>,
    socket: Socket,
}

impl Read for Tunnel {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.early.read(into)? {
            0 => self.socket.read(into),
            count => Ok(count),
        }
    }
}

impl Write for Tunnel {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.socket.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn serve(mut tunnel: Tunnel, ticket: Ticket, shared: &Arc<Shared>) {
    if shared.settings.old_tls {
        if old_tls::answer(&mut tunnel).is_ok() {
            wait_for_the_end(&mut tunnel);
        }
        return;
    }
    let Ok(mut tls) = ServerConnection::new(Arc::clone(&shared.settings.tls)) else { return };
    if tls.complete_io(&mut tunnel).is_err() {
        // The alert that says why is still to be sent.
        let _ = tls.write_tls(&mut tunnel);
        return;
    }
    let mut connection = Connection::new(StreamOwned::new(tls, tunnel));
    let mut after = AfterAnswer::KeepOpen;
    while after == AfterAnswer::KeepOpen {
        let Some((request, _)) = next_request(&mut connection, shared) else { break };
        let mut response = answer(&shared.core, &request);
        let hold = response.hold.take();
        let written = write(&mut connection.stream, &request, &response, |pause| {
            ticket.registry().pause(pause)
        });
        after = written.unwrap_or(AfterAnswer::Drop);
        if after == AfterAnswer::Stall {
            wait_for_the_end(&mut connection.stream);
        }
        drop(hold);
    }
    if matches!(after, AfterAnswer::KeepOpen | AfterAnswer::Close) {
        connection.stream.conn.send_close_notify();
        let _ = connection.stream.flush();
    }
    if after == AfterAnswer::Reset {
        connection.stream.sock.socket.reset_on_close();
    }
    // The reset happens when the last owner lets go: first the registry, then this thread.
    drop(ticket);
    drop(connection);
}

/// Reads until the client closes or the org stops.
fn wait_for_the_end(stream: &mut impl Read) {
    let mut piece = [0_u8; 1_024];
    while stream.read(&mut piece).is_ok_and(|count| count > 0) {}
}

/// The next request; answers what is none, and then there is no next one.
fn next_request<S: Read + Write>(
    connection: &mut Connection<S>,
    shared: &Shared,
) -> Option<(Request, String)> {
    let (status, text) = match connection.read_request() {
        Ok(request) => return Some(request),
        Err(ReadError::Closed) => return None,
        Err(ReadError::Malformed) => (400, "<h1>Bad Request</h1>"),
        Err(ReadError::UriTooLong) => (414, "<h1>URI Too Long</h1>"),
        Err(ReadError::HeadTooLong) => (431, "<h1>Request Header Fields Too Large</h1>"),
        Err(ReadError::BodyTooLarge) => (413, "<h1>Content Too Large</h1>"),
    };
    record_unread_request(&shared.core, status);
    let mut response = Response::new(status, "text/html", text);
    response.close = true;
    // The client may be gone already.
    let _ = write(&mut connection.stream, &Request::default(), &response, |_| true);
    None
}

fn keeps_open(
    stream: &mut Socket,
    request: &Request,
    response: &Response,
    ticket: &Ticket,
) -> bool {
    match write(stream, request, response, |pause| ticket.registry().pause(pause)) {
        Ok(AfterAnswer::KeepOpen) => true,
        Ok(AfterAnswer::Stall) => {
            wait_for_the_end(stream);
            false
        }
        Ok(AfterAnswer::Reset) => {
            stream.reset_on_close();
            false
        }
        _ => false,
    }
}
