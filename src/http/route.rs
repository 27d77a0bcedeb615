//! How a path is answered: HEAD wherever GET is, and for every other method a 405 that names those there are.

use actix_web::{
    FromRequest, Handler, HttpRequest, Resource, Responder,
    dev::{AppService, HttpServiceFactory, ServiceRequest},
    guard::{Any, Get, Head},
    http::header::{ALLOW, HeaderValue},
    middleware::{Next, from_fn},
    web,
};

use super::{
    access::{Need, Subject, admit},
    code::Code,
    problem::Problem,
};

/// A path with what can be done at it.
pub(super) struct Path {
    pub(super) path: String,
    pub(super) methods: Vec<(&'static str, Need)>,
    resource: Resource,
}

/// Begins with no method at all.
pub(super) fn at(path: &str) -> Path {
    Path { path: path.to_owned(), methods: Vec::new(), resource: web::resource(path) }
}

/// A path that is only read.
pub(super) fn read<F: Handler<Args>, Args: FromRequest + 'static>(need: impl Into<Need>, path: &str, handler: F) -> Path
where
    F::Output: Responder + 'static,
{
    at(path).get(need, handler)
}

/// A path to which something is only posted.
pub(super) fn act<F: Handler<Args>, Args: FromRequest + 'static>(need: impl Into<Need>, path: &str, handler: F) -> Path
where
    F::Output: Responder + 'static,
{
    at(path).post(need, handler)
}

macro_rules! methods {
    ($($name:ident $method:literal $route:expr;)+) => {$(
        pub(super) fn $name<F: Handler<Args>, Args: FromRequest + 'static>(
            mut self,
            need: impl Into<Need>,
            handler: F,
        ) -> Self
        where
            F::Output: Responder + 'static,
        {
            let (need, subject) = (need.into(), Subject::of(&self.path));
            let guarded = from_fn(move |request: ServiceRequest, next: Next<_>| admit(request, next, need, subject));
            self.resource = self.resource.route($route.to(handler).wrap(guarded));
            self.methods.push(($method, need));
            self
        }
    )+};
}

impl Path {
    methods! {
        get "GET" web::route().guard(Any(Get()).or(Head()));
        post "POST" web::post();
        put "PUT" web::put();
        patch "PATCH" web::patch();
        delete "DELETE" web::delete();
    }

    pub(super) fn guard(mut self, guard: impl actix_web::guard::Guard + 'static) -> Self {
        self.resource = self.resource.guard(guard);
        self
    }
}

impl HttpServiceFactory for Path {
    fn register(self, config: &mut AppService) {
        let names = self.methods.iter().map(|(method, _)| if *method == "GET" { "GET, HEAD" } else { method });
        let allow = names.collect::<Vec<_>>().join(", ");
        let other = move |request: HttpRequest| {
            let detail = format!("{} is not possible here; possible are {allow}", request.method());
            let problem = Problem::new(Code::MethodNotAllowed, detail);
            let problem = match HeaderValue::from_str(&allow) {
                Ok(allow) => problem.with(ALLOW, allow),
                Err(_) => problem,
            };
            async move { Err::<&'static str, _>(problem) }
        };
        self.resource.default_service(web::to(other)).register(config);
    }
}

/// A path that there is not.
pub(super) async fn no_route(request: HttpRequest) -> Result<&'static str, Problem> {
    Err(Problem::new(
        Code::RouteNotFound,
        format!("There is nothing at {}; the API is described at /docs", request.path()),
    ))
}
