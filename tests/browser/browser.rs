//! Chromium by Debian's chromedriver, with an empty profile, on a free port.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use fantoccini::{ClientBuilder, wd::Capabilities};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::page::Page;

const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
];

/// The driver and, in the same process group, the browser it starts.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    capabilities: Capabilities,
}

impl Browser {
    pub(crate) fn start(profile: &Path) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("no chromedriver ({error}): tests/run installs it"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok())
            .unwrap();
        // It may go on to say things: nobody reads them, but the pipe must not break.
        std::thread::spawn(move || lines.for_each(drop));
        let mut args = FLAGS.map(str::to_owned).to_vec();
        args.push(format!("--user-data-dir={}", profile.display()));
        // A loaded machine may take its time over a script.
        let timeouts = json!({ "script": 180_000, "pageLoad": 300_000, "implicit": 0 });
        let capabilities = json!({ "timeouts": timeouts, "goog:chromeOptions": { "args": args }, "goog:loggingPrefs": { "browser": "ALL" } });
        Self { driver, port, capabilities: capabilities.as_object().unwrap().clone() }
    }

    /// The browser's window, for the server at this address.
    pub(crate) async fn page(&self, address: &str) -> Page {
        let driver = format!("http://127.0.0.1:{}", self.port);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(self.capabilities.clone()).connect(&driver);
        let client = tokio::time::timeout(Duration::from_secs(60), client).await.unwrap().unwrap();
        Page::new(client, address)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.driver.wait();
    }
}
