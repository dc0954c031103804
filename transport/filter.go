package transport

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
)

// Filter is told the players' addresses, so that something in front of the server's socket can let
// their datagrams pass and drop those of strangers: package filter of the module of that name has
// one for XDP on Linux.
type Filter interface {
	// Peers receives the changes in order, and then repetitions of what it has been told. It is called
	// by one goroutine, at least once in FilterInterval while the server runs, with an empty slice if
	// there is nothing to say. A Filter that has not been called for three times as long MUST let
	// everything pass: the server has ended, or has to find its players' addresses anew. A slow Peers
	// holds up no player, only later changes. The slice is valid until Peers returns.
	Peers(changes []Peer)
}

// FilterInterval is the longest time between two calls of Config.Filter.
const FilterInterval = time.Second

// Peer is the address of a player, or of a newcomer who has proven that the address is its own. Each
// peer is repeated every minute, so a Filter may forget one that was not.
type Peer struct {
	// Addr is the address. It is invalid where only the ConnectionID has changed.
	Addr netip.AddrPort

	// ConnectionID is the beginning of the explicit nonces of the player's datagrams, if the client
	// puts it there: it identifies them at another address, too (PROTOCOL.md 9.3, 9.4). 0 means none.
	ConnectionID uint32

	// For is how long both are valid from now on. 0 means that they no longer are.
	For time.Duration
}

// maxPeerNews is how many changes wait for a Filter that is slow: all players of a large server,
// several times. What is more is forgotten, and all players are asked for anew.
const maxPeerNews = 1 << 16

// filtering tells a Filter what shards report.
type filtering struct {
	news chan struct{} // has room for one: there is some
	wg   sync.WaitGroup

	mu sync.Mutex
	// +checklocks:mu
	waiting []Peer
	// +checklocks:mu
	lost bool // there were more than maxPeerNews
}

func newFiltering() *filtering { return &filtering{news: make(chan struct{}, 1)} }

// put adds a change. It is called by shards and by the goroutines of handshakes, not for a datagram
// of a session.
func (f *filtering) put(k dtls.Known) {
	f.mu.Lock()
	if len(f.waiting) >= maxPeerNews {
		f.waiting, f.lost = f.waiting[:0], true
	}
	f.waiting = append(f.waiting, Peer{Addr: k.Addr, ConnectionID: k.ID, For: k.For})
	f.mu.Unlock()
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// take returns what waits, and leaves room for more in spare's place. It reports whether something
// was lost.
func (f *filtering) take(spare []Peer) (changes []Peer, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost {
		f.lost = false
		return nil, true
	}
	changes, f.waiting = f.waiting, spare[:0]
	return changes, false
}

// run tells the Filter, until ctx ends.
func (f *filtering) run(ctx context.Context, filter Filter, s *Server) {
	beat := time.NewTicker(FilterInterval)
	defer beat.Stop()
	var changes []Peer
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		case <-f.news:
		}
		var lost bool
		for changes, lost = f.take(changes); lost; changes, lost = f.take(nil) {
			if !s.renote(ctx) {
				return
			}
		}
		filter.Peers(changes)
	}
}

// renote has all shards report where their players are, and waits until they have: meanwhile the
// Filter is not called. It reports false if ctx has ended before.
func (s *Server) renote(ctx context.Context) bool {
	for sh := range s.shards {
		done := make(chan struct{})
		sh.Post(renoted{sh, done})
		select {
		case <-done:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// renoted asks a shard to report where its players are.
type renoted struct {
	shard *shard
	done  chan struct{}
}

func (m renoted) Deliver(time.Time) {
	m.shard.Table.Renote()
	close(m.done)
}
