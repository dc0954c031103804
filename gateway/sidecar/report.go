package sidecar

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/audit"
)

// Fault is what was wrong with a datagram of the game, or why one did not reach it.
type Fault uint8

// The faults. The labels are stable, the numbers are not.
const (
	FaultShort   Fault = iota // shorter than a header
	FaultVersion              // of another version
	FaultKind                 // of a kind that a game does not send
	FaultRun                  // without a run, or acknowledging what was not sent
	FaultStale                // for a former run of the sidecar
	FaultHandle               // names nobody who plays
	FaultLane                 // names no lane of the sidecar's, or one that the player does not have
	FaultReason               // a reason that a game may not give
	FaultVerdict              // an unknown verdict
	FaultFull                 // the lane's queue is full: the player is behind
	FaultLong                 // longer than a payload, or than the lane's messages
	FaultBehind               // to the game: it, or its socket, is behind, and a payload is lost
	FaultGone                 // to the game: there is none
	numFaults
)

var faults = [numFaults]struct{ label, says string }{
	FaultShort:   {"short", "shorter than a header of 24 bytes"},
	FaultVersion: {"version", "of another version than 1"},
	FaultKind:    {"kind", "of a kind that a game does not send: use alive (1), data (3), kick (5), judge (6)"},
	FaultRun:     {"run", "without a run of its own, or acknowledging what was not sent"},
	FaultStale:   {"stale", "not addressed to this run of the sidecar: put its run into the field peer"},
	FaultHandle:  {"handle", "about a handle that names nobody: the player has left"},
	FaultLane:    {"lane", "for a lane that the sidecar or the player does not have"},
	FaultReason:  {"reason", "a kick with a reason that a game may not give: use 3, 128 to 255, 1, 2, 11, 12 or 16"},
	FaultVerdict: {"verdict", "an unknown verdict: use 1, 2 or 3"},
	FaultFull:    {"full", "more than the lane's queue holds: the player's line is slow"},
	FaultLong:    {"long", "longer than a payload, or than the messages of its lane"},
	FaultBehind:  {"behind", "lost on the way to the game: it does not read its socket fast enough, or has just ended"},
	FaultGone:    {"gone", "lost on the way to the game: there is none"},
}

// String returns the label.
func (f Fault) String() string { return faults[f].label }

// reports counts faults, and says each kind once a minute at most.
type reports struct {
	counts  [numFaults]atomic.Uint64
	in, out atomic.Uint64 // datagrams of the game, and to it

	said   [numFaults]time.Time // owner: the sender
	before [numFaults]uint64    // the count then; likewise
}

// fault counts.
func (s *Sidecar) fault(f Fault) { s.reports.counts[f].Add(1) }

// say has the log and the audit hear of what was counted. The sender calls it.
func (s *Sidecar) say(now time.Time) {
	r := &s.reports
	for f := range numFaults {
		n := r.counts[f].Load()
		if n == r.before[f] || !r.said[f].IsZero() && now.Sub(r.said[f]) < reportEvery || f.harmless() {
			continue
		}
		s.config.Log.Warn("sidecar: datagrams of the game, or for it: "+faults[f].says, "fault", f.String(), "count", n-r.before[f])
		if s.config.Audit != nil {
			s.config.Audit.Record(audit.Event{Decision: audit.Alarm, Detail: "the game's datagrams: " + f.String()})
		}
		r.said[f], r.before[f] = now, n
	}
}

// harmless reports whether a fault is what happens whenever a player or a process ends.
func (f Fault) harmless() bool { return f == FaultStale || f == FaultGone }

// What the sidecar measures.
var (
	descDatagrams = prometheus.NewDesc("sallyport_sidecar_datagrams_total", "Datagrams between sidecar and game.", []string{"direction"}, nil)
	descFaults    = prometheus.NewDesc("sallyport_sidecar_faults_total", "Datagrams of the game without effect, and lost ones to it.", []string{"fault"}, nil)
	descWaiting   = prometheus.NewDesc("sallyport_sidecar_unconfirmed", "Numbered datagrams that the game has not confirmed.", nil, nil)
	descAnew      = prometheus.NewDesc("sallyport_sidecar_anew_total", "How often the game was so far behind that it had to begin anew.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *Sidecar) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descDatagrams, descFaults, descWaiting, descAnew} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s *Sidecar) Collect(out chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, v uint64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), label)
	}
	count(descDatagrams, s.reports.in.Load(), "in")
	count(descDatagrams, s.reports.out.Load(), "out")
	for f := range numFaults {
		count(descFaults, s.reports.counts[f].Load(), f.String())
	}
	waiting, anew := s.link.waiting()
	out <- prometheus.MustNewConstMetric(descWaiting, prometheus.GaugeValue, float64(waiting))
	out <- prometheus.MustNewConstMetric(descAnew, prometheus.CounterValue, float64(anew))
}

// Faults returns how often each fault occurred, by label; zero counts are left out.
func (s *Sidecar) Faults() map[string]uint64 {
	m := make(map[string]uint64)
	for f := range numFaults {
		if n := s.reports.counts[f].Load(); n > 0 {
			m[f.String()] = n
		}
	}
	return m
}
