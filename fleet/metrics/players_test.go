package metrics

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	base "github.com/sallyport/sallyport/metrics"
	"github.com/sallyport/sallyport/transport"
)

// The number of players' lines that were looked at.
var looked = regexp.MustCompile(`(?m)^sallyport_player_loss_ratio_count\{direction="in"\} (\d+)$`)

// "Sample is about how many players' lines are looked at in each round", "the same players for a
// minute … ; then it is others' turn." Here there are 2,000 players; TestScrapeOfMany and the benchmarks
// have 10,000.
func TestSample(t *testing.T) {
	t.Parallel()
	s := crowded(t, 2000, nil)
	m, err := New(Config{Sample: 100, Every: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r := &rounds{metrics: m}
	round := func() map[[16]byte]counted {
		done := make(chan error, 1)
		go func() { done <- r.round(t.Context(), s) }()
		for {
			if _, err := s.Poll(transport.Handler{}); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				if err != nil {
					t.Fatal(err)
				}
				return r.before
			case <-time.After(time.Millisecond):
			}
		}
	}
	first := round()
	if n := len(first); n < 50 || n > 200 {
		t.Errorf("%d players in the sample", n)
	}
	text, _ := scrape(t, "", m)
	if got := looked.FindStringSubmatch(text); got == nil || got[1] != strconv.Itoa(len(first)) {
		t.Errorf("%v were counted, %d are in the sample", got, len(first))
	}
	for n := 1; n < sampleTurn; n++ {
		if again := round(); len(again) != len(first) {
			t.Fatalf("round %d has %d players, not %d", n, len(again), len(first))
		}
	}
	for name := range round() {
		if _, ok := first[name]; ok {
			t.Errorf("%x is in two samples in a row", name)
		}
	}
}

// "Without lanes nothing is known of loss to the player": it is not counted as none.
func TestLossWithoutLanes(t *testing.T) {
	t.Parallel()
	m, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	m.look(counted{}, transport.PlayerStats{Received: 600, Sent: 600})
	m.look(counted{}, transport.PlayerStats{Received: 600, Sent: 600, Rate: 1})
	text, _ := scrape(t, "", m)
	for direction, want := range map[string]string{directionIn: "2", directionOut: "1"} {
		if line := `sallyport_player_loss_ratio_count{direction="` + direction + `"} ` + want + "\n"; !strings.Contains(text, line) {
			t.Errorf("no line %s", line)
		}
	}
}

// "Run … returns ctx's error, or transport.ErrServerClosed once the server is closed."
func TestRunEnds(t *testing.T) {
	t.Parallel()
	s := crowded(t, 1, nil)
	m, err := New(Config{Every: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Run(ctx, s); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.Close() //nolint:errcheck // that is the point
	if err := m.Run(t.Context(), s); !errors.Is(err, transport.ErrServerClosed) {
		t.Error(err)
	}
}

// handlerOf serves all metrics of a server, those of the library and of this package.
func handlerOf(s *transport.Server, m *Metrics) http.Handler {
	return base.Handler(base.NewCollector(s.Stats), m)
}

// "A scrape of 10,000 sessions takes at most 20 ms, and has no label of a player's": with as many
// sessions there are as many series as with ten.
func TestScrapeOfMany(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 sessions")
	}
	series := func(text string) (n int) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "sallyport_") {
				n++
			}
		}
		return n
	}
	few, _ := get(t, handlerOf(crowded(t, 10, nil), complete(t)), "")
	h := handlerOf(crowded(t, 10_000, func(c *transport.Config) { c.Audit = audit.Tee() }), complete(t))
	const limit = 20 * time.Millisecond
	best := time.Hour
	for tries := 0; tries < 1000 && best > limit; tries++ { // others use the machine, too
		text, took := get(t, h, "")
		best = min(best, took)
		if got, want := series(text), series(few); got != want {
			t.Fatalf("%d series, with ten sessions %d", got, want)
		}
	}
	if best > limit {
		t.Errorf("a scrape takes %v", best)
	}
	t.Logf("a scrape of 10,000 sessions takes %v", best)
}

func BenchmarkScrape10000(b *testing.B) {
	h := handlerOf(crowded(b, 10_000, nil), complete(b))
	for b.Loop() {
		get(b, h, "")
	}
}

// What a round of Run holds up the match for, with 10,000 players.
func BenchmarkRound10000(b *testing.B) {
	s := crowded(b, 10_000, nil)
	m, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	r := &rounds{metrics: m}
	var turn time.Duration
	for b.Loop() {
		done := make(chan error, 1)
		go func() { done <- r.round(b.Context(), s) }()
		time.Sleep(time.Millisecond) // until it has asked
		began := time.Now()
		if _, err := s.Poll(transport.Handler{}); err != nil {
			b.Fatal(err)
		}
		turn += time.Since(began)
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(turn.Microseconds())/float64(b.N), "µs-turn")
}
