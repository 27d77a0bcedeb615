//! Who is let in where: every route, method and kind of key there is, asked over a socket.
//!
//! `cargo test --test http_api every_route -- --nocapture` prints the table.

use std::collections::HashMap;

use jobqueue::{
    http::{RouteInfo, routes},
    task::{ErrorKind, Outcome, Scope},
};
use serde_json::json;

use crate::support::{Response, Server};

/// The bearer's header; none for the empty secret.
pub(crate) async fn ask(server: &Server, key: &str, method: &str, path: &str, body: &str) -> Response {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("Content-Type", "application/json")];
    if !key.is_empty() {
        headers.push(("Authorization", &bearer));
    }
    server.call(method, path, &headers, body.as_bytes()).await
}

/// Makes a key, its id and its secret.
pub(crate) async fn make(server: &Server, admin: &str, name: &str, fields: serde_json::Value) -> (String, String) {
    let mut body = json!({"name": name});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let made = ask(server, admin, "POST", "/api/v1/keys", &body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

/// What a key of each kind must be answered, but for what the handler then says.
fn expected(route: &RouteInfo, kind: &str) -> u16 {
    let nobody = matches!(kind, "none" | "wrong" | "expired" | "revoked");
    let Some(needed) = route.scope else {
        // It is open, and answers the question who asks.
        return if nobody && (route.method, &*route.path) == ("GET", "/api/v1/session") { 401 } else { 200 };
    };
    let allowed = match kind {
        _ if nobody => return 401,
        // It has every scope, but for a queue that is not the one asked for.
        "elsewhere" => return elsewhere(route),
        "admin" => true,
        "operate" => matches!(needed, Scope::Operate | Scope::Read),
        scope => Scope::parse(scope) == Some(needed),
    };
    if allowed { 200 } else { 403 }
}

/// A key for other queues: lists are sifted, tasks are not there, the rest is refused.
fn elsewhere(route: &RouteInfo) -> u16 {
    const SIFTED: [&str; 12] = [
        "/tasks",
        "/queues",
        "/dlq",
        "/dlq/stats",
        "/dlq/groups",
        "/operations",
        "/schedules",
        "/workers",
        "/stats",
        "/stats/history",
        "/events",
        "/workflows",
    ];
    let path = route.path.strip_prefix("/api/v1").unwrap_or(&route.path);
    match path {
        _ if route.method == "GET" && SIFTED.contains(&path) => 200,
        // The handler decides by the body: an empty one is refused as such.
        "/tasks" | "/tasks/batch" | "/tasks/bulk" | "/workflows" | "/dlq" | "/dlq/redrive" | "/schedules"
        | "/schedules/preview" => 200,
        // There is none of that id, which is what the handler says.
        "/workers/{id}" | "/operations/{id}" | "/operations/{id}/cancel" => 200,
        // Which queues a worker asks for is in the body; a lease is known by its secret.
        "/workers" | "/workers/{id}/lease" | "/workers/{id}/heartbeat" | "/workers/{id}/outcomes" => 200,
        _ if path.starts_with("/leases/{id}") => 200,
        _ if path.starts_with("/workflows/{id}") || path.starts_with("/schedules/{name}") => 200,
        _ if path.starts_with("/tasks/{id}") || path.starts_with("/dlq/{id}") => 404,
        _ => 403,
    }
}

/// The gate's answer, or 200 for whatever comes from behind it.
fn gate(response: &Response) -> u16 {
    let code = if response.header("content-type") == Some("application/problem+json") {
        response.json()["code"].as_str().unwrap_or_default().to_owned()
    } else {
        String::new()
    };
    match (response.status, code.as_str()) {
        (401, _) => {
            assert!(response.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer ")));
            401
        }
        (403, "missing_scope" | "queue_not_allowed") => 403,
        (404, "task_not_found" | "dead_letter_not_found") => 404,
        (403, other) => panic!("another 403: {other}"),
        _ => 200,
    }
}

#[actix::test]
async fn every_route_lets_in_whom_it_says_and_nobody_else() {
    let server = Server::with(|state| state.allow_faults = true).await;
    let (_, root) = make(&server, "", "root", json!({"scopes": ["admin"]})).await;
    let mut keys = vec![("none", String::new()), ("wrong", "jq_0".to_owned())];
    for scope in Scope::ALL.map(Scope::as_str) {
        keys.push((scope, make(&server, &root, scope, json!({"scopes": [scope]})).await.1));
    }
    let all = Scope::ALL.map(Scope::as_str);
    let fields = json!({"scopes": all, "queues": ["away-*"]});
    keys.push(("elsewhere", make(&server, &root, "elsewhere", fields).await.1));
    // It is past when the rows are asked.
    let (_, expired) = make(&server, &root, "expired", json!({"scopes": ["admin"], "expires_in": "1ms"})).await;
    keys.push(("expired", expired));
    let (id, revoked) = make(&server, &root, "revoked", json!({"scopes": ["admin"]})).await;
    assert_eq!(ask(&server, &root, "DELETE", &format!("/api/v1/keys/{id}"), "").await.status, 204);
    keys.push(("revoked", revoked));

    let routes = routes();
    assert!(routes.len() > 40, "the table is found");
    let width = routes.iter().map(|route| route.path.len()).max().unwrap_or_default();
    let mut table = format!("{:7}{:width$} {:8}", "", "", "needs");
    keys.iter().for_each(|(kind, _)| table += &format!("{kind:>10}"));
    table.push('\n');
    let mut wrong = Vec::new();
    for route in &routes {
        let mut path = url(route, &dead(&server, &root).await);
        let needs = route.scope.map_or("-", Scope::as_str);
        table += &format!("{:7}{:width$} {needs:8}", route.method, route.path);
        for (kind, key) in &keys {
            // What one key has deleted the next one is not to miss.
            if route.method == "DELETE" && route.path.contains("{id}") {
                path = url(route, &dead(&server, &root).await);
            }
            // A stream does not end: its head is enough, and is asked for in the same way.
            let method = if route.path.ends_with("/events") { "HEAD" } else { route.method };
            let response = ask(&server, key, method, &path, body(route)).await;
            let response = if method == "HEAD" { heads(response) } else { response };
            let found = gate(&response);
            table += &format!("{found:>10}");
            let wanted = expected(route, kind);
            if found != wanted {
                wrong.push(format!("{} {} with {kind}: {found}, not {wanted}", route.method, route.path));
            }
        }
        table.push('\n');
    }
    show(&table);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[expect(clippy::print_stdout, reason = "the table is what one may want to look at")]
fn show(table: &str) {
    println!("{table}");
}

/// A task in the queue `home` that is a dead letter.
async fn dead(server: &Server, root: &str) -> String {
    let task = r#"{"name":"a","queue":"home","max_retries":0}"#;
    let id = ask(server, root, "POST", "/api/v1/tasks", task).await.json()["id"].as_str().unwrap().to_owned();
    server.claim("home").await.remove(0).finish(Outcome::failure(ErrorKind::Exit, "exit code 3"));
    let end = ask(server, root, "GET", &format!("/api/v1/tasks/{id}/result?wait=30s"), "").await;
    assert_eq!(end.json()["status"], "failed");
    id
}

/// An answer to HEAD has no body: its code is told by the status.
fn heads(response: Response) -> Response {
    let code = if response.status == 403 { "missing_scope" } else { "" };
    Response { body: json!({ "code": code }).to_string().into_bytes(), ..response }
}

fn url(route: &RouteInfo, task: &str) -> String {
    let of_other_things = route.path.contains("/keys/") || route.path.contains("/workers/");
    let id = if of_other_things { "0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a" } else { task };
    route.path.replace("{id}", id).replace("{queue}", "home").replace("{name}", "none").replace("{path:.*}", "app.css")
}

/// Bodies that change nothing: the next key is to find the same.
fn body(route: &RouteInfo) -> &'static str {
    if route.method == "GET" { "" } else { r#"{"no_such_field":1}"# }
}

#[actix::test]
async fn the_document_says_what_each_route_needs() {
    let document = serde_json::to_value(jobqueue::http::openapi()).unwrap();
    let hidden = ["/api/v1/system/faults/panic", "/"];
    // Pages, for people.
    let pages = ["/ui", "/docs"];
    let mut counted = HashMap::new();
    let told = |path: &str| !hidden.contains(&path) && !pages.iter().any(|page| path.starts_with(page));
    for route in routes().iter().filter(|route| told(&route.path)) {
        let operation = &document["paths"][&route.path][route.method.to_lowercase()];
        assert!(operation.is_object(), "{} {} is not documented", route.method, route.path);
        let needs = route.scope.map(|scope| json!([scope.as_str()]));
        assert_eq!(operation["security"][0].get("bearer").cloned(), needs, "{} {}", route.method, route.path);
        *counted.entry(needs.is_some()).or_insert(0) += 1;
    }
    assert!(counted[&true] > 30, "{counted:?}");
    for scheme in ["bearer", "header", "session"] {
        assert!(document["components"]["securitySchemes"][scheme].is_object(), "{scheme}");
    }
}
