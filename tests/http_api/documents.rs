//! The OpenAPI document against the server: the same routes, the same parameters.

use serde_json::Value;

use crate::support::Server;

const ID: &str = "0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a";
const LEASE: &str = "0198f2d47a3c7c119a345b8e4d1f0c2a0198f2d47a3c7c119a345b8e4d1f0c2a";

/// Every route and method there is, so that a new one cannot be left undocumented.
const ROUTES: &[&str] = &[
    "delete /api/v1/dlq",
    "delete /api/v1/dlq/{id}",
    "delete /api/v1/keys/{id}",
    "delete /api/v1/queues/{queue}",
    "delete /api/v1/queues/{queue}/rate-limit",
    "delete /api/v1/schedules/{name}",
    "delete /api/v1/session",
    "delete /api/v1/tasks/{id}",
    "delete /api/v1/tasks/{id}/result",
    "delete /api/v1/workers/{id}",
    "get /api/v1/audit",
    "get /api/v1/dlq",
    "get /api/v1/dlq/groups",
    "get /api/v1/dlq/stats",
    "get /api/v1/dlq/{id}",
    "get /api/v1/events",
    "get /api/v1/keys",
    "get /api/v1/keys/{id}",
    "get /api/v1/operations",
    "get /api/v1/operations/{id}",
    "get /api/v1/queues",
    "get /api/v1/queues/{queue}",
    "get /api/v1/queues/{queue}/rate-limit",
    "get /api/v1/queues/{queue}/stats",
    "get /api/v1/schedules",
    "get /api/v1/schedules/{name}",
    "get /api/v1/schedules/{name}/preview",
    "get /api/v1/session",
    "get /api/v1/stats",
    "get /api/v1/stats/history",
    "get /api/v1/system/actors",
    "get /api/v1/tasks",
    "get /api/v1/tasks/{id}",
    "get /api/v1/tasks/{id}/attempts",
    "get /api/v1/tasks/{id}/dependencies",
    "get /api/v1/tasks/{id}/explain",
    "get /api/v1/tasks/{id}/logs",
    "get /api/v1/tasks/{id}/result",
    "get /api/v1/workers",
    "get /api/v1/workers/{id}",
    "get /api/v1/workflows",
    "get /api/v1/workflows/{id}",
    "get /api/v1/workflows/{id}/graph",
    "get /health",
    "get /healthz",
    "get /metrics",
    "get /openapi.json",
    "get /readyz",
    "patch /api/v1/tasks/{id}",
    "post /api/v1/dlq/redrive",
    "post /api/v1/dlq/{id}/retry",
    "post /api/v1/keys",
    "post /api/v1/leases/{id}/cancelled",
    "post /api/v1/leases/{id}/complete",
    "post /api/v1/leases/{id}/extend",
    "post /api/v1/leases/{id}/fail",
    "post /api/v1/leases/{id}/log",
    "post /api/v1/leases/{id}/progress",
    "post /api/v1/leases/{id}/release",
    "post /api/v1/leases/{id}/snooze",
    "post /api/v1/operations/{id}/cancel",
    "post /api/v1/queues/{queue}/pause",
    "post /api/v1/queues/{queue}/purge",
    "post /api/v1/queues/{queue}/resume",
    "post /api/v1/schedules",
    "post /api/v1/schedules/preview",
    "post /api/v1/schedules/{name}/pause",
    "post /api/v1/schedules/{name}/resume",
    "post /api/v1/schedules/{name}/trigger",
    "post /api/v1/session",
    "post /api/v1/tasks",
    "post /api/v1/tasks/batch",
    "post /api/v1/tasks/bulk",
    "post /api/v1/tasks/{id}/cancel",
    "post /api/v1/tasks/{id}/run-now",
    "post /api/v1/workers",
    "post /api/v1/workers/{id}/heartbeat",
    "post /api/v1/workers/{id}/lease",
    "post /api/v1/workers/{id}/outcomes",
    "post /api/v1/workers/{id}/quiet",
    "post /api/v1/workers/{id}/resume",
    "post /api/v1/workers/{id}/stop",
    "post /api/v1/workflows",
    "post /api/v1/workflows/{id}/cancel",
    "post /api/v1/workflows/{id}/retry",
    "put /api/v1/queues/{queue}",
    "put /api/v1/queues/{queue}/rate-limit",
    "put /api/v1/schedules/{name}",
    "put /api/v1/tasks/{id}/result/ttl",
];

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (method, path.clone(), operation)).collect::<Vec<_>>()
    };
    paths.iter().flat_map(each).collect()
}

