//! Every page, light and dark, wide and narrow, by the rules of axe.

use crate::{Stage, load::pages};

const AXE: &str = include_str!("axe.min.js");

/// What axe finds wrong with what is shown.
const FOUND: &str = "window.found = null;
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => {
        window.found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.any.map((check) => check.message).join('; ')}`).join(' | ')}`).join('\\n') || 'none';
    });";

#[tokio::test]
async fn no_page_breaks_a_rule_of_accessibility() {
    let stage = Stage::open().await;
    let page = &stage.page;
    let paths = pages(&stage.server);
    let mut broken = Vec::new();
    for (width, theme) in [(1280, "light"), (1280, "dark"), (390, "dark")] {
        page.resize(width).await;
        page.open("/ui/").await;
        page.run(&format!("localStorage.setItem('jobqueue.v1.theme', '{theme}')")).await;
        for path in &paths {
            page.open(path).await;
            page.until("the data is there", "return !document.querySelector('[aria-busy=true]')").await;
            page.run(AXE).await;
            page.run(FOUND).await;
            let found = page.until("axe has looked", "return window.found").await;
            if found != "none" {
                broken.push(format!("{path} {width} {theme}\n{}", found.as_str().unwrap_or_default()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}
