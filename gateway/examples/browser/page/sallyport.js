// A Sallyport client for browsers: a session over a WebSocket, as PROTOCOL.md 9.9 has it. It needs nothing but
// what a browser has. Lanes (section 16) are not in it, and it does not follow a drain to another server (8.6).
//
//   const session = new Session({url, token, onPayload: (bytes) => …, onClose: ({reason}) => …});
//   await session.joined;
//   session.send(bytes);

export const MAX_PAYLOAD = 1145; // bytes

const [HELLO, WELCOME, DATA, RENEW, RENEWED, PING, PONG, CLOSE, NOTICE] = [1, 2, 3, 4, 5, 6, 7, 8, 10];
const [TOKEN, TICKET, PLATFORM, BUILD, SCOPE, LIMITS, METADATA, TIME, PROOF] = [1, 2, 3, 4, 5, 6, 7, 9, 255];
const LONGEST = {platform: 128, build: 128, scope: 128, metadata: 256}; // bytes
const HEADER = 18, PART = 1024, PROOF_FIELD = 35;
const OVERLAP = 5000, KEEP_ALIVE = 5000, PATIENCE = 6500, RENEW_PATIENCE = 10000; // milliseconds

const bytes = (text) => new TextEncoder().encode(text);
const random = (n) => crypto.getRandomValues(new Uint8Array(n));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// number is an integer of size bytes, big-endian; read is the one at an offset.
function number(value, size) {
  const b = new Uint8Array(size);
  for (let i = size - 1, v = BigInt(value); i >= 0; i--, v >>= 8n) b[i] = Number(v & 255n);
  return b;
}
function read(b, at, size) {
  let v = 0n;
  for (let i = at; i < at + size; i++) v = v << 8n | BigInt(b[i]);
  return v;
}

function join(...pieces) {
  const b = new Uint8Array(pieces.reduce((n, p) => n + p.length, 0));
  pieces.reduce((at, p) => (b.set(p, at), at + p.length), 0);
  return b;
}

// field is one of section 2.5, nothing without a value; fields are all of them by type, null if they are malformed.
const field = (type, value) => value?.length ? join(number(type, 1), number(value.length, 2), value) : new Uint8Array();
function fields(b) {
  const found = new Map();
  for (let last = -1; b.length > 0;) {
    const length = b.length > 3 ? Number(read(b, 1, 2)) : 0;
    if (length === 0 || b.length < 3 + length || b[0] <= last) return null;
    last = b[0];
    found.set(last, b.slice(3, 3 + length));
    b = b.subarray(3 + length);
  }
  return found;
}

// hkdf is HKDF-SHA256 (RFC 5869).
async function hkdf(secret, salt, info, length) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({name: "HKDF", hash: "SHA-256", salt, info}, key, 8 * length));
}

// Tagger makes the tags of one direction in one epoch: AES-128-CMAC over one whole block (section 6.4).
class Tagger {
  static async from(raw) {
    const t = new Tagger();
    t.key = await crypto.subtle.importKey("raw", raw, "AES-CBC", false, ["encrypt"]);
    const l = read(await t.encrypt(new Uint8Array(16)), 0, 16);
    t.k1 = (l << 1n & (1n << 128n) - 1n) ^ (l >> 127n) * 0x87n;
    return t;
  }

  // encrypt is AES of one block: the first of CBC without an initialization vector.
  async encrypt(block) {
    const b = await crypto.subtle.encrypt({name: "AES-CBC", iv: new Uint8Array(16)}, this.key, block);
    return new Uint8Array(b, 0, 16);
  }

  async tag(head, sequence, length) {
    const block = read(join(head, number(sequence, 8), number(length, 2)), 0, 16);
    return (await this.encrypt(number(block ^ this.k1, 16))).subarray(0, 8);
  }
}

