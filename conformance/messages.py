"""Messages on lanes, PROTOCOL.md section 16: fragments, parity, and what a receiver does with frames."""

import protocol
from protocol import Refused, fragments, need

# GF(2^8) modulo 0x11d, section 16.4.

EXP, LOG = [0] * 510, [0] * 256
_x = 1
for _i in range(255):
    EXP[_i] = EXP[_i + 255] = _x
    LOG[_x] = _i
    _x = _x << 1 ^ (0x11D if _x & 0x80 else 0)


def times(a, b):
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def inverse(a):
    return EXP[255 - LOG[a]]


def scaled(data, factor):
    """Each byte times a factor."""
    return data.translate(bytes(times(factor, b) for b in range(256)))


def added(a, b):
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")


def cut(message):
    """The fragments of a message of more than 1,088 bytes."""
    k, s = fragments(len(message))
    return [message[i * s : (i + 1) * s] for i in range(k)]


def parity_frame(message, i):
    k, s = fragments(len(message))
    out = bytes(s)
    for j, fragment in enumerate(cut(message)):
        out = added(out, scaled(fragment.ljust(s, b"\0"), inverse((k + i) ^ j)))
    return out


def join(n, parts):
    """The message of n bytes of any k parts: fragment j under j, parity frame i under k + i."""
    k, s = fragments(n)
    chosen = sorted(parts)[:k]
    rows = []
    for at in chosen:
        factors = [int(at == j) for j in range(k)] if at < k else [inverse(at ^ j) for j in range(k)]
        rows.append((factors, parts[at].ljust(s, b"\0")))
    for column in range(k):  # Gauss
        pivot = next(i for i in range(column, k) if rows[i][0][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        f = inverse(rows[column][0][column])
        rows[column] = [times(f, x) for x in rows[column][0]], scaled(rows[column][1], f)
        for i in range(k):
            f = rows[i][0][column]
            if i != column and f:
                factors = [a ^ times(f, b) for a, b in zip(rows[i][0], rows[column][0])]
                rows[i] = factors, added(rows[i][1], scaled(rows[column][1], f))
    return b"".join(data for _, data in rows)[:n]


# Receiving, sections 16.5 and 16.6. The game takes each message as soon as it is delivered.

UNREASSEMBLED, TOGETHER, SPAN, KEYS = 4, 262144, 1024, 2048


class TooLate(Exception):
    """A frame is refused: the datagram is not acknowledged, and its other frames take effect."""


class Partial:
    """A message that is put together."""

    def __init__(self, length):
        self.length, self.parts = length, {}

    def add(self, f):
        need(f["length"] == self.length, "another length for the same id")
        data = bytes.fromhex(f["data"])
        if self.length <= protocol.FRAGMENT:
            self.parts[0] = data
        else:
            at = f["index"] + (fragments(self.length)[0] if f["type"] == "PARITY" else 0)
            self.parts[at] = data

    def message(self):
        if self.length <= protocol.FRAGMENT:
            return self.parts[0]
        if len(self.parts) < fragments(self.length)[0]:
            return None
        return join(self.length, self.parts)


class Unreliable:
    """Modes 1 and 2."""

    def __init__(self, lane):
        self.lane, self.highest = lane, 0
        self.delivered, self.gone, self.partial = set(), set(), {}

    def frame(self, f):
        i = f["id"]
        if self.highest - i >= SPAN:
            raise TooLate(f"id {i} after {self.highest}")
        if i in self.delivered:
            return []
        if self.lane["mode"] == 2 and i < self.highest or i in self.gone:
            raise TooLate(f"id {i} after {self.highest}")
        partial = self.partial.setdefault(i, Partial(f["length"]))
        partial.add(f)
        message = partial.message()
        if message is None:
            if len(self.partial) > UNREASSEMBLED:
                oldest = min(self.partial)
                del self.partial[oldest]
                self.gone.add(oldest)
                if oldest == i:
                    raise TooLate(f"id {i} gives way")
            return []
        del self.partial[i]
        self.delivered.add(i)
        self.highest = max(self.highest, i)
        if self.lane["mode"] == 2:
            for other in [o for o in self.partial if o < i]:
                del self.partial[other]
        return [{"id": i, "data": message.hex()}]


class Reliable:
    """Modes 3 and 4."""

    def __init__(self, lane, credit):
        self.lane, self.credit, self.begun = lane, credit, 0
        self.oldest, self.partial, self.waiting, self.done = 1, {}, {}, set()

    def frame(self, f):
        if f["type"] == "SKIP":
            return self.skip(f["id"], f["bytes"])
        i = f["id"]
        if i < self.oldest or i in self.done or i in self.waiting:
            return []
        need(i - self.oldest < SPAN, f"id {i} is beyond the span of {self.oldest}", "lanes")
        if i not in self.partial:
            need(self.begun + f["length"] <= self.credit, f"a message beyond the credit of {self.credit}", "lanes")
            self.begun += f["length"]
            self.partial[i] = Partial(f["length"])
        self.partial[i].add(f)
        message = self.partial[i].message()
        if message is None:
            return []
        del self.partial[i]
        if self.lane["mode"] == 3:
            self.done.add(i)
            return self.settle([(i, message)])
        self.waiting[i] = message
        return self.settle([])

    def settle(self, out):
        while self.oldest in self.done or self.oldest in self.waiting:
            if self.oldest in self.waiting:
                out.append((self.oldest, self.waiting.pop(self.oldest)))
            self.done.discard(self.oldest)
            self.oldest += 1
        for _, message in out:
            self.credit += len(message)
        return [{"id": i, "data": message.hex()} for i, message in out]

    def skip(self, i, total):
        if i <= self.oldest:
            return []
        above = sum(p.length for j, p in self.partial.items() if j >= i)
        above += sum(len(m) for j, m in self.waiting.items() if j >= i)
        # Of what mode 3 has delivered above the id the lengths are not kept here: such vectors have none.
        below = self.begun - above
        need(total >= below, f"a SKIP of {total} bytes, and {below} were begun")
        need(total + above <= self.credit, f"a SKIP beyond the credit of {self.credit}", "lanes")
        out = [(j, self.waiting.pop(j)) for j in sorted(self.waiting) if j < i]
        unfinished = sum(p.length for j, p in self.partial.items() if j < i) + total - below
        self.partial = {j: p for j, p in self.partial.items() if j >= i}
        self.done = {j for j in self.done if j >= i}
        self.begun, self.oldest = total + above, i
        self.credit += unfinished
        return self.settle(out)


class Latest:
    """Mode 5."""

    def __init__(self):
        self.ids, self.newest = {}, 0

    def frame(self, f):
        key, i = f["key"], f["id"]
        if self.newest - i > SPAN or key not in self.ids and len(self.ids) >= KEYS:
            raise TooLate(f"id {i} of key {key}, and the newest is {self.newest}")
        if i <= self.ids.get(key, 0):
            return []
        self.ids[key], self.newest = i, max(self.newest, i)
        return [{"key": key, "data": f["data"]}]


class Receiver:
    """One end's lanes, for what comes to it."""

    def __init__(self, lanes, credits):
        self.lanes, self.highest, self.taken = lanes, 0, set()
        self.state = []
        for lane, credit in zip(lanes, credits):
            if lane["mode"] <= 2:
                self.state.append(Unreliable(lane))
            else:
                self.state.append(Latest() if lane["mode"] == 5 else Reliable(lane, credit))

    def take(self, sequence, frames):
        """What a datagram delivers, and whether it may be acknowledged."""
        delivered, refused = [], self.highest - sequence >= 1024
        if refused:
            return [], False
        for f in frames:
            if f["type"] in ("ACK", "CREDIT"):
                continue
            try:
                delivered += [{"lane": f["lane"], **m} for m in self.state[f["lane"]].frame(f)]
            except TooLate:
                refused = True
        if not refused:
            self.highest = max(self.highest, sequence)
            self.taken.add(sequence)
        return delivered, not refused


def first_credits(welcome, hello=None):
    """The first credit of each lane: of the client's messages, or with HELLO's lanes of the server's."""
    out = []
    for i, lane in enumerate(welcome["lanes"]):
        credit = lane["first_credit"]
        if hello and i < len(hello["first_credits"]):
            credit = hello["first_credits"][i] or credit
        out.append(min(max(credit, lane["largest"]), protocol.LARGEST))
    return out


class Sender:
    """What one end has sent, to tell which messages have arrived."""

    def __init__(self, lanes):
        self.lanes, self.datagrams, self.arrived = lanes, {}, {}

    def sends(self, sequence, frames):
        self.datagrams[sequence] = frames

    def acknowledged(self, ack):
        for low, high in protocol.acknowledged(ack, max(self.datagrams)):
            for sequence in range(low, high + 1):
                need(sequence in self.datagrams, f"an ACK of {sequence}, which was not sent", "lanes")
                for f in self.datagrams[sequence]:
                    if f["type"] in ("WHOLE", "FRAGMENT", "PARITY"):
                        k = 1 if f["type"] == "WHOLE" else fragments(f["length"])[0]
                        at = f.get("index", 0) + (k if f["type"] == "PARITY" else 0)
                        self.arrived.setdefault((f["lane"], f["id"]), (k, set()))[1].add(at)

    def has_arrived(self, lane, i):
        k, parts = self.arrived.get((lane, i), (1, set()))
        if self.lanes[lane]["mode"] <= 2:
            return len(parts) >= k
        return len([p for p in parts if p < k]) == k


__all__ = ["Receiver", "Refused", "Sender", "cut", "first_credits", "join", "parity_frame"]
