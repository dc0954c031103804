// The arena of examples/client, behind sallyport-sidecar. docs/sidecar.md has the bytes.
import dgram from "node:dgram";
import { randomInt } from "node:crypto";

const HEADER = 24, SIDE = 65535, RATE = 60;
const ALIVE = 1, JOINED = 2, DATA = 3, LEFT = 4;
const NEWS = 0, PICKUPS = 2, LEVEL = 5, PAYLOAD = 255;
const [own, sidecar] = [process.argv[2] ?? "127.0.0.1:7778", process.argv[3] ?? "127.0.0.1:7779"].map((a) => a.split(":"));
const run = randomInt(1, 2 ** 32), match = randomInt(1, 2 ** 32);
const players = new Map();
let peer = 0, seen = 0, joined = 0, tick = 0;

const level = Buffer.alloc(50_000 - 8);
for (let i = 8; i < 50_000; i++) level[i - 8] = Math.floor(i * i / 8) & 255;

const socket = dgram.createSocket("udp4");
socket.on("error", (err) => { if (err.syscall === "bind") throw err; }); // else the sidecar is away
socket.on("message", hear);
socket.bind(Number(own[1]), own[0], () => socket.connect(Number(sidecar[1]), sidecar[0])); // nobody else is heard

function send(kind, handle = 0, lane = 0, ...body) {
  const h = Buffer.alloc(HEADER);
  h[0] = 1; h[1] = kind; h[2] = lane;
  h.writeUInt32BE(run, 4); h.writeUInt32BE(peer, 8); h.writeUInt32BE(handle, 12); h.writeUInt32BE(seen, 16);
  try { socket.send([h, ...body], () => {}); } catch { /* not connected yet */ }
}

function stamp() {
  const b = Buffer.alloc(8);
  b.writeBigUInt64BE(BigInt(Date.now()) * 1000n);
  return b;
}

function hear(datagram) {
  if (datagram.length < HEADER || datagram[0] !== 1) return; // rubbish
  const kind = datagram[1], lane = datagram[2], body = datagram.subarray(HEADER);
  const handle = datagram.readUInt32BE(12), number = datagram.readUInt32BE(16), p = players.get(handle);
  if (datagram.readUInt32BE(4) !== peer) { // another sidecar, or we have missed something: it tells us again who plays
    peer = datagram.readUInt32BE(4); seen = 0;
    players.clear();
  }
  if (datagram.readUInt32BE(8) !== run || (number && number !== seen + 1)) return send(ALIVE); // not for us, or repeated, or too early
  seen = number || seen;
  if (kind === JOINED) {
    players.set(handle, { number: ++joined, x: SIDE / 2, y: SIDE / 2, got: 0, newest: 0, time: 0n, east: 0, north: 0 });
    if (!(lane & 2)) send(DATA, handle, LEVEL, stamp(), level); // else it has it
  } else if (kind === LEFT) {
    players.delete(handle);
  } else if (kind === DATA && p && lane === PICKUPS) {
    send(DATA, handle, PICKUPS, body);
  } else if (kind === DATA && p && lane === PAYLOAD) {
    p.got++;
    if (body.length >= 16 && body.readUInt32BE(0) > p.newest) {
      p.newest = body.readUInt32BE(0); p.time = body.readBigInt64BE(4);
      p.east = body.readInt16BE(12) / 32767; p.north = body.readInt16BE(14) / 32767;
    }
  }
  if (number || kind === ALIVE) send(ALIVE); // we live, and have it
}

function step() {
  tick++;
  const bodies = new Map();
  for (const [handle, p] of players) {
    const way = SIDE / 8 / RATE / Math.max(1, Math.hypot(p.east, p.north));
    p.x = Math.min(Math.max(p.x + p.east * way, 0), SIDE);
    p.y = Math.min(Math.max(p.y + p.north * way, 0), SIDE);
    const b = Buffer.alloc(8);
    b.writeUInt32BE(p.number, 0); b.writeUInt16BE(Math.floor(p.x), 4); b.writeUInt16BE(Math.floor(p.y), 6);
    bodies.set(handle, b);
  }
  for (const [handle, p] of players) {
    const head = Buffer.alloc(30);
    head.writeUInt32BE(match, 0); head.writeUInt32BE(tick, 4); head.writeUInt16BE(RATE, 8);
    head.writeBigUInt64BE(BigInt(p.got), 10); head.writeUInt32BE(p.newest, 18); head.writeBigInt64BE(p.time, 22);
    const others = [...bodies].filter(([h]) => h !== handle).slice(0, 138).map(([, b]) => b);
    send(DATA, handle, PAYLOAD, head, bodies.get(handle), ...others);
    if (tick % RATE === 0) {
      const news = Buffer.alloc(8);
      news.writeUInt32BE(match, 0); news.writeUInt32BE(tick, 4);
      send(DATA, handle, NEWS, stamp(), news);
    }
  }
}

let due = performance.now();
setInterval(() => {
  for (; due <= performance.now(); due += 1000 / RATE) step();
}, 4);
