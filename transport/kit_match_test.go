package transport

import (
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
)

// match is the game: it sends everything back, and remembers.
type match struct {
	mute   bool    // send nothing back; set before Serve
	onJoin func()  // may be nil; set before Serve
	lanes  *ledger // of what comes on lanes; may be nil, set before Serve

	mu      sync.Mutex
	players []*Player
	leaving []wire.Reason
	got     map[string]int // payloads, and how often each came
	last    time.Time      // when the last one came
}

func (m *match) handler() Handler {
	h := Handler{Join: m.join, Receive: m.receive, Leave: m.leave}
	if l := m.lanes; l != nil {
		h.Message = func(_ *Player, lane int, id uint64, b []byte) { l.message(lane, id, b) }
		h.Latest = func(_ *Player, lane int, key uint32, b []byte) { l.value(lane, key, b) }
		h.Receipt = func(_ *Player, lane int, id uint64, arrived bool) { l.receipt(lane, id, arrived) }
	}
	return h
}

func (m *match) join(p *Player) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.players = append(m.players, p)
	if m.onJoin != nil {
		m.onJoin()
	}
}

func (m *match) receive(p *Player, payload []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.got == nil {
		m.got = make(map[string]int)
	}
	m.got[string(payload)]++
	m.last = time.Now()
	if !m.mute {
		_ = p.Send(payload)
	}
}

func (m *match) leave(_ *Player, reason wire.Reason) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leaving = append(m.leaving, reason)
}

func (m *match) left() []wire.Reason {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.leaving)
}

func (m *match) count(payload string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got[payload]
}

// joined is how many players the match has been told of.
func (m *match) joined() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.players)
}

// payloads is how many different ones have come.
func (m *match) payloads() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got)
}

// newest is the player whom the match was told of last.
func (m *match) newest() *Player {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.players[len(m.players)-1]
}

func (m *match) player(n int) *Player {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.players[n]
}

// sink remembers what is audited.
type sink struct {
	mu     sync.Mutex
	events []audit.Event
}

func (s *sink) Record(e audit.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

func (s *sink) all() []audit.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}
