//! gRPC through mTLS and HTTP/2 to an h2c upstream: a real tonic client and a real tonic server.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use http::uri::PathAndQuery;
use http_body_util::BodyExt as _;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve::tls::Alpn;
use tonic::codegen::http;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::support::*;

/// `google.protobuf.StringValue` in prost.
type Text = String;
type Replies = Pin<Box<dyn Stream<Item = Result<Text, Status>> + Send>>;

/// The methods of `shop.Orders`, each one form of streaming.
fn service() -> Respond {
    respond(|arrived| async move {
        let path = arrived.request.uri().path().to_owned();
        let request = arrived.request;
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<Text, Text>::default());
        let response = match &*path {
            "/shop.Orders/Unary" => grpc.unary(tower::service_fn(unary), request).await,
            "/shop.Orders/Collect" => {
                grpc.client_streaming(tower::service_fn(collect), request).await
            }
            "/shop.Orders/Spread" => {
                grpc.server_streaming(tower::service_fn(spread), request).await
            }
            "/shop.Orders/Talk" => grpc.streaming(tower::service_fn(talk), request).await,
            _ => Status::unimplemented("no such method").into_http(),
        };
        response.map(|body| body.map_err(Broken::from).boxed_unsync())
    })
}

async fn unary(request: Request<Text>) -> Result<Response<Text>, Status> {
    match request.into_inner() {
        text if text == "fail" => {
            let mut status = Status::not_found("no such order: 50%");
            status.metadata_mut().insert("x-order", "17".parse().unwrap());
            Err(status)
        }
        text => Ok(Response::new(format!("{text}!"))),
    }
}

async fn collect(request: Request<Streaming<Text>>) -> Result<Response<Text>, Status> {
    let mut texts = Vec::new();
    let mut stream = request.into_inner();
    while let Some(text) = stream.next().await {
        texts.push(text?);
    }
    Ok(Response::new(texts.join("+")))
}

async fn spread(request: Request<Text>) -> Result<Response<Replies>, Status> {
    let text = request.into_inner();
    if text == "endless" {
        return Ok(Response::new(Box::pin(futures_util::stream::repeat_with(move || {
            Ok(text.clone())
        }))));
    }
    let words: Vec<_> = text.split('+').map(|word| Ok(word.to_owned())).collect();
    let last = Err(Status::out_of_range("no more"));
    let replies = futures_util::stream::iter(words.into_iter().chain([last]));
    Ok(Response::new(Box::pin(replies)))
}

async fn talk(request: Request<Streaming<Text>>) -> Result<Response<Replies>, Status> {
    let replies = request.into_inner().map(|text| text.map(|text| format!("{text}!")));
    Ok(Response::new(Box::pin(replies)))
}

