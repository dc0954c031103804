// A chat in plain DATA: what a player says comes back to everybody. ?name=alice joins at once.
import {Session} from "./sallyport.js";

const at = (id) => document.getElementById(id);
let session;

function show(text) {
  const line = document.createElement("li");
  line.textContent = text;
  at("log").append(line);
}

function join(name) {
  at("join").hidden = true;
  at("state").textContent = "signing in";
  session = new Session({
    url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/sallyport`,
    token: async () => {
      const answer = await fetch(`/login?name=${encodeURIComponent(name)}`, {method: "POST"});
      if (!answer.ok) throw new Error(`the login says ${answer.status}`);
      return answer.text();
    },
    onPayload: (b) => show(new TextDecoder().decode(b)),
    onState: (text) => { at("state").textContent = text; },
    onClose: ({reason, detail}) => {
      at("state").textContent = `over: reason ${reason} ${detail}`;
      [at("join").hidden, at("say").hidden] = [false, true];
    },
  });
  session.joined.then(() => {
    at("say").hidden = false;
    session.send(new TextEncoder().encode("has joined"));
  }, () => {}); // onClose has said it
}

at("join").addEventListener("submit", (e) => { e.preventDefault(); join(at("name").value); });
at("leave").addEventListener("click", () => session.close());
at("say").addEventListener("submit", (e) => {
  e.preventDefault();
  session.send(new TextEncoder().encode(at("text").value));
  at("text").value = "";
});
const name = new URLSearchParams(location.search).get("name");
if (name) join(name);
