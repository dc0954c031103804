// Command bench measures Sallyport beside what else could carry a match: on this
// machine, in one run, with the same work.
//
//	run       starts the two, asks them, compares
//	 │ │
//	 │ └──▶ client, on one processor: players that echo, pace, blast or join
//	 │        ▲
//	 │        │ loopback
//	 │        ▼
//	 └────▶ server, on another: getrusage before and after the window
//
// The figure is the server process's processor time for each datagram, as the
// operating system accounts for it, between two moments of a steady load. Peers
// take turns within a round, so that what drifts on the machine meets all of
// them; a ratio compares two peers of the same round. Server and client are
// fresh processes each time, pinned to one processor each.
//
//	work       what                                             a figure is for
//	echo       so many datagrams under way for each player       one in and one out
//	ingest     players send all they can, the server counts      one in
//	paced      60 datagrams a second from each player            one in and one out
//	push       as paced, but four pieces to each player         one in and four pieces out
//	handshake  connect, first echo, close; so many at once       one player
//	idle       connect, one echo, then 3 s of nothing            bytes of one player
//
// Run it in this folder:
//
//	go run .                              all: some hours; see -rounds, -seconds
//	go run . -quick                       a look, in some minutes
//	go run . -only 'echo-w1.*/(floor|sallyport)$'
//	go run . -only paced-100/sallyport -rounds 1 -seconds 10 -profile /tmp
//
// Progress goes to standard error, the tables in Markdown (with -json each
// measurement as a line of JSON) to standard output.
//
// # The peers
//
// udp is what a Go programmer writes first: one read, one write, woken for each
// datagram. udp-batch moves up to 64 with one system call, and udp-gso lets the
// kernel put one player's datagrams together as well. floor and floor-gso are
// the same with AES-128-GCM in DTLS records under one key pair for each address:
// no handshake, no replay window, no session. A transport cannot cost less.
// floor-tick drains the socket 60 times a second instead of being woken.
//
// pion2, pion3, quic and websocket (over TLS 1.3) are the libraries, with the
// settings that serve them best: large socket buffers, handshakes in goroutines
// of their own, ECDSA P-256 certificates, key exchange on P-256, which is the
// cheapest here, no certificate of the client. sallyport does all its checks; its rate limits are raised to let the load in.
// It is served by Serve, and in the work paced by Poll and Flush 60 times a
// second. sallyport-unverified takes every identity token unseen: the difference
// in the work handshake is what ES256 costs. sallyport-dtls has no session on
// top, as the libraries have none: the difference is HELLO and WELCOME.
//
// In the work push a match has four things of 48 bytes to tell each player in each
// tick, and hears one: data as DATA, a datagram each; packed as messages on a lane,
// which share a datagram with the acknowledgement of what came. data-plain and
// packed-plain do it without the kernel's help, which puts the datagrams of one
// player together (UDP_SEGMENT and UDP_GRO).
//
// # Messages
//
// The cells messages-… are about reliable messages over a bad link, beside
// GameNetworkingSockets, ENet, kcp-go and quic-go. Both ends of a contender share
// one process and one clock; between them is a relay in a process of its own
// (package link) that does the same to all: seven links, those that
// GameNetworkingSockets is tested with.
//
//	pair, on a processor: server ─▶ relay, on the same, before it ─▶ client
//
//	part of a trial      what is measured
//	 1 s                 nothing
//	 5 s                 one message of 200 bytes 60 times a second, server to client:
//	                     how long it takes one way; CPU of both ends
//	 until 5 MB arrived, the same while messages of 8 KB flow behind it, as many as
//	 10 s at most        the link carries in a second: their goodput, the delay they add
//
// A message that is sent late because the library has blocked counts from when it
// was due, one that never arrived up to the end of the trial. Two trials run at a
// time, one on each processor. The relay says how often it was woken late;
// where that is not next to never, the machine was too busy to tell.
//
//	go run . -only messages               half an hour
//	go run . -only messages -quick        two minutes
//	go run . -only messages -gns /usr/local/lib/libGameNetworkingSockets.so
//
// Each library has the settings that serve it best here. ENet: reliable channels,
// no bandwidth limit, no disconnect for silence; it sends at once and looks after
// its timers each 5 ms. kcp-go: its fast mode (1, 10, 2, 1), acknowledgements at
// once, no encryption, no parity, a session for each lane lest the small messages
// wait for the bulk. Neither finds out what a link carries, so both are told: as
// much of the bulk may be under way as fills the link and half its queue.
// GameNetworkingSockets does not find it out either, and sends at nine tenths of
// the link's rate; a lane for the small messages goes before one for the bulk, and
// its user asks for messages each millisecond, being told of none. quic-go:
// a stream for each message (quic-streams), which may overtake each other, or one
// for each lane (quic-stream), which waits for what is lost; flow control out of
// the way. The first three keep the order, too, having nothing else. ENet takes
// part where libenet7 is installed, GameNetworkingSockets where -gns says where
// somebody has built it. sallyport runs Serve at both ends, with a lane of mode
// reliable and insured before one of mode ordered; sallyport-uninsured repeats
// nothing that is not known to be lost.
//
// # What the figures are not
//
// On loopback the sender pays for the receiver's half of the network stack, so
// an echo server pays for the client's too. Rivals' clients are their own; those
// of udp, floor and sallyport share one economy, a goroutine and a socket for
// each player, with as many datagrams for a system call as their server.
package main
