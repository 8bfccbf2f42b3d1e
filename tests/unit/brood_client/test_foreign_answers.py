"""Answers that no brood server gave: a closed port, a proxy's page, a bare status, silence."""

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest

from brood_client import BroodError, Client, DeadlineExceeded, Unreachable


@contextmanager
def http_server(body: bytes, release: threading.Event, status: int = 502) -> Iterator[str]:
    """Answers with a status and a body, once released."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            release.wait()
            with suppress(ConnectionError):  # the client has lost patience
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *args: Any, **kwargs: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        release.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def grpc_server(answer: Callable[[bytes, grpc.ServicerContext], bytes]) -> Iterator[str]:
    """Answers ListModels."""
    methods = {"ListModels": grpc.unary_unary_rpc_method_handler(answer)}
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("brood.v1.Generator", methods)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


def error_from(url: str, timeout_s: float = 5.0) -> BroodError:
    with Client(url, retries=0) as client, pytest.raises(BroodError) as caught:
        client.models(timeout_s=timeout_s)
    return caught.value


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_there(scheme: str) -> None:
    error = error_from(f"{scheme}://127.0.0.1:{free_port()}")
    assert isinstance(error, Unreachable)
    assert (error.code, error.field, error.request_id) == ("unreachable", None, None)


@pytest.mark.parametrize("body", [b"<h1>Bad Gateway</h1>", b'{"error": "upstream"}', b"[]", b'{"error": {}}'])
def test_a_proxy_answers_in_its_own_words(body: bytes) -> None:
    released = threading.Event()
    released.set()
    with http_server(body, released) as url:
        error = error_from(url)
    assert isinstance(error, Unreachable)  # worth another try
    assert error.message == f"HTTP 502: {body.decode()}"


@pytest.mark.parametrize("body", [b"<h1>Welcome</h1>", b"[]", b"{}", b'{"models": [{}]}'])
def test_somebody_else_answers(body: bytes) -> None:
    released = threading.Event()
    released.set()
    with http_server(body, released, 200) as url:
        error = error_from(url)
        with Client(url) as client, pytest.raises(BroodError) as caught:
            client.stream("tiny").result()
    assert error.message == f"this is no answer of a brood server: HTTP 200: {body.decode()}"
    assert caught.value.message == f"HTTP 200: {body.decode()}"
    assert {error.code, caught.value.code} == {"internal"}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.UNAVAILABLE, "unreachable"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "payload_too_large"),
        (grpc.StatusCode.CANCELLED, "cancelled"),
        (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"),
        (grpc.StatusCode.PERMISSION_DENIED, "permission_denied"),
        (grpc.StatusCode.UNIMPLEMENTED, "internal"),
    ],
)
def test_a_bare_status(status: grpc.StatusCode, code: str) -> None:
    def answer(content: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_code(status)
        context.set_details("words")
        return b""

    with grpc_server(answer) as url:
        error = error_from(url)
    said = f"{url}: words" if code == "unreachable" else "words"
    assert (error.code, error.message) == (code, said)


def test_silence_over_http_ends_with_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brood_client._endpoint.GRACE_S", 0.0)
    with http_server(b"", threading.Event()) as url:
        error = error_from(url, timeout_s=0.05)
    assert isinstance(error, DeadlineExceeded)


def test_silence_over_grpc_ends_with_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brood_client._endpoint.GRACE_S", 0.0)
    release = threading.Event()

    def answer(content: bytes, context: grpc.ServicerContext) -> bytes:
        release.wait()
        return b""

    with grpc_server(answer) as url:
        error = error_from(url, timeout_s=0.05)
        release.set()
    assert isinstance(error, DeadlineExceeded)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://127.0.0.1", "grpc://", "grpc://h:1/path", "http:///path", "httpss://h", ""]
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"url: .* is not allowed; allowed: http://HOST:PORT"):
        Client(url)


def test_roots_without_tls_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tls_roots: given with 'http://h:1'; allowed: with https:// and grpcs://"):
        Client("http://h:1", tls_roots=tmp_path)
