package soak

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/transport"
)

// stamped is a message of the server that was sent at a second.
func stamped(second int64, fields ...uint32) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(time.Unix(second, 0).UnixMicro()))
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, f)
	}
	return b
}

// view is a view of nobody; changed says that it is not what the server saw.
func view(tick uint32, changed bool) []byte {
	sum := uint32(0) // CRC-32 of nothing
	if changed {
		sum = 1
	}
	return append(stamped(1, tick, 0, sum), 0, 0)
}

// Each promise of a lane that is broken fails the run, by name.
func TestJudgeLanes(t *testing.T) {
	back := func(n uint32) []byte { return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, n), 0) }
	level := arena.Level()
	for _, c := range []struct {
		want string // the only failure; empty means ok
		do   func(l *lanes)
	}{
		{"", func(l *lanes) {
			l.under[1], l.unconfirmed[5] = true, true
			l.message(arena.LanePickups, 9, back(1))
			l.receipt(arena.LanePickups, 5, true)
			l.message(arena.LaneNews, 1, stamped(1, 7, 60))
			l.message(arena.LaneNews, 2, stamped(2, 7, 120))
			l.message(arena.LaneNews, 3, stamped(2, 8, 60)) // another process
			l.message(arena.LaneView, 1, view(3, false))
			l.message(arena.LaneView, 3, view(9, false))
			l.message(arena.LaneSparks, 2, stamped(1))
			l.message(arena.LaneSparks, 1, stamped(1))
			l.latest(arena.LaneScores, 0, stamped(1, 0, 0, 0))
			l.latest(arena.LaneScores, 1, stamped(1, 0, 0, 0))
			l.latest(arena.LaneScores, 1, nil)
			l.latest(arena.LaneScores, 0, stamped(2, 0, 0, 0))
			l.message(arena.LaneLevel, 1, level)
		}},
		{"news missing", func(l *lanes) { l.message(arena.LaneNews, 2, stamped(1, 7, 60)) }},
		{"without a time", func(l *lanes) { l.message(arena.LaneNews, 1, nil) }},
		{"news that are none", func(l *lanes) { l.message(arena.LaneNews, 1, stamped(1, 7)) }},
		{"news older", func(l *lanes) {
			l.message(arena.LaneNews, 1, stamped(1, 7, 60))
			l.message(arena.LaneNews, 2, stamped(1, 7, 60))
		}},
		{"a view is not what", func(l *lanes) { l.message(arena.LaneView, 1, view(3, true)) }},
		{"a view older", func(l *lanes) {
			l.message(arena.LaneView, 2, view(6, false))
			l.message(arena.LaneView, 1, view(3, false))
		}},
		{"a view older", func(l *lanes) {
			l.message(arena.LaneView, 2, view(6, false))
			l.message(arena.LaneView, 2, view(6, false))
		}},
		{"a spark twice", func(l *lanes) {
			l.message(arena.LaneSparks, 2, stamped(1))
			l.message(arena.LaneSparks, 2, stamped(1))
		}},
		{"a pickup twice", func(l *lanes) { l.message(arena.LanePickups, 1, back(1)) }},
		{"has not come back", func(l *lanes) { l.under[1] = true }},
		{"without a receipt", func(l *lanes) { l.unconfirmed[1] = true }},
		{"a receipt twice", func(l *lanes) { l.receipt(arena.LanePickups, 1, true) }},
		{"says that a pickup has not", func(l *lanes) { l.unconfirmed[1] = true; l.receipt(arena.LanePickups, 1, false) }},
		{"", func(l *lanes) { l.leave(); l.receipt(arena.LanePickups, 1, false) }},
		{"the level twice", func(l *lanes) { l.message(arena.LaneLevel, 1, level); l.message(arena.LaneLevel, 2, level) }},
		{"another one", func(l *lanes) { l.message(arena.LaneLevel, 1, level[1:]) }},
		{"not newer", func(l *lanes) {
			l.latest(arena.LaneScores, 0, stamped(1, 0, 0, 0))
			l.latest(arena.LaneScores, 0, stamped(1, 0, 0, 0))
		}},
		{"a score that is none", func(l *lanes) { l.latest(arena.LaneScores, arena.Leaders, stamped(1, 0, 0, 0)) }},
		{"began anew", func(l *lanes) { l.anew() }},
	} {
		r := &run{began: time.Now()}
		l := newLanes(r)
		l.client = silent{}
		c.do(l)
		l.end(&seen{}, 0)
		if said := judgedLanes(r); (c.want == "") != (len(said) == 0) || c.want != "" && (len(said) != 1 || !strings.Contains(said[0], c.want)) {
			t.Errorf("%q: %q", c.want, said)
		}
	}
}

