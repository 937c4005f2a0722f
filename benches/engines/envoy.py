"""Envoy as a sidecar of its own: mTLS, RBAC by the plain rules of the reference, a JSON access log."""

import json
import os
import pathlib
import shutil

from scene import PROXY_CPU, generate, listens

EXTENSIONS = "type.googleapis.com/envoy.extensions"
FIELDS = {
    "time": "%START_TIME%", "principal": "%DOWNSTREAM_PEER_URI_SAN%",
    "certificate": "%DOWNSTREAM_PEER_FINGERPRINT_256%", "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%", "status": "%RESPONSE_CODE%", "details": "%RESPONSE_CODE_DETAILS%",
    "duration": "%DURATION%", "protocol": "%PROTOCOL%", "bytes": "%BYTES_SENT%",
}


def program():
    """Where Envoy is, or None."""
    peers = os.environ.get("PEERS_DIR", pathlib.Path.home() / ".cache/portreeve-peers")
    places = (os.environ.get("ENVOY"), shutil.which("envoy"), pathlib.Path(peers) / "bin/envoy")
    return next((place for place in places if place and pathlib.Path(place).exists()), None)


def start(scene, port, rules, wrap=(), binary=None, name="envoy"):
    config = scene.work / f"{name}.json"
    config.write_text(json.dumps(configuration(scene.work, port, rules)))
    command = [*wrap, binary or program(), "-c", config, "--concurrency", "1", "--disable-hot-restart",
               "--log-level", "error"]
    return scene.start(name, command, PROXY_CPU, lambda _: listens(port))


def policy(i):
    path = {"url_path": {"path": {"prefix": f"/api/v{i}/"}}}
    method = {"header": {"name": ":method", "string_match": {"exact": "GET"}}}
    caller = {"authenticated": {"principal_name": {"exact": generate.spiffe_id(i)}}}
    return {"principals": [caller], "permissions": [{"and_rules": {"rules": [path, method]}}]}


def of(kind, **fields):
    return {"@type": f"{EXTENSIONS}.{kind}", **fields}


def configuration(work, port, rules):
    rbac = of("filters.http.rbac.v3.RBAC", rules={
        "action": "ALLOW", "policies": {f"svc{i}": policy(i) for i in range(rules)}})
    router = of("filters.http.router.v3.Router", suppress_envoy_headers=True)
    log = of("access_loggers.file.v3.FileAccessLog", path=f"{work}/envoy.access.log",
             log_format={"json_format": FIELDS})
    manager = of(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="in", codec_type="AUTO", generate_request_id=False, use_remote_address=False,
        forward_client_cert_details="SANITIZE_SET", set_current_client_cert_details={"uri": True},
        http_filters=[{"name": "envoy.filters.http.rbac", "typed_config": rbac},
                      {"name": "envoy.filters.http.router", "typed_config": router}],
        access_log=[{"name": "envoy.access_loggers.file", "typed_config": log}],
        route_config={"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "app", "timeout": "15s"}}]}]})
    names = [{"san_type": "URI", "matcher": {"prefix": "spiffe://bench.test/"}}]
    tls = of("transport_sockets.tls.v3.DownstreamTlsContext", require_client_certificate=True,
             common_tls_context={
                 "alpn_protocols": ["h2", "http/1.1"],
                 "tls_params": {"tls_minimum_protocol_version": "TLSv1_3",
                                "tls_maximum_protocol_version": "TLSv1_3"},
                 "tls_certificates": [{"certificate_chain": {"filename": f"{work}/chain.pem"},
                                       "private_key": {"filename": f"{work}/key.pem"}}],
                 "validation_context": {"trusted_ca": {"filename": f"{work}/bundle.pem"},
                                        "match_typed_subject_alt_names": names}})
    listener = {
        "name": "in", "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "per_connection_buffer_limit_bytes": 32768,
        "filter_chains": [{
            "filters": [{"name": "envoy.filters.network.http_connection_manager",
                         "typed_config": manager}],
            "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls}}]}
    many = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    endpoint = {"endpoint": {"address": {"pipe": {"path": f"{work}/app.sock"}}}}
    upstream = {"name": "app", "type": "STATIC", "connect_timeout": "1s",
                "circuit_breakers": {"thresholds": [many]},
                "load_assignment": {"cluster_name": "app",
                                    "endpoints": [{"lb_endpoints": [endpoint]}]}}
    return {"static_resources": {"listeners": [listener], "clusters": [upstream]}}
