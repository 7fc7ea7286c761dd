//! HTTP/1.1 by hand, so that every byte of an answer can be put out of order on purpose.

mod form;
mod read;
mod request;
mod response;
mod write;

pub(crate) use form::{Params, accepts_gzip, basic_credentials};
pub(crate) use read::{Connection, ReadError};
pub(crate) use request::Request;
pub(crate) use response::{Delivery, Hold, Response, TEXT_HTML};
pub(crate) use write::{AfterAnswer, write};
