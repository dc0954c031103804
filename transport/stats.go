package transport

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/token"
)

// Stats is what a server has done since it began.
type Stats struct {
	Sessions     int               `json:"sessions"`      // live now
	SessionsPeak int               `json:"sessions_peak"` // most at once
	Received     uint64            `json:"datagrams_in"`
	Sent         uint64            `json:"datagrams_out"`
	Drops        map[string]uint64 `json:"drops"` // by reason; what never happened is left out

	// Refusals counts what Drops counts for a HELLO, a RENEW or a session of a snapshot that was
	// refused, by cause: the labels of docs/fleet.md 11.2. What never happened is left out.
	Refusals map[string]uint64 `json:"refusals"`

	// Outages has the issuers whose keys cannot be fetched now, as far as Config.Verifier knows.
	Outages []token.Outage `json:"outages,omitempty"`

	Handshakes HandshakeStats `json:"handshakes"`
	Socket     SocketStats    `json:"socket"`
}

// HandshakeStats counts DTLS handshakes.
type HandshakeStats struct {
	Started   uint64 `json:"started"`
	Completed uint64 `json:"completed"` // and proven by a first record
	Failed    uint64 `json:"failed"`

	Retries RetryStats `json:"retries"`

	// FailedBy is Failed by the kind of cause; what never happened is left out. The labels:
	//
	//	version, suite, group, signature, master_secret   what the two ends do not have in common
	//	no_certificate, certificate                       a client certificate is missing, or refused
	//	proof       a signature or a Finished of the client does not verify
	//	malformed   a message is malformed or out of place
	//	alert       the client has ended it by an alert: it refuses the server's certificate, for one
	//	timeout     a flight did not come in time: a client that is gone, or a stranger's ClientHello
	//	unconfirmed no record came under the new keys
	//	anew        the client has begun another one in its place
	//	evicted     it has made room for another one
	//	other       anything else
	FailedBy map[string]uint64 `json:"failed_by,omitempty"`
}

// RetryStats counts proofs of address (PROTOCOL.md 9.10): how the server answers a flood of
// ClientHellos, of which it keeps nothing.
type RetryStats struct {
	Sent     uint64 `json:"sent"`     // ClientHellos that were asked for a proof
	Returned uint64 `json:"returned"` // ClientHellos that have brought one
	Vouched  uint64 `json:"vouched"`  // those of them that have shown a ticket, too
	Wrong    uint64 `json:"wrong"`    // proofs and tickets that were no good
}

// SocketStats describes a server's UDP sockets, all together.
type SocketStats struct {
	// Shards is how many sockets share the port.
	Shards int `json:"shards"`
	// ReceiveBuffer and SendBuffer are the kernel's buffers in bytes, as it
	// accounts for them: about twice the payload that fits. Zero means unknown.
	ReceiveBuffer int `json:"receive_buffer"`
	SendBuffer    int `json:"send_buffer"`
	// Overflow is how many datagrams were lost because nobody took them in time, those of Config.Also
	// included. During a flood that overflows the buffers, Linux sockets shed handshake records of
	// strangers, which do not count; meanwhile this is an estimate, at least so many.
	Overflow uint64 `json:"overflow"`
}

// Stats returns what the server has counted since it began.
func (s *Server) Stats() Stats {
	st := Stats{
		Sessions: int(s.sessions.live.Load()), SessionsPeak: int(s.sessions.peak.Load()), Drops: make(map[string]uint64),
		Handshakes: HandshakeStats{FailedBy: make(map[string]uint64)},
		Refusals:   s.audit.refusals.snapshot(), Outages: outagesOf(s.config.Verifier),
	}
	for sh := range s.shards {
		st.add(sh)
	}
	st.Socket.Overflow += s.endpoint.CarrierOverflow()
	if st.Socket.Overflow > 0 {
		st.Drops[audit.DropQueue.String()] += st.Socket.Overflow
	}
	return st
}

// add adds what a shard has counted.
func (st *Stats) add(s *shard) {
	of := s.Stats()
	st.Received += of.Received
	st.Sent += of.Sent
	for reason, n := range of.Drops {
		st.Drops[reason] += n
	}
	st.Handshakes.Started += of.Started
	st.Handshakes.Completed += of.Completed
	st.Handshakes.Failed += of.Failed
	st.Handshakes.Retries.Sent += of.Retries.Sent
	st.Handshakes.Retries.Returned += of.Retries.Returned
	st.Handshakes.Retries.Vouched += of.Retries.Vouched
	st.Handshakes.Retries.Wrong += of.Retries.Wrong
	for kind, n := range of.FailedBy {
		st.Handshakes.FailedBy[kind] += n
	}
	if !s.Carries {
		st.Socket.Shards++
	}
	st.Socket.ReceiveBuffer += of.Socket.ReceiveBuffer
	st.Socket.SendBuffer += of.Socket.SendBuffer
	st.Socket.Overflow += of.Socket.Overflow
}

// population counts the live sessions of all shards.
type population struct{ live, peak atomic.Int64 }

// add counts one more.
func (p *population) add() {
	n := p.live.Add(1)
	for most := p.peak.Load(); n > most && !p.peak.CompareAndSwap(most, n); most = p.peak.Load() {
	}
}
