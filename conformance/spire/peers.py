"""What the checks drive: SPIRE through spire/up and its own commands, and how long they wait."""

import base64
import json
import os
import pathlib
import signal
import ssl
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 30
COMMAND_LIMIT_S = 30
# An SVID of 10 s is replaced after 5, and an agent asks its server every second.
REFRESH_S = 1.0


# What is still to be ended, when the whole run is told to end.
STARTED = []
ENDING = threading.Event()


class CouldNotRun(Exception):
    """Something that the checks need is not there or does not start."""


class CannotBeChecked(Exception):
    """The check needs what this machine or this user does not have, and that is no failure."""


def peers_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("PEERS_DIR") or os.path.join(cache, "portreeve-peers")


def portreeve():
    return os.environ.get("PORTREEVE_BIN", "portreeve")


def run(*command, limit=COMMAND_LIMIT_S, **more):
    """The ended process; its output is text."""
    command = [str(word) for word in command]
    more = {"text": True, "capture_output": True, "stdin": subprocess.DEVNULL, **more}
    return subprocess.run(command, timeout=limit, **more)


def must(*command, **more):
    """Its standard output, where it ends well."""
    ended = run(*command, **more)
    if ended.returncode != 0:
        words = " ".join(map(str, command)), ended.returncode, ended.stderr or ended.stdout
        raise AssertionError("`%s` ended with %d: %s" % words)
    return ended.stdout


def eventually(what, test, limit=PATIENCE_S, pause=0.1):
    """What the test gives once that is true; an assertion within it only means `not yet`."""
    end = time.monotonic() + limit
    last = None
    while True:
        try:
            value = test()
            if value:
                return value
        except (AssertionError, OSError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s%s" % (limit, what, " (%s)" % last if last else ""))
        time.sleep(pause)


class Spire:
    """The trust domain a.test, and b.test where it is federated. Use it in a `with`."""

    def __init__(self, federated=False, **times):
        self.folder = tempfile.TemporaryDirectory(prefix="ptr-")
        self.state = pathlib.Path(self.folder.name) / "s"
        # Another user must be able to ask the agent, in order to be refused.
        os.chmod(self.folder.name, 0o711)
        self.arguments = ["--federated"] if federated else []
        self.bin = os.environ.get("SPIRE_BIN_DIR") or os.path.join(peers_folder(), "bin")
        self.env = {**os.environ, "SPIRE_STATE": str(self.state), "SPIRE_BIN_DIR": self.bin, **times}
        # Nothing is started behind an end.
        self.lock = threading.Lock()
        STARTED.append(self)

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.end()
        STARTED.remove(self)

    def end(self):
        with self.lock:
            run(ROOT / "spire/down", env=self.env)
            self.folder.cleanup()

    def up(self):
        """Starts what does not run."""
        with self.lock:
            if ENDING.is_set():
                raise CouldNotRun("the run is being ended")
            started = run(ROOT / "spire/up", *self.arguments, env=self.env, limit=120)
        if started.returncode != 0:
            raise CouldNotRun("spire/up ended with %d: %s" % (started.returncode, started.stderr))

    def socket(self, domain="a.test"):
        return self.state / domain / "agent.sock"

    def server(self, domain, *words):
        """Asks the server; the options come after the words of the command."""
        count = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
        socket = ["-socketPath", self.state / domain / "server/api.sock"]
        return must(os.path.join(self.bin, "spire-server"), *words[:count], *socket, *words[count:])

    def ask_agent(self, domain, *words, **more):
        command = [os.path.join(self.bin, "spire-agent"), "api", *words, "-socketPath", self.socket(domain)]
        return json.loads(must(*command, "-output", "json", **more))

    def pid(self, name, domain="a.test"):
        return int((self.state / domain / (name + ".pid")).read_text().split()[0])

    def kill(self, name, domain="a.test"):
        """Kills the server or the agent, without a chance to say goodbye."""
        pid = self.pid(name, domain)
        os.kill(pid, signal.SIGKILL)
        eventually("%s ends" % name, lambda: not os.path.exists("/proc/%d" % pid))

    def entries(self, domain):
        shown = json.loads(self.server(domain, "entry", "show", "-output", "json"))["entries"]
        return {entry.get("hint"): entry for entry in shown}

    def authorities(self, domain="a.test"):
        """The X.509 authorities' IDs by state: active, prepared, old."""
        shown = json.loads(self.server(domain, "localauthority", "x509", "show", "-output", "json"))
        return {state: (shown.get(state) or {}).get("authority_id") for state in ("active", "prepared", "old")}

    def replace_authority(self):
        """Signs with a new CA from now on and taints the one of before, whose SVIDs are replaced at once."""
        authority = lambda *words: self.server("a.test", "localauthority", "x509", *words)
        old = self.authorities()["active"]
        if not self.authorities()["prepared"]:
            authority("prepare")
        # The new root must be with everybody before anything is signed under it.
        time.sleep(3 * REFRESH_S)
        authority("activate", "-authorityID", self.authorities()["prepared"])
        authority("taint", "-authorityID", old)

    def revoke_authority(self, old):
        """Takes a tainted CA out of the bundle."""
        self.server("a.test", "localauthority", "x509", "revoke", "-authorityID", old)


class Identity:
    """An SVID of the agent, fetched again and again by a thread, as files for Python's `ssl`."""

    def __init__(self, spire, domain, hint):
        self.spire, self.domain, self.hint = spire, domain, hint
        # Goes with SPIRE's own.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="id-", dir=spire.folder.name))
        self.ended = threading.Event()
        self.number = 0
        self.error = None
        self.serial, self.not_after = "", 0.0
        self.files = self.fetch()
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def follow(self):
        while not self.ended.wait(REFRESH_S):
            try:
                self.files = self.fetch()
                self.error = None
            except Exception as error:  # the agent may be away on purpose; what is there still holds
                self.error = error

    def fetch(self):
        answer = self.spire.ask_agent(self.domain, "fetch", "x509")
        (svid,) = [svid for svid in answer["svids"] if svid.get("hint") == self.hint]
        bundles = [svid["bundle"], *(answer.get("federated_bundles") or {}).values()]
        self.number += 1
        base = self.folder / str(self.number)
        chain, roots = base.with_suffix(".pem"), base.with_suffix(".roots")
        key = pem("PRIVATE KEY", base64.b64decode(svid["x509_svid_key"]))
        chain.write_text(certificates(svid["x509_svid"]) + key)
        roots.write_text("".join(map(certificates, bundles)))
        # Only files have a reader for certificates in Python.
        leaf = ssl._ssl._test_decode_cert(str(chain))
        self.serial, self.not_after = leaf["serialNumber"], ssl.cert_time_to_seconds(leaf["notAfter"])
        return chain, roots

    def context(self, *protocols, presents=True):
        """For one connection: whoever is of one of the bundles is trusted, and our SVID is presented."""
        chain, roots = self.files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        if presents:
            context.load_cert_chain(chain)
        context.load_verify_locations(roots)
        context.set_alpn_protocols(list(protocols))
        return context


def pem(label, der):
    return ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", label)


def certificates(text):
    """Certificates that follow each other in DER, as PEM."""
    der, pems = base64.b64decode(text), []
    while der:
        count = der[1] & 0x7F
        header = 2 + count if der[1] & 0x80 else 2
        length = header + (int.from_bytes(der[2:header], "big") if der[1] & 0x80 else der[1])
        pems.append(pem("CERTIFICATE", der[:length]))
        der = der[length:]
    return "".join(pems)
