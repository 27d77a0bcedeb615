//! HTTP/1.1 with kept connections.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::{Call, Error, Problem, url::Base};

/// Idle connections kept: one for a caller that asks one thing after the other, a few for clones that ask at once.
const MAX_IDLE: usize = 8;
/// Longest answer read, in bytes.
const MAX_BODY: usize = 256 << 20;

type Sender = SendRequest<Full<Bytes>>;

pub(super) struct Http {
    base: Base,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    connect_timeout: Duration,
    idle: Mutex<Vec<Sender>>,
}

/// An answer with a status below 400.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// As the server sent it.
    pub(crate) body: String,
    /// The server repeated an earlier answer.
    pub(crate) replayed: bool,
    url: String,
}

impl Reply {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.body).map_err(|fault| Error::Unexpected {
            url: self.url.clone(),
            what: format!("HTTP {} whose body is not what was asked for ({fault})", self.status),
        })
    }
}

/// A request that got no answer.
enum Lost {
    /// Certainly not sent: safe to repeat.
    Unsent(Error),
    /// May have been carried out.
    Unknown(Error),
}

impl Http {
    pub(super) fn new(
        base: Base,
        api_key: Option<&str>,
        timeout: Duration,
        connect_timeout: Duration,
    ) -> Result<Self, Error> {
        let bearer = |key| {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| Error::Key("API key"))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        };
        let authorization = api_key.map(bearer).transpose()?;
        Ok(Self { base, authorization, timeout, connect_timeout, idle: Mutex::default() })
    }

    pub(super) fn url(&self) -> &str {
        &self.base.text
    }

    pub(super) async fn send(&self, call: &Call) -> Result<Reply, Error> {
        let after = self.timeout + call.wait;
        let exchange = tokio::time::timeout(after, self.exchange(call));
        let reply = exchange.await.map_err(|_| Error::Timeout { url: self.url().to_owned(), after })??;
        match reply.status {
            200..=299 => Ok(reply),
            400.. => Err(self.refusal(&reply)),
            status => Err(self.unexpected(format!("HTTP {status}"))),
        }
    }

    /// A kept connection may have been closed by the server meanwhile. The request is then repeated on a new one, if it
    /// was not sent or changes nothing.
    async fn exchange(&self, call: &Call) -> Result<Reply, Error> {
        if let Some(kept) = self.take_idle() {
            match self.once(kept, call).await {
                Ok(reply) => return Ok(reply),
                Err(Lost::Unknown(error)) if call.method != Method::GET => return Err(error),
                Err(Lost::Unsent(_) | Lost::Unknown(_)) => {}
            }
        }
        let fresh = self.connect().await?;
        self.once(fresh, call).await.map_err(|(Lost::Unsent(error) | Lost::Unknown(error))| error)
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        idle.pop()
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE && !sender.is_closed() {
            idle.push(sender);
        }
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let unreachable = |source| Error::Unreachable { url: self.url().to_owned(), source };
        let address = (self.base.host.as_str(), self.base.port);
        let stream = tokio::time::timeout(self.connect_timeout, TcpStream::connect(address))
            .await
            .map_err(|_| unreachable(io::Error::new(io::ErrorKind::TimedOut, "no answer to the attempt to connect")))?
            .map_err(unreachable)?;
        // Requests are small and waited for: Nagle's algorithm would only delay them.
        stream.set_nodelay(true).map_err(unreachable)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(&error))?;
        // Ends with the sender. Its error reaches whoever waits for an answer.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn once(&self, mut sender: Sender, call: &Call) -> Result<Reply, Lost> {
        let request = self.request(call).map_err(Lost::Unknown)?;
        sender.ready().await.map_err(|error| Lost::Unsent(self.broken(&error)))?;
        let response = sender.try_send_request(request).await.map_err(|mut lost| {
            let unsent = lost.take_message().is_some();
            let error = self.broken(lost.error());
            if unsent { Lost::Unsent(error) } else { Lost::Unknown(error) }
        })?;
        let reply = self.read(response).await.map_err(Lost::Unknown)?;
        self.keep(sender);
        Ok(reply)
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base.prefix, call.path))
            .header(header::HOST, &self.base.authority)
            .header(header::ACCEPT, "application/json, application/problem+json")
            .header(header::USER_AGENT, concat!("jobqueue/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = &self.authorization {
            request = request.header(header::AUTHORIZATION, key);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if call.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(call.body.clone().unwrap_or_default()));
        request.body(body).map_err(|error| self.unexpected(format!("the request cannot be written: {error}")))
    }

    async fn read(&self, response: Response<Incoming>) -> Result<Reply, Error> {
        let status = response.status().as_u16();
        let replayed = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
        let bytes = body.map_err(|error| self.broken(error.as_ref()))?.to_bytes();
        let body = String::from_utf8(bytes.into())
            .map_err(|_| self.unexpected(format!("HTTP {status} whose body is not UTF-8 text")))?;
        Ok(Reply { status, body, replayed, url: self.url().to_owned() })
    }

    /// The problem a refusal describes; without one it does not come from our server.
    fn refusal(&self, reply: &Reply) -> Error {
        match serde_json::from_str::<Problem>(&reply.body) {
            Ok(problem) if !(problem.title.is_empty() && problem.code.is_empty() && problem.detail.is_empty()) => {
                Error::Api(Box::new(Problem { status: reply.status, ..problem }))
            }
            _ => self.unexpected(format!("HTTP {} without a problem description", reply.status)),
        }
    }

    fn broken(&self, error: &(dyn std::error::Error + 'static)) -> Error {
        // The outermost text of hyper's errors is general; the innermost says what happened.
        let innermost = std::iter::successors(Some(error), |error| error.source()).last();
        Error::Broken { url: self.url().to_owned(), cause: innermost.unwrap_or(error).to_string() }
    }

    fn unexpected(&self, what: String) -> Error {
        Error::Unexpected { url: self.url().to_owned(), what }
    }
}
