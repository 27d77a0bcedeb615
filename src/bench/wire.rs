//! A kept connection that sends prepared requests: client and server share the machine, so it must cost little.

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Uri,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::BenchError;

pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

/// A request that is sent many times.
#[derive(Clone)]
pub(super) struct Prepared {
    uri: Uri,
    body: Bytes,
    expected: u16,
}

impl Prepared {
    /// A POST, or without a body a GET; any status but `expected` is a failure.
    pub(super) fn new(path: &'static str, body: impl Into<Bytes>, expected: u16) -> Self {
        Self { uri: Uri::from_static(path), body: body.into(), expected }
    }
}

impl Connection {
    pub(super) async fn open(address: &str) -> Result<Self, BenchError> {
        let failed = |why: String| BenchError::Request { request: format!("at {address}"), why };
        let stream = TcpStream::connect(address).await.map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(error.to_string()))?;
        // Ends with the sender. Its error reaches whoever waits for an answer.
        actix::spawn(async move { drop(connection.await) });
        let host = HeaderValue::try_from(address).map_err(|error| failed(error.to_string()))?;
        Ok(Self { sender, host })
    }

    /// Sends and reads the whole answer.
    pub(super) async fn send(&mut self, prepared: &Prepared) -> Result<Bytes, BenchError> {
        let Prepared { uri, body, expected } = prepared.clone();
        let failed = |why: String| BenchError::Request { request: prepared.uri.to_string(), why };
        let mut request = Request::new(Full::new(body.clone()));
        *request.uri_mut() = uri;
        request.headers_mut().insert(header::HOST, self.host.clone());
        if !body.is_empty() {
            *request.method_mut() = hyper::Method::POST;
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        self.sender.ready().await.map_err(|error| failed(error.to_string()))?;
        let answer = self.sender.send_request(request).await.map_err(|error| failed(error.to_string()))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| failed(error.to_string()))?.to_bytes();
        if status != expected {
            return Err(failed(format!("HTTP {status}, not {expected}: {}", String::from_utf8_lossy(&body))));
        }
        Ok(body)
    }
}