// Session is a player's stay in one match. url is the gateway's, as wss://play.example.com/sallyport. token returns an
// identity token that has not been shown yet: at first, however long that takes, and in good time before the one in use
// expires. What the player says once are texts, none of which has to be there: platform and build, scope for the match that
// it asks for, of at most 128 bytes each, and metadata, at most 256 bytes for the match itself. onPayload gets the bytes of
// each payload, onState a word for a person, and onClose, once, why the session is over: the reason of section 10, 0 without
// one, and the detail.
export class Session {
  #options; #conn = null; #closed = false; #welcomed;
  #sent = 0n; #highest = 0n; // the last numbers, either way
  #ticket = null; #resumption = null; #proves = false;
  #identity = null; #login = null; // the token that the next HELLO shows, and the wait for it
  #idle = 30000; #heard = performance.now(); #tries = 0; #retry = 0; #refusal = null;

  constructor(options) {
    this.#options = {platform: "browser", build: "", scope: "", metadata: "", ...options};
    for (const [name, most] of Object.entries(LONGEST)) { // the server would say nothing
      if (bytes(this.#options[name]).length > most) throw new RangeError(`${name} has at most ${most} bytes`);
    }
    this.joined = new Promise((resolve, reject) => { this.#welcomed = {resolve, reject}; });
    this.joined.catch(() => {}); // onClose says it, too
    queueMicrotask(() => this.#closed || this.#begin());
  }

  // send sends a payload of at most MAX_PAYLOAD bytes, which may be lost. It reports whether there is a connection.
  send(payload) {
    if (payload.length > MAX_PAYLOAD) throw new RangeError(`a payload has at most ${MAX_PAYLOAD} bytes`);
    if (this.#closed || !this.#conn?.epoch) return false;
    this.#write(this.#conn, DATA, payload.slice());
    return true;
  }

  // close ends the session for the player.
  close() {
    const conn = this.#conn;
    if (conn?.epoch) this.#write(conn, CLOSE, join(number(1, 1), number(0, 4))).then(() => conn.ws.close(1000));
    else conn?.ws.close(1000);
    this.#end({reason: 1, detail: ""});
  }

  // begin signs in before it connects: a login may take longer than a server waits for HELLO.
  async #begin() {
    try {
      await this.#signIn();
    } catch (err) {
      return this.#end({reason: 0, detail: `no identity token: ${err}`});
    }
    if (!this.#closed) this.#connect();
  }

  // signIn gets an identity token for the next HELLO, unless none is to be shown any more when it comes.
  async #signIn() {
    if (this.#identity) return;
    this.#login ??= Promise.resolve(this.#options.token()).finally(() => { this.#login = null; });
    const identity = await this.#login;
    if (!this.#ticket || this.#proves) this.#identity = identity;
  }

  // connect makes a WebSocket. Its messages are handled one after the other.
  #connect() {
    const ws = new WebSocket(this.#options.url, ["sallyport.session.v1"]);
    const conn = {ws, binding: null, epoch: null, next: null, former: null, renewal: null, asked: 0, missed: 0, timers: []};
    this.#conn = conn;
    ws.binaryType = "arraybuffer";
    let queue = Promise.resolve();
    ws.onmessage = (e) => {
      queue = queue.then(() => this.#receive(conn, new Uint8Array(e.data))).catch((err) => this.#fail(conn, err));
    };
    ws.onclose = (e) => { queue = queue.then(() => this.#lost(conn, e.code)); };
    conn.out = Promise.resolve();
    this.#after(conn, PATIENCE, () => conn.epoch || this.#fail(conn, new Error("the server does not answer")));
  }

  // after calls f later, unless conn is over: a token may have come too late for it.
  #after(conn, wait, f) { if (!this.#closed && conn === this.#conn) conn.timers.push(setTimeout(f, wait)); }

  // fail gives a WebSocket up. The network may have taken it long ago, and a browser waits for its end then.
  #fail(conn, err) {
    console.warn("sallyport:", err);
    conn.ws.close(3000);
    this.#lost(conn, 3000);
  }

  // lost is called when a WebSocket has ended: the session goes on by its ticket, on another one.
  #lost(conn, code) {
    conn.timers.forEach(clearTimeout);
    if (this.#closed || conn !== this.#conn) return;
    this.#conn = null;
    if (!this.#ticket) return this.#end({reason: 0, detail: `the WebSocket has ended: ${code}`});
    if (performance.now() - this.#heard > this.#idle) return this.#end(this.#refusal ?? {reason: 17, detail: "the server is silent"});
    this.#tell("onState", "resuming");
    this.#again(Math.max(this.#retry, Math.min(100 * 2 ** this.#tries++, 2000)));
  }

  // again connects after a pause. It waits for a token to show beside the ticket if the server wants one, but not for ever:
  // the player may be home again.
  async #again(pause) {
    const login = this.#proves && this.#signIn().catch((err) => console.warn("sallyport:", err));
    await sleep(pause);
    await Promise.race([login, sleep(PATIENCE)]);
    if (!this.#closed) this.#connect();
  }

  // tell calls a function of the page's, none but onClose at the end. What it throws is the page's affair, and the session
  // goes on.
  #tell(name, what) {
    if (this.#closed && name !== "onClose") return;
    try {
      this.#options[name]?.(what);
    } catch (err) {
      console.error("sallyport:", err);
    }
  }

  #end(why) {
    if (this.#closed) return;
    this.#closed = true;
    this.#ticket = this.#resumption = this.#identity = null;
    this.#conn?.timers.forEach(clearTimeout);
    this.#welcomed.reject(new Error(`the session is over: reason ${why.reason} ${why.detail}`));
    this.#tell("onClose", why);
  }

  // hello makes the body of HELLO, with the newest ticket if there is one, and repeats it until it is answered.
  async #hello(conn) {
    const {platform, build, scope, metadata} = this.#options, resumes = this.#ticket !== null;
    conn.nonce = random(16);
    conn.expects = this.#highest + 1n;
    const fresh = this.#identity;
    this.#identity = null; // it is used with the answer
    let body = join(
      conn.nonce, number(1, 1), number(this.#sent + 1n, 8), number(conn.expects, 8), number(0, 4),
      field(TOKEN, fresh && bytes(fresh)), field(TICKET, this.#ticket), field(PLATFORM, bytes(platform)), field(BUILD, bytes(build)),
      field(SCOPE, bytes(scope)), field(METADATA, resumes ? null : bytes(metadata))); // once (section 3.1)
    if (resumes) {
      const key = await crypto.subtle.importKey("raw", this.#resumption, {name: "HMAC", hash: "SHA-256"}, false, ["sign"]);
      body = join(body, field(PROOF, new Uint8Array(await crypto.subtle.sign("HMAC", key, join(conn.binding, body)))));
    }
    this.#repeat(conn, HELLO, body, () => !conn.epoch);
  }

  // repeat sends a body in parts, and again until it is answered: after 200 ms, and then twice as long each time.
  #repeat(conn, kind, body, waits, wait = 200) {
    if (this.#closed || conn !== this.#conn || !waits()) return;
    for (let at = 0; at < body.length; at += PART) {
      this.#write(conn, kind, join(number(body.length, 2), number(at, 2), body.subarray(at, at + PART)));
    }
    this.#after(conn, wait, () => this.#repeat(conn, kind, body, waits, Math.min(2 * wait, 2000)));
  }

  // write sends an envelope after those before it.
  #write(conn, kind, body) {
    conn.out = conn.out.then(async () => {
      let envelope = join(number(1 << 4 | kind, 1), new Uint8Array(HEADER - 1), body);
      const epoch = conn.next ?? conn.epoch;
      if (epoch && kind !== HELLO) {
        const head = join(number(1 << 4 | kind, 1), number(epoch.number & 3, 1), number(epoch.id, 4)), sequence = ++this.#sent;
        const tag = await epoch.out.tag(head, sequence, body.length);
        envelope = join(head, number(sequence & 0xffffffffn, 4), tag, body);
      }
      if (conn.ws.readyState === WebSocket.OPEN) conn.ws.send(envelope);
    }).catch((err) => this.#fail(conn, err));
    return conn.out;
  }

  // receive handles a message: the binding, and from then on envelopes.
  async #receive(conn, b) {
    if (this.#closed || conn !== this.#conn) return;
    if (!conn.binding) {
      if (b.length !== 32) throw new Error("the first message is no binding");
      conn.binding = b;
      return this.#hello(conn);
    }
    if (b.length < HEADER || b.length > HEADER + MAX_PAYLOAD) throw new Error("a message is no envelope");
    const kind = b[0] & 15, body = b.subarray(HEADER), version = b[0] >> 4;
    if (!conn.epoch) {
      if (b.subarray(1, HEADER).some((x) => x !== 0)) return; // to a session that there is not yet
      if (kind === WELCOME && version === 1) await this.#welcome(conn, body);
      if (kind === CLOSE) this.#refused(conn, body);
      return;
    }
    if (version !== 1 || !await this.#accepts(conn, b)) return;
    if (this.#heard - conn.asked > this.#pause()) this.#ping(conn); // timers of a hidden page are slow
    switch (kind) {
      case DATA: this.#tell("onPayload", body.slice()); break;
      case PING: if (body.length === 8) this.#write(conn, PONG, body.slice()); break;
      case RENEWED: await this.#renewed(conn, body); break;
      case NOTICE: if (body[0] === 1) this.#renew(conn); break; // step up
      case CLOSE:
        conn.ws.close(1000);
        this.#end({reason: body[0], detail: new TextDecoder().decode(body.subarray(5))});
    }
  }

  // accepts takes the steps of section 4.12. A WebSocket neither repeats nor reorders, so that the window has one number.
  async #accepts(conn, b) {
    const bits = b[1] & 3, now = performance.now();
    const epoch = [conn.epoch, conn.next, conn.former].find((e) => e && (e.number & 3) === bits && !(now >= e.until));
    if (b[1] >> 2 !== 0 || !epoch || Number(read(b, 2, 4)) !== conn.epoch.id) return false;
    const sequence = restore(this.#highest, read(b, 6, 4));
    if (sequence <= this.#highest) return false;
    const tag = await epoch.in.tag(b.slice(0, 6), sequence, b.length - HEADER);
    if (tag.reduce((bad, x, i) => bad | x ^ b[10 + i], 0) !== 0) return false;
    this.#highest = sequence;
    this.#heard = now;
    if (epoch === conn.next) {
      conn.former = Object.assign(conn.epoch, {until: now + OVERLAP});
      [conn.epoch, conn.next] = [conn.next, null];
    }
    return true;
  }

  async #welcome(conn, b) {
    const more = b.length >= 96 ? fields(b.subarray(96)) : null, limits = more?.get(LIMITS);
    if (limits?.length !== 10 || conn.nonce.some((x, i) => x !== b[i])) return;
    const sent = read(b, 56, 8) - 1n, received = read(b, 64, 8) - 1n;
    if (received + 1n < conn.expects || sent < this.#sent) return;
    const epoch = await this.#epoch(conn, Number(read(b, 16, 4)), Number(read(b, 20, 4)), b.slice(24, 56));
    await this.#keep(more.get(TICKET), b.slice(24, 56));
    [this.#sent, this.#highest] = [sent, received];
    [this.#idle, this.#heard, this.#tries, this.#retry, this.#proves] = [Number(read(limits, 6, 4)), performance.now(), 0, 0, false];
    this.#refusal = this.#identity = this.#login = null;
    conn.epoch = epoch;
    this.#expires(conn, Number(read(b, 80, 8) - read(b, 88, 8)));
    this.#keepAlive(conn);
    this.#tell("onState", "playing");
    this.#welcomed.resolve(this);
  }

  // refused handles a CLOSE in place of WELCOME: some leave the ticket good.
  #refused(conn, b) {
    const reason = b[0], resumes = this.#ticket !== null;
    [this.#proves, this.#retry] = [this.#proves || reason === 9, Number(read(b, 1, 4))];
    this.#refusal = {reason, detail: new TextDecoder().decode(b.subarray(5))};
    conn.ws.close(1000);
    if (!resumes || ![2, 9, 11, 12, 16, 17].includes(reason)) this.#end(this.#refusal);
  }

  // epoch has the keys of both directions (section 6.3).
  async #epoch(conn, id, n, secret) {
    const item = (text) => join(number(bytes(text).length, 2), bytes(text)), {platform, build} = this.#options;
    const stated = join(item("sallyport v1 fingerprint"), item(platform), item(build), item(""));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", stated));
    const key = async (direction) => Tagger.from(await hkdf(secret, conn.binding,
      join(bytes("sallyport v1 datagram"), number(direction, 1), number(1, 1), number(id, 4), number(n, 4), digest), 16));
    return {id, number: n, out: await key(0), in: await key(1)};
  }

  // keep stores a ticket with the key that proves its possession (section 8.2).
  async #keep(ticket, secret) {
    if (!ticket) return;
    this.#resumption = await hkdf(secret, new Uint8Array(), bytes("sallyport v1 resume"), 32);
    this.#ticket = ticket;
  }

  // keepAlive sends a PING now and then, and gives up a WebSocket on which two of them have brought nothing.
  #keepAlive(conn) {
    if (this.#closed || conn !== this.#conn) return;
    conn.missed = this.#heard < conn.asked ? conn.missed + 1 : 0;
    if (conn.missed === 2) return this.#fail(conn, new Error("the WebSocket brings nothing"));
    this.#ping(conn);
    this.#after(conn, this.#pause(), () => this.#keepAlive(conn));
  }

  // pause is how long there is no PING at most (section 3.6).
  #pause() { return Math.min(KEEP_ALIVE, this.#idle / 6); }

  #ping(conn) {
    conn.asked = performance.now();
    this.#write(conn, PING, random(8));
  }

  // expires has the session renewed when a third of the epoch's life is left; the longest wait of a timer is a good week.
  #expires(conn, life) { this.#after(conn, Math.min(life * 2 / 3, 6e8), () => this.#renew(conn)); }

  // renew presents a fresh identity token, until RENEWED.
  async #renew(conn) {
    if (conn.renewal || conn.next) return;
    conn.renewal = {};
    try {
      const renewal = conn.renewal = {body: bytes(await this.#options.token())};
      this.#repeat(conn, RENEW, renewal.body, () => conn.renewal === renewal);
      this.#after(conn, RENEW_PATIENCE, () => conn.renewal === renewal && this.#renewAnew(conn)); // it may be refused
    } catch (err) { // none can be had now
      console.warn("sallyport:", err);
      this.#after(conn, 2000, () => this.#renewAnew(conn));
    }
  }

  #renewAnew(conn) {
    conn.renewal = null;
    this.#renew(conn);
  }

  async #renewed(conn, b) {
    const more = b.length >= 44 ? fields(b.subarray(44)) : null, n = Number(read(b, 0, 4));
    if (!more || !conn.renewal || conn.next || n !== conn.epoch.number + 1) return; // a copy
    const secret = b.slice(4, 36), next = await this.#epoch(conn, conn.epoch.id, n, secret);
    await this.#keep(more.get(TICKET), secret);
    [conn.next, conn.renewal] = [next, null];
    this.#ping(conn); // in the new epoch
    const now = more.has(TIME) ? read(more.get(TIME), 0, 8) : BigInt(Date.now());
    this.#expires(conn, Number(read(b, 36, 8) - now));
    this.#tell("onState", "renewed");
  }
}

// restore is section 7.2: the number nearest to the one expected next that ends in these 32 bits.
export function restore(highest, low) {
  const expected = highest + 1n, half = 1n << 31n, whole = 1n << 32n;
  let n = expected / whole * whole + low;
  if (n - expected > half && n >= whole) n -= whole;
  else if (n - expected <= -half) n += whole;
  return n < 1n << 64n ? n : n - whole;
}
