"""As much of HTTP/2 (RFC 9113) as a caller needs that sends small requests and obeys GOAWAY."""

import socket
import struct
import time

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PADDED, PRIORITY = 8, 32
REFUSED_STREAM = 7
# A connection's window is 64 KiB and never grows by itself.
WINDOW_STEP = 16 << 10


class ProtocolError(Exception):
    pass


class Connection:
    """One connection with our own settings left at their defaults."""

    def __init__(self, identity, address, timeout):
        self.until = identity.not_after
        self.since = time.time()
        self.authority = "%s:%d" % address
        plain = socket.create_connection(address, timeout)
        self.socket = identity.context("h2").wrap_socket(plain)
        if self.socket.selected_alpn_protocol() != "h2":
            raise ProtocolError("the sidecar does not speak h2")
        self.certificate = self.socket.getpeercert()
        self.stream = self.socket.makefile("rb")
        self.next_id, self.consumed = 1, 0
        # The highest stream that is still served, once GOAWAY has named one.
        self.last = None
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))

    @property
    def asked(self):
        return self.last is not None

    def get(self, count, path="/orders/1"):
        """Sends requests at once: the statuses, and how many were not begun and may be sent again."""
        ids = [self.next_id + 2 * i for i in range(count)]
        self.next_id += 2 * count
        block = b"\x82\x87" + literal(4, path) + literal(1, self.authority)
        try:
            self.socket.sendall(b"".join(frame(HEADERS, END_STREAM | END_HEADERS, i, block) for i in ids))
        except OSError:
            # The reason stands in what the sidecar sent before: GOAWAY, if it did well.
            pass
        waiting, heads, done, again = set(ids), {}, [], 0
        while waiting:
            kind, flags, stream, payload = self.read()
            if kind is None:
                begun = {i for i in waiting if self.last is None or i <= self.last}
                if begun:
                    raise ProtocolError("the connection ended with %d requests under way" % len(begun))
                again += len(waiting)
                break
            if kind == GOAWAY:
                self.goaway(payload)
                refused = {i for i in waiting if i > self.last}
                again += len(refused)
                waiting -= refused
            elif kind == RST_STREAM and stream in waiting:
                (code,) = struct.unpack(">I", payload)
                if code != REFUSED_STREAM:
                    raise ProtocolError("stream reset with code %d" % code)
                again += 1
                waiting.discard(stream)
            elif kind == HEADERS and stream not in heads:
                heads[stream] = status(payload, flags)
            if kind in (HEADERS, DATA) and flags & END_STREAM and stream in waiting:
                done.append(heads.get(stream))
                waiting.discard(stream)
        return done, again

    def goaway(self, payload):
        last, code = struct.unpack(">II", payload[:8])
        if code != 0:
            raise ProtocolError("GOAWAY with code %d: %r" % (code, payload[8:]))
        self.last = last & 0x7FFFFFFF

    def read(self):
        """The next frame, answered where the protocol wants it; `None` at the end."""
        head = self.stream.read(9)
        if len(head) < 9:
            return None, 0, 0, b""
        size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self.stream.read(size)
        if kind == SETTINGS and not flags & ACK:
            self.answer(frame(SETTINGS, ACK, 0))
        if kind == PING and not flags & ACK:
            self.answer(frame(PING, ACK, 0, payload))
        if kind == DATA:
            self.consumed += size
            if self.consumed >= WINDOW_STEP:
                self.answer(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self.consumed)))
                self.consumed = 0
        return kind, flags, stream, payload

    def answer(self, bytes_):
        try:
            self.socket.sendall(bytes_)
        except OSError:
            pass  # what was received before is still read

    def has_ended(self):
        """Whether the sidecar has ended the connection; it reads whatever came, without waiting long."""
        self.socket.settimeout(0.05)
        try:
            while self.read()[0] is not None:
                pass
            return True
        except TimeoutError:
            return False
        except OSError:
            return True

    def close(self):
        self.stream.close()
        self.socket.close()


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(index, value):
    """A header whose name the static table has, without indexing (RFC 7541 §6.2.2)."""
    value = value.encode()
    assert len(value) < 127
    return bytes([index, len(value)]) + value


def status(block, flags):
    """200, or the bytes that say otherwise: the static table has 200 at 8, and it comes first."""
    if flags & PADDED:
        block = block[1:]
    if flags & PRIORITY:
        block = block[5:]
    while block and block[0] & 0xE0 == 0x20:  # the size of the dynamic table
        block = block[1:]
    return 200 if block[:1] == b"\x88" else "not 200: " + block[:5].hex()
