//go:build linux

package main

import "sync/atomic"

// peer is a transport under test.
type peer struct {
	name string

	// serve begins to serve a job: it echoes what comes, or in the work ingest
	// counts it. It does not block.
	serve func(j *job, n *counters) (endpoint, error)

	// dial connects one player. It returns when datagrams can be sent.
	dial func(j *job) (conn, error)
}

// endpoint is what a client has to know of a server.
type endpoint struct {
	Addr   string
	Root   []byte // sallyport: DER of the authority
	Issuer []byte // sallyport: PEM of the key that signs identity tokens
}

// conn is one player's end. One goroutine receives, others may send.
type conn interface {
	// send sends payloads in order.
	send(payloads [][]byte) error
	// receive waits for at least one payload. They are borrowed until the next
	// receive, and the caller may write to them.
	receive() ([][]byte, error)
	close() error
}

// counters are what a process counts, in payloads as the application sees them.
type counters struct {
	received, sent, failed, handshakes atomic.Uint64
	delays                             histogram // round trips
}

// peers are in the order of the tables.
var peers = []peer{
	udpPeer("udp", plain, false, false),
	udpPeer("udp-batch", batched, false, false),
	udpPeer("udp-gso", segmented, false, false),
	udpPeer("floor", batched, true, false),
	udpPeer("floor-gso", segmented, true, false),
	udpPeer("floor-tick", batched, true, true),
	{"pion2", servePion2, dialPion2},
	{"pion3", servePion3, dialPion3},
	{"quic", serveQUIC, dialQUIC},
	{"websocket", serveWebSocket, dialWebSocket},
	{"sallyport", serveSallyport, dialSallyport},
	{"sallyport-unverified", serveUnverified, dialSallyport},
	{"sallyport-dtls", serveDTLS, dialDTLS},
	{"data", servePush(nil, true), dialSallyport},
	{"packed", servePush(pushLanes, true), dialLanes},
	{"data-plain", servePush(nil, false), dialSallyport},
	{"packed-plain", servePush(pushLanes, false), dialLanes},
}

func peerNamed(name string) *peer {
	for i := range peers {
		if peers[i].name == name {
			return &peers[i]
		}
	}
	return nil
}

// datagramConn is a library's connection that moves one payload a call.
type datagramConn interface {
	Send(payload []byte) error
	Receive() ([]byte, error) // borrowed until the next Receive
	Close() error
}

// single is the conn of a datagramConn.
type single struct {
	c   datagramConn
	one [1][]byte
}

func (s *single) send(payloads [][]byte) error {
	for _, p := range payloads {
		if err := s.c.Send(p); err != nil {
			return err
		}
	}
	return nil
}

func (s *single) receive() ([][]byte, error) {
	var err error
	s.one[0], err = s.c.Receive()
	return s.one[:], err
}

func (s *single) close() error { return s.c.Close() }
