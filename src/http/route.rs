//! How a path is answered: HEAD wherever GET is, and for every other method a 405 that names those there are.

use actix_web::{
    FromRequest, Handler, HttpRequest, Resource, Responder, Route,
    guard::{Any, Get, Head},
    http::header::{ALLOW, HeaderValue},
    web,
};

use super::{code::Code, problem::Problem};

/// A path that is read.
pub(super) fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only(web::resource(path).route(get(handler)), "GET, HEAD")
}

/// A path to which something is posted.
pub(super) fn act<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    only(web::resource(path).route(web::post().to(handler)), "POST")
}

/// A path that does both.
pub(super) fn both<R, ReadArgs, A, ActArgs>(path: &str, reader: R, actor: A) -> Resource
where
    R: Handler<ReadArgs>,
    ReadArgs: FromRequest + 'static,
    R::Output: Responder + 'static,
    A: Handler<ActArgs>,
    ActArgs: FromRequest + 'static,
    A::Output: Responder + 'static,
{
    only(web::resource(path).route(get(reader)).route(web::post().to(actor)), "GET, HEAD, POST")
}

fn get<F, Args>(handler: F) -> Route
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::route().guard(Any(Get()).or(Head())).to(handler)
}

fn only(resource: Resource, allow: &'static str) -> Resource {
    resource.default_service(web::to(move |request: HttpRequest| async move {
        let detail = format!("{} is not possible here; possible are {allow}", request.method());
        let problem = Problem::new(Code::MethodNotAllowed, detail);
        Err::<&'static str, _>(problem.with(ALLOW, HeaderValue::from_static(allow)))
    }))
}

/// A path that there is not.
pub(super) async fn no_route(request: HttpRequest) -> Result<&'static str, Problem> {
    Err(Problem::new(
        Code::RouteNotFound,
        format!("There is nothing at {}; the API is described at /docs", request.path()),
    ))
}
