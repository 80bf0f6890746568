//! The list of routes, and what every answer goes through.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post};

use super::index::Link;
use super::{demo, docs, health, index, keys, liveness, metrics, session, version};
use crate::app::App;
use crate::config::Listener;
use crate::error::ApiError;
use crate::http::middleware;

/// The API, and those operations endpoints that are public.
pub(crate) fn public(app: &Arc<App>) -> Router {
    let api = Router::new()
        .route("/liveness", post(liveness::check))
        .route("/liveness/", post(liveness::check))
        .route("/session", get(session::open))
        .route("/session/", get(session::open));
    finish(api.merge(operations(app, Listener::Public)), app)
}

/// The operations endpoints of the admin listener.
pub(crate) fn admin(app: &Arc<App>) -> Router {
    let mut router = operations(app, Listener::Admin);
    if app.config.network.admin_token.is_some() {
        router = router
            .route("/keys", get(keys::list).post(keys::create))
            .route("/keys/{key}", patch(keys::set).delete(keys::revoke))
            .route("/keys/{key}/rotate", post(keys::rotate));
    }
    finish(router, app)
}

fn operations(app: &Arc<App>, listener: Listener) -> Router<Arc<App>> {
    let served = app.config.served();
    let here = |path: &str| served.contains(&(path, Some(listener)));
    let mut router = Router::new();
    let mut links = Vec::new();
    let mut link = |path, title, text| links.push(Link { path, title, text });
    if here("/demo") {
        link(
            "demo/",
            "Capture page",
            "takes a selfie and shows the verdict",
        );
        router = router
            .route("/demo", get(demo::redirect))
            .route("/demo/", get(demo::index))
            .route("/demo/{*file}", get(demo::file));
    }
    if here("/docs") {
        link(
            "docs/",
            "API documentation",
            "with a form to try each request",
        );
        router = router
            .route("/docs", get(docs::redirect))
            .route("/docs/", get(docs::index))
            .route("/docs/{*file}", get(docs::file));
    }
    if here("/openapi.json") {
        link("openapi.json", "OpenAPI document", "for code generators");
        router = router.route("/openapi.json", get(docs::openapi));
    }
    if here("/version") {
        link(
            "version",
            "Version",
            "build, models, thresholds and measured error rates",
        );
        router = router.route("/version", get(version::show));
    }
    if here("/readyz") {
        link(
            "readyz",
            "Readiness",
            "whether the service can judge photos",
        );
        router = router.route("/readyz", get(health::readyz));
    }
    if here("/healthz") {
        link("healthz", "Health", "whether the process is up");
        router = router.route("/healthz", get(health::healthz));
    }
    if here("/metrics") {
        link("metrics", "Metrics", "for Prometheus");
        let scores = app.config.endpoints.shows_scores(listener);
        let show = async move |State(app): State<Arc<App>>| metrics::show(&app, scores);
        router = router.route("/metrics", get(show));
    }
    if !links.is_empty() {
        let page = index::page(&links);
        router = router.route("/", get(async move || index::show(page.clone())));
    }
    router
}

fn finish(router: Router<Arc<App>>, app: &Arc<App>) -> Router {
    router
        .fallback(|request: Request| async move { ApiError::not_found(request.uri().path()) })
        .method_not_allowed_fallback(|request: Request| async move {
            ApiError::method_not_allowed(request.method().as_str())
        })
        .layer(from_fn_with_state(Arc::clone(app), middleware::apply))
        .with_state(Arc::clone(app))
}