/// Everything but the method `Forbidden` is allowed.
const POLICY: Policies = Policies::Files(&[(
    "a.cedar",
    "permit(principal, action in Action::\"http\", resource)
     unless { context.path == \"/shop.Orders/Forbidden\" };",
)]);

async fn scene() -> Scene {
    let setup = Setup {
        policies: POLICY,
        respond: service(),
        upstream_protocol: "h2c",
        ..Setup::default()
    };
    setup.start().await
}

type Sender = http2::SendRequest<tonic::body::Body>;

async fn connect(scene: &Scene) -> Sender {
    let issued = scene.workload_api.issue(&id(WEB)).unwrap();
    let stream = handshake(scene.address(), &scene.workload_api, &issued, Alpn::Http2);
    let io = TokioIo::new(stream.await.unwrap());
    let (sender, connection) =
        http2::Builder::new(TokioExecutor::new()).handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A tonic client over that connection.
macro_rules! client {
    ($sender:expr) => {{
        let sender = $sender.clone();
        let send = tower::service_fn(move |request| sender.clone().send_request(request));
        let origin = "https://orders.shop.test".parse().unwrap();
        let mut client = tonic::client::Grpc::with_origin(send, origin);
        client.ready().await.unwrap();
        client
    }};
}

fn method(name: &'static str) -> PathAndQuery {
    PathAndQuery::try_from(format!("/shop.Orders/{name}")).unwrap()
}

fn codec() -> ProstCodec<Text, Text> {
    ProstCodec::default()
}

fn texts(texts: &'static [&'static str]) -> impl Stream<Item = Text> + Send {
    futures_util::stream::iter(texts.iter().map(|&text| text.to_owned()))
}

#[test]
fn all_four_forms_of_a_call_pass_with_their_statuses_and_trailers() {
    run(async {
        let scene = scene().await;
        let sender = connect(&scene).await;
        let mut client = client!(sender);
        let call = Request::new("a".to_owned());
        let answer = client.unary(call, method("Unary"), codec()).await.unwrap();
        assert!(answer.metadata().contains_key("x-portreeve-decision-id"));
        assert_eq!(answer.into_inner(), "a!");

        let call = Request::new("fail".to_owned());
        let failed = client.unary(call, method("Unary"), codec()).await.unwrap_err();
        assert_eq!((failed.code(), failed.message()), (Code::NotFound, "no such order: 50%"));
        assert_eq!(failed.metadata().get("x-order").unwrap(), "17");

        let call = Request::new(texts(&["a", "b", "c"]));
        let answer = client.client_streaming(call, method("Collect"), codec()).await.unwrap();
        assert_eq!(answer.into_inner(), "a+b+c");

        let call = Request::new("a+b".to_owned());
        let answer = client.server_streaming(call, method("Spread"), codec()).await.unwrap();
        let mut replies = answer.into_inner();
        assert_eq!(replies.next().await.unwrap().unwrap(), "a");
        assert_eq!(replies.next().await.unwrap().unwrap(), "b");
        let last = replies.next().await.unwrap().unwrap_err();
        assert_eq!((last.code(), last.message()), (Code::OutOfRange, "no more"));

        let (said, words) = tokio::sync::mpsc::channel(1);
        let words = tokio_stream::wrappers::ReceiverStream::new(words);
        let answer = client.streaming(Request::new(words), method("Talk"), codec()).await.unwrap();
        let mut replies = answer.into_inner();
        for word in ["one", "two", "three"] {
            said.send(word.to_owned()).await.unwrap();
            assert_eq!(replies.next().await.unwrap().unwrap(), format!("{word}!"));
        }
        drop(said);
        assert!(replies.next().await.is_none());
        drop((client, sender, replies));

        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(decisions(&log).len(), 5);
        for request in seen {
            assert_eq!(request.header("te"), ["trailers"]);
            assert_eq!(request.header("content-type"), ["application/grpc"]);
        }
    });
}

#[test]
fn a_denied_call_is_permission_denied_in_one_head() {
    run(async {
        let scene = scene().await;
        let sender = connect(&scene).await;
        let mut client = client!(sender);
        let call = Request::new("a".to_owned());
        let denied = client.unary(call, method("Forbidden"), codec()).await.unwrap_err();
        assert_eq!((denied.code(), denied.message()), (Code::PermissionDenied, "denied by policy"));
        assert!(denied.metadata().contains_key("x-portreeve-decision-id"));
        drop((client, sender));

        let mut raw = scene.client(WEB, "h2").await;
        let headers = [("content-type", "application/grpc"), ("te", "trailers")];
        let asked = request("POST", "/shop.Orders/Forbidden", &headers, body("\0\0\0\0\0"));
        let response = raw.send(asked).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "7");
        assert!(hyper::body::Body::is_end_stream(response.body()));
        drop(raw);
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty());
        assert_eq!(decisions(&log).len(), 2);
    });
}

#[test]
fn a_call_whose_upstream_is_down_is_unavailable() {
    run(async {
        let mut scene = scene().await;
        scene.upstream.stop().await;
        let sender = connect(&scene).await;
        let mut client = client!(sender);
        let call = Request::new("a".to_owned());
        let failed = client.unary(call, method("Unary"), codec()).await.unwrap_err();
        assert_eq!(failed.code(), Code::Unavailable);
        drop((client, sender));
        let log = scene.finish().await;
        assert_eq!(text(of_kind(&log, "end")[0], "/flags/0"), "upstream.connect");
    });
}

#[test]
fn a_caller_that_cancels_ends_the_call_at_the_upstream() {
    run(async {
        let scene = scene().await;
        let sender = connect(&scene).await;
        let mut client = client!(sender);
        let call = Request::new("endless".to_owned());
        let answer = client.server_streaming(call, method("Spread"), codec()).await.unwrap();
        let mut replies = answer.into_inner();
        assert_eq!(replies.next().await.unwrap().unwrap(), "endless");
        drop(replies);
        let end = scene.until_record(|record| text(record, "/kind") == "end").await;
        assert_eq!(text(&end, "/flags/0"), "caller.broke_off");
        drop((client, sender));
        scene.finish().await;
    });
}
