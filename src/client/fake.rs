//! A server that gives prepared answers and keeps what it was asked: for tests of the client's own parsing.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// One request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// `GET /path`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Number of its connection, 0 = the first.
    pub(crate) connection: usize,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// What to answer, in order; afterwards connections are closed without an answer.
pub(crate) enum Answer {
    /// Status and body, `application/problem+json` from 400 on.
    Json(u16, String),
    /// The bytes of the whole answer.
    Raw(String),
    /// An answer after which the connection is closed without saying so.
    ThenClose(u16, String),
    /// Closes the connection instead.
    Close,
}

impl Fake {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut answers: Vec<Answer> = answers.into_iter().collect();
        answers.reverse();
        let answers = Arc::new(Mutex::new(answers));
        let seen = asked.clone();
        // A thread per connection: a client that opens a second one is still answered in order.
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (stream, seen, answers) = (stream.unwrap(), seen.clone(), answers.clone());
                std::thread::spawn(move || serve(stream, number, &seen, &answers));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, connection: usize, seen: &Mutex<Vec<Asked>>, answers: &Mutex<Vec<Answer>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(asked) = read(&mut reader, connection) {
        seen.lock().unwrap().push(asked);
        let answer = answers.lock().unwrap().pop();
        let (bytes, close) = match answer {
            Some(Answer::Json(status, body)) => (json(status, &body), false),
            Some(Answer::ThenClose(status, body)) => (json(status, &body), true),
            Some(Answer::Raw(bytes)) => (bytes, true),
            Some(Answer::Close) | None => return,
        };
        if stream.write_all(bytes.as_bytes()).is_err() || close {
            return;
        }
    }
}

fn json(status: u16, body: &str) -> String {
    let kind = if status >= 400 { "application/problem+json" } else { "application/json" };
    format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn read(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Asked> {
    let mut asked = Asked { connection, ..Asked::default() };
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    asked.line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => asked.headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = asked.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).unwrap();
    Some(asked)
}

pub(crate) const ID: &str = "01920000-0000-7000-8000-000000000001";

/// A task of this status as the server shows it.
pub(crate) fn task(status: &str) -> String {
    format!(
        r#"{{"id":"{ID}","name":"process_data","queue":"default","priority":5,"status":"{status}","args":[12345678901234567890123,1.10],"kwargs":{{"a":1}},"attempt":1,"failures":0,"crashes":0,"max_retries":3,"retry":null,"timeout_ms":300000,"result":{{"n":98765432109876543210}},"error":null,"created_at":"2026-01-31T12:00:00.000Z","run_at":null,"ready_at":null,"started_at":"2026-01-31T12:00:01.000Z","finished_at":null,"duration_ms":null,"worker_id":null,"cancel_requested":false,"unique_key":null,"fair_key":"tenant-7","rate_key":"api","cost":3,"concurrency_key":"account-9","tags":["t"],"meta":null,"generation":0,"a_field_of_a_later_version":{{}}}}"#
    )
}
