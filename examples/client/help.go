package main

// help is printed by -h, before the flags.
const help = `Client lets bots play on a match server and judges whether every promise was kept.

  client                                     50 players at 60 Hz for 10 s, on a server in this process
  client -loss 0.05 -reorder 0.1 -duplicate 0.05
  client -loss 0.05 -bandwidth 2M -latency 50ms
  client -bearer | -churn 0.2
  client -renew | -migrate | -blackout 10s | -restart-server
  client -connect 127.0.0.1:7777             on "server -dev", which has written -dev-file
  client -connect play.example.com:7777 -token tokens.txt -ca ca.pem
  client -connect play.example.com:7777 -cognito-region eu-central-1 -cognito-client 1h57kf5cpq17m0eml12EXAMPLE -user alice
  client -nakama http://127.0.0.1:7350 -cognito-endpoint http://127.0.0.1:9229 -cognito-client … -user …
  client -attack replay                      and stolen-token, bot, crowd, flip-fingerprint, forged-tag, lanes, stall
  client -json | jq .verdict

Sign-in: -token-url asks a sign-in service for each token, as curl would; -cognito-… signs -user in with Amazon Cognito.
The password is better left to the environment variable SALLYPORT_PASSWORD than given by -password, which other users
of the machine can see. Whoever plays then is one player, as often as -players says.

Nakama: -nakama signs in to a Nakama server that has the plugin of examples/nakama with the identity token, asks it for a
match and for the way there, and walks about in that match by UDP, as one player. The JSON object is then:
  user, match, server  Nakama's user id, the match id, and where the datagrams went
  sent, x              steps sent, and how many of them the last world shows
  received, players    worlds received, and who is in the last one
  rtt_ms, verdict, failures

Network: -loss, -latency, -bandwidth, -reorder and -duplicate make each player's own socket a bad one, both ways. With
-bandwidth each player has a line of that many bits a second up and another one down, as at home: players do not share it.
A byte on it is a byte of an IP packet, 28 more than a datagram has over IPv4 and 48 more over IPv6. What would have to
wait longer than -queue is dropped; loss takes its share of what the line has let through.

What a session survives: -renew has every token replaced while it plays. The others do something in the middle of play,
and the verdict is ok when every player went on with the session it had, nothing was lost that need not be, and the
server's audit shows what there was to decide: renew, migrate, resume, or for a blackout nothing, unless a client was
quick enough to resume by ticket:
  -migrate             from another socket, as a phone does that leaves the Wi-Fi; at most 50 players a second. At most
                       one input of a player may be lost, beside what was on its way out of the old socket
  -blackout 10s        nothing gets through, either way. What is sent meanwhile counts as taken by the client's own
                       impairment; from the path's return on nothing may be lost, and the first snapshot has to come
                       within 1 s and a round trip, without the time for which this machine stopped this program
  -restart-server      the server is a process of its own here. It is told to stop, writes its sessions into a snapshot,
                       and a second process on the same port goes on with them. Nobody negotiates or signs in again, and
                       only what is sent between the last snapshot of the one process and the first of the other may be
                       lost. Certificate, keys, snapshot and audit lie in a temporary folder, which is removed at the end
Without -duration these last as long as they need. The audit is that of the server in this program or, at its status
address, of "server -dev"; other servers are not asked.

Attacks: -attack does to the server what a cheat would, while a few honest players play, and says what was expected and
what was seen. The server is the one in this process or one started by "server -dev". With stall it is the server itself,
in this process, that fails its players: it hangs for 10 s in mid-match, and nobody may be put out. The JSON object is then:
  attack, rows         what was done: attack, expected, seen, drops and audit (the server's, meanwhile), verdict
  honest               the object described below, of the honest players
  verdict, failures    "ok" when the server held

Output: on a terminal, a progress line on standard error. At the end, a table on standard output, or with -json exactly
one JSON object:
  players, connected   wanted, and let in at first
  sent, received       inputs sent, snapshots received
  lost                 inputs sent - delivered as the server counts - taken by the client's own impairment - missed,
                       after up to 2 s for what was on its way
  missed               inputs lost with an old socket, or while no server's process listened, as described above
  renewed              tokens replaced
  migrated             players who went on from another socket
  resumed              sessions that went on by ticket on another connection, or in the next process
  drained              those of them that went on where the server has sent them (Server.Drain), by address
  pause_ms             p50, max: how long players waited for the first snapshot: from the change of socket on, and it has
                       to acknowledge an input from the new one; from the path's return on; from the last snapshot of the
                       old process on. null when none of these happened
  rtt_ms               p50, p95, p99, max: from an input to the first snapshot that acknowledges it, so the wait for
                       the server's next tick is part of it; what happens in the middle of play is not
  lanes                of each lane of the arena: name, mode; sent, arrived and lost messages, sent being 0 for scores,
                       of which only the newest counts; bytes that arrived; p50_ms, p99_ms: from the server to the player,
                       and for pickups from the player and back. null with -bearer and above 150 inputs a second
  server               cpu_us_per_datagram, allocs_per_datagram: of the server's process while players played, datagrams
                       in both directions, null when unknown; scope: "process" when the server is in this process, and
                       so the players' work included, "server" when it is another; sessions_peak; drops by reason
  audit                the server's decisions by name, with -renew, -migrate, -blackout or -restart-server; else null
  rejected             attempts to join that were refused, by reason
  verdict, failures    "ok", or "failed" and what was broken: a player did not connect or was thrown out, an input was
                       lost or delivered twice, snapshots are missing, a lane broke the promise of its mode, the
                       server dropped something without cause

Exit status: 0 ok, 1 failed, 2 a flag or file could not be used, 130 interrupted (with the result so far).

Flags:
`
