"""The arena of examples/client, behind sallyport-sidecar. docs/sidecar.md has the bytes."""
import contextlib, math, random, socket, struct, sys, time

HEADER, SIDE, RATE = struct.Struct(">BBBBIIIII"), 65535, 60
ALIVE, JOINED, DATA, LEFT, NEWS, PICKUPS, LEVEL, PAYLOAD = 1, 2, 3, 4, 0, 2, 5, 255
own, sidecar = (a.split(":") for a in (sys.argv[1:] + ["127.0.0.1:7778", "127.0.0.1:7779"])[:2])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((own[0], int(own[1])))
sock.connect((sidecar[0], int(sidecar[1])))  # nobody else is heard
run, match = random.randrange(1, 1 << 32), random.randrange(1, 1 << 32)
peer, seen, joined, tick, players = 0, 0, 0, 0, {}
level = bytes((i * i >> 3) & 255 for i in range(8, 50_000))
stamp = lambda: struct.pack(">Q", time.time_ns() // 1000)
def send(kind, handle=0, lane=0, body=b""):
    with contextlib.suppress(OSError):  # the sidecar is away
        sock.send(HEADER.pack(1, kind, lane, 0, run, peer, handle, seen, 0) + body)
def hear(datagram):
    global peer, seen, joined
    _, kind, lane, _, its_run, its_peer, handle, number, _ = HEADER.unpack_from(datagram)
    body, p = datagram[HEADER.size:], players.get(handle)
    if its_run != peer:  # another sidecar, or we have missed something: it tells us again who plays
        peer, seen = its_run, 0
        players.clear()
    if its_peer != run or number and number != seen + 1:
        return send(ALIVE)  # not for us, or repeated, or too early
    seen = number or seen
    if kind == JOINED:
        joined += 1
        players[handle] = {"n": joined, "x": SIDE / 2, "y": SIDE / 2, "got": 0, "input": (0, 0, 0, 0)}
        if not lane & 2:  # else it has it
            send(DATA, handle, LEVEL, stamp() + level)
    elif kind == LEFT:
        players.pop(handle, None)
    elif kind == DATA and p and lane == PICKUPS:
        send(DATA, handle, PICKUPS, body)
    elif kind == DATA and p and lane == PAYLOAD:
        p["got"] += 1
        if len(body) >= 16 and struct.unpack_from(">I", body)[0] > p["input"][0]:
            p["input"] = struct.unpack_from(">Iqhh", body)
    if number or kind == ALIVE:
        send(ALIVE)  # we live, and have it
def step():
    for p in players.values():
        x, y = p["input"][2] / 32767, p["input"][3] / 32767
        way = SIDE / 8 / RATE / max(1, math.hypot(x, y))
        p["x"], p["y"] = min(max(p["x"] + x * way, 0), SIDE), min(max(p["y"] + y * way, 0), SIDE)
    bodies = {h: struct.pack(">IHH", p["n"], int(p["x"]), int(p["y"])) for h, p in players.items()}
    for h, p in players.items():
        head = struct.pack(">IIHQIq", match, tick, RATE, p["got"], *p["input"][:2])
        send(DATA, h, PAYLOAD, head + bodies[h] + b"".join(b for o, b in bodies.items() if o != h)[:1104])
        if tick % RATE == 0:
            send(DATA, h, NEWS, stamp() + struct.pack(">II", match, tick))
due = time.monotonic()
while True:
    with contextlib.suppress(OSError, struct.error):  # nothing came, or rubbish
        sock.settimeout(max(due - time.monotonic(), 0.0001))
        hear(sock.recv(65536))
    if time.monotonic() >= due:
        due, tick = due + 1 / RATE, tick + 1
        step()
