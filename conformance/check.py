#!/usr/bin/env python3
"""Checks every vector of vectors.json, both ways, with a reader made from PROTOCOL.md alone.

It needs nothing but Python 3.9. README.md, beside it, says what the vectors look like and how to try
an implementation of your own against them.
"""

import argparse
import copy
import json
import os
import re
import sys

import crypto
import messages
import protocol
from protocol import Refused

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKS = {}  # the kind of a group: the function that checks one vector of it


def check(kind):
    def register(function):
        CHECKS[kind] = function
        return function

    return register


class Differs(Exception):
    """A vector and this reader do not agree."""


class Comparison:
    """What is compared of one vector."""

    def __init__(self, group):
        self.group, self.count = group, 0

    def same(self, field, want, got):
        """The vector has want, and this reader makes got."""
        self.count += 1
        if want != got:
            raise Differs(f"{field}: expected {short(want)}, read {short(got)}{where(want, got)}")

    def refuses(self, field, reason, call):
        """The call is refused for this reason."""
        self.count += 1
        try:
            got = call()
        except Refused as refused:
            if refused.reason != reason:
                raise Differs(f"{field}: expected refused as {reason}, read refused as {refused}") from None
            return
        raise Differs(f"{field}: expected refused as {reason}, read {short(got)}")

    def outcome(self, field, want, call):
        """What the call gives, or the reason for which it is refused."""
        try:
            got = call()
        except Refused as refused:
            got = refused.reason
        self.same(field, want, got)


