// What the example's test has a browser do. It reports to /report: an empty text if all is well.
import {Session, MAX_PAYLOAD} from "./sallyport.js";

const sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    sockets.push(this);
    this.addEventListener("message", (e) => { // each datagram comes again: as it is, under another number, and in another session
      for (const [at, x] of [[0, 0], [9, 1], [5, 1], [1, 1], [1, 4]]) {
        const b = new Uint8Array(e.data.slice(0));
        if (b.length > 32 || b[0] === 0x13) this.onmessage({data: (b[at] ^= x, b.buffer)});
      }
    });
  }
};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const post = (path, body = "") => fetch(path, {method: "POST", body});
const encode = (text) => new TextEncoder().encode(text), decode = (b) => new TextDecoder().decode(b);

async function until(what, f) {
  for (const end = Date.now() + 15000; !f(); await sleep(5)) if (Date.now() > end) throw new Error(`never: ${what}`);
}
function want(what, got, expected) {
  if (String(got) !== String(expected)) throw new Error(`${what} is ${got}, want ${expected}`);
}

// player joins, and remembers what happens to it.
function player(name, options = {}) {
  const p = {got: [], states: [], over: null};
  p.session = new Session({
    url: `ws://${location.host}/sallyport`,
    token: async () => (await post(`/login?name=${name}`)).text(),
    onPayload: (b) => p.got.push(decode(b)), onState: (s) => p.states.push(s), onClose: (why) => { p.over = why; },
    ...options,
  });
  p.hears = (text) => until(`${name} hears ${text}`, () => p.got.includes(text));
  return p;
}

async function test() {
  const carol = player("carol");
  await carol.session.joined;
  for (let i = 0; i < 50; i++) {
    want("send", carol.session.send(encode(`hello ${i}`)), true);
    await carol.hears(`carol: hello ${i}`);
  }
  want("the longest payload", carol.session.send(new Uint8Array(MAX_PAYLOAD).fill(120)), true);
  await until("the longest payload comes back", () => carol.got.some((text) => text.length === MAX_PAYLOAD));

  const refused = player("nobody", {token: async () => "no.token.atall"});
  await until("a bad token is refused", () => refused.over);
  want("the reason", refused.over.reason, 6);

  await until("a token is renewed", () => carol.states.includes("renewed"));
  carol.session.send(encode("renewed"));
  await carol.hears("carol: renewed");

  for (let i = 0; i < 3; i++) { // the network cuts the WebSocket
    const seen = carol.states.length;
    sockets.filter((s) => s.readyState === WebSocket.OPEN).forEach((s) => s.close());
    await until("it resumes", () => carol.states.indexOf("playing", seen) >= 0);
    carol.session.send(encode(`resumed ${i}`));
    await carol.hears(`carol: resumed ${i}`);
  }

  for (const data of [new ArrayBuffer(17), new ArrayBuffer(1164), "text"]) { // what is no envelope ends a WebSocket, and no session
    const seen = carol.states.length;
    sockets.filter((s) => s.readyState === WebSocket.OPEN).at(-1).onmessage({data});
    await until("it resumes after what is no envelope", () => carol.states.indexOf("playing", seen) >= 0);
  }

  const erin = player("erin");
  await erin.session.joined;
  erin.session.close();
  want("who leaves", erin.over.reason, 1);

  await post("/kick?name=carol");
  await until("CLOSE", () => carol.over);
  want("the reason of a kick", `${carol.over.reason} ${carol.over.detail}`, "3 out");
  want("a send after the end", carol.session.send(encode("x")), false);
  want("copies of a payload", carol.got.length, new Set(carol.got).size);

  const log = frames[0].document.getElementById("log");
  await until("the page shows what was said", () => log.textContent.includes("dora: has joined") && log.textContent.includes("carol: resumed 2"));
}

test().then(() => post("/report"), (err) => post("/report", `${err}\n${err.stack}`));
