//! The dashboard and the reference in a real Chromium, against the real server.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod axe;
mod browser;
mod dead;
mod docs;
mod figures;
mod hostile;
mod load;
mod login;
mod many;
mod operate;
mod page;
mod restart;
mod schedules;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
mod workflows;

use std::path::Path;

use browser::Browser;
use page::Page;
use support::Server;

/// A server and a browser that shows it. Dropped in any way, both are gone.
struct Stage {
    page: Page,
    _browser: Browser,
    server: Server,
    folder: tempfile::TempDir,
}

impl Stage {
    async fn open() -> Self {
        Self::open_under(&[]).await
    }

    async fn open_under(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_under(&data(folder.path()), &[], variables);
        let browser = Browser::start(&folder.path().join("profile"));
        let page = browser.page(server.address()).await;
        Self { page, _browser: browser, server, folder }
    }
}

/// Where the server has its files.
fn data(folder: &Path) -> std::path::PathBuf {
    let data = folder.join("server");
    std::fs::create_dir_all(&data).unwrap();
    data
}
