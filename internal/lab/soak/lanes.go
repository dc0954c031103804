package soak

import (
	"bytes"
	"encoding/binary"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/transport"
)

// messenger is what lanes use of a *transport.Client.
type messenger interface {
	SendMessage(lane int, b []byte) (id uint64, err error)
	ServerTime(local time.Time) transport.ServerTime
}

// lanes is a stay's knowledge of its lanes. What its handler sees is judged at once; a broken
// promise is counted under its name.
type lanes struct {
	run *run // constant
	// Set by begin, constant afterwards.
	client messenger // nil without lanes

	mu sync.Mutex
	// +checklocks:mu
	newest [arena.NumLanes]uint64 // ids of what the server has sent
	// +checklocks:mu
	sent uint32 // pickups
	// +checklocks:mu
	under map[uint32]bool // pickups that have not come back
	// +checklocks:mu
	unconfirmed map[uint64]bool // ids of pickups without a receipt
	// +checklocks:mu
	news arena.News // the newest
	// +checklocks:mu
	viewer arena.Viewer
	// +checklocks:mu
	scores [arena.Leaders]time.Time // when they were sent
	// +checklocks:mu
	sparks [sparksKept]uint64 // the last ids
	// +checklocks:mu
	level bool // has come
	// +checklocks:mu
	over bool // the player leaves: what is unfinished ends with it
}

func newLanes(r *run) *lanes {
	return &lanes{run: r, under: make(map[uint32]bool), unconfirmed: make(map[uint64]bool)}
}

// begin is told of the session, before anything of it is handed over.
func (l *lanes) begin(c *transport.Client) {
	switch {
	case c.HasLanes():
		l.client = c
	case l.run.config.lanes():
		l.run.broken.Count("a player who has asked for lanes has none")
	}
}

// pickUp sends something that must come back exactly once, and of which the server must confirm
// exactly once that it has it.
func (l *lanes) pickUp() {
	if l.client == nil {
		return
	}
	l.mu.Lock() // its receipt and itself may be back before SendMessage is
	defer l.mu.Unlock()
	b := binary.BigEndian.AppendUint32(nil, l.sent+1)
	b = binary.BigEndian.AppendUint64(b, uint64(time.Since(l.run.began)))
	id, err := l.client.SendMessage(arena.LanePickups, b)
	if err != nil {
		return // the session is over, or has been silent for long
	}
	l.sent++
	l.under[l.sent], l.unconfirmed[id] = true, true
}

// message takes a message of the server.
func (l *lanes) message(lane int, id uint64, b []byte) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	newest := l.newest[lane]
	l.newest[lane] = max(newest, id)
	l.arrived(lane, b)
	if lane == arena.LanePickups {
		l.pickup(now, b)
		return
	}
	sent, ok := arena.Stamp(b)
	if !ok {
		l.run.broken.Count("a message without a time")
		return
	}
	l.took(lane, now, sent)
	switch lane {
	case arena.LaneNews:
		news, err := arena.ParseNews(b)
		if err != nil {
			l.run.broken.Count("news that are none")
			return
		}
		l.hold(id == newest+1, "news missing, twice or out of order")
		l.hold(news.Match != l.news.Match || news.Tick > l.news.Tick, "news older than those before")
		l.news = news
	case arena.LaneView:
		_, whole := l.viewer.View(b)
		l.hold(whole, "a view is not what the server saw")
		l.hold(id > newest, "a view older than the one before")
	case arena.LaneSparks:
		l.hold(l.sparks[id%sparksKept] != id, "a spark twice")
		l.sparks[id%sparksKept] = id
	case arena.LaneLevel:
		l.hold(!l.level && id == 1, "the level twice")
		l.hold(len(b) == arena.LevelLen && bytes.Equal(b[arena.StampLen:], arena.Level()[arena.StampLen:]), "the level is another one")
		l.level = true
	}
}

// pickup takes one that has come back.
//
// +checklocks:l.mu
func (l *lanes) pickup(now time.Time, b []byte) {
	n := binary.BigEndian.Uint32(b)
	l.hold(l.under[n], "a pickup twice, or one that was not sent")
	delete(l.under, n)
	sent := l.run.began.Add(time.Duration(binary.BigEndian.Uint64(b[4:])))
	l.run.lanes[arena.LanePickups].took.add(now.Sub(sent))
}

// latest takes a value of the scoreboard.
func (l *lanes) latest(lane int, rank uint32, b []byte) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived(lane, b)
	if len(b) == 0 {
		return // nobody has the rank
	}
	sent, ok := arena.Stamp(b)
	if !ok || rank >= arena.Leaders {
		l.run.broken.Count("a score that is none")
		return
	}
	l.took(lane, now, sent)
	l.hold(sent.After(l.scores[rank]), "a score that is not newer than the one before")
	l.scores[rank] = sent
}

// receipt takes the server's word for a pickup.
func (l *lanes) receipt(_ int, id uint64, arrived bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over && !arrived {
		return
	}
	l.hold(l.unconfirmed[id], "a receipt twice, or for what was not sent")
	l.hold(arrived, "a receipt says that a pickup has not arrived")
	delete(l.unconfirmed, id)
}

// anew is told that the lanes have begun anew. What was under way is lost.
func (l *lanes) anew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run.broken.Count("lanes began anew")
	l.settle()
	clear(l.under)
	l.newest, l.sent, l.level, l.sparks = [arena.NumLanes]uint64{}, 0, false, [sparksKept]uint64{}
}

// hold counts a promise as broken unless it was kept.
func (l *lanes) hold(kept bool, promise string) {
	if !kept {
		l.run.broken.Count(promise)
	}
}

// outstanding reports whether anything has not come that must.
func (l *lanes) outstanding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.under)+len(l.unconfirmed) > 0 || l.client != nil && !l.level
}

// leave is told that the player leaves.
func (l *lanes) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// end is told that the player has left, what it knows from its snapshots, and how long it was
// there.
func (l *lanes) end(seen *seen, stayed time.Duration) {
	if l.client == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle()
	config := &l.run.config
	if config.narrow() {
		return
	}
	for range l.under {
		l.run.broken.Count("a pickup that has not come back")
	}
	for range l.unconfirmed {
		l.run.broken.Count("a pickup without a receipt")
	}
	patience := newsTime + 8*config.delay() + config.Hang
	l.hold(l.level || stayed < patience+config.Blackout+config.bulkTime(), "the level has not come")
	heard := seen.ticks.first
	if l.news.Match == seen.match {
		heard = max(heard, l.news.Tick)
	}
	silent := time.Duration(seen.ticks.last-min(heard, seen.ticks.last)) * time.Second / time.Duration(max(seen.rate, 1))
	l.hold(silent < patience, "no news for long")
}
