"""A reader and writer of PROTOCOL.md, from its text alone: envelopes, fields, frames and records.

What is decoded is a dict of JSON values, and what is encoded is made of such a dict: bytes and names
of things are hex, an integer of 8 bytes is hex of 16 digits, a time and any other integer a number,
text a string. A decoder raises Refused, with a reason of section 11 and what is wrong.

This is a reference to compare with, not a client: it keeps no limits of time and no constant time.
"""

import ipaddress
import re
import struct
import unicodedata

import crypto

VERSION = 1
HEADER, BODY, PART, WHOLE = 18, 1145, 1024, 5120  # section 12
DETAIL, TOKEN, TICKET, TEXT, METADATA = 64, 4096, 512, 128, 256
REPORTS, LANES = 1, 2  # feature bits
KINDS = [None, "HELLO", "WELCOME", "DATA", "RENEW", "RENEWED", "PING", "PONG", "CLOSE", "BEARER", "NOTICE", "FRAMES"]


class Refused(Exception):
    """Bytes that the protocol does not allow: reason is a label of section 11."""

    def __init__(self, reason, why):
        super().__init__(f"{reason}: {why}")
        self.reason, self.why = reason, why


def need(condition, why, reason="malformed"):
    if not condition:
        raise Refused(reason, why)


# Byte maps. Each row is a name, a size in bytes and a form.


class Bytes:
    """Reads from the front."""

    def __init__(self, data, what):
        self.data, self.at, self.what = bytes(data), 0, what

    def take(self, n, name):
        need(len(self.data) - self.at >= n, f"{self.what}: cut off in {name}")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, n, name):
        return int.from_bytes(self.take(n, name), "big")

    def left(self):
        return len(self.data) - self.at

    def rest(self):
        return self.take(self.left(), "the rest")

    def end(self):
        need(not self.left(), f"{self.what}: {self.left()} bytes are left over")


def read_form(form, raw):
    if form == "hex" or form == "wide":
        return raw.hex()
    return int.from_bytes(raw, "big", signed=form == "time")


def write_form(form, value, size):
    if form == "hex" or form == "wide":
        raw = bytes.fromhex(value)
        if size is not None and len(raw) != size:
            raise ValueError(f"{size} bytes are wanted, not {value}")
        return raw
    return value.to_bytes(size, "big", signed=form == "time")


def read_map(rows, r):
    return {name: read_form(form, r.take(size, name)) for name, size, form in rows}


def write_map(rows, fields):
    return b"".join(write_form(form, fields[name], size) for name, size, form in rows)


ENVELOPE = [("session_id", 4, "hex"), ("sequence", 4, "number"), ("tag", 8, "hex")]
HELLO = [
    ("client_nonce", 16, "hex"),
    ("binding_mode", 1, "number"),
    ("next_to_send", 8, "wide"),
    ("next_to_receive", 8, "wide"),
    ("features", 4, "number"),
]
WELCOME = [
    ("client_nonce", 16, "hex"),
    ("session_id", 4, "hex"),
    ("epoch", 4, "number"),
    ("secret", 32, "hex"),
    ("client_next", 8, "wide"),
    ("server_next", 8, "wide"),
    ("features", 4, "number"),
    ("connection_id", 4, "hex"),
    ("expiry", 8, "time"),
    ("server_time", 8, "time"),
]
RENEWED = [("epoch", 4, "number"), ("secret", 32, "hex"), ("expiry", 8, "time")]
LIMITS = [("payload", 2, "number"), ("rate", 4, "number"), ("idle", 4, "number")]
HELLO_LANES = [("generation", 4, "hex"), ("delay", 1, "number")]
WELCOME_LANES = [("generation", 4, "hex"), ("delay", 1, "number"), ("rate", 4, "number")]
LANE = [
    ("mode", 1, "number"),
    ("priority", 1, "number"),
    ("weight", 1, "number"),
    ("flags_parity", 1, "number"),
    ("largest", 3, "number"),
    ("first_credit", 3, "number"),
    ("age", 4, "number"),
]
LANE_FLAGS = ["input", "insure", "receipts"]
TAG_INPUT = [
    ("version_kind", 1, "number"),
    ("flags_epoch", 1, "number"),
    ("session_id", 4, "hex"),
    ("sequence", 8, "wide"),
    ("body_length", 2, "number"),
]


# Fields, section 2.5.

