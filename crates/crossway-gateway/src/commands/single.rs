//! Serves one upstream as URLs.

use std::sync::Arc;

use crossway_service::Upstream;

use crate::faces::Faces;
use crate::listener::{BoundListener, ServeError};
use crate::openapi_face::OpenApiFace;
use crate::run::run;
use crate::serve::Edge;
use crate::tls::MaybeTls;

/// Serves `upstream` until asked to end, then lets calls in flight finish within the drain time, and ends all
/// sessions. `name` is what clients may call the server; `is_embedded` says whether it is in this process.
///
/// # Errors
///
/// When the URLs can't be printed.
pub async fn serve(
    bound: BoundListener,
    upstream: impl Upstream,
    name: &str,
    is_embedded: bool,
) -> Result<(), ServeError> {
    serve_with_tools(bound, upstream, None, name, is_embedded, std::future::ready(())).await
}

/// The same, and the tools of `tools` as OpenAPI. `ends` ends the upstream, beside the sessions.
pub(crate) async fn serve_with_tools(
    bound: BoundListener,
    upstream: impl Upstream,
    tools: Option<Arc<dyn Upstream>>,
    name: &str,
    is_embedded: bool,
    ends: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let maker = bound.maker(is_embedded);
    let openapi =
        tools.map(|tools| OpenApiFace::One(maker.openapi(tools, maker.openapi_config().name(name))));
    let faces = Faces::new(maker.faces(Arc::new(upstream)).with_openapi(openapi));
    let served = run(bound, faces.clone(), Edge::open(faces), MaybeTls::Plain, |_| {}, name, &[]).await;
    served?.close(ends).await;
    Ok(())
}