#[actix::test]
async fn the_document_and_the_routes_are_the_same() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    assert_eq!(document, serde_json::to_value(jobqueue::http::openapi()).unwrap());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations = operations(&document);
    let mut documented: Vec<_> = operations.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    documented.sort_unstable();
    let mut expected: Vec<_> = ROUTES.iter().map(|route| (*route).to_owned()).collect();
    expected.push("post /api/v1/tasks/{id}/retry".into());
    expected.sort_unstable();
    assert_eq!(documented, expected);
    let mut ids: Vec<_> = operations.iter().map(|(_, _, op)| op["operationId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), operations.len());
    for (method, path, operation) in &operations {
        assert!(operation["responses"]["default"]["content"]["application/problem+json"].is_object(), "{path}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{path} {status}");
        }
        if path == "/api/v1/events" {
            continue;
        }
        let id = if path.contains("/leases/") { LEASE } else { ID };
        let url = path.replace("{id}", id).replace("{queue}", "none").replace("{name}", "none");
        let response = server.call(&method.to_uppercase(), &url, &[], b"").await;
        let routed = response.status != 405 && (response.status != 404 || response.json()["code"] != "route_not_found");
        assert!(routed, "{method} {path}: {}", response.text());
    }
}

#[test]
fn the_committed_document_is_the_current_one() {
    let committed = std::fs::read_to_string("docs/openapi.json").unwrap_or_default();
    let current = format!("{}\n", jobqueue::http::openapi().to_pretty_json().unwrap());
    assert!(committed == current, "the API has changed; renew its document: cargo run -- openapi > docs/openapi.json");
}

#[actix::test]
async fn every_error_is_explained() {
    let document = Server::start().await.get("/openapi.json").await.json();
    let explained = document["x-errors"].as_array().unwrap();
    let codes: Vec<_> = explained.iter().map(|error| &error["code"]).collect();
    let possible = document["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
    assert_eq!(codes, possible.iter().collect::<Vec<_>>());
    for error in explained {
        assert!((400..600).contains(&error["status"].as_u64().unwrap()), "{error}");
        for text in ["meaning", "remedy"] {
            assert!(error[text].as_str().unwrap().ends_with('.'), "{error}");
        }
    }
}

#[actix::test]
async fn every_documented_parameter_is_known_and_no_other() {
    let server = Server::start().await;
    for (method, path, operation) in operations(&server.get("/openapi.json").await.json()) {
        let id = if path.contains("/leases/") { LEASE } else { ID };
        let url = path.replace("{id}", id).replace("{queue}", "none").replace("{name}", "none");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let response = server.call(&method.to_uppercase(), &format!("{url}?{name}=%00"), &[], b"").await;
            assert_ne!(response.json()["code"], "unknown_parameter", "{path}?{name}");
        }
        let response = server.call(&method.to_uppercase(), &format!("{url}?no_such=1"), &[], b"").await;
        response.assert_problem(422, "unknown_parameter");
    }
}

#[actix::test]
async fn a_task_has_the_fields_that_are_documented() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in references {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas[name].is_object(), "{reference} leads nowhere");
    }
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let task = server.post("/api/v1/tasks", r#"{"name":"a"}"#).await.json();
    let mut documented = keys(&schemas["Task"]["properties"]);
    documented.retain(|field| !["deduplicated", "replaced", "progress"].contains(&field.as_str()));
    assert_eq!(keys(&task), documented);
    let problem = server.get("/nothing").await.json();
    for field in keys(&problem) {
        assert!(schemas["Problem"]["properties"][&field].is_object(), "{field}");
    }
    let submission = &schemas["NewTask"];
    assert_eq!(submission["required"], serde_json::json!(["name"]));
    assert_eq!(submission["properties"]["requires"]["maxItems"], 16, "{submission}");
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

/// A client that changes one setting has to send along all others: they would go back to the server's.
#[test]
fn every_setting_of_a_queue_is_sent_along_by_the_dashboard_and_the_command_line() {
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let settings = document["components"]["schemas"]["QueueSettings"]["properties"].as_object().unwrap();
    assert!(settings.contains_key("ageing"), "{:?}", settings.keys());
    let clients = [
        ("static/js/queue-settings.js", include_str!("../../static/js/queue-settings.js")),
        ("src/cli/queue.rs", include_str!("../../src/cli/queue.rs")),
    ];
    for (client, text) in clients {
        for setting in settings.keys().filter(|setting| *setting != "version") {
            let named = text.contains(&format!("\"{setting}\"")) || text.contains(&format!(" {setting}: "));
            assert!(named, "{client} does not know of {setting:?}");
        }
    }
}

/// All that a browser is sent, whatever pages it is shown; only what it asks for unasked is less.
#[actix::test]
async fn the_dashboard_is_at_most_150_kb_on_the_wire() {
    let server = Server::start().await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
    let (mut folders, mut total) = (vec![root.clone()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            let is_reference = name.starts_with("docs.") || name.starts_with("js/docs/");
            if is_reference || name.ends_with(".d.ts") || name.ends_with("LICENSES") {
                continue;
            }
            let sent = server.call("GET", &format!("/ui/{name}"), &[("Accept-Encoding", "gzip")], b"").await;
            assert_eq!(sent.status, 200, "{name}");
            total += sent.body.len();
        }
    }
    assert!(total <= 150_000, "{total}");
}
