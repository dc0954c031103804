//go:build linux

package main

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The test binary stands in for the program that starts itself.
func TestMain(m *testing.M) {
	if role() != nil {
		main()
		return
	}
	os.Exit(m.Run())
}

func glance(t *testing.T) *plan {
	p := &plan{rounds: 1, seconds: 100 * time.Millisecond, warm: 50 * time.Millisecond}
	var err error
	if p.server, p.client, err = processors(); err != nil {
		t.Fatal(err)
	}
	return p
}

// Every peer does every work that suits it, with a handful of players.
func TestPeers(t *testing.T) {
	for _, j := range jobs(cells(), regexp.MustCompile(`^(echo-w8-1|paced-100|push-100|ingest-512|handshake-1|idle)/`)) {
		if j.Work != "echo" && strings.HasPrefix(j.Peer, "udp") {
			continue // the floor does the same
		}
		t.Run(j.Name+"/"+j.Peer, func(t *testing.T) {
			j.Players = min(j.Players, 4)
			r, err := glance(t).measure(j, 0)
			if err != nil {
				t.Fatal(err)
			}
			if r.Failed != 0 || j.Work != "idle" && (r.Figure <= 0 || r.Rate < 2) {
				t.Fatalf("%+v", r)
			}
		})
	}
}

// "sallyport does all its checks": what is not a datagram of the session is
// not counted, so what is counted must be what was sent.
func TestNothingIsLost(t *testing.T) {
	j := jobs(cells(), regexp.MustCompile("^paced-100/sallyport$"))[0]
	j.Players = 10
	assemble(t, &j).play(t, hertz, 300)
}

// A rate is what the match has heard in the time between the server's samples.
func TestRate(t *testing.T) {
	v := views{
		server: [2]sample{{At: 1e9, Received: 100}, {At: 15e8, Received: 400}},
		client: [2]sample{{At: 2e9, Sent: 100}, {At: 4e9, Sent: 2000}}, wall: [2]int64{0, 1e9},
	}
	r := new(result)
	v.fill(&job{cell: cell{Work: "paced"}}, r)
	if r.Rate != 600 {
		t.Errorf("%.0f datagrams a second, want 600", r.Rate)
	}
}

// "a ratio compares two peers of the same round": a slow round of both is none.
func TestRatiosPairRounds(t *testing.T) {
	r := newReport(cells(), []result{
		{Cell: "idle", Peer: ours, Round: 0, Figure: 2},
		{Cell: "idle", Peer: "pion2", Round: 0, Figure: 4},
		{Cell: "idle", Peer: ours, Round: 1, Figure: 20},
		{Cell: "idle", Peer: "pion2", Round: 1, Figure: 40},
		{Cell: "idle", Peer: ours, Round: 2, Figure: 7}, // its partner failed
	})
	if got := r.ratios("idle", ours, "pion2"); len(got) != 2 || got[0] != 0.5 || got[1] != 0.5 {
		t.Errorf("ratios %v, want 0.5 twice", got)
	}
	var b strings.Builder
	if err := printTables(&b, glance(t), cells(), []result{r.figures["idle/"+ours][0], r.figures["idle/pion2"][0]}, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| sallyport | 2.00 (2.00–2.00) |", "| pion2 | 4.00 (4.00–4.00) **0.50** |", "| 4096 | met |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing from\n%s", want, b.String())
		}
	}
}

func TestGoalsNameWhatIsMeasured(t *testing.T) {
	known := make(map[string]bool)
	for _, j := range jobs(cells(), regexp.MustCompile("")) {
		known[j.Name+"/"+j.Peer] = true
	}
	for _, g := range goals {
		if !known[g.cell+"/"+g.peer] || g.over != "" && !known[g.cell+"/"+g.over] {
			t.Errorf("%+v is about nothing that is measured", g)
		}
	}
}

func TestQuantile(t *testing.T) {
	list := []float64{1, 2, 4, 8}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.75: 5, 1: 8} {
		if got := quantile(list, q); got != want {
			t.Errorf("quantile %v of %v is %v, want %v", q, list, got, want)
		}
	}
	if got := quantile([]float64{3}, 0.25); got != 3 {
		t.Errorf("quantile of one is %v", got)
	}
}

// "eight steps for each doubling": a quantile is at most an eighth too small.
func TestHistogram(t *testing.T) {
	for _, ns := range []int64{-5, 0, 8, 9, 1000, 123456, 1 << 40, math.MaxInt64} {
		h := new(histogram)
		for range 100 {
			h.add(ns)
		}
		p50, p99 := h.take()
		low, high := float64(max(ns, 8))/1e3*7/8, float64(max(ns, 8))/1e3
		if p50 != p99 || p50 < low || p50 > high {
			t.Errorf("%d ns: median %v µs, 99th percentile %v µs", ns, p50, p99)
		}
		if p50, p99 = h.take(); p50 != 0 || p99 != 0 {
			t.Error("take does not begin anew")
		}
	}
}

// The bare record opens what its other end has sealed, and nothing else.
func TestBareRecord(t *testing.T) {
	client, server := newBareRecord(false), newBareRecord(true)
	for _, n := range []int{0, 1, 64, 1145} {
		b := client.seal(nil, make([]byte, n))
		if len(b) != headerLen+nonceLen+n+tagLen {
			t.Errorf("a record of %d bytes is %d long", n, len(b))
		}
		spoiled := append([]byte(nil), b...)
		spoiled[len(b)-1] ^= 1
		if p, err := server.open(b); err != nil || len(p) != n {
			t.Errorf("open gives %d bytes, %v", len(p), err)
		}
		if _, err := server.open(spoiled); err == nil {
			t.Error("a spoiled record opens")
		}
	}
	if _, err := server.open(make([]byte, headerLen)); err == nil {
		t.Error("a short record opens")
	}
}
