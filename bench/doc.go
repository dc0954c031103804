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
//	handshake  connect, first echo, close; so many at once       one player
//	idle       connect, one echo, then 3 s of nothing            bytes of one player
//
// Run it in this folder:
//
//	go run .                              all: some hours; see -rounds, -seconds
//	go run . -quick                       a look, in a minute or two
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
// # What the figures are not
//
// On loopback the sender pays for the receiver's half of the network stack, so
// an echo server pays for the client's too. Rivals' clients are their own; those
// of udp, floor and sallyport share one economy, a goroutine and a socket for
// each player, with as many datagrams for a system call as their server.
package main
