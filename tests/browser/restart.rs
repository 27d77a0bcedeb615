//! The server goes and comes back while its page is open.

use crate::{Stage, data, support::Server};

#[tokio::test]
async fn a_page_tells_that_the_server_is_gone_and_goes_on_when_it_is_back() {
    let Stage { page, server, _browser, folder } = Stage::open().await;
    let first = server.submit(r#"{"name": "demo.echo"}"#);
    server.finished(&first);
    page.open("/ui/").await;
    page.shows(".connection", "Live").await;
    page.shows(".strip .is-success b", "1").await;
    page.mark().await;

    let port = server.address().rsplit(':').next().unwrap().to_owned();
    server.kill();
    page.shows(".connection", "Offline").await;
    page.until("it is said in words", "return document.querySelector('.offline')?.innerText").await;
    page.shows(".strip .is-success b", "1").await;

    let server = Server::start_with(&data(folder.path()), &["--port", &port]);
    page.shows(".connection", "Live").await;
    page.lacks(".offline").await;
    server.submit(r#"{"name": "demo.echo"}"#);
    page.shows(".strip .is-success b", "2").await;
    assert!(page.is_marked().await);
    let console = page.console().await;
    assert!(console.iter().all(|entry| entry["source"] == "network"), "{console:?}");
}
