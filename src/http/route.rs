//! How a path is answered: HEAD wherever GET is, and for every other method a 405 that names those there are.

use actix_web::{
    FromRequest, Handler, HttpRequest, Resource, Responder,
    dev::{AppService, HttpServiceFactory},
    guard::{Any, Get, Head},
    http::header::{ALLOW, HeaderValue},
    web,
};

use super::{code::Code, problem::Problem};

/// A path with what can be done at it.
pub(super) struct Path {
    resource: Resource,
    methods: Vec<&'static str>,
}

/// Begins with no method at all.
pub(super) fn at(path: &str) -> Path {
    Path { resource: web::resource(path), methods: Vec::new() }
}

/// A path that is only read.
pub(super) fn read<F: Handler<Args>, Args: FromRequest + 'static>(path: &str, handler: F) -> Path
where
    F::Output: Responder + 'static,
{
    at(path).get(handler)
}

/// A path to which something is only posted.
pub(super) fn act<F: Handler<Args>, Args: FromRequest + 'static>(path: &str, handler: F) -> Path
where
    F::Output: Responder + 'static,
{
    at(path).post(handler)
}

macro_rules! methods {
    ($($name:ident $method:literal $route:expr;)+) => {$(
        pub(super) fn $name<F: Handler<Args>, Args: FromRequest + 'static>(mut self, handler: F) -> Self
        where
            F::Output: Responder + 'static,
        {
            self.resource = self.resource.route($route.to(handler));
            self.methods.push($method);
            self
        }
    )+};
}

impl Path {
    methods! {
        get "GET, HEAD" web::route().guard(Any(Get()).or(Head()));
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
        let allow = self.methods.join(", ");
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
