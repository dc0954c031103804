package transport

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/audit"
)

// Stats is what a server has done since it began.
type Stats struct {
	Sessions     int               `json:"sessions"`      // live now
	SessionsPeak int               `json:"sessions_peak"` // most at once
	Received     uint64            `json:"datagrams_in"`
	Sent         uint64            `json:"datagrams_out"`
	Drops        map[string]uint64 `json:"drops"` // by reason; what never happened is left out
	Handshakes   HandshakeStats    `json:"handshakes"`
	Socket       SocketStats       `json:"socket"`
}

// HandshakeStats counts DTLS handshakes.
type HandshakeStats struct {
	Started   uint64 `json:"started"`
	Completed uint64 `json:"completed"` // and proven by a first record
	Failed    uint64 `json:"failed"`
}

// SocketStats is what is known of a server's UDP sockets, all together.
type SocketStats struct {
	// Shards is how many sockets share the port.
	Shards int `json:"shards"`
	// ReceiveBuffer and SendBuffer are the kernel's buffers in bytes, as it
	// accounts for them: about twice the payload that fits. Zero means unknown.
	ReceiveBuffer int `json:"receive_buffer"`
	SendBuffer    int `json:"send_buffer"`
	// Overflow is how many datagrams were lost because nobody took them in time.
	Overflow uint64 `json:"overflow"`
}

// Stats counts. It is safe for concurrent use.
func (s *Server) Stats() Stats {
	st := Stats{
		Sessions: int(s.sessions.live.Load()), SessionsPeak: int(s.sessions.peak.Load()), Drops: make(map[string]uint64),
	}
	for sh := range s.shards {
		sh.addTo(&st)
	}
	if st.Socket.Overflow > 0 {
		st.Drops[audit.DropQueue.String()] += st.Socket.Overflow
	}
	return st
}

func (s *shard) addTo(st *Stats) {
	of := s.Stats()
	st.Received += of.Received
	st.Sent += of.Sent
	for reason, n := range of.Drops {
		st.Drops[reason] += n
	}
	st.Handshakes.Started += of.Started
	st.Handshakes.Completed += of.Completed
	st.Handshakes.Failed += of.Failed
	st.Socket.Shards++
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
