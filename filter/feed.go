package filter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sallyport/sallyport/transport"
)

// FeedConfig configures a Feed. Port is required.
type FeedConfig struct {
	// Port is the UDP port that the server's players send to.
	Port uint16

	// Dir is where the maps are pinned. Empty means DefaultDir.
	Dir string

	// Log gets a line when the filter is found, has gone, cannot be written to, or sees no datagram of
	// the players, with what to do. Nil means slog.Default.
	Log *slog.Logger
}

// Feed tells the filter of this host a server's players' addresses: it is a transport.Filter. The filter
// may be missing, and may come and go. The process needs only the right to enter the maps' directory and
// write to them (Config.Owner), and CAP_BPF on kernels older than 6.0. Check says what is missing.
type Feed struct {
	config FeedConfig
	maps   feedMaps
	told   string      // what the log has heard last
	swept  time.Time   // when what is over was last forgotten
	tried  time.Time   // when everything was last written
	beats  bool        // the filter goes by what we say
	feeds  atomic.Bool // and is for our port; what Feeding reports
	sees   atomic.Bool // and has datagrams to judge; what Seeing reports
	unseen time.Time   // since when there are players, and no datagram is seen

	// What is known, until when, in ns of the monotonic clock: to be written anew to maps that are new.
	addrs map[netip.AddrPort]uint64
	ids   map[uint32]uint64
	hosts map[netKey]uint64

	// opening are those of addrs where there is no connection yet, openPart of the room at most: a
	// newcomer whose address is not among them comes in all the same, by the budget of handshakes.
	opening map[netip.AddrPort]struct{}
}

var _ transport.Filter = (*Feed)(nil)

// NewFeed makes a Feed for one server. It touches nothing before the server calls it.
func NewFeed(config FeedConfig) (*Feed, error) {
	if config.Port == 0 {
		return nil, fmt.Errorf("%w: FeedConfig.Port must be the server's UDP port", ErrConfig)
	}
	config.Dir = cmp.Or(config.Dir, DefaultDir)
	config.Log = cmp.Or(config.Log, slog.Default())
	return &Feed{config: config, addrs: map[netip.AddrPort]uint64{}, ids: map[uint32]uint64{}, hosts: map[netKey]uint64{}, opening: map[netip.AddrPort]struct{}{}}, nil
}

// Peers implements transport.Filter. It is called by one goroutine at a time.
func (f *Feed) Peers(changes []transport.Peer) {
	w := f.note(changes)
	due := time.Since(f.swept) >= sweepTime
	if due {
		f.swept = time.Now()
		f.forget()
	}
	fresh, err := f.maps.find(f.config.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.mute(slog.LevelWarn, "there is no filter on this host, so everything passes", err)
		return
	case err != nil:
		f.mute(slog.LevelError, "the filter's maps cannot be used, so everything passes", err)
		return
	case !fresh && !f.beats && time.Since(f.tried) < transport.FilterInterval/2:
		_ = f.write(news{goneAddrs: w.goneAddrs, goneIDs: w.goneIDs}) // full as it is, the rest is not tried for each change
		return
	case fresh || !f.beats:
		f.tried = time.Now()
		f.unseen = f.tried
		f.forget()
		f.all(&w)
	}
	if due || !f.beats {
		f.sweep()
	}
	if err := f.write(w); err != nil {
		f.mute(slog.LevelWarn, "the filter's maps have no room, so everything passes: load it with more of it", err)
		return
	}
	if err := f.maps.beat(f.config.Port, monotonic()); err != nil {
		f.mute(slog.LevelError, "the filter's maps cannot be written to, so everything passes", err)
		return
	}
	f.beats = true
	on, sees := f.maps.filters(f.config.Port)
	f.feeds.Store(on)
	f.sees.Store(sees)
	if sees || len(f.addrs) == 0 {
		f.unseen = time.Now()
	}
	switch {
	case !on:
		f.say(slog.LevelWarn, fmt.Sprintf("the filter is for other ports, so everything passes: start sallyport-filter with -port %d", f.config.Port))
	case time.Since(f.unseen) >= sightTime:
		f.say(slog.LevelWarn, "the filter sees none of the players' datagrams, so it keeps nobody out where they come in: start sallyport-filter with that -interface")
	default:
		f.say(slog.LevelInfo, "the filter knows the players")
	}
}

