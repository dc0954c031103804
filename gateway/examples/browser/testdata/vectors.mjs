// What the example's test has Node.js do: it holds the client to conformance/vectors.json, which comes by standard input, as
// far as the client has a part in it. The session is a real one; what it has of a browser is not. Its exit status is 0 if
// all is well.
import {readFileSync} from "node:fs";
import {webcrypto} from "node:crypto";

const groups = JSON.parse(readFileSync(0, "utf8")).groups;
const vectors = (name) => groups.find((g) => g.name === name).vectors;
const hex = (b) => Buffer.from(b).toString("hex"), unhex = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const text = (b) => Buffer.from(b, "hex").toString();
const accepted = (result) => /^[0-9a-f]{16}$/.test(result); // else it is why not

// The browser: its clock, its random bytes, which are those of the vectors, and its WebSockets.
let clock = 0, pending = 0, timers = [];
const sockets = [];
class Socket {
  static OPEN = 1;
  readyState = Socket.OPEN;
  sent = [];
  constructor() { sockets.push(this); }
  send(b) { this.sent.push(hex(b)); }
  close() {
    this.readyState = 3;
    this.onclose({code: 1000});
  }
}
const subtle = new Proxy(webcrypto.subtle, {get: (all, name) => async (...args) => {
  pending++;
  return all[name](...args).finally(() => pending--);
}});
for (const [name, value] of Object.entries({
  WebSocket: Socket, performance: {now: () => clock}, crypto: {subtle, getRandomValues: (b) => b.map((_, i) => b[i] = i)},
  setTimeout: (f, wait) => timers.push({f, at: clock + wait}), clearTimeout: () => {},
})) Object.defineProperty(globalThis, name, {value});

const {Session, restore} = await import(process.argv[2]);

const HEADER = 2 * 18, PART = HEADER + 2 * 4; // hexadecimal digits of an envelope before its body, and before the part's bytes
const number = (n, size) => BigInt(n).toString(16).padStart(2 * size, "0");

function want(what, got, expected) {
  if (String(got) !== String(expected)) throw new Error(`${what} is ${got}, want ${expected}`);
}
// settle waits until a session has done what it does by itself; pass has it do what it does after so many milliseconds.
async function settle() {
  do await new Promise(setImmediate); while (pending > 0);
}
async function pass(wait) {
  clock += wait;
  const due = timers.filter((t) => t.at <= clock);
  timers = timers.filter((t) => t.at > clock);
  due.forEach((t) => t.f());
  await settle();
}

// Player is a session, with the server's part of it.
class Player {
  got = []; states = []; over = null;

  // A player has said HELLO.
  static async connect(v, options = {}) {
    const p = new Player();
    p.session = new Session({
      platform: text(v.platform), build: text(v.build), metadata: "skin=7", token: async () => "fresh-token",
      onPayload: (b) => p.got.push(hex(b)), onState: (s) => p.states.push(s), onClose: (why) => { p.over = why; },
      ...options,
    });
    await settle();
    await p.hears(v.exporter);
    return p;
  }

  // A player is in a session; its first PING is next. With a life of 0 it has sent RENEW, too.
  static async join(v, {next = 1, serverNext = 1, life = 1e9, ticket = ""} = {}) {
    const p = await Player.connect(v);
    const fields = (ticket && `02${number(ticket.length / 2, 2)}${ticket}`) + "06000a" + "0479" + number(256, 4) + number(30000, 4);
    await p.hears("12" + "00".repeat(17) + "000102030405060708090a0b0c0d0e0f" + v.session + v.epoch + v.secret +
      number(next, 8) + number(serverNext, 8) + number(0, 8) + number(life, 8) + number(0, 8) + fields);
    if (life === 0) await pass(0);
    return p;
  }

  get socket() { return sockets.at(-1); }

  async hears(b) {
    this.socket.onmessage({data: unhex(b).buffer});
    await settle();
  }

  // sent are the envelopes of a kind.
  sent(kind) { return this.socket.sent.filter((b) => parseInt(b[1], 16) === kind); }

