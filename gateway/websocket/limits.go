package websocket

import "time"

// Subprotocol is the subprotocol that both ends must name in the WebSocket's handshake.
const Subprotocol = "sallyport.datagram.v1"

// SessionSubprotocol is the subprotocol that a browser names, for which a relay speaks DTLS
// (PROTOCOL.md 9.9).
const SessionSubprotocol = "sallyport.session.v1"

// DefaultPath is the path at which NewServer serves WebSockets, and at which a Dialer without a URL
// looks for them.
const DefaultPath = "/sallyport"

// Defaults and limits. Each states its unit and its reason.
const (
	// MaxDatagram is the longest datagram in bytes: what a server looks at by UDP.
	MaxDatagram = 1500

	// DefaultMaxConnections is how many WebSockets there are at once: 1,000 players of a gateway, most
	// of whom come by UDP, and connections that are dead without our knowing it.
	DefaultMaxConnections = 2000

	// DefaultMaxPerSource is how many of them one IPv4 address or IPv6 /64 has: a school's or a carrier's
	// translator.
	DefaultMaxPerSource = 128

	// subnetShare is how many times as many an IPv6 /56 has: a household with several networks.
	subnetShare = 4

	// DefaultRate is how many datagrams a second one of them may bring: ten times what a player sends.
	DefaultRate = 1200

	// DefaultIdle is how long nothing may come or go: twice as long as a session lives in silence.
	DefaultIdle = 60 * time.Second

	// opening is how long the server may say nothing to a new one: it answers whoever speaks DTLS at once.
	opening = 10 * time.Second

	// quietTime is how long the server may have said nothing to one that carries a session while it
	// speaks with others: a client with nothing else to send sends a PING every 5 s, and gets an answer.
	quietTime = 10 * time.Second

	// relayTime is how long the handshake of a browser's relay may take: as long as the match server gives it.
	relayTime = 5 * time.Second

	// writeTime is how long a write may take until the connection is given up.
	writeTime = 5 * time.Second

	// restTime is how long what waits may be written once a connection ends.
	restTime = 200 * time.Millisecond

	// beat is how often what a connection may bring is renewed, and idle ones are looked for.
	beat = 100 * time.Millisecond

	// inbound is how many datagrams of all connections wait for ReadFrom, and outbound how many of one
	// wait to be written; then the oldest goes: a newer snapshot is worth more.
	inbound  = 4096
	outbound = 128

	// signInTime is how long a connection is left to sign in, or to become a WebSocket, before it gives way
	// to one of a source that has as few of these.
	signInTime = 2 * time.Second

	// recordData is the first byte of a record of application data (RFC 5246, section 6.2.1).
	recordData = 23

	// headerTime is how long a request's header may take, handshakes of TLS included, and headerBytes how
	// long it may be.
	headerTime  = 5 * time.Second
	headerBytes = 16 << 10
)