// Feeding reports whether the last call of Peers has reached a filter of this port. Otherwise
// everything passes. It may be called at any time.
func (f *Feed) Feeding() bool { return f.feeds.Load() }

// Seeing reports whether the program has had datagrams to the port to judge in the last half minute, as of
// the last call of Peers: it is attached to an interface by which they come. While nobody plays by UDP
// there may be none. It may be called at any time.
func (f *Feed) Seeing() bool { return f.sees.Load() }

// Close lets everything pass at once, and frees the Feed's resources. Close the server first.
func (f *Feed) Close() error {
	err := f.silent()
	f.maps.close()
	return err
}

// mute says why the filter does not go by what we say.
func (f *Feed) mute(level slog.Level, line string, err error) {
	_ = f.silent() // else it goes by the last beat until that is old
	f.say(level, line+": "+err.Error())
}

// silent has the filter no longer go by what we say.
func (f *Feed) silent() (err error) {
	if f.maps.open() {
		err = f.maps.beat(f.config.Port, 0)
	}
	f.beats = false
	f.feeds.Store(false)
	f.sees.Store(false)
	return err
}

// say writes a line if it is another one than before.
func (f *Feed) say(level slog.Level, line string) {
	if line != f.told {
		f.told = line
		f.config.Log.Log(context.Background(), level, line, "port", f.config.Port, "dir", f.config.Dir)
	}
}

// news is what is to be written.
type news struct {
	addrs, goneAddrs []netip.AddrPort
	ids, goneIDs     []uint32
	hosts            []netKey
}

// note remembers changes.
func (f *Feed) note(changes []transport.Peer) (w news) {
	now := monotonic()
	for _, p := range changes {
		a := netip.AddrPortFrom(p.Addr.Addr().Unmap().WithZone(""), p.Addr.Port())
		until := now + uint64(max(p.For, 0))
		switch {
		case !a.IsValid():
		case p.For == 0:
			delete(f.addrs, a)
			delete(f.opening, a)
			w.goneAddrs = append(w.goneAddrs, a)
		case p.ConnectionID != 0 || f.opens(a):
			f.addrs[a] = max(f.addrs[a], until)
			w.addrs = append(w.addrs, a)
			if p.ConnectionID != 0 {
				delete(f.opening, a)
			}
		}
		if p.ConnectionID == 0 {
			continue
		}
		if p.For > 0 {
			f.ids[p.ConnectionID] = until
			w.ids = append(w.ids, p.ConnectionID)
			if a.IsValid() {
				host := hostKeyOf(a.Addr())
				f.hosts[host] = until + uint64(lately)
				w.hosts = append(w.hosts, host)
			}
		} else {
			delete(f.ids, p.ConnectionID)
			w.goneIDs = append(w.goneIDs, p.ConnectionID)
		}
	}
	return w
}

// opens reports whether there is room for an address from which a connection is being made, and takes it.
func (f *Feed) opens(a netip.AddrPort) bool {
	if _, ok := f.addrs[a]; ok {
		return true
	}
	if f.maps.open() && len(f.opening) >= int(f.maps.peers.MaxEntries())/openPart {
		return false
	}
	f.opening[a] = struct{}{}
	return true
}

// all has everything written that is known.
func (f *Feed) all(w *news) {
	w.addrs, w.ids, w.hosts = nil, nil, nil
	for a := range f.addrs {
		w.addrs = append(w.addrs, a)
	}
	for id := range f.ids {
		w.ids = append(w.ids, id)
	}
	for h := range f.hosts {
		w.hosts = append(w.hosts, h)
	}
}

