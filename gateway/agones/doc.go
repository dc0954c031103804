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
// It may start after us, be restarted, be late, say nothing, answer 500, or answer rubbish. Players
// notice nothing: an Agent tries again, after up to 30 s, keeps what it knows, logs once when a
// call begins to fail and once when it succeeds again, and counts in Stats. A late answer does not
// override what the watch has reported since the request. The calls only queue a change of state;
// the watch reports when it has happened. Numbers of 64 bits are strings in JSON. The interface has
// no authentication: every container of the pod can call it, and whoever may write GameServers can
// write the annotations.
package agones
