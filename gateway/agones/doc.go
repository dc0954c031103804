// Package agones speaks with the SDK server of Agones that stands beside a game server in its pod, by its
// REST interface and net/http alone.
//
//	allocator ─▶ GameServer ─▶ SDK server ── watch ──▶ Agent ─▶ Rule ─▶ who may join
//	             (Kubernetes)   127.0.0.1  ◀─ ready, health, players ─┘ └─▶ drain to another pod
//
// A Client makes the calls, an Agent keeps a server and its GameServer in step, and a Rule admits those
// for whom the allocator has written annotations (Annotations of a GameServer, see Assignment):
//
//	sallyport.dev/scope    the match that the server hosts: only identity tokens with this scope
//	sallyport.dev/players  who may join: subjects, separated by commas or white space, or a JSON array
//	sallyport.dev/key-id   the fleet key with which the players' tickets are sealed: not ready before it is here
//	sallyport.dev/drain    the server sends its players away: to host:port, or nowhere with "yes"
//
// A label of the same name counts where there is no annotation.
//
// # What an SDK server may do to us
//
// It may start after us, be restarted, be late, say nothing, answer 500, or answer rubbish. Nobody who
// plays notices: an Agent tries again, after up to 30 s, knows what it has known, logs once when a
// call begins to fail and once when it no longer does, and counts in Stats. An answer that is late
// takes back nothing that the watch has said since it was asked for. What a state is set to is not
// what it is: the calls only queue a change, and the watch says when it is there. Numbers of 64 bits
// are strings in JSON. The interface has no authentication: every container of the pod can call it,
// and the annotations are whatever may write GameServers.
package agones