def short(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 160 else f"{text[:120]}... ({len(text)} characters)"


def where(want, got):
    """The place in which two long values differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        names = [name for name in sorted({*want, *got}) if want.get(name) != got.get(name)]
        return f"; they differ in {', '.join(names)}"
    if isinstance(want, str) and isinstance(got, str) and len(want) > 64:
        at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
        return f"; they differ from byte {at // 2}"
    return ""


def raw(v, name):
    return bytes.fromhex(v[name])


# Envelopes, section 15.1.


@check("envelope")
def envelope(c, v):
    c.same("fields", v["fields"], protocol.read_envelope(raw(v, "bytes")))
    if v.get("decode_only"):
        c.same("decode_only", True, v["decode_only"] and protocol.write_envelope(v["fields"]) != raw(v, "bytes"))
    else:
        c.same("bytes", v["bytes"], protocol.write_envelope(v["fields"]).hex())


def refused(c, v, read):
    """Bytes that are refused, and beside them what is allowed instead: so the reason is the rule's."""
    c.refuses("bytes", v["reason"], lambda: read(raw(v, "bytes")))
    if "instead" in v:
        try:
            read(raw(v, "instead"))
        except Refused as error:
            raise Differs(f"instead: expected bytes that are allowed, read refused as {error}") from None
        c.same("instead", True, v["instead"] != v["bytes"])


@check("refused envelope")
def refused_envelope(c, v):
    refused(c, v, protocol.read_envelope)


@check("proof of address")
def proof_of_address(c, v):
    """RETRY and RETURN, section 9.10, the server's token and the ticket's proof."""
    random = raw(v, "hello")[27:59]
    retry = {"token": v["token"], "random": random.hex()}
    c.same("token", v["token"], protocol.token(raw(v, "key"), v["address"], v["time"], random).hex())
    c.same("retry", v["retry"], protocol.write_retry(retry).hex())
    c.same("retry", retry, protocol.read_retry(raw(v, "retry")))
    returned = {"token": v["token"], "records": v["hello"]}
    if "ticket" in v:
        key = protocol.return_key(raw(v, "resumption_key"))
        c.same("return_key", v["return_key"], key.hex())
        c.same("proof", v["proof"], protocol.return_proof(key, raw(v, "token"), random).hex())
        returned.update(ticket=v["ticket"], proof=v["proof"])
    c.same("return", v["return"], protocol.write_return(returned).hex())
    c.same("return", returned, protocol.read_return(raw(v, "return")))


@check("foreign close")
def foreign_close(c, v):
    """A CLOSE of another version, which a client reads before WELCOME and drops after it."""
    c.same("fields", v["fields"], protocol.read_envelope(raw(v, "bytes"), before_welcome=True))
    c.same("bytes", v["bytes"], protocol.write_envelope(v["fields"]).hex())
    c.refuses("bytes", "version", lambda: protocol.read_envelope(raw(v, "bytes")))


@check("parts")
def parts(c, v):
    c.same("parts", v["parts"], [part.hex() for part in protocol.split(raw(v, "whole"))])
    assembly = protocol.Assembly()
    got = [assembly.take(0, "HELLO", bytes.fromhex(part)) for part in reversed(v["parts"])]
    c.same("whole", v["whole"], got[-1] and got[-1].hex())


@check("assembly")
def assembly(c, v):
    a = protocol.Assembly()
    for i, step in enumerate(v["steps"]):

        def take():
            whole = a.take(step["at_ms"], step["kind"], raw(step, "part"))
            return "waits" if whole is None else whole.hex()

        c.outcome(f"steps[{i}].result", step["result"], take)


# Tags and numbers.


@check("tag input")
def tag_input(c, v):
    r = protocol.Bytes(raw(v, "bytes"), "the block")
    c.same("fields", v["fields"], protocol.read_map(protocol.TAG_INPUT, r))
    c.same("bytes", v["bytes"], protocol.write_map(protocol.TAG_INPUT, v["fields"]).hex())
    c.same("of", v["bytes"], protocol.tag_input(raw(v, "envelope"), int(v["fields"]["sequence"], 16)).hex())
    c.same("length", 0, r.left())


@check("number")
def number(c, v):
    expected = int(v["highest"], 16) + 1
    c.same("restored", v["restored"], f"{protocol.restore(int(v['low'], 16), expected):016x}")
    c.same("low", v["low"], v["restored"][8:])


@check("window")
def window(c, v):
    w = protocol.Window(v["size"])
    for i, step in enumerate(v["steps"]):
        s = int(step["sequence"], 16)

        def take():
            w.check(s)
            w.take(s)
            return "accepted"

        c.outcome(f"steps[{i}].result", step["result"], take)


# Keys.


@check("exporter")
def exporter(c, v):
    name = {"c02b": "sha256", "c02f": "sha256", "c02c": "sha384", "c030": "sha384"}[v["suite"]]
    got = protocol.exporter(name, raw(v, "master_secret"), raw(v, "client_random"), raw(v, "server_random"))
    c.same("exporter", v["exporter"], got.hex())


def keys(v):
    fingerprint = protocol.digest(raw(v, "platform"), raw(v, "build"), raw(v, "certificate"))
    made = [
        protocol.datagram_key(
            raw(v, "secret"),
            raw(v, "exporter"),
            direction,
            int(v["binding"], 16),
            raw(v, "session"),
            int(v["epoch"], 16),
            fingerprint,
        )
        for direction in (0, 1)
    ]
    return fingerprint, made


@check("schedule")
def schedule(c, v):
    fingerprint, made = keys(v)
    c.same("binding", v["binding"], "01" if v["exporter"] else "00")
    c.same("digest", v["digest"], fingerprint.hex())
    c.same("client_key", v["client_key"], made[0].hex())
    c.same("server_key", v["server_key"], made[1].hex())
    for i, e in enumerate(v["envelopes"]):
        data, sequence = raw(e, "envelope"), int(e["sequence"], 16)
        key = made[["client", "server"].index(e["from"])]
        f = protocol.read_envelope(data)
        c.same(f"envelopes[{i}].kind", e["kind"], f["kind"])
        c.same(f"envelopes[{i}].sequence", sequence & 0xFFFFFFFF, f["sequence"])
        c.same(f"envelopes[{i}].session", v["session"], f["session_id"])
        c.same(f"envelopes[{i}].epoch", int(v["epoch"], 16) % 4, f["epoch_bits"])
        tag = protocol.tag(key, protocol.tag_input(data, sequence))
        c.same(f"envelopes[{i}].tag", f["tag"], tag.hex())
        c.same(f"envelopes[{i}].envelope", e["envelope"], protocol.write_envelope({**f, "tag": tag.hex()}).hex())


@check("receiving")
def receiving(c, v):
    """A client that has taken WELCOME: section 4.12, steps 4.3, 4.4 and 4.6 to 4.8, in this order."""
    window, current, until = protocol.Window(1024), int(v["epoch"], 16), None
    side = ["client", "server"].index(v["from"])
    known = {current: keys(v)[1][side]}

    def judge(step):
        nonlocal current, until
        data = raw(step, "envelope")
        f, body = protocol.read_header(data)
        protocol.need(f["session_id"] == v["session"], "another session", "session")
        possible = [current] + [e for e in (current + 1,) if e in known]
        if until is not None and step["at_ms"] < until:
            possible.append(current - 1)
        epoch = next((e for e in possible if e % 4 == f["epoch_bits"]), None)
        protocol.need(epoch is not None, "another epoch", "epoch")
        sequence = protocol.restore(f["sequence"], window.highest + 1)
        protocol.need(sequence != 0, "sequence 0", "replay")
        window.check(sequence)
        tag = protocol.tag(known[epoch], protocol.tag_input(data, sequence))
        protocol.need(tag.hex() == f["tag"], "another tag", "tag")
        window.take(sequence)
        if epoch == current + 1:
            current, until = epoch, step["at_ms"] + 5000
        body = protocol.read_body(f, body)["body"]
        if f["kind"] == "RENEWED" and body["epoch"] == current + 1:
            new = {**v, "secret": body["secret"], "epoch": f"{body['epoch']:08x}"}
            known[current + 1] = keys(new)[1][side]
        return f"{sequence:016x}"

    for i, step in enumerate(v["steps"]):
        c.outcome(f"steps[{i}].result", step["result"], lambda step=step: judge(step))


@check("copies")
def copies(c, v):
    """Section 5.5: each copy of a CLOSE is the same body under a number of its own."""
    key = keys(v)[1][["client", "server"].index(v["from"])]
    made, number = [], int(v["first"], 16)
    for i, at in enumerate((0, 100, 300, 700)):
        f = {"version": 1, "kind": "CLOSE", "epoch_bits": int(v["epoch"], 16) % 4, "session_id": v["session"]}
        f.update(sequence=number + i & 0xFFFFFFFF, tag="0" * 16, body=v["body"])
        f["tag"] = protocol.tag(key, protocol.tag_input(protocol.write_envelope(f), number + i)).hex()
        made.append({"at_ms": at, "sequence": f"{number + i:016x}", "envelope": protocol.write_envelope(f).hex()})
    for i, want in enumerate(v["copies"]):
        c.same(f"copies[{i}]", want, made[i])
        c.same(f"copies[{i}].body", v["body"], protocol.read_envelope(raw(want, "envelope"))["body"])
    c.same("copies", len(made), len(v["copies"]))


# Tickets and proofs, section 15.4.


@check("ticket")
def ticket(c, v):
    content = protocol.read_content(raw(v, "content"))
    c.same("fields", v["fields"], content)
    c.same("content", v["content"], protocol.write_content(v["fields"]).hex())
    sealed = protocol.seal_ticket(raw(v, "fleet_key_id"), raw(v, "fleet_key"), raw(v, "nonce"), raw(v, "content"))
    c.same("ticket", v["ticket"], sealed.hex())
    opened = protocol.open_ticket(raw(v, "fleet_key_id"), raw(v, "fleet_key"), raw(v, "ticket"))
    c.same("opened", v["content"], opened.hex())


@check("refused ticket")
def refused_ticket(c, v):
    def read(ticket):
        content = protocol.open_ticket(raw(v, "fleet_key_id"), raw(v, "fleet_key"), ticket)
        try:
            return protocol.read_content(content)
        except Refused as error:  # content that is malformed is a ticket that is refused
            raise Refused("ticket", error.why) from None

    refused(c, v, read)


@check("proof")
def proof(c, v):
    key = protocol.resumption_key(raw(v, "secret"))
    c.same("resumption_key", v["resumption_key"], key.hex())
    made = protocol.proof(key, raw(v, "exporter"), raw(v, "hello"))
    c.same("proof", v["proof"], made.hex())
    # The proof field ends the HELLO, which is read and written as a whole.
    f = protocol.read_hello(raw(v, "hello") + b"\xff\x00\x20" + made)
    c.same("hello", v["hello"], protocol.write_hello(f)[:-35].hex())
    c.same("binding", int(v["binding"], 16), f["binding_mode"])
    c.same("exporter", bool(v["exporter"]), f["binding_mode"] == 1)
    c.same("body", v["body"], protocol.write_hello(f).hex())


@check("refused proof")
def refused_proof(c, v):
    for what, w in (("refused", v), ("instead", v["instead"])):
        body = raw(w, "hello")
        c.same(f"{what}: form", w["hello"], protocol.write_hello(protocol.read_hello(body)).hex())
        made = protocol.proof(protocol.resumption_key(raw(w, "secret")), raw(w, "exporter"), body[:-35])
        c.same(f"{what}: reason", w.get("reason"), "ticket" if made != body[-32:] else None)


# Records, section 9.2.


@check("record")
def record(c, v):
    f, plaintext = protocol.read_record(raw(v, "key"), raw(v, "iv"), raw(v, "record"))
    c.same("plaintext", v["plaintext"], plaintext.hex())
    c.same("type", v["type"], f["type"])
    c.same("number", v["number"], f["number"])
    nonce = protocol.record_nonce(v["number"], v["connection_id"]).hex()
    c.same("nonce", f["nonce"], nonce)
    f = {"type": v["type"], "number": v["number"], "nonce": nonce}
    c.same("record", v["record"], protocol.write_record(raw(v, "key"), raw(v, "iv"), f, raw(v, "plaintext")).hex())


@check("refused record")
def refused_record(c, v):
    refused(c, v, lambda record: protocol.read_record(raw(v, "key"), raw(v, "iv"), record))


# Frames, section 15.5.


@check("frames")
def frames(c, v):
    c.same("fields", v["fields"], protocol.read_frames(raw(v, "bytes")))
    c.same("bytes", v["bytes"], protocol.write_frames(v["fields"]).hex())


@check("refused frames")
def refused_frames(c, v):
    lanes = None
    if "lanes" in v:
        lanes = lane_table(c, v, "lanes")["lanes"]
        protocol.read_frames(raw(v, "bytes"))  # what is wrong with it is between it and the lanes
    refused(c, v, lambda body: protocol.read_frames(body, lanes))


# Messages, section 15.6.


@check("parity")
def parity(c, v):
    message = raw(v, "message")
    cut = messages.cut(message)
    c.same("fragments", v["fragments"], [part.hex() for part in cut])
    made = [messages.parity_frame(message, i) for i in range(len(v["parity"]))]
    c.same("parity", v["parity"], [part.hex() for part in made])
    # Any k parts give the message: without the first fragments, and without the last.
    k, n = len(cut), len(made)
    parts = dict(enumerate([bytes.fromhex(part) for part in v["fragments"] + v["parity"]]))
    for lost in (range(n), range(k - min(n, k), k)):
        some = {at: part for at, part in parts.items() if at not in lost}
        c.same("restored", v["message"], messages.join(len(message), some).hex())


@check("acknowledgement")
def acknowledgement(c, v):
    ack = protocol.read_frames(raw(v, "body"))
    c.same("frames", 1, len(ack))
    c.same("body", v["body"], protocol.write_frames(ack).hex())
    c.same("delay_us", v["delay_us"] // 64, ack[0]["delay"])
    highest = max(v["arrived"])
    named = {n for low, high in protocol.acknowledged(ack[0], highest) for n in range(low, high + 1)}
    c.same("arrived", sorted(v["arrived"]), sorted(named))


@check("judged acknowledgement")
def judged_acknowledgement(c, v):
    def judge():
        named = protocol.acknowledged(protocol.read_frames(raw(v, "body"))[0], v["highest_sent"])
        lies = [n for n in v["left_out"] if n >= v["base"] and any(low <= n <= high for low, high in named)]
        protocol.need(not lies and named[0][1] <= v["highest_sent"], "a lie", "lanes")
        return [[max(low, v["base"]), high] for low, high in named if high >= v["base"]]

    c.outcome("result", v["result"], judge)


def lane_table(c, v, name, hello=False):
    """The field lanes of HELLO or WELCOME, both ways."""
    r = protocol.Bytes(raw(v, name), name)
    read, write = (
        (protocol.read_hello_lanes, protocol.write_hello_lanes)
        if hello
        else (protocol.read_welcome_lanes, protocol.write_welcome_lanes)
    )
    table = read(r)
    c.same(f"{name}_fields", v[f"{name}_fields"], table)
    c.same(name, v[name], write(v[f"{name}_fields"]).hex())
    return table


@check("packing")
def packing(c, v):
    table = lane_table(c, v, "lanes")
    lanes = table["lanes"]
    receiver = messages.Receiver(lanes, messages.first_credits(table))
    got, ids, arrived = [], {}, []
    for i, body in enumerate(v["bodies"]):
        read = protocol.read_frames(bytes.fromhex(body), lanes)
        c.same(f"bodies[{i}]", body, protocol.write_frames(read).hex())
        for f in read:
            if f["type"] == "ACK":
                for low, high in protocol.acknowledged(f, max(v["arrived"])):
                    arrived += range(low, high + 1)
            elif f["type"] == "PARITY":
                message = next(m for m in v["messages"] if len(m["data"]) == 2 * f["length"])
                c.same(f"bodies[{i}].parity", f["data"], messages.parity_frame(raw(message, "data"), f["index"]).hex())
        delivered, _ = receiver.take(i + 1, read)
        got += delivered
    c.same("arrived", v["arrived"], sorted(arrived))
    want = []
    for m in v["messages"]:
        ids[m["lane"]] = ids.get(m["lane"], 0) + 1
        name = {"key": m["key"]} if "key" in m else {"id": ids[m["lane"]]}
        want.append({"lane": m["lane"], **name, "data": m["data"]})
    order = lambda all: sorted(all, key=json.dumps)
    c.same("messages", order(want), order(got))


class End:
    """One end of an exchange."""

    def __init__(self, lanes, credits):
        self.receiver, self.sender = messages.Receiver(lanes, credits), messages.Sender(lanes)
        self.lanes, self.credits = lanes, credits
        self.owed = []  # what it has to deliver before it takes another datagram
        self.game = {}  # (lane, id): data
        self.values = {}  # lane: all (key, data)
        self.left_out, self.number, self.given = set(), 0, [0] * len(lanes)
        self.came = {}  # number: when it was taken


@check("exchange")
def exchange(c, v):
    hello, welcome = lane_table(c, v, "hello", hello=True), lane_table(c, v, "welcome")
    lanes, now = welcome["lanes"], 0
    ends = {
        "client": End(lanes, messages.first_credits(welcome, hello)),
        "server": End(lanes, messages.first_credits(welcome)),
    }
    way = {}  # (from, number): frames and whether they are lost
    for i, s in enumerate(v["steps"]):
        at, what, end = f"steps[{i}]", s["what"], ends[s["end"]]
        c.same(f"{at}.at_us", True, s["at_us"] >= now)
        now = s["at_us"]
        if what == "message":
            c.same(f"{at}.id", len([1 for lane, _ in end.game if lane == s["lane"]]) + 1, s["id"])
            end.game[s["lane"], s["id"]] = s["data"]
        elif what == "value":
            end.values.setdefault(s["lane"], []).append((s["key"], s["data"]))
        elif what == "leaves out":
            c.same(f"{at}.sequence", end.number + 1, s["sequence"])
            end.left_out.add(s["sequence"])
            end.number += 1
        elif what in ("sends", "loses"):
            c.same(f"{at}.sequence", end.number + 1, s["sequence"])
            end.number += 1
            read = protocol.read_frames(raw(s, "body"), lanes)
            c.same(f"{at}.body", s["body"], protocol.write_frames(read).hex())
            for f in read:
                sent(c, at, end, f, now)
            end.sender.sends(s["sequence"], read)
            way[s["end"], s["sequence"]] = read, what == "loses"
        elif what in ("takes", "refuses"):
            c.same(f"{at}: delivered before", [], end.owed)
            other = "server" if s["end"] == "client" else "client"
            read, lost = way.pop((other, s["sequence"]))
            c.same(f"{at}: lost", False, lost)
            if read[0]["type"] == "ACK":
                end.sender.acknowledged(read[0])
                named = protocol.acknowledged(read[0], end.number)
                c.same(f"{at}: lies", [], [n for n in end.left_out if any(a <= n <= b for a, b in named)])
            end.owed, taken = end.receiver.take(s["sequence"], read)
            c.same(f"{at}.what", what, "takes" if taken else "refuses")
            end.came[s["sequence"]] = now
        elif what == "delivers":
            want = {name: s[name] for name in ("lane", "id", "key", "data") if name in s}
            c.same(at, want, end.owed[0] if end.owed else None)
            end.owed.pop(0)
            end.given[s["lane"]] += len(s["data"]) // 2
            peer = ends["server" if s["end"] == "client" else "client"]
            if "key" in s:
                c.same(f"{at}.data", True, (s["key"], s["data"]) in peer.values[s["lane"]])
            else:
                c.same(f"{at}.data", peer.game[s["lane"], s["id"]], s["data"])
        elif what == "receipt":
            c.same(f"{at}.arrived", s["arrived"], end.sender.has_arrived(s["lane"], s["id"]))
        else:
            raise Differs(f"{at}.what: {what} is not known")
    for name, end in ends.items():
        c.same(f"{name}: delivered at the end", [], end.owed)
    c.same("steps: what was neither taken nor lost", [], [key for key, (_, lost) in way.items() if not lost])


def sent(c, at, end, f, now):
    """What an end sends is true of what it has, and of what its game has given it."""
    typ, lane = f["type"], f.get("lane")
    if typ == "ACK":
        highest = protocol.restore(f["highest"], end.receiver.highest, higher=False)
        c.same(f"{at}.delay", (now - end.came[highest]) // 64, f["delay"])
        for low, high in protocol.acknowledged(f, end.receiver.highest):
            c.same(f"{at}: acknowledged", [], [n for n in range(low, high + 1) if n not in end.receiver.taken])
    elif typ == "CREDIT":
        c.same(f"{at}.credit", end.credits[lane] + end.given[lane], f["bytes"])
    elif typ == "LATEST":
        c.same(f"{at}.value", True, (f["key"], f["data"]) in end.values[lane])
    elif typ == "SKIP":
        c.same(f"{at}.skip", True, (lane, f["id"] - 1) in end.game)
    else:
        message = bytes.fromhex(end.game[lane, f["id"]])
        c.same(f"{at}.length", len(message), f["length"])
        want = message
        if typ == "FRAGMENT":
            want = messages.cut(message)[f["index"]]
        elif typ == "PARITY":
            want = messages.parity_frame(message, f["index"])
        c.same(f"{at}.data", want.hex(), f["data"])


@check("taking")
def taking(c, v):
    """Section 16.5 and 16.6: what each body does to a receiver."""
    table = lane_table(c, v, "lanes")
    receiver = messages.Receiver(table["lanes"], messages.first_credits(table))
    for i, step in enumerate(v["steps"]):
        delivered = []

        def take():
            got, taken = receiver.take(i + 1, protocol.read_frames(raw(step, "body"), table["lanes"]))
            delivered.extend(got)
            return "taken" if taken else "refused"

        c.outcome(f"steps[{i}].result", step["result"], take)
        c.same(f"steps[{i}].delivers", step.get("delivers", []), delivered)


# The detail of a NOTICE of drain, section 3.10.


@check("destination")
def destination(c, v):
    got = protocol.destination(raw(v, "detail"))
    c.same("destination", v["destination"], got and {"host": got[0], "port": got[1]})


# The run.


def each(data):
    for group in data["groups"]:
        for v in group["vectors"]:
            yield group, v


def try_vector(group, v):
    """The number of comparisons of one vector, or why it fails."""
    c = Comparison(group)
    if group["kind"] not in CHECKS:
        return 0, f"the kind {group['kind']} is not known to this reader"
    try:
        CHECKS[group["kind"]](c, v)
        rule(c, v)
    except Differs as differs:
        return c.count, str(differs)
    except Refused as refused:
        return c.count, f"expected bytes that are allowed, read refused as {refused}"
    except KeyError as missing:
        return c.count, f"{missing}: expected a field, read none"
    except (ValueError, IndexError, TypeError, OverflowError, StopIteration, crypto.Forged) as error:
        return c.count, f"expected a vector of kind {group['kind']}, read {type(error).__name__}: {error}"
    return c.count, None if c.count else "nothing of it was compared"


DOCUMENTS = {}


def section_of(document, number):
    """The text of a section of a document in this repository, in one line; None without the document."""
    if document not in DOCUMENTS:
        path = os.path.join(HERE, "..", document)
        text = open(path, encoding="utf-8").read() if os.path.exists(path) else None
        DOCUMENTS[document] = text
    text = DOCUMENTS[document]
    if text is None:
        return None
    found = re.search(rf"(?ms)^#+ {re.escape(number)} .*?(?=^##+ |\Z)", text)
    if not found:
        raise Differs(f"{document} has no section {number}")
    return " ".join(found.group().replace("*", "").replace("`", "").split())


def rule(c, v):
    """The rule that a vector breaks stands where it says: "3.8: reason, never 0"."""
    if "rule" not in v:
        return
    document, number, words = re.fullmatch(r"(?:(docs/fleet\.md) )?([0-9.]+): (.*)", v["rule"]).groups()
    text = section_of(document or "PROTOCOL.md", number)
    if text is not None:
        c.same("rule", True, words in text)


def run(data, only, out):
    """Prints the table, and the failures below it. Reports whether everything passed."""
    failures, rows = [], []
    if not only or "crypto" in only:
        results = list(crypto.known_answers())
        bad = [f"crypto/{name}: expected {want}, read {got}" for name, want, got in results if want != got]
        failures += bad
        rows.append(("-", "cryptography of RFCs and NIST", len(results), len(results), len(results) - len(bad)))
    names = set()
    for group in data["groups"]:
        if only and not any(o in (group["name"], group["section"]) for o in only):
            continue
        passed = compared = 0
        for v in group["vectors"]:
            name = f"{group['name']}/{v['name']}"
            count, failure = try_vector(group, v)
            if name in names:
                failure = "expected a name of its own, read one that another vector has"
            names.add(name)
            compared += count
            passed += failure is None
            if failure:
                failures.append(f"{name}: {failure}")
        rows.append((group["section"], group["name"], len(group["vectors"]), compared, passed))
    print(f"{'section':9} {'group':34} {'vectors':>8} {'checks':>7} {'passed':>7}", file=out)
    for row in rows:
        print(f"{row[0]:9} {row[1]:34} {row[2]:8} {row[3]:7} {row[4]:7}", file=out)
    sums = [sum(row[i] for row in rows) for i in (2, 3, 4)]
    print(f"{'':9} {'all':34} {sums[0]:8} {sums[1]:7} {sums[2]:7}", file=out)
    for failure in failures[:50]:
        print(f"FAIL {failure}", file=out)
    if len(failures) > 50:
        print(f"FAIL {len(failures) - 50} more", file=out)
    if not names and not rows:
        print("FAIL no group has this name or section", file=out)
        return False
    return not failures


# What has no effect on what is compared: names, and times that are there to read.
FREE = {"name", "comment", "exchange.steps.at_us"}

# What goes into a verdict that may stay the same, as a bound that is far away: of these a change has to
# be noticed in one vector of the group, and not in each.
BOUNDS = {
    "judged acknowledgement.base",
    "judged acknowledgement.highest_sent",
    "judged acknowledgement.left_out",
    "judged acknowledgement.body",
    "taking.steps.body",
    "assembly.steps.at_ms",
    "assembly.steps.kind",
    "assembly.steps.part",
    "receiving.steps.at_ms",
    "receiving.steps.envelope",
    "window.size",
    "window.steps.sequence",
}


def mutated(v, path, value):
    """Another value of the same type. In place of bytes that are refused, those that are allowed."""
    if isinstance(v.get("instead"), dict) and path[0] in v["instead"]:
        return v["instead"][path[0]]
    if path[0] == "bytes" and "instead" in v:
        return v["instead"]
    if path == ("instead",):
        return v["bytes"]
    if path[0] == "detail" and v["destination"] is None:
        return b"pod:7777".hex()
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 64
    if value and re.fullmatch(r"[0-9a-f]+", value):
        at = 0 if path[-1] == "body" else len(value) // 4
        return value[:at] + ("1" if value[at] == "0" else "0") + value[at + 1 :]
    return value + "00" if value == "" else value[:-1] + ("x" if value[-1] != "x" else "y")


def leaves(value, path=()):
    if isinstance(value, dict):
        for name, v in value.items():
            yield from leaves(v, path + (name,))
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from leaves(v, path + (i,))
    elif value is not None:
        yield path, value


def mutate(data, out):
    """Changes one value after the other: each change has to make its vector fail."""
    tried, survived, bounds = 0, [], {}
    for group, v in each(data):
        kept = {}
        for path, value in leaves(v):
            named = ".".join(p for p in path if isinstance(p, str))
            if named in FREE or f"{group['kind']}.{named}" in FREE:
                continue
            # Of long lists, whose entries are alike, two of each form.
            form = named, path[0] == "steps" and v["steps"][path[1]].get("what")
            bound = f"{group['kind']}.{named}" in BOUNDS
            if kept.setdefault(form, 0) >= (12 if bound else 2):
                continue
            kept[form] += 1
            other = copy.deepcopy(v)
            at = other
            for p in path[:-1]:
                at = at[p]
            at[path[-1]] = mutated(v, path, value)
            if other == v:  # not what this vector is about
                continue
            tried += 1
            noticed = try_vector(group, other)[1] is not None
            if bound:
                bounds[group["name"], named] = noticed or bounds.get((group["name"], named), False)
            elif not noticed:
                survived.append(f"{group['name']}/{v['name']}: {'.'.join(map(str, path))}")
    survived += [f"{group}: {named}" for (group, named), noticed in bounds.items() if not noticed]
    print(f"{tried} changes, {len(survived)} of them not noticed", file=out)
    for s in survived:
        print(f"FAIL {s}", file=out)
    return not survived


def judge(lines, out):
    """Reads lines of a kind and hex, and says what this reader makes of each."""
    readers = {
        "envelope": lambda b: protocol.write_envelope(protocol.read_envelope(b)),
        "frames": lambda b: protocol.write_frames(protocol.read_frames(b)),
        "hello": lambda b: protocol.write_hello(protocol.read_hello(b)),
        "content": lambda b: protocol.write_content(protocol.read_content(b)),
        "destination": lambda b: json.dumps(protocol.destination(b)).encode(),
    }
    for line in lines:
        kind, _, digits = line.strip().partition(" ")
        try:
            print("ok", readers[kind](bytes.fromhex(digits)).hex(), file=out)
        except Refused as refused:
            print(refused.reason, refused.why, file=out)


def main():
    p = argparse.ArgumentParser(
        description="Checks the test vectors of the Sallyport protocol, both ways, with a reader made from PROTOCOL.md.",
        epilog="Exits with 0 if every vector passed, 1 if one failed, 2 if the file or the arguments are no good.",
    )
    p.add_argument("--against", metavar="FILE", help="check this file, of the same form, and not vectors.json; - is standard input")
    p.add_argument("--only", metavar="NAME", action="append", help="only the groups of this name or section, as 15.3; more than once is well")
    p.add_argument("--emit", action="store_true", help="print one vector a line, with its group, and check nothing")
    p.add_argument("--mutate", action="store_true", help="change each value in turn: the check has to fail each time")
    p.add_argument(
        "--judge",
        action="store_true",
        help="read lines of a kind (envelope, frames, hello, content, destination) and hex; "
        "print ok and what the reader writes again, or the reason of a refusal, for each",
    )
    args = p.parse_args()
    if args.judge:
        judge(sys.stdin, sys.stdout)
        return 0
    try:
        if args.against == "-":
            data = json.load(sys.stdin)
        else:
            with open(args.against or os.path.join(HERE, "vectors.json"), encoding="utf-8") as f:
                data = json.load(f)
        groups = [(g["name"], g["section"], g["kind"], [v["name"] for v in g["vectors"]]) for g in data["groups"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{args.against or 'vectors.json'} is no file of vectors: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if args.emit:
        for group, v in each(data):
            if not args.only or {group["name"], group["section"]} & set(args.only):
                print(json.dumps({"section": group["section"], "group": group["name"], "kind": group["kind"], **{("vector_kind" if k == "kind" else k): x for k, x in v.items()}}))
        return 0
    if args.mutate:
        return 0 if groups and mutate(data, sys.stdout) else 1
    return 0 if groups and run(data, args.only, sys.stdout) else 1


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)