// write writes it. What was said twice is written as it is known now.
func (f *Feed) write(w news) error {
	port := f.config.Port
	addrs := newBatch[peerKey, uint64](f.maps.peers)
	for _, a := range w.addrs {
		if until, ok := f.addrs[a]; ok {
			addrs.put(peerKeyOf(a, port), until)
		}
	}
	ids := newBatch[hintKey, budget](f.maps.hints)
	for _, id := range w.ids {
		if until, ok := f.ids[id]; ok {
			ids.put(hintKeyOf(id, port), budget{Until: until})
		}
	}
	hosts := newBatch[netKey, budget](f.maps.hosts)
	for _, h := range w.hosts {
		if until, ok := f.hosts[h]; ok {
			hosts.put(h, budget{Until: until})
		}
	}
	for _, a := range w.goneAddrs {
		if _, ok := f.addrs[a]; !ok {
			addrs.remove(peerKeyOf(a, port))
		}
	}
	for _, id := range w.goneIDs {
		if _, ok := f.ids[id]; !ok {
			ids.remove(hintKeyOf(id, port))
		}
	}
	return errors.Join(addrs.flush(), ids.flush(), hosts.flush())
}

// forget forgets what is over.
func (f *Feed) forget() {
	now := monotonic()
	dropOver(f.addrs, now)
	for a := range f.opening {
		if _, ok := f.addrs[a]; !ok {
			delete(f.opening, a)
		}
	}
	dropOver(f.ids, now)
	dropOver(f.hosts, now)
}

// sweep removes from the filter's maps what is over, of this server and of others that have ended.
func (f *Feed) sweep() {
	now := monotonic()
	sweepMap(f.maps.peers, now, func(until uint64) uint64 { return until }, peerKey{})
	sweepMap(f.maps.hints, now, func(b budget) uint64 { return b.Until }, hintKey{})
	sweepMap(f.maps.hosts, now, func(b budget) uint64 { return b.Until }, netKey{})
}

func dropOver[K comparable](m map[K]uint64, now uint64) {
	maps.DeleteFunc(m, func(_ K, until uint64) bool { return until <= now })
}

// sweepMap removes from a map what is over.
func sweepMap[K, V any](m *ebpf.Map, now uint64, until func(V) uint64, key K) {
	var value V
	var over []K
	for all := m.Iterate(); all.Next(&key, &value); {
		if until(value) <= now {
			over = append(over, key)
		}
	}
	for i := range over {
		_ = m.Delete(&over[i]) // whoever else has removed it
	}
}

// batch collects what is to be written to a map.
type batch[K, V any] struct {
	to     *ebpf.Map
	keys   []K
	values []V
	gone   []K
	err    error
}

func newBatch[K, V any](to *ebpf.Map) *batch[K, V] { return &batch[K, V]{to: to} }

func (b *batch[K, V]) put(k K, v V) {
	b.keys, b.values = append(b.keys, k), append(b.values, v)
	if len(b.keys) == batchLen {
		b.write()
	}
}

func (b *batch[K, V]) remove(k K) { b.gone = append(b.gone, k) }

// write writes what has been put. A few entries go one by one.
func (b *batch[K, V]) write() {
	if len(b.keys) > 4 {
		if _, err := b.to.BatchUpdate(b.keys, b.values, nil); err == nil {
			b.keys, b.values = b.keys[:0], b.values[:0]
			return
		}
	}
	for i := range b.keys {
		if err := b.to.Put(&b.keys[i], &b.values[i]); err != nil && b.err == nil {
			b.err = err
		}
	}
	b.keys, b.values = b.keys[:0], b.values[:0]
}

// flush writes the rest, and removes what is gone first, to make room.
func (b *batch[K, V]) flush() error {
	for i := range b.gone {
		if err := b.to.Delete(&b.gone[i]); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) && b.err == nil {
			b.err = err
		}
	}
	b.write()
	return b.err
}
