// Plays the server of a client whose WebSockets end in ways that a browser's test cannot bring about. Time runs 20 times as fast.
import {pathToFileURL} from "node:url";

const SPEED = 20, sockets = [], waits = new Set(), wait = globalThis.setTimeout, clock = performance.now.bind(performance);
let over = null, skipped = 0;
globalThis.setTimeout = (f, ms) => wait(f, ms / SPEED, waits.add(ms));
performance.now = () => SPEED * clock() + skipped;
console.warn = console.error = () => {};
globalThis.WebSocket = class {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  dead = false; // nothing comes any more, not even its end
  constructor() { sockets.push(this); }
  send(b) { this.sent.push(b); }
  close(code) {
    if (this.readyState !== 1) return;
    this.readyState = 2;
    if (!this.dead) wait(() => this.onclose({code}));
  }
  brings(b) { this.onmessage({data: b.buffer}); }
  hello() { return this.sent.find((b) => b[0] === 0x11)?.subarray(18 + 4); }
  has(type) { // whether HELLO has a field, of those up to PROOF
    for (let b = this.hello().subarray(16 + 1 + 8 + 8 + 4); b.length > 0; b = b.subarray(3 + 256 * b[1] + b[2])) if (b[0] === type) return true;
    return false;
  }
  refuses(reason) { // CLOSE in place of WELCOME
    const b = new Uint8Array(18 + 5);
    [b[0], b[18]] = [0x18, reason];
    this.brings(b);
  }
  welcomes(life = 3600000, idle = 3600000) {
    const b = new Uint8Array(18 + 96 + 3 + 8 + 3 + 10), view = new DataView(b.buffer);
    b[0] = 0x12;
    b.set(this.hello().subarray(0, 16), 18);
    view.setUint32(18 + 16, 7);
    view.setBigUint64(18 + 56, 1000n * BigInt(sockets.length));
    view.setBigUint64(18 + 64, 1000n * BigInt(sockets.length));
    view.setBigUint64(18 + 80, BigInt(life));
    b.set([2, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 6, 0, 10], 18 + 96);
    view.setUint32(b.length - 4, idle);
    this.brings(b);
  }
};

async function until(what, f) {
  for (const end = clock() + 15000; !f(); await new Promise((resolve) => wait(resolve, 1))) {
    if (over) throw new Error(`the session is over: ${over.reason} ${over.detail}`);
    if (clock() > end) throw new Error(`never: ${what}`);
  }
}

// connected waits for the n-th WebSocket, and for its HELLO.
async function connected(n) {
  await until(`WebSocket ${n}`, () => sockets.length >= n);
  const s = sockets[n - 1];
  s.brings(new Uint8Array(32));
  await until(`HELLO on WebSocket ${n}`, () => s.hello());
  return s;
}

const {Session} = await import(pathToFileURL(process.argv[2]));
for (const token of [async () => { throw new Error("the login says 403"); }, () => { throw new Error("the login says 403"); }]) {
  let why = null;
  new Session({url: "ws://server.test/sallyport", token, onClose: (w) => { why = w; }});
  await until("a login that refuses ends the session", () => why);
  if (!why.detail.includes("the login says 403") || sockets.length > 0) throw new Error(`it says ${why.detail}, with ${sockets.length} WebSockets`);
}

let asked = 0, late = null, arrives;
const slow = () => new Promise((resolve) => setTimeout(() => resolve("token"), 8000)); // a server waits for HELLO for 5 s
const session = new Session({
  url: "ws://server.test/sallyport", onClose: (why) => { over = why; },
  onState: () => { throw new Error("a mistake of the page's"); }, // which costs it nothing
  token: async () => {
    if (++asked === 2) throw new Error("no token can be had");
    return late ?? slow();
  },
});
let s = await connected(1);
s.welcomes();
await session.joined;

s.dead = true; // two PINGs, and the client does not wait for the end
s = await connected(2);
if (!s.has(2) || s.has(1)) throw new Error("it does not resume by its ticket alone");
s.refuses(9); // "A client whose ticket is refused with reason 9 SHOULD fetch a fresh identity token"
s = await connected(3); // "It SHOULD show the ticket alone while it has none"
if (!s.has(2) || s.has(1)) throw new Error("it does not show the ticket alone");
s.refuses(2); // a server that shuts down says nothing of the ticket
s = await connected(4);
if (!s.has(2) || s.has(1)) throw new Error("it waits for the token");
s.refuses(17); // "Reason 17 in place of WELCOME ends this attempt alone" (5.1)
s = await connected(5); // "and show it beside the ticket on its next connection"
if (!s.has(2) || !s.has(1) || asked !== 3) throw new Error(`it does not show the third token: ${asked}`);
asked = 0;
late = new Promise((resolve) => { arrives = resolve; });
s.welcomes(3000);
await until("it plays", () => session.send(new Uint8Array(1)));
await until("it asks for a token to renew with", () => asked === 1);

s.dead = true; // and a server that is full until the idle time is over says so in the end
s = await connected(6);
skipped = 3600000;
s.refuses(11);
await until("its end", () => false).catch(() => {});
if (over?.reason !== 11) throw new Error(`it ends by ${over?.reason} ${over?.detail}`);
arrives("token"); // when the session is over
await new Promise((resolve) => wait(resolve, 20000 / SPEED));
if (asked !== 1) throw new Error("it asks for tokens after its end");

const told = []; // to a page that has enough while the client makes its keys
over = null;
const short = new Session({url: "ws://server.test/sallyport", token: () => "token", onState: (what) => told.push(what), onClose: () => told.push("closed")});
s = await connected(7);
s.welcomes();
for (let i = 0; i < 5; i++) await null;
short.close();
await new Promise((resolve) => wait(resolve, 100));
if (told.join() !== "closed") throw new Error(`it says ${told}`);

[over, asked] = [null, 0]; // a login that has not answered by the time the player is home again is not waited for the next time
const anew = new Session({
  url: "ws://server.test/sallyport", onClose: (why) => { over = why; }, token: () => ++asked === 2 ? new Promise(() => {}) : "token",
});
s = await connected(8);
s.welcomes();
await anew.joined;
for (const n of [9, 11]) {
  s.dead = true;
  s = await connected(n);
  s.refuses(9);
  s = await connected(n + 1);
  if (s.has(1) !== (n === 11)) throw new Error(`WebSocket ${n + 1} shows a token: ${s.has(1)}`);
  s.welcomes();
  await until("it plays", () => anew.send(new Uint8Array(1)));
}

over = null; // "every sixth of the idle time if that is less" (3.6)
const quiet = new Session({url: "ws://server.test/sallyport", token: () => "token", onClose: (why) => { over = why; }});
s = await connected(13);
s.welcomes(3600000, 6600);
await quiet.joined;
if (!waits.has(1100)) throw new Error(`it sends its next PING after none of ${[...waits]}`);
process.exit(0);
