//! A small orders service on a Unix socket, for the demo and the tests. It trusts whoever reaches
//! its socket: the sidecar is the only one that should.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

/// An order is a few words.
const MAX_BODY_BYTES: usize = 64 << 10;

/// The running service; dropping it ends it.
#[derive(Debug)]
pub struct SampleService {
    orders: Arc<Orders>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Orders {
    items: Mutex<Vec<Value>>,
    served: AtomicU64,
}

impl SampleService {
    /// Serves on a new socket.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn start(socket: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let orders = Arc::new(Orders::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::clone(&orders)));
        Ok(Self { orders, _tasks: tasks })
    }

    /// How many requests have reached the service: what was denied must not be among them.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.orders.served.load(Ordering::Relaxed)
    }
}

async fn accept(listener: UnixListener, orders: Arc<Orders>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let orders = Arc::clone(&orders);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let orders = Arc::clone(&orders);
                async move { Ok::<_, Infallible>(answer(&orders, request).await) }
            });
            // A caller that goes away is its own affair.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(orders: &Orders, request: Request<Incoming>) -> Response<Full<Bytes>> {
    orders.served.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return reply(StatusCode::PAYLOAD_TOO_LARGE, &json!({ "error": "the body is too large" }));
    };
    let caller = parts.headers.get("x-spiffe-id").and_then(|value| value.to_str().ok());
    let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    let mut items = orders.items.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, mut value) = match (&parts.method, path.as_slice()) {
        (&Method::GET, ["healthz"]) => (StatusCode::OK, json!({ "healthy": true })),
        (&Method::GET, ["orders"]) => (StatusCode::OK, json!({ "orders": *items })),
        (&Method::POST, ["orders"]) => {
            let order = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
            items.push(order);
            (StatusCode::CREATED, json!({ "order": items.len() }))
        }
        (&Method::GET, ["orders", id]) => (StatusCode::OK, json!({ "order": id })),
        (&Method::POST, ["orders", id, "payment"]) => (StatusCode::OK, json!({ "paid": id })),
        (&Method::DELETE, ["orders", id]) => (StatusCode::OK, json!({ "deleted": id })),
        (&Method::GET, ["reports", name]) => {
            (StatusCode::OK, json!({ "report": name, "orders": items.len() }))
        }
        _ => (StatusCode::NOT_FOUND, json!({ "error": "no such resource" })),
    };
    if let Some(fields) = value.as_object_mut() {
        fields.insert("caller".to_owned(), caller.into());
    }
    reply(status, &value)
}

fn reply(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{value}\n"))));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}
