package soak

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
)

// judge lists the promises that were broken.
func (r *run) judge(p *Report, loaded, after *gameserver.Stats) {
	fail := failing(func(format string, args ...any) { p.Failures = append(p.Failures, fmt.Sprintf(format, args...)) })
	if r.ctx.Err() != nil {
		fail("interrupted after %.1f s", p.elapsed.Seconds())
	} else {
		if p.Connected < p.Players {
			fail("%d of %d players connected", p.Connected, p.Players)
		}
		if r.config.Renew && p.Renewed == 0 {
			fail("no token was renewed")
		}
		r.judgeTurn(p, fail)
	}
	if len(p.Rejected) > 0 {
		fail("not let in: %s", p.Rejected.Text("none"))
	}
	if closed := r.closed.Counts(); len(closed) > 0 {
		fail("sessions ended early: %s", closed.Text("none"))
	}
	if p.Lost > 0 {
		fail("%d of %d inputs lost", p.Lost, p.Sent)
	}
	if twice := r.twice.Load(); twice > 0 {
		fail("%d inputs delivered more than once", twice)
	}
	if expected := r.expected.Load(); float64(p.Received) < fewest*float64(expected) {
		fail("%d snapshots received, %d expected", p.Received, expected)
	}
	r.judgeLanes(p, fail)
	if p.Sent == 0 && r.ctx.Err() == nil {
		fail("nothing sent")
	}
	for _, d := range r.unexplained(loaded, after) {
		fail("%s", d)
	}
	p.Verdict = "failed"
	if len(p.Failures) == 0 {
		p.Verdict = "ok"
	}
}

// unexplained lists what the server dropped while everybody played by the rules on an unimpaired network. Strangers may
// reach the port of a server, and while players come and go a slow machine repeats flights of handshakes: those drops
// are reported and not held against it.
func (r *run) unexplained(loaded, after *gameserver.Stats) (found []string) {
	if r.config.impaired() || loaded == nil || after == nil {
		return nil
	}
	explained := []audit.Drop{audit.DropSource, audit.DropSize}
	if r.config.Churn > 0 || r.config.delay() > 0 || r.lostPaths.Load() > 0 {
		explained = append(explained, audit.DropHandshake, audit.DropRecord)
	}
	drops := dropsBetween(loaded, after)
	for _, reason := range slices.Sorted(maps.Keys(drops)) {
		if !slices.ContainsFunc(explained, func(d audit.Drop) bool { return d.String() == reason }) {
			found = append(found, fmt.Sprintf("%d datagrams dropped: %s", drops[reason], reason))
		}
	}
	return found
}
