package soak

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/transport"
)

// laneNames names the arena's lanes.
var laneNames = [arena.NumLanes]string{
	arena.LaneNews: "news", arena.LaneView: "views", arena.LanePickups: "pickups",
	arena.LaneScores: "scores", arena.LaneSparks: "sparks", arena.LaneLevel: "level",
}

// laneSums is what all players have seen of one lane.
type laneSums struct {
	sent, arrived, bytes atomic.Uint64
	took                 histogram // from sending to the handler
}

// Lane is what has become of one lane of the arena, over all players.
type Lane struct {
	Name    string  `json:"name"`
	Mode    string  `json:"mode"`
	Sent    uint64  `json:"sent"`    // 0 for scores, of which only the newest counts
	Arrived uint64  `json:"arrived"` // messages or values
	Lost    uint64  `json:"lost"`    // sent and not arrived
	Bytes   uint64  `json:"bytes"`   // of what has arrived
	P50     float64 `json:"p50_ms"`  // from sending to the player's handler, for pickups from the player and back
	P99     float64 `json:"p99_ms"`
}

// arrived counts what the server has sent.
func (l *lanes) arrived(lane int, b []byte) {
	sums := &l.run.lanes[lane]
	sums.arrived.Add(1)
	sums.bytes.Add(uint64(len(b)))
}

// took measures the way of a message by the server's clock.
func (l *lanes) took(lane int, now, sent time.Time) {
	if t := l.client.ServerTime(now); !t.Time.IsZero() {
		l.run.lanes[lane].took.add(t.Time.Sub(sent))
	}
}

// settle adds up what has been sent. The ids of a lane have no gaps, so the newest one says how
// many the server has sent; one level is sent to everybody.
//
// +checklocks:l.mu
func (l *lanes) settle() {
	for lane := range l.newest {
		sent := l.newest[lane]
		switch lane {
		case arena.LanePickups:
			sent = uint64(l.sent)
		case arena.LaneLevel:
			sent = 1
		}
		l.run.lanes[lane].sent.Add(sent)
	}
}

// reportLanes adds what came on lanes, if there were any.
func (r *run) reportLanes(p *Report) {
	if r.lanes[arena.LaneLevel].sent.Load() == 0 {
		return // in bearer mode, or the server has none
	}
	for i, l := range arena.Lanes() {
		sums := &r.lanes[i]
		lane := Lane{
			Name: laneNames[i], Mode: l.Mode.String(), Sent: sums.sent.Load(), Arrived: sums.arrived.Load(),
			Bytes: sums.bytes.Load(), P50: sums.took.quantile(0.50), P99: sums.took.quantile(0.99),
		}
		if l.Mode != transport.Latest {
			lane.Lost = lane.Sent - min(lane.Arrived, lane.Sent)
		}
		p.Lanes = append(p.Lanes, lane)
	}
}

// judgeLanes lists the promises of lanes that were broken. Of what may be lost, no more than the
// network takes is.
func (r *run) judgeLanes(p *Report, fail failing) {
	for promise, n := range r.broken.Counts() {
		fail("lanes: %s (%d times)", promise, n)
	}
	if r.config.Impairment.Bandwidth > 0 || r.config.Blackout > 0 {
		return // a view that waits is overtaken, or too old
	}
	for i, l := range p.Lanes {
		if m := arena.Lanes()[i].Mode; m != transport.Unreliable && m != transport.Sequenced {
			continue // each is accounted for
		}
		if float64(l.Arrived) < fewest*float64(l.Sent)*(1-r.config.Impairment.Loss) {
			fail("lanes: %d of %d %s arrived", l.Arrived, l.Sent, l.Name)
		}
	}
}

// laneTable writes the lanes as rows of the table.
func (r *Report) laneTable(row func(name, format string, args ...any)) {
	const head, line = "%-10s %8s %8s %6s %8s %8s %10s", "%-10s %8s %8d %6d %8.1f %8.1f %10.1f"
	for i, l := range r.Lanes {
		if i == 0 {
			row("lane", head, "mode", "sent", "arrived", "lost", "p50 ms", "p99 ms", "KB")
		}
		sent := fmt.Sprint(l.Sent)
		if l.Sent == 0 {
			sent = "-"
		}
		row(l.Name, line, l.Mode, sent, l.Arrived, l.Lost, l.P50, l.P99, float64(l.Bytes)/1000)
	}
}