// silent is a client that knows nothing of the server's time.
type silent struct{}

func (silent) SendMessage(int, []byte) (uint64, error) { return 0, transport.ErrNoLanes }

func (silent) ServerTime(time.Time) transport.ServerTime { return transport.ServerTime{} }

// judgedLanes returns the promises that were broken.
func judgedLanes(r *run) []string {
	p := &Report{}
	r.reportLanes(p)
	r.judgeLanes(p, failing(func(format string, args ...any) { p.Failures = append(p.Failures, format+" "+words(args)) }))
	return p.Failures
}

func words(args []any) string {
	var list []string
	for _, a := range args {
		if s, ok := a.(string); ok {
			list = append(list, s)
		}
	}
	return strings.Join(list, " ")
}

// Who stays for long has the level, and has heard of what happened lately.
func TestLanesThatStop(t *testing.T) {
	s := &seen{match: 7, rate: 60, ticks: ticks{first: 60, last: 60 * 4}}
	for _, c := range []struct {
		name   string
		last   uint32
		stayed time.Duration
		config Config
		do     func(l *lanes)
		want   []string
	}{
		{"just come", 60 * 4, newsTime - 1, Config{}, func(*lanes) {}, nil},
		{"no level", 60 * 4, newsTime, Config{}, func(*lanes) {}, []string{"the level has not come"}},
		{"narrow line", 60 * 20, 0, Config{Impairment: netsim.Impairment{Bandwidth: narrow - 1}}, func(*lanes) {}, nil},
		{"line", 60 * 20, 0, Config{Impairment: netsim.Impairment{Bandwidth: narrow}}, func(*lanes) {}, []string{"no news for long"}},
		{"after a blackout", 60 * 4, newsTime, Config{Blackout: 1}, func(*lanes) {}, nil},
		{"no news", 60 * 5, 0, Config{}, func(*lanes) {}, []string{"no news for long"}},
		{"old news", 60 * 6, 0, Config{}, func(l *lanes) { l.news = arena.News{Match: 7, Tick: 120} }, []string{"no news for long"}},
		{"news", 60*6 - 1, 0, Config{}, func(l *lanes) { l.news = arena.News{Match: 7, Tick: 120} }, nil},
		{"news of another process", 60 * 6, 0, Config{}, func(l *lanes) { l.news = arena.News{Match: 6, Tick: 300} }, []string{"no news for long"}},
	} {
		r := &run{began: time.Now(), config: c.config}
		l := newLanes(r)
		l.client = silent{}
		c.do(l)
		s.ticks.last = c.last
		l.end(s, c.stayed)
		var got []string
		for name := range r.broken.Counts() {
			got = append(got, name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What may be lost is not: half of it has to come, less what the network takes.
func TestLaneSums(t *testing.T) {
	for arrived, config := range map[uint64]Config{50: {}, 49: {}, 25: lossy(0.5), 24: lossy(0.5)} {
		r := &run{config: config}
		r.lanes[arena.LaneLevel].sent.Add(1)
		r.lanes[arena.LaneLevel].arrived.Add(1)
		r.lanes[arena.LaneView].sent.Add(100)
		r.lanes[arena.LaneView].arrived.Add(arrived)
		if said := judgedLanes(r); (len(said) == 0) != (arrived%25 == 0) {
			t.Errorf("%d of 100: %q", arrived, said)
		}
		if r.config.Blackout = time.Second; len(judgedLanes(r)) > 0 {
			t.Error("what has grown old in a blackout counts")
		}
	}
}

func lossy(share float64) (c Config) {
	c.Impairment.Loss = share
	return c
}

// The table has a row for each lane. Of values it is not known how many were sent.
func TestLaneTable(t *testing.T) {
	r := &Report{Lanes: []Lane{
		{Name: "views", Mode: "sequenced", Sent: 10, Arrived: 9, Lost: 1, Bytes: 1500, P50: 2, P99: 3.25},
		{Name: "scores", Mode: "latest", Arrived: 5},
	}}
	var b strings.Builder
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	var got []string
	for _, line := range lines {
		if strings.HasPrefix(line, "lane") || strings.HasPrefix(line, "views") || strings.HasPrefix(line, "scores") {
			got = append(got, strings.Join(strings.Fields(line), " "))
		}
	}
	want := []string{
		"lane mode sent arrived lost p50 ms p99 ms KB", "views sequenced 10 9 1 2.0 3.2 1.5", "scores latest - 5 0 0.0 0.0 0.0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
