package matrix

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// event is what happens in the middle of a match.
type event struct {
	name  string
	long  time.Duration // how long the impairment lasts; 0: playTime
	life  time.Duration // of identity tokens; 0: the issuer's
	steps []step

	without  time.Duration // how long nothing may pass for it: a blackout, or until the end of an impairment that hides a new address
	restarts bool          // the server does
	cuts     bool          // the player's connection, so that its session has to be resumed on another one
}

// step is what is done once so much of the match has gone by.
type step struct {
	at time.Duration
	do func(r *run)
}

var events = []event{
	{},
	{name: "port", without: 1500 * time.Millisecond, steps: []step{rebind(time.Second, netip.AddrPortFrom(playerAddr.Addr(), 2000))}},
	{name: "network", without: 1500 * time.Millisecond, steps: []step{rebind(time.Second, netip.MustParseAddrPort("[2001:db8:9:9::9]:9"))}},
	{name: "ports", without: 3 * time.Second, long: 4 * time.Second, steps: []step{
		rebind(time.Second, netip.AddrPortFrom(playerAddr.Addr(), 2000)),
		rebind(1100*time.Millisecond, netip.AddrPortFrom(playerAddr.Addr(), 2001)),
		rebind(2500*time.Millisecond, playerAddr),
	}},
	{name: "dark-up", without: 4 * time.Second, long: 5 * time.Second, steps: []step{blackout(time.Second, ofPlayer)}},
	{name: "dark-down", without: 4 * time.Second, long: 5 * time.Second, steps: []step{blackout(time.Second, ofServer)}},
	{name: "dark", without: 4 * time.Second, long: 5 * time.Second, steps: []step{blackout(time.Second, both)}},
	{name: "dark-long", without: 12 * time.Second, long: 13 * time.Second, steps: []step{blackout(time.Second, both)}},
	{name: "dark-port", without: 4 * time.Second, long: 5 * time.Second, steps: []step{
		blackout(time.Second, both), rebind(3*time.Second, netip.AddrPortFrom(playerAddr.Addr(), 2000)),
	}},
	{name: "cut", without: 3 * time.Second, long: 4 * time.Second, cuts: true, steps: []step{cut(time.Second, both)}},
	{name: "cut-up", without: 6 * time.Second, long: 7 * time.Second, cuts: true, steps: []step{cut(time.Second, ofPlayer)}},
	{name: "server-clock+1h", steps: []step{jump(time.Second, 0, time.Hour)}},
	{name: "server-clock-1h", steps: []step{jump(time.Second, 0, -time.Hour)}},
	{name: "client-clock+1h", steps: []step{jump(time.Second, 1, time.Hour)}},
	{name: "client-clock-1h", steps: []step{jump(time.Second, 1, -time.Hour)}},
	{name: "restart", restarts: true, steps: []step{restart(time.Second)}},
	{name: "dark-restart", without: 3 * time.Second, restarts: true, long: 4 * time.Second, steps: []step{blackout(time.Second, both), restart(3 * time.Second)}},
	{name: "client-clock-renewal", long: 23500 * time.Millisecond, life: 30 * time.Second, steps: []step{jump(time.Second, 1, -time.Hour)}},
	{name: "renewal", long: 23500 * time.Millisecond, life: 30 * time.Second},
}

// rebind has the player's address translator forget its mapping.
func rebind(at time.Duration, to netip.AddrPort) step {
	return step{at, func(r *run) {
		if err := r.socket.Rebind(to); err != nil {
			r.Fatal(err)
		}
	}}
}

// blackout lasts until the impairment ends.
func blackout(at time.Duration, whose int) step {
	return step{at, func(r *run) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.dark[whose] = true
	}}
}

// cut has nothing of one end or of both arrive any more on the connection that there is, not even after the impairment.
func cut(at time.Duration, whose int) step {
	return step{at, func(r *run) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.gone, r.cut = r.line, whose
	}}
}

// line is what tells the records of one connection from those of the next: the id in the player's, and how far the server has
// counted in its own.
type line struct {
	id     uint32
	number uint64
}

// see notes what a record says.
func (l *line) see(whose int, b []byte) {
	if whose == ofPlayer {
		l.id = binary.BigEndian.Uint32(b[record.HeaderLen:])
	} else {
		l.number = binary.BigEndian.Uint64(b[3:]) & (1<<48 - 1)
	}
}

// has reports whether the record just seen goes on where l is.
func (l *line) has(whose int, seen line) bool {
	if whose == ofPlayer {
		return seen.id == l.id
	}
	return seen.number >= l.number
}

// restart has the server hand its session to the next one.
func restart(at time.Duration) step { return step{at, (*run).restart} }

// jump sets a wall clock.
func jump(at time.Duration, of int, by time.Duration) step {
	return step{at, func(r *run) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ahead[of] += by
	}}
}