FIELDS = {
    1: "token",
    2: "ticket",
    3: "platform",
    4: "build",
    5: "scope",
    6: "limits",
    7: "metadata",
    8: "lanes",
    9: "time",
    255: "proof",
}
USES = {  # sections 3.1, 3.2 and 3.5
    "HELLO": {"token", "ticket", "platform", "build", "scope", "metadata", "lanes", "proof"},
    "WELCOME": {"ticket", "limits", "lanes"},
    "RENEWED": {"ticket", "time"},
}
SIZES = {"token": TOKEN, "ticket": TICKET, "metadata": METADATA}


def read_fields(kind, r):
    fields, last = {}, 0
    while r.left():
        typ, size = r.number(1, "a field's type"), r.number(2, "a field's length")
        need(typ > last, f"field {typ} after field {last}")
        need(size >= 1, f"field {typ} has no value")
        last, name = typ, FIELDS.get(typ)
        value = r.take(size, f"field {typ}")
        if name in USES[kind]:
            fields[name] = read_field(kind, name, value)
    return fields


def read_field(kind, name, value):
    if name in SIZES:
        need(len(value) <= SIZES[name], f"{name} of {len(value)} bytes")
        return value.hex()
    if name in ("platform", "build", "scope"):
        return read_text(name, value)
    if name == "proof":
        need(len(value) == 32, f"proof of {len(value)} bytes")
        return value.hex()
    if name == "time":
        need(len(value) == 8, f"time of {len(value)} bytes")
        return read_form("time", value)
    r = Bytes(value, name)
    if name == "limits":
        limits = read_map(LIMITS, r)
        r.end()
        return limits
    return read_hello_lanes(r) if kind == "HELLO" else read_welcome_lanes(r)


def read_text(name, value):
    need(len(value) <= TEXT, f"{name} of {len(value)} bytes")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("malformed", f"{name} is no UTF-8") from None
    need(all(unicodedata.category(c) != "Cc" for c in text), f"{name} has a control character")
    return text


def write_fields(kind, fields):
    out = b""
    for typ, name in FIELDS.items():
        if name not in USES[kind] or name not in fields:
            continue
        value = fields[name]
        if name in ("platform", "build", "scope"):
            value = value.encode()
        elif name == "limits":
            value = write_map(LIMITS, value)
        elif name == "time":
            value = write_form("time", value, 8)
        elif name == "lanes":
            value = write_hello_lanes(value) if kind == "HELLO" else write_welcome_lanes(value)
        else:
            value = bytes.fromhex(value)
        out += struct.pack(">BH", typ, len(value)) + value
    return out


# The field lanes, section 16.2.


