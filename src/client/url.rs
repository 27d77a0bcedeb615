//! Addresses: where the server is, and what is put into a path.

use std::fmt::Write as _;

use hyper::Uri;

use super::Error;

/// `http://host[:port][/prefix]`, taken apart.
pub(super) struct Base {
    /// As written, without a slash at its end: for messages.
    pub text: String,
    pub host: String,
    pub port: u16,
    /// The `Host` header.
    pub authority: String,
    /// What comes before every path; empty or `/prefix`.
    pub prefix: String,
}

impl Base {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let fault = |why: &'static str| Error::Url { url: url.to_owned(), why };
        let uri: Uri = url.parse().map_err(|_| fault("expected http://HOST:PORT"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(fault(
                    "this version does not speak TLS. Use http:// to a server on this machine or in a trusted network, \
                     or a local proxy that adds TLS",
                ));
            }
            _ => return Err(fault("expected http://HOST:PORT")),
        }
        let authority = uri.authority().ok_or_else(|| fault("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("a user name or a password in it is not used; a key belongs in JOBQUEUE_API_KEY"));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(fault("it has a query or a fragment; expected http://HOST:PORT"));
        }
        let host = authority.host();
        if host.is_empty() || (authority.as_str().len() > host.len() && authority.port_u16().is_none()) {
            return Err(fault("expected http://HOST:PORT with a port from 1 to 65535"));
        }
        Ok(Self {
            text: url.trim_end_matches('/').to_owned(),
            // The resolver wants IPv6 addresses without their brackets.
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

/// Text as one segment of a path, or as a value of a query: everything but RFC 3986's unreserved characters is encoded.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
