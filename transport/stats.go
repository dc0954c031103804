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
	for _, sh := range *s.shards.Load() {
		sh.addTo(&st)
	}
	if st.Socket.Overflow > 0 {
		st.Drops[audit.DropQueue.String()] += st.Socket.Overflow
	}
	return st
}

func (s *shard) addTo(st *Stats) {
	st.Received += s.received.Load()
	s.out.mu.Lock()
	st.Sent += s.out.sent
	s.out.mu.Unlock()
	for reason, n := range s.drops.Snapshot() {
		st.Drops[reason] += n
	}
	st.Handshakes.Started += s.handshakes.started.Load()
	st.Handshakes.Completed += s.handshakes.completed.Load()
	st.Handshakes.Failed += s.handshakes.failed.Load()
	sock := s.socket.Stats()
	st.Socket.Shards++
	st.Socket.ReceiveBuffer += sock.ReceiveBuffer
	st.Socket.SendBuffer += sock.SendBuffer
	st.Socket.Overflow += sock.Overflow
}

// population counts the live sessions of all shards.
type population struct{ live, peak atomic.Int64 }

// add counts one more.
func (p *population) add() {
	n := p.live.Add(1)
	for most := p.peak.Load(); n > most && !p.peak.CompareAndSwap(most, n); most = p.peak.Load() {
	}
}