def read_hello_lanes(r):
    lanes = read_map(HELLO_LANES, r)
    need(lanes["delay"] >= 1, "lanes: a delay of 0")
    need(r.left() % 4 == 0 and r.left() <= 64, f"lanes: {r.left()} bytes of first credits")
    lanes["first_credits"] = [r.number(4, "a first credit") for _ in range(r.left() // 4)]
    return lanes


def write_hello_lanes(lanes):
    return write_map(HELLO_LANES, lanes) + b"".join(c.to_bytes(4, "big") for c in lanes["first_credits"])


def read_welcome_lanes(r):
    lanes = read_map(WELCOME_LANES, r)
    need(lanes["generation"] != "00000000", "lanes: generation 0")
    need(lanes["delay"] >= 1, "lanes: a delay of 0")
    need(lanes["rate"] >= 1, "lanes: a rate of 0")
    need(r.left() % 14 == 0 and 14 <= r.left() <= 16 * 14, f"lanes: {r.left()} bytes of lanes")
    lanes["lanes"] = [read_lane(r) for _ in range(r.left() // 14)]
    return lanes


def read_lane(r):
    lane = read_map(LANE, r)
    both = lane.pop("flags_parity")
    need(both >> 4 < 8, f"lane: unknown flag in {both:02x}")
    lane["flags"] = [flag for i, flag in enumerate(LANE_FLAGS) if both >> 4 >> i & 1]
    lane["parity"] = both & 15
    mode = lane["mode"]
    need(1 <= mode <= 5, f"lane: mode {mode}")
    need(lane["weight"] >= 1, "lane: weight 0")
    need(lane["parity"] <= (4 if mode <= 2 else 0), f"lane: parity {lane['parity']} in mode {mode}")
    need(lane["largest"] >= 1, "lane: largest message 0")
    need(not lane["parity"] or lane["largest"] <= WITH_PARITY, "lane: too large a message for parity")
    need(mode != 5 or lane["largest"] <= FRAGMENT, "lane: too large a message for mode 5")
    need(mode != 5 or lane["age"] == 0, "lane: an age in mode 5")
    if mode in (3, 4):
        need(lane["first_credit"] >= lane["largest"], "lane: a first credit below the largest message")
    else:
        need(lane["first_credit"] == 0, f"lane: a first credit in mode {mode}")
    return lane


def write_welcome_lanes(lanes):
    out = write_map(WELCOME_LANES, lanes)
    for lane in lanes["lanes"]:
        flags = sum(16 << i for i, flag in enumerate(LANE_FLAGS) if flag in lane["flags"])
        out += write_map(LANE, {**lane, "flags_parity": flags | lane["parity"]})
    return out


# Bodies, section 3.


def read_hello(data):
    r = Bytes(data, "HELLO")
    f = read_map(HELLO, r)
    f.update(read_fields("HELLO", r))
    need("token" in f or "ticket" in f, "HELLO has neither token nor ticket")
    need(bool(f["features"] & LANES) == ("lanes" in f), "the field lanes and feature bit 1 do not agree")
    nexts = int(f["next_to_send"], 16), int(f["next_to_receive"], 16)
    if "ticket" in f:
        need(min(nexts) >= 1, "a next sequence of 0")
        need("proof" in f, "a ticket without a proof")
        need("metadata" not in f, "metadata beside a ticket")
    else:
        need(nexts == (1, 1), "next sequences other than 1 without a ticket")
        need("proof" not in f, "a proof without a ticket")
        need("lanes" not in f or f["lanes"]["generation"] == "00000000", "a generation without a ticket")
    return f


def write_hello(f):
    return write_map(HELLO, f) + write_fields("HELLO", f)


def read_welcome(data):
    r = Bytes(data, "WELCOME")
    f = read_map(WELCOME, r)
    f.update(read_fields("WELCOME", r))
    need(f["session_id"] != "00000000", "session id 0")
    need(f["epoch"] >= 1, "epoch 0")
    need(int(f["client_next"], 16) >= 1 and int(f["server_next"], 16) >= 1, "a next sequence of 0")
    need("limits" in f, "WELCOME has no limits")
    need(bool(f["features"] & LANES) == ("lanes" in f), "the field lanes and feature bit 1 do not agree")
    return f


def write_welcome(f):
    return write_map(WELCOME, f) + write_fields("WELCOME", f)


def read_renew(data):
    need(1 <= len(data) <= TOKEN, f"a token of {len(data)} bytes")
    return {"token": data.hex()}


def read_renewed(data):
    r = Bytes(data, "RENEWED")
    f = read_map(RENEWED, r)
    need(f["epoch"] >= 1, "epoch 0")
    f.update(read_fields("RENEWED", r))
    return f


def read_pong(data):
    r = Bytes(data, "PONG")
    f = {"data": r.take(8, "data").hex()}
    if r.left() in (4, 20):
        f["lost"] = r.number(4, "report")
    if r.left() == 16:
        f["received"], f["sent"] = (read_form("time", r.take(8, "times")) for _ in range(2))
    r.end()
    return f


def write_pong(f):
    out = bytes.fromhex(f["data"])
    if "lost" in f:
        out += f["lost"].to_bytes(4, "big")
    for name in ("received", "sent"):
        out += write_form("time", f[name], 8) if name in f else b""
    return out


def read_ping(data):
    need(len(data) == 8, f"PING of {len(data)} bytes")
    return {"data": data.hex()}


# CLOSE and NOTICE: a code, a time and a detail.
def read_close(data):
    r = Bytes(data, "CLOSE")
    f = {"reason": r.number(1, "reason"), "retry_after": r.number(4, "retry after"), "detail": r.rest().hex()}
    need(f["reason"] != 0, "reason 0")
    need(len(f["detail"]) <= 2 * DETAIL, "a detail of more than 64 bytes")
    return f


def write_close(f):
    return struct.pack(">BI", f["reason"], f["retry_after"]) + bytes.fromhex(f["detail"])


def read_notice(data):
    r = Bytes(data, "NOTICE")
    f = {"code": r.number(1, "code"), "within": r.number(4, "within"), "detail": r.rest().hex()}
    need(f["code"] != 0, "code 0")
    need(len(f["detail"]) <= 2 * DETAIL, "a detail of more than 64 bytes")
    return f


def write_notice(f):
    return struct.pack(">BI", f["code"], f["within"]) + bytes.fromhex(f["detail"])


def read_bearer(data):
    r = Bytes(data, "BEARER")
    size = r.number(2, "token length")
    need(size >= 1, "no token")
    return {"token": r.take(size, "token").hex(), "payload": r.rest().hex()}


def write_bearer(f):
    token = bytes.fromhex(f["token"])
    return struct.pack(">H", len(token)) + token + bytes.fromhex(f["payload"])


BODIES = {  # kind: decode, encode
    "HELLO": (read_hello, write_hello),
    "WELCOME": (read_welcome, write_welcome),
    "DATA": (lambda data: {"payload": data.hex()}, lambda f: bytes.fromhex(f["payload"])),
    "RENEW": (read_renew, lambda f: bytes.fromhex(f["token"])),
    "RENEWED": (read_renewed, lambda f: write_map(RENEWED, f) + write_fields("RENEWED", f)),
    "PING": (read_ping, lambda f: bytes.fromhex(f["data"])),
    "PONG": (read_pong, write_pong),
    "CLOSE": (read_close, write_close),
    "BEARER": (read_bearer, write_bearer),
    "NOTICE": (read_notice, write_notice),
    "FRAMES": (lambda data: {"frames": read_frames(data)}, lambda f: write_frames(f["frames"])),
}
PARTED = {"HELLO", "RENEW"}


def read_envelope(data, before_welcome=False):
    """The envelope of sections 2 and 3. A HELLO or RENEW of one part has its body, another one data.

    Before WELCOME a client reads a CLOSE of any version (2.2).
    """
    f, body = read_header(data, before_welcome)
    return read_body(f, body)


def read_header(data, before_welcome=False):
    """Step 4.3: the header, and the body as bytes."""
    need(HEADER <= len(data) <= HEADER + BODY, f"an envelope of {len(data)} bytes")
    version, code, flags, epoch = data[0] >> 4, data[0] & 15, data[1] >> 2, data[1] & 3
    closes = code < len(KINDS) and KINDS[code] == "CLOSE"
    need(version == VERSION or closes and before_welcome, f"version {version}", "version")
    need(1 <= code < len(KINDS), f"kind {code}")
    need(flags == 0, f"flags {flags:06b}")
    f = {"version": version, "kind": KINDS[code], "epoch_bits": epoch}
    r = Bytes(data, "the envelope")
    r.take(2, "header")
    f.update(read_map(ENVELOPE, r))
    outside = f["kind"] in ("HELLO", "WELCOME") or closes and f["session_id"] == "00000000"
    if outside or f["kind"] == "BEARER":
        need(epoch == 0 and f["tag"] == "0" * 16, "epoch bits or tag where there are none")
    if outside:
        need(f["session_id"] == "00000000" and f["sequence"] == 0, "session id or sequence outside a session")
    return f, r.rest()


def read_body(f, body):
    """Step 4.11: the body of an envelope whose header was read."""
    if f["kind"] in PARTED:
        f["part"], body = read_part(body)
        if len(body) != f["part"]["total"]:
            f["data"] = body.hex()
            return f
    f["body"] = BODIES[f["kind"]][0](body)
    return f


def write_envelope(f):
    body = bytes.fromhex(f["data"]) if "data" in f else BODIES[f["kind"]][1](f["body"])
    if "part" in f:
        body = write_part(f["part"]) + body
    head = bytes([f["version"] << 4 | KINDS.index(f["kind"]), f["epoch_bits"]])
    return head + write_map(ENVELOPE, f) + body


# Parts, section 2.6.


def read_part(data):
    r = Bytes(data, "a part")
    part = {"total": r.number(2, "total"), "offset": r.number(2, "offset")}
    body = r.rest()
    need(1 <= part["total"] <= WHOLE, f"a body of {part['total']} bytes in parts")
    need(part["offset"] % PART == 0 and part["offset"] < part["total"], f"a part at {part['offset']}")
    want = min(PART, part["total"] - part["offset"])
    need(len(body) == want, f"a part of {len(body)} bytes and not {want}")
    return part, body


def write_part(part):
    return struct.pack(">HH", part["total"], part["offset"])


def split(body):
    """The bodies of the envelopes in which a whole body travels."""
    return [
        write_part({"total": len(body), "offset": at}) + body[at : at + PART] for at in range(0, max(1, len(body)), PART)
    ]


class Assembly:
    """Puts one body together, by the rules of section 2.6."""

    def __init__(self):
        self.kind = None

    def take(self, at_ms, kind, data):
        """What the part completes, or None. Raises Refused where a rule drops the part."""
        part, body = read_part(data)
        if self.kind is not None and at_ms - self.began >= 5000:
            self.kind = None  # 3
        if self.kind not in (None, kind):
            self.kind = None  # 5
        if self.kind is None:
            self.kind, self.total, self.parts, self.began = kind, part["total"], {}, at_ms
        if part["total"] != self.total or self.parts.get(part["offset"], body) != body:
            self.kind = None  # 4
            raise Refused("malformed", "the part contradicts another")
        self.parts[part["offset"]] = body
        if sum(map(len, self.parts.values())) < self.total:
            return None
        self.kind = None
        return b"".join(self.parts[at] for at in sorted(self.parts))


# Integers of variable length (RFC 9000, section 16), in their shortest form, and frames, section 16.3.

FRAGMENT, WITH_PARITY, LARGEST = 1088, 34816, (1 << 24) - 1
FRAMES = [None, "ACK", "WHOLE", "FRAGMENT", "LATEST", "SKIP", "CREDIT", "PARITY"]


def read_varint(r, name):
    first = r.number(1, name)
    size = 1 << (first >> 6)
    n = first & 63
    for b in r.take(size - 1, name):
        n = n << 8 | b
    need(size == 1 or n >= 1 << (8 * size // 2 - 2), f"{name} is not in its shortest form")
    return n


def write_varint(n):
    for power, size in enumerate((1, 2, 4, 8)):
        if n < 1 << (8 * size - 2):
            return (n | power << (8 * size - 2)).to_bytes(size, "big")
    raise ValueError(f"{n} has no form of at most 8 bytes")


def fragments(n):
    """How many fragments a message of n bytes has, and how many bytes each but the last: section 16.4."""
    k = (n + FRAGMENT - 1) // FRAGMENT
    return k, (n + k - 1) // k


def read_frames(data, lanes=None):
    """The frames of a body. With the lanes of WELCOME, also whether these allow them."""
    r, out = Bytes(data, "FRAMES"), []
    need(data, "FRAMES without a frame")
    while r.left():
        first = r.number(1, "a frame")
        code, lane = first >> 4, first & 15
        need(1 <= code < len(FRAMES), f"frame of type {code}")
        typ = FRAMES[code]
        if typ == "ACK":
            need(not out, "an ACK that is not first")
            need(lane == 0, "an ACK with a lane")
            out.append(read_ack(r))
            continue
        f = {"type": typ, "lane": lane}
        size = 0
        if typ == "LATEST":
            f["key"] = read_varint(r, "key")
            need(f["key"] < 1 << 32, f"key {f['key']}")
        if typ != "CREDIT":
            f["id"] = read_varint(r, "id")
            need(f["id"] >= (2 if typ == "SKIP" else 1), f"{typ} with id {f['id']}")
        if typ == "FRAGMENT":
            f["index"] = read_varint(r, "index")
        if typ in ("SKIP", "CREDIT"):
            f["bytes"] = read_varint(r, "bytes")
        else:
            f["length"] = read_varint(r, "length")
        if typ in ("WHOLE", "LATEST"):
            need(f["length"] <= FRAGMENT, f"{typ} of {f['length']} bytes")
            size = f["length"]
        if typ == "FRAGMENT":
            need(FRAGMENT < f["length"] <= LARGEST, f"FRAGMENT of a message of {f['length']} bytes")
            k, s = fragments(f["length"])
            need(f["index"] < k, f"fragment {f['index']} of {k}")
            size = min(f["length"], (f["index"] + 1) * s) - f["index"] * s
        if typ == "PARITY":
            need(FRAGMENT < f["length"] <= LARGEST, f"PARITY of a message of {f['length']} bytes")
            f["index"] = read_varint(r, "index")
            need(f["index"] < 4, f"parity frame {f['index']}")
            size = fragments(f["length"])[1]
        if typ not in ("SKIP", "CREDIT"):
            f["data"] = r.take(size, "data").hex()
        if lanes is not None:
            allowed(f, lanes)
        out.append(f)
    return out


def allowed(f, lanes):
    need(f["lane"] < len(lanes), f"lane {f['lane']} of {len(lanes)}")
    lane, typ = lanes[f["lane"]], f["type"]
    modes = {"WHOLE": (1, 2, 3, 4), "FRAGMENT": (1, 2, 3, 4), "LATEST": (5,), "SKIP": (3, 4), "CREDIT": (3, 4)}
    need(lane["mode"] in modes.get(typ, (1, 2)), f"{typ} on a lane of mode {lane['mode']}")
    need(f.get("length", 0) <= lane["largest"], f"a message of {f.get('length')} bytes on a lane of {lane['largest']}")
    need(typ != "PARITY" or f["index"] < lane["parity"], f"parity frame {f.get('index')} on a lane of {lane['parity']}")


def read_ack(r):
    f = {"type": "ACK", "highest": r.number(4, "highest"), "delay": read_varint(r, "delay")}
    further = read_varint(r, "further ranges")
    need(further <= 31, f"{further} further ranges")
    f["first"] = read_varint(r, "first range")
    f["further"] = [{"gap": read_varint(r, "gap"), "length": read_varint(r, "length")} for _ in range(further)]
    return f


def write_frames(frames):
    out = b""
    for f in frames:
        out += bytes([FRAMES.index(f["type"]) << 4 | f.get("lane", 0)])
        if f["type"] == "ACK":
            out += f["highest"].to_bytes(4, "big")
            numbers = [f["delay"], len(f["further"]), f["first"]]
            numbers += [n for g in f["further"] for n in (g["gap"], g["length"])]
        else:
            order = {
                "WHOLE": ("id", "length"),
                "FRAGMENT": ("id", "index", "length"),
                "LATEST": ("key", "id", "length"),
                "SKIP": ("id", "bytes"),
                "CREDIT": ("bytes",),
                "PARITY": ("id", "length", "index"),
            }[f["type"]]
            numbers = [f[name] for name in order]
        out += b"".join(map(write_varint, numbers)) + bytes.fromhex(f.get("data", ""))
    return out


# Numbers, sections 7 and 16.8.


def restore(low, expected, bits=64, higher=True):
    """The number with these low 32 bits nearest to the one expected; of two the higher, or the lower."""
    candidates = [n for n in (low + ((expected >> 32) + i << 32) for i in (-1, 0, 1)) if 0 <= n < 1 << bits]
    return min(candidates, key=lambda n: (abs(n - expected), -n if higher else n))


def acknowledged(ack, highest_sent):
    """The ranges (from, to) that an ACK names, highest first."""
    high = restore(ack["highest"], highest_sent, higher=False)
    low = high - ack["first"]
    out = [(low, high)]
    for g in ack["further"]:
        high = low - g["gap"] - 2
        low = high - g["length"]
        out.append((low, high))
    need(out[-1][0] >= 1, "an ACK that reaches below 1")
    return out


class Window:
    """Section 7.3, as a set: what is slow but plain."""

    def __init__(self, size, highest=0):
        self.size, self.highest, self.seen = size, highest, set()

    def check(self, s):
        need(s > self.highest or self.highest - s < self.size, f"{s} is too old", "replay")
        need(s not in self.seen, f"{s} was seen", "replay")

    def take(self, s):
        self.highest = max(self.highest, s)
        self.seen.add(s)


# Keys and tags, section 6.


def item(x):
    return struct.pack(">H", len(x)) + x


def digest(platform, build, certificate):
    return crypto.sha256(item(b"sallyport v1 fingerprint") + item(platform) + item(build) + item(certificate))


def datagram_key(secret, exporter, direction, binding, session_id, epoch, fingerprint):
    info = b"sallyport v1 datagram" + bytes([direction, binding]) + session_id + struct.pack(">I", epoch) + fingerprint
    return crypto.hkdf(secret, exporter, info, 16)


def tag_input(envelope, sequence):
    """The block of section 6.4 for an envelope as bytes and the whole of its sequence."""
    return envelope[:6] + struct.pack(">QH", sequence, len(envelope) - HEADER)


def tag(key, block):
    return crypto.cmac(key, block)[:8]


EXPORTER_LABEL = b"EXPERIMENTAL-sallyport-v1"


def exporter(hash_name, master_secret, client_random, server_random):
    return crypto.prf(hash_name, master_secret, EXPORTER_LABEL, client_random + server_random, 32)


def resumption_key(secret):
    return crypto.hkdf(secret, b"", b"sallyport v1 resume", 32)


def return_key(resumption):
    return crypto.hkdf(resumption, b"", b"sallyport v1 return", 32)


def return_proof(key, token, random):
    return crypto.hmac_sha256(key, token + random)[:16]


# Proof of address, section 9.10: two datagrams beside DTLS.

RETRY, RETURN = 10, 11


def read_retry(data):
    need(len(data) == 54 and data[0] == RETRY and data[1] == 1, "no RETRY")
    return {"token": data[2:22].hex(), "random": data[22:].hex()}


def write_retry(f):
    return bytes([RETRY, 1]) + bytes.fromhex(f["token"]) + bytes.fromhex(f["random"])


def read_return(data):
    need(len(data) > 24 and data[0] == RETURN and data[1] == 1, "no RETURN")
    n = int.from_bytes(data[22:24], "big")
    f, rest = {"token": data[2:22].hex()}, data[24:]
    if n > 0:
        need(n <= 512 and len(rest) > n + 16, "a ticket of a wrong length")
        f["ticket"], f["proof"], rest = rest[:n].hex(), rest[n : n + 16].hex(), rest[n + 16 :]
    f["records"] = rest.hex()
    return f


def write_return(f):
    ticket = bytes.fromhex(f.get("ticket", ""))
    head = bytes([RETURN, 1]) + bytes.fromhex(f["token"]) + len(ticket).to_bytes(2, "big")
    return head + ticket + bytes.fromhex(f.get("proof", "")) + bytes.fromhex(f["records"])


def token(key, address, seconds, random):
    """A token as this repository's server makes it."""
    host, port = address.rsplit(":", 1)
    ip = ipaddress.ip_address(host.strip("[]"))
    wide = ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed
    stamp = seconds.to_bytes(4, "big")
    return stamp + crypto.hmac_sha256(key, wide + int(port).to_bytes(2, "big") + stamp + random)[:16]


def proof(key, exporter_bytes, hello_before_proof):
    return crypto.hmac_sha256(key, exporter_bytes + hello_before_proof)


# Tickets: docs/fleet.md, section 8.1.

CONTENT = [
    ("version", 1, "number"),
    ("flags", 1, "number"),
    ("binding_mode", 1, "number"),
    ("epoch", 4, "number"),
    ("session_id", 4, "hex"),
    ("expiry", 8, "time"),
    ("client_next", 8, "wide"),
    ("issued", 8, "time"),
    ("session_name", 16, "hex"),
    ("resumption_key", 32, "hex"),
    ("digest", 32, "hex"),
]
NAMES = ["network_prefix", "issuer", "subject", "token_id", "sign_in_id", "key_id", "scope", "identity"]


def read_content(data):
    r = Bytes(data, "the content")
    f = read_map(CONTENT, r)
    need(f["version"] == 2, f"content of version {f['version']}")
    need(f["flags"] < 4, f"flags {f['flags']:08b}")
    need(f["binding_mode"] <= 1, f"binding mode {f['binding_mode']}")
    need(f["epoch"] >= 1, "epoch 0")
    need(f["session_id"] != "00000000", "session id 0")
    need(int(f["client_next"], 16) >= 1, "client next 0")
    for name in NAMES:
        value = r.take(r.number(2, name), name)
        f[name] = value.hex() if name in ("network_prefix", "identity") else value.decode()
    r.end()
    for name in ("issuer", "subject", "token_id"):
        need(f[name], f"an empty {name}")
    prefix = bytes.fromhex(f["network_prefix"])
    need(len(prefix) in (0, 5, 17), f"a network prefix of {len(prefix)} bytes")
    if prefix:
        behind = 8 * len(prefix) - 8 - prefix[-1]
        need(behind >= 0, "a network prefix of too many bits")
        need(int.from_bytes(prefix[:-1], "big") & (1 << behind) - 1 == 0, "a bit behind the network prefix")
    read_identity(bytes.fromhex(f["identity"]))
    return f


def read_identity(data):
    """The items of an identity. They are kept as bytes; this finds those that are malformed."""
    r, items = Bytes(data, "identity"), []
    need(len(data) <= 160, f"an identity of {len(data)} bytes")
    while r.left():
        what = r.number(1, "what")
        need(what in (1, 2, 3), f"item {what}")
        name = r.take(r.number(1, "name"), "name") if what == 3 else b""
        kind = r.number(1, "kind")
        need(kind <= 5, f"value of kind {kind}")
        value = None
        if kind == 1:
            value = r.take(r.number(2, "text"), "text")
        elif kind == 2:
            value = r.take(8, "number")
        elif kind == 5:
            value = [r.take(r.number(2, "text"), "text") for _ in range(r.number(1, "count"))]
        items.append((what, name, kind, value))
    return items


def write_content(f):
    out = write_map(CONTENT, f)
    for name in NAMES:
        out += item(bytes.fromhex(f[name]) if name in ("network_prefix", "identity") else f[name].encode())
    return out


def ticket_key(fleet_key):
    return crypto.hkdf(fleet_key, b"", b"sallyport v1 ticket", 32)


def seal_ticket(fleet_key_id, fleet_key, nonce, content):
    return fleet_key_id + nonce + crypto.seal(ticket_key(fleet_key), nonce, content, fleet_key_id)


def open_ticket(fleet_key_id, fleet_key, ticket):
    need(16 <= len(ticket) <= TICKET, f"a ticket of {len(ticket)} bytes", "ticket")
    need(ticket[:4] == fleet_key_id, "another fleet key", "ticket")
    try:
        return crypto.open_sealed(ticket_key(fleet_key), ticket[4:16], ticket[16:], fleet_key_id)
    except crypto.Forged as error:
        raise Refused("ticket", str(error)) from None


# Records, sections 9.2 and 9.3, and RFC 5288 for what the nonce and the additional data are.

RECORD = [
    ("type", 1, "number"),
    ("version", 2, "hex"),
    ("epoch", 2, "number"),
    ("number", 6, "number"),
    ("length", 2, "number"),
    ("nonce", 8, "hex"),
]


def record_nonce(number, connection_id):
    """The explicit nonce: of DTLS epoch and record number, or of the connection id."""
    if connection_id:
        return bytes.fromhex(connection_id) + struct.pack(">I", number & 0xFFFFFFFF)
    return struct.pack(">H", 1) + number.to_bytes(6, "big")


def _additional(typ, number, size):
    return struct.pack(">H", 1) + number.to_bytes(6, "big") + bytes([typ]) + b"\xfe\xfd" + struct.pack(">H", size)


def write_record(key, iv, f, plaintext):
    sealed = crypto.seal(key, iv + bytes.fromhex(f["nonce"]), plaintext, _additional(f["type"], f["number"], len(plaintext)))
    head = write_map(RECORD, {**f, "version": "fefd", "epoch": 1, "length": 8 + len(sealed)})
    return head + sealed


def read_record(key, iv, data):
    """The header of a datagram's first record and its plaintext; raises Refused as section 9.2 drops it."""
    r = Bytes(data, "the record")
    try:
        f = read_map(RECORD, r)
    except Refused as cut:
        raise Refused("record", cut.why) from None
    need(f["type"] in (21, 22, 23), f"content type {f['type']}", "record")
    need(f["version"] == "fefd", f"version {f['version']}", "record")
    need(f["epoch"] == 1, f"DTLS epoch {f['epoch']}", "record")
    need(f["length"] >= 24 and f["length"] - 8 <= r.left(), f"length {f['length']}", "record")
    sealed = r.take(f["length"] - 8, "ciphertext")
    try:
        plaintext = crypto.open_sealed(
            key, iv + bytes.fromhex(f["nonce"]), sealed, _additional(f["type"], f["number"], len(sealed) - 16)
        )
    except crypto.Forged as error:
        raise Refused("record", str(error)) from None
    return f, plaintext


# The destination of a drain, section 3.10.


LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def destination(detail):
    """Host and port that the detail of a NOTICE of drain names, or None for any other text."""
    found = re.fullmatch(rb"(?s)(.*):([1-9][0-9]{0,4})", detail)
    if not found or int(found[2]) > 65535:
        return None
    host, port = found[1].decode("latin-1"), int(found[2])
    if re.fullmatch(r"[0-9]+(\.[0-9]+){3}", host) or host.startswith("["):
        try:
            if host.startswith("["):
                host = host[1:-1] if host.endswith("]") else ""
                address = ipaddress.IPv6Address(host)
                zone, address = "%" in host, address.ipv4_mapped or address
            else:
                zone, address = False, ipaddress.IPv4Address(host)
        except ValueError:
            return None
        broadcast = str(address) == "255.255.255.255"
        return None if zone or address.is_unspecified or address.is_multicast or broadcast else (host, port)
    labels = host.removesuffix(".").split(".")
    if not all(LABEL.fullmatch(label) for label in labels) or labels[-1][0].isdigit():
        return None
    return host, port
