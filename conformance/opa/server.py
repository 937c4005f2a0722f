"""A real OPA on a Unix socket: policies and data go in, values or errors come out."""

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time

START_LIMIT_S = 20


class OverUnixSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class Opa:
    """Use it in a `with`: the server ends with the block."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "opa.sock")
        command = [program, "run", "--server", "--addr", "unix://" + path, "--log-level", "error"]
        self.process = subprocess.Popen(command + ["--skip-version-check"], cwd=self.folder.name)
        end = time.monotonic() + START_LIMIT_S
        while not os.path.exists(path):
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError("opa did not start")
            time.sleep(0.05)
        self.connection = OverUnixSocket(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def ask(self, method, path, body):
        self.connection.request(method, path, body and body.encode())
        response = self.connection.getresponse()
        return response.status, response.read()

    def put(self, path, body):
        status, answer = self.ask("PUT", path, body)
        if status >= 300:
            raise RuntimeError("opa refuses %s: %s" % (path, answer.decode()))

    def load(self, modules, data):
        """Replaces all policies and data."""
        _, answer = self.ask("GET", "/v1/policies", None)
        for policy in json.loads(answer)["result"]:
            self.ask("DELETE", "/v1/policies/" + policy["id"], None)
        self.put("/v1/data", json.dumps(data))
        for name, text in modules.items():
            self.put("/v1/policies/" + name, text)

    def wants(self, path, document=None):
        """What a case of the suite wants of this rule: its value, none, or an error; nothing where OPA
        panics or has no words for its value."""
        body = None if document is None else json.dumps({"input": document})
        method = "GET" if document is None else "POST"
        try:
            status, answer = self.ask(method, "/v1/data/%s?strict-builtin-errors=true" % path, body)
        except http.client.RemoteDisconnected:
            self.connection.close()
            return None
        answer = json.loads(answer)
        if status == 200:
            found = [{"x": answer["result"]}] if "result" in answer else []
            return {"want_result": found}
        if answer["code"] == "internal_error" and not answer.get("errors"):
            return None  # a value that it cannot write down
        errors = answer.get("errors") or [{"code": answer["code"], "message": answer["message"]}]
        code = errors[0]["code"]
        return {"want_error_code": code, "want_error": errors[0]["message"], "strict_error": True}
