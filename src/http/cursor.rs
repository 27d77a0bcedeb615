//! Places in a list, as opaque texts bound to the list's filters and order.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use super::{problem::Problem, query};
use crate::{
    store::{ListedPage, Page},
    task::TaskId,
};

/// A list: what it shows and how it is ordered. A cursor of another list is refused.
pub(super) struct Binding([u8; 8]);

impl Binding {
    /// `what` tells the list and everything it is filtered and ordered by.
    pub(super) fn new(what: &impl std::fmt::Debug) -> Self {
        let hash = Sha256::digest(format!("{what:?}"));
        let mut binding = [0; 8];
        binding.copy_from_slice(&hash[..8]);
        Self(binding)
    }

    /// Text of the place after (or, `backwards`, before) a task.
    fn write(&self, id: TaskId, backwards: bool) -> String {
        let mut bytes = [0; 25];
        bytes[0] = u8::from(backwards);
        bytes[1..17].copy_from_slice(id.as_bytes());
        bytes[17..].copy_from_slice(&self.0);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read(&self, text: &str) -> Option<(TaskId, bool)> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let valid = bytes.len() == 25 && bytes[0] <= 1 && bytes[17..] == self.0;
        Some((TaskId::from_slice(bytes.get(1..17).filter(|_| valid)?)?, bytes[0] == 1))
    }

    /// The page a request asks for.
    pub(super) fn page(&self, cursor: Option<&str>, limit: usize, ascending: bool) -> Result<Page, Problem> {
        let Some(text) = cursor else { return Ok(Page { limit, from: None, backwards: false, ascending }) };
        let Some((from, backwards)) = self.read(text) else {
            return Err(query::invalid(
                "cursor",
                "is none of this list: take it from an answer with the same filters and sort",
            ));
        };
        Ok(Page { limit, from: Some(from), backwards, ascending })
    }

    /// Text of the place after a number, in lists that go on in one direction only.
    pub(super) fn write_number(&self, number: i64) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([number.to_be_bytes(), self.0].concat())
    }

    pub(super) fn number(&self, cursor: Option<&str>) -> Result<Option<i64>, Problem> {
        let Some(text) = cursor else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 16 && bytes[8..] == self.0);
        let number = bytes.and_then(|bytes| bytes[..8].try_into().ok().map(i64::from_be_bytes));
        let foreign = "is none of this list: take it from an answer with the same filters";
        number.map(Some).ok_or_else(|| query::invalid("cursor", foreign))
    }

    /// Text of the place after a name, in lists that go on in one direction only.
    pub(super) fn write_text(&self, name: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([&self.0, name.as_bytes()].concat())
    }

    pub(super) fn text(&self, cursor: Option<&str>) -> Result<Option<String>, Problem> {
        let Some(text) = cursor else { return Ok(None) };
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let name = bytes.and_then(|bytes| String::from_utf8(bytes.strip_prefix(&self.0)?.to_vec()).ok());
        let foreign = "is none of this list: take it from an answer with the same filters";
        name.filter(|name| !name.contains('\0')).map(Some).ok_or_else(|| query::invalid("cursor", foreign))
    }

    /// Cursors of the pages after and before this one.
    pub(super) fn neighbours<T>(&self, page: &ListedPage<T>) -> (Option<String>, Option<String>) {
        (page.next.map(|id| self.write(id, false)), page.previous.map(|id| self.write(id, true)))
    }
}
