//! The files of the dashboard and of the API's reference. Debug builds read them from `static/`, release builds have them inside.

use std::io::Write as _;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH, LOCATION, VARY,
    },
};
use flate2::{Compression, write::GzEncoder};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::{code::Code, problem::Problem};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Assets;

/// `/` → the dashboard.
pub(super) async fn root() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, "/ui/")).finish()
}

/// A file, or for the addresses of the dashboard's own pages the one page there is.
pub(super) async fn file(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = request.match_info().get("path").unwrap_or_default();
    if let Some(found) = Assets::get(path) {
        let found = if is_own_script(path) { without_comments(found) } else { found };
        return Ok(send(&request, found));
    }
    // A name with an extension is a file's: a page in its place would be read as a script.
    let is_page = !path.rsplit('/').next().unwrap_or_default().contains('.');
    match Assets::get("index.html").filter(|_| is_page) {
        Some(index) => Ok(send(&request, index)),
        None => Err(Problem::new(Code::FileNotFound, format!("The dashboard has no file {path:?}"))),
    }
}

/// The page of the API's reference and of its errors; its scripts are among the dashboard's.
pub(super) async fn docs(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let page = Assets::get("docs.html").ok_or_else(|| Problem::new(Code::FileNotFound, "The reference is missing"))?;
    Ok(send(&request, page))
}

fn is_own_script(path: &str) -> bool {
    path.starts_with("js/") && path.ends_with(".js")
}

/// There is no build step: scripts are sent as they are written, but for the comments, which are a fifth of what would go over
/// the wire. Lines that are comments and nothing else become empty, so that an error names the line of the source.
fn without_comments(mut file: EmbeddedFile) -> EmbeddedFile {
    let Ok(text) = std::str::from_utf8(&file.data) else { return file };
    let (mut sent, mut within) = (String::with_capacity(text.len()), false);
    for line in text.lines() {
        let bare = line.trim();
        // A cast begins a line like a comment does, and goes on with code.
        let begins = bare.starts_with("/**") && (bare.ends_with("*/") || !bare.contains("*/"));
        let is_comment = within || begins || bare.starts_with("//");
        if begins || within {
            within = !bare.ends_with("*/");
        }
        if !is_comment {
            sent.push_str(line);
        }
        sent.push('\n');
    }
    file.data = sent.into_bytes().into();
    file
}

/// With a tag of its content, so that a browser asks each time and is seldom sent anything.
fn send(request: &HttpRequest, file: EmbeddedFile) -> HttpResponse {
    let hash = &file.metadata.sha256_hash()[..8];
    let tag: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    // Weak: the same file is sent compressed and plain.
    let tag = format!("W/\"{tag}\"");
    let known = request.headers().get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let unchanged = known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag));
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache"))).insert_header((ETAG, tag));
    if unchanged {
        return response.finish();
    }
    let mime = file.metadata.mimetype();
    let charset = mime.starts_with("text/") && !mime.contains("charset");
    let mime = if charset { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    response.content_type(mime).insert_header((VARY, "accept-encoding"));
    let accepted = request.headers().get(ACCEPT_ENCODING).and_then(|accepted| accepted.to_str().ok()).unwrap_or("");
    match Some(&file.data).filter(|_| accepts_gzip(accepted)).and_then(|data| packed(data)) {
        Some(data) => response.insert_header((CONTENT_ENCODING, "gzip")).body(data),
        None => response.body(file.data.into_owned()),
    }
}

fn accepts_gzip(accepted: &str) -> bool {
    accepted.split(',').map(|each| each.trim().to_ascii_lowercase().replace(' ', "")).any(|each| {
        let quality = each.strip_prefix("gzip").or_else(|| each.strip_prefix('*'));
        quality.is_some_and(|quality| {
            quality.is_empty() || quality.starts_with(";q=") && quality.trim_matches(['0', '.']) != ";q="
        })
    })
}

/// As small as it gets: what compresses other answers is in a hurry, and leaves alone what is compressed already.
fn packed(data: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(data.len() / 2), Compression::best());
    encoder.write_all(data).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepted, takes) in [
            ("gzip, deflate, br", true),
            ("GZIP;q=0.5", true),
            ("*", true),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("", false),
        ] {
            assert_eq!(accepts_gzip(accepted), takes, "{accepted}");
        }
    }

    /// Each block that is begun is ended, and lines keep their numbers.
    #[test]
    fn what_is_sent_has_the_lines_of_the_source() {
        for path in Assets::iter().filter(|path| is_own_script(path)) {
            let source = String::from_utf8(Assets::get(&path).unwrap().data.into_owned()).unwrap();
            let sent = String::from_utf8(without_comments(Assets::get(&path).unwrap()).data.into_owned()).unwrap();
            assert_eq!(source.lines().count(), sent.lines().count(), "{path}");
            assert!(sent.lines().any(|line| line.ends_with([';', '}'])), "{path}");
            for (line, kept) in source.lines().zip(sent.lines()).filter(|(line, kept)| line != kept) {
                let bare = line.trim();
                assert!(kept.is_empty() && (bare.starts_with(['/', '*']) || bare.ends_with("*/")), "{path}: {line}");
            }
        }
    }
}