  // done is how much it has made of envelopes: of DATA, PING and RENEWED.
  done() { return this.got.length + this.sent(7).length + this.states.filter((s) => s === "renewed").length; }
}

// A session by a relay has the binding of its connection, and no certificate of its own.
const browsers = (list) => list.filter((v) => v.binding === "01" && !v.certificate);

const tests = {
  "restored numbers": (v) => want(v.name, number(restore(BigInt(`0x${v.highest}`), BigInt(`0x${v.low}`)), 8), v.restored),

  "envelopes": async (v) => {
    const options = {"hello": {platform: "linux", build: "1.4.2", scope: "match-7", metadata: ""}, "hello with metadata": {}}[v.name];
    if (!options) return;
    const p = await Player.connect({platform: "", build: "", exporter: "00".repeat(32)}, {token: async () => "identity-token", ...options});
    want(v.name, p.sent(1)[0], v.bytes);
    p.session.close();
  },

  "schedules": async (v) => { // of one that renews, and is put out
    const [renew, close] = v.envelopes;
    const p = await Player.join(v, {next: BigInt(`0x${renew.sequence}`) - 1n, serverNext: `0x${close.sequence}`, life: 0});
    want(renew.kind, p.sent(4)[0], renew.envelope);
    await p.hears(close.envelope);
    want(close.kind, JSON.stringify(p.over), JSON.stringify({reason: 2, detail: "bye"}));
  },

  "received datagrams": async (v) => {
    const p = await Player.join(v, {life: 0});
    let highest = 0;
    for (const {at_ms, envelope, result} of v.steps) {
      if (envelope.length < HEADER) continue; // which ends a WebSocket
      if (accepted(result) && parseInt(result, 16) < highest) continue; // a WebSocket keeps the order
      const before = p.done();
      clock = at_ms;
      await p.hears(envelope);
      want(`${v.name}: ${envelope}, ${result},`, p.done() > before, accepted(result));
      if (accepted(result)) highest = parseInt(result, 16);
    }
    p.session.close();
  },

  "copies of a CLOSE": async (v) => { // a WebSocket loses none, so that there is one
    const p = await Player.join(v, {next: BigInt(`0x${v.first}`) - 1n});
    if (v.from === "server") await p.hears(v.copies[0].envelope);
    else p.session.close();
    await settle();
    want(v.name, p.over.reason, v.body.reason);
    if (v.from === "client") want(v.name, p.sent(8)[0], v.copies[0].envelope);
  },

  "proofs": async (v) => { // "a client that resumes MUST NOT send it again": the metadata, PROTOCOL.md 3.1
    const hello = v.hello, at = 2 * 37 + 6, ticket = hello.slice(at, at + 2 * parseInt(hello.slice(at - 4, at), 16));
    v = {...v, session: "01020304", epoch: "00000001", platform: hex("linux"), build: hex("1.4.2")};
    const p = await Player.join(v, {next: BigInt(`0x${hello.slice(34, 50)}`) - 1n, serverNext: `0x${hello.slice(50, 66)}`, ticket});
    p.socket.close();
    await settle();
    await pass(100);
    await p.hears(v.exporter);
    want("HELLO", p.sent(1)[0].slice(PART), v.body);
    p.session.close();
  },
};

for (const [name, test] of Object.entries(tests)) {
  const all = vectors(name), list = all[0].binding ? browsers(all) : all;
  if (list.length === 0) throw new Error(`no vector of ${name} is for a browser`);
  for (const v of list) {
    [clock, timers] = [0, []];
    await test(v);
  }
}

// The limits of section 12: the server drops what is longer without a word.
for (const [name, most] of Object.entries({platform: 128, build: 128, scope: 128, metadata: 256})) {
  const make = (value) => new Session({token: async () => "token", [name]: value}).close();
  make("\u00e9".repeat(most / 2));
  try {
    make("\u00e9".repeat(most / 2) + "x");
  } catch (err) {
    if (err instanceof RangeError) continue;
  }
  throw new Error(`${name} of ${most + 1} bytes`);
}
