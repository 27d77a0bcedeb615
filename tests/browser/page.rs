//! A page as its user sees it: what is shown, what can be clicked, what the console says.

use std::time::{Duration, Instant};

use fantoccini::{
    Client, Locator,
    actions::{InputSource as _, MOUSE_BUTTON_LEFT, MouseActions, PointerAction},
    elements::Element,
    error::CmdError,
    wd::WebDriverCompatibleCommand,
};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Page {
    client: Client,
    origin: String,
}

impl Page {
    pub(crate) fn new(client: Client, address: &str) -> Self {
        Self { client, origin: format!("http://{address}") }
    }

    /// Goes to a path of the server and waits until the page has its heading and its data.
    pub(crate) async fn open(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.origin)).await.unwrap();
        self.loaded(path).await;
    }

    pub(crate) async fn reload(&self) {
        self.client.refresh().await.unwrap();
        self.loaded("the page again").await;
    }

    async fn loaded(&self, what: &str) {
        self.until(what, "return document.querySelector('main h1') && !document.querySelector('.skeleton')").await;
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Waits until a script returns something true; what that is.
    pub(crate) async fn until(&self, what: &str, script: &str) -> Value {
        let began = Instant::now();
        loop {
            let value = self.run(script).await;
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") && value != json!(0) {
                return value;
            }
            if began.elapsed() > DEADLINE {
                let shown = self.run("return document.querySelector('main').innerText.slice(0, 1000)").await;
                panic!("{what}: not within {DEADLINE:?}; shown is:\n{}", shown.as_str().unwrap_or_default());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until an element of this selector has this text.
    pub(crate) async fn shows(&self, selector: &str, text: &str) {
        let script = format!(
            "return [...document.querySelectorAll({})].some((each) => each.innerText.trim() === {})",
            json!(selector),
            json!(text)
        );
        self.until(&format!("{selector} shows {text:?}"), &script).await;
    }

    /// Waits until no element of this selector is there.
    pub(crate) async fn lacks(&self, selector: &str) {
        self.until(&format!("{selector} is gone"), &format!("return !document.querySelector({})", json!(selector)))
            .await;
    }

    pub(crate) async fn texts(&self, selector: &str) -> Vec<String> {
        let script =
            format!("return [...document.querySelectorAll({})].map((each) => each.innerText.trim())", json!(selector));
        serde_json::from_value(self.run(&script).await).unwrap()
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.act(selector, async |element: Element| element.click().await).await;
    }

    /// Drags over the middle of an element, from 100 pixels left to 100 pixels right of it.
    pub(crate) async fn drag(&self, selector: &str) {
        self.act(selector, async |element: Element| {
            let to =
                |x: f64| PointerAction::MoveToElement { element: element.clone(), duration: Some(PAUSE), x, y: 0.0 };
            let drag = MouseActions::new("mouse".into())
                .then(to(-100.0))
                .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT });
            let drag = drag.then(to(0.0)).then(to(100.0)).then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
            self.client.perform_actions(drag).await
        })
        .await;
    }

    /// Chooses an option by its text.
    pub(crate) async fn choose(&self, selector: &str, text: &str) {
        self.act(selector, async |element: Element| element.select_by_label(text).await).await;
    }

    /// Empties the field and types.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        self.act(selector, async |element: Element| {
            element.clear().await?;
            element.send_keys(text).await
        })
        .await;
    }

    /// The page may draw an element anew while one reaches for it: then again.
    async fn act(&self, selector: &str, act: impl AsyncFn(Element) -> Result<(), CmdError>) {
        let began = Instant::now();
        loop {
            let done = match self.client.find(Locator::Css(selector)).await {
                Ok(element) => act(element).await,
                Err(error) => Err(error),
            };
            let Err(error) = done else { return };
            assert!(began.elapsed() < DEADLINE, "{selector}: {error}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Path and query of the address bar.
    pub(crate) async fn address(&self) -> String {
        self.client.current_url().await.unwrap().as_str().trim_start_matches(&self.origin).to_owned()
    }

    /// Makes the window this wide, as a phone's or a tablet's.
    pub(crate) async fn resize(&self, width: u32) {
        let phone = json!({ "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": true });
        let body = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": phone });
        self.client.issue_cmd(Vendor { path: "goog/cdp/execute", body }).await.unwrap();
    }

    /// What the console got since this was last asked: errors of scripts, refusals by the content security policy, failed
    /// requests.
    pub(crate) async fn console(&self) -> Vec<Value> {
        let log = self.client.issue_cmd(Vendor { path: "se/log", body: json!({ "type": "browser" }) }).await.unwrap();
        log.as_array().unwrap().clone()
    }

    pub(crate) async fn assert_silent(&self, place: &str) {
        let console = self.console().await;
        assert!(console.is_empty(), "{place}: {console:?}");
    }

    /// Leaves a mark that a reload would take away.
    pub(crate) async fn mark(&self) {
        self.run("window.mark = true").await;
    }

    pub(crate) async fn is_marked(&self) -> bool {
        self.run("return window.mark === true").await == json!(true)
    }
}

/// A command of Chromium's driver alone.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (hyper::Method, Option<String>) {
        (hyper::Method::POST, Some(self.body.to_string()))
    }
}
