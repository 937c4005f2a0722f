"""Callers that never rest: HTTP/1.1 and HTTP/2, on connections that are kept as long as the sidecar
lets them. They take a new connection when they are asked to, as any client must, and whatever else
goes wrong is a failed request."""

import http.client
import select
import threading
import time

import h2

PAUSE_S = 0.03
# Of the connections that a caller ends itself, so that there are handshakes all the time.
REQUESTS_OF_A_SHORT_CONNECTION = 10
STREAMS = 4
TIMEOUT_S = 10
KEPT_FAILURES = 5


class Kept:
    """An HTTP/1.1 connection; `asked` once the sidecar wants it to end."""

    def __init__(self, identity, address):
        self.until = identity.not_after
        self.since = time.time()
        self.connection = http.client.HTTPSConnection(*address, context=identity.context("http/1.1"), timeout=TIMEOUT_S)
        self.connection.connect()
        self.certificate = self.connection.sock.getpeercert()
        self.asked = False
        self.used = False

    def has_ended(self):
        """Whether the sidecar has closed it while nothing was under way."""
        socket = self.connection.sock
        return socket is None or bool(select.select([socket], [], [], 0)[0])

    def get(self, path="/orders/1"):
        """The status; `ConnectionError` where the connection ended before there was one."""
        try:
            self.connection.request("GET", path)
            response = self.connection.getresponse()
        except http.client.RemoteDisconnected as error:
            raise ConnectionError("closed without a response") from error
        response.read()
        self.asked = response.will_close
        self.used = True
        return response.status

    def close(self):
        self.connection.close()


def names(certificate):
    return [name for kind, name in certificate["subjectAltName"] if kind == "URI"]


class Load:
    """Use it in a `with`; the callers stop at its end, and `failures` says what went wrong."""

    def __init__(self, identity, address, kept=2, short=1, http2=1):
        self.identity, self.address = identity, address
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.requests = self.connections = self.asked = self.raced = self.late = 0
        self.longest_s = 0.0
        self.failures, self.failed = [], 0
        self.issuers, self.serials = set(), set()
        work = [(self.http1, None)] * kept + [(self.http1, REQUESTS_OF_A_SHORT_CONNECTION)] * short
        work += [(self.http2, None)] * http2
        self.threads = [threading.Thread(target=target, args=(limit,), daemon=True) for target, limit in work]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join(2 * TIMEOUT_S)

    def fail(self, what):
        with self.lock:
            self.failed += 1
            if len(self.failures) < KEPT_FAILURES:
                self.failures.append("%s: %s" % (time.strftime("%H:%M:%S", time.gmtime()), what))

    def opened(self, connection):
        (name,) = names(connection.certificate)
        with self.lock:
            self.connections += 1
            self.serials.add(connection.certificate["serialNumber"])
            self.issuers.add(str(connection.certificate["issuer"]))
        if name != "spiffe://a.test/sidecar":
            self.fail("the server is " + name)
        return connection

    def answered(self, connection, status):
        with self.lock:
            self.requests += 1
            # A second for the answer's way and for clocks that are read one after the other.
            if time.time() > connection.until + 1:
                self.late += 1
        if status != 200:
            self.fail("status %s" % status)

    def left(self, connection):
        with self.lock:
            self.asked += connection.asked
            self.longest_s = max(self.longest_s, time.time() - connection.since)
        connection.close()

    def http1(self, limit):
        connection, count = None, 0
        while not self.ended.is_set():
            try:
                if connection and connection.has_ended():
                    connection.asked = True
                    self.left(connection)
                    connection = None
                if not connection:
                    connection, count = self.opened(Kept(self.identity, self.address)), 0
                try:
                    self.answered(connection, connection.get())
                except ConnectionError as error:
                    # Closed while our request was on its way: any client sends it again, once, where
                    # the connection had served before (RFC 9112 §9.3.1).
                    if not connection.used:
                        raise
                    with self.lock:
                        self.raced += 1
                    connection.close()
                    connection, count = self.opened(Kept(self.identity, self.address)), 0
                    self.answered(connection, connection.get())
                count += 1
                if connection.asked or count == limit:
                    self.left(connection)
                    connection = None
            except Exception as error:
                self.fail(repr(error))
                connection = None
                self.ended.wait(0.5)
            self.ended.wait(PAUSE_S)
        if connection:
            self.left(connection)

    def http2(self, _):
        connection, again = None, 0
        while not self.ended.is_set():
            try:
                if not connection:
                    connection = self.opened(h2.Connection(self.identity, self.address, TIMEOUT_S))
                statuses, again = connection.get(again or STREAMS)
                for status in statuses:
                    self.answered(connection, status)
                if connection.asked:
                    self.left(connection)
                    connection = None
            except Exception as error:
                self.fail("h2: %r" % error)
                connection, again = None, 0
                self.ended.wait(0.5)
            self.ended.wait(PAUSE_S)
        if connection:
            self.left(connection)

    def check(self):
        """Not one failed request so far."""
        dead = sum(not thread.is_alive() for thread in self.threads if not self.ended.is_set())
        assert not dead, "%d callers have ended" % dead
        assert not self.failed, "%d of %d failed: %s" % (self.failed, self.requests, "; ".join(self.failures))

    def __str__(self):
        words = "%d requests over %d connections, %d of them ended by the sidecar, %d requests sent again"
        return words % (self.requests, self.connections, self.asked, self.raced)
