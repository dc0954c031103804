package audit

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The lines from number seq on that are still there, oldest first, and the number of the line that comes next
func TestRecentSince(t *testing.T) {
	const n = 4
	for recorded := range uint64(11) {
		r := NewRecent(n)
		for i := range recorded {
			r.Record(Event{Decision: Accept, Detail: fmt.Sprint(i)})
		}
		for seq := range recorded + 3 {
			from := seq
			if seq > recorded { // "a number that has not been reached ... counts as 0"
				from = 0
			}
			if recorded > n {
				from = max(from, recorded-n)
			}
			lines, next := r.Since(seq)
			if next != recorded || len(lines) != int(recorded-from) {
				t.Fatalf("%d recorded, since %d: %d lines, next %d", recorded, seq, len(lines), next)
			}
			for i, l := range lines {
				if got := fields(t, string(l))["message"]; got != fmt.Sprint(from+uint64(i)) {
					t.Errorf("%d recorded, since %d: line %d is %v", recorded, seq, i, got)
				}
			}
		}
	}
}

// 1 to MaxRecent; a number outside counts as the nearest
func TestRecentBounds(t *testing.T) {
	for n, want := range map[int]int{-1: 1, 0: 1, 1: 1, 2: 2, MaxRecent: MaxRecent, MaxRecent + 1: MaxRecent} {
		if got := len(NewRecent(n).ring); got != want {
			t.Errorf("%d lines: room for %d", n, got)
		}
	}
	if MaxRecent*longest > 32<<20 {
		t.Errorf("%d bytes of the longest lines", MaxRecent*longest)
	}
}

// They are the lines that JSON writes, without their end, with the pseudonyms of the sink that they are of.
func TestRecentIsWhatJSONWrites(t *testing.T) {
	var b bytes.Buffer
	j := start(t, &b, JSONConfig{Key: testKey})
	r, stranger := j.Recent(10), NewRecent(10)
	both := Tee(j, nil, r, stranger)
	for d := range numDecisions {
		both.Record(everything(d, DropRate))
	}
	j.Close()
	lines, _ := r.Since(0)
	if got := string(bytes.Join(lines, []byte("\n"))) + "\n"; !strings.HasSuffix(b.String(), got) || len(lines) != 10 {
		t.Errorf("%d lines differ:\n%s\n%s", len(lines), got, b.String())
	}
	if foreign, _ := stranger.Since(0); strings.Contains(string(bytes.Join(foreign, nil)), pseudonymOf("subject", "subject")) {
		t.Error("a Recent of its own has the pseudonyms of a sink")
	}
}

// Within the bounds of JSONConfig.PerSecond at defaultPerSecond; what exceeds them is told as suppressed
func TestRecentFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRecent(MaxRecent)
		for range 1000 {
			r.Record(Event{Decision: Reject, Reason: DropToken})
		}
		for range 1000 {
			r.Record(Event{Decision: Accept})
		}
		time.Sleep(time.Second)
		r.Record(Event{Decision: Close})
		lines, _ := r.Since(0)
		var b strings.Builder
		for _, l := range lines {
			fmt.Fprintf(&b, "%s\n", l)
		}
		if got := strings.Count(b.String(), `"decision":"reject"`); got != defaultPerSecond/2 {
			t.Errorf("%d rejections", got)
		}
		if n, suppressed, lost := sum(t, b.String()); n != defaultPerSecond+1 || n+suppressed != 2001 || lost != 0 {
			t.Errorf("%d lines, %d suppressed, %d lost", n, suppressed, lost)
		}
	})
}

// "in this order and with one time", and a sink whose disk hangs or is full keeps no other from its events.
func TestTee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &gate{open: make(chan struct{})}
		slow, full := start(t, w, JSONConfig{Queue: 1}), start(t, &failing{n: 1 << 30, err: errFull}, JSONConfig{})
		first, last := NewRecent(10), NewRecent(10)
		both := Tee(first, slow, full, Tee(), Tee(last))
		for range 10 {
			both.Record(Event{Decision: Accept})
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		a, _ := first.Since(0)
		b, _ := last.Since(0)
		if len(a) != 10 || !bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) {
			t.Errorf("%d lines, %d lines", len(a), len(b))
		}
		close(w.open)
		slow.Close()
		full.Close()
		if slow.Lost() != 8 || full.Lost() != 10 { // one in Write, one in the queue
			t.Errorf("%d lost by the slow one, %d by the full one", slow.Lost(), full.Lost())
		}
	})
	var got []Event
	Tee(sinkFunc(func(e Event) { got = append(got, e) }), sinkFunc(func(e Event) { got = append(got, e) })).Record(Event{Decision: Accept})
	if len(got) != 2 || got[0].Time.IsZero() || got[0] != got[1] {
		t.Errorf("%v", got)
	}
}

type sinkFunc func(Event)

func (f sinkFunc) Record(e Event) { f(e) }

// "safe for concurrent use": every number once, every line whole, whoever reads at the same time.
func TestRecentConcurrent(t *testing.T) {
	r := NewRecent(16)
	r.mu.Lock()
	r.limiter.perSecond = -1
	r.mu.Unlock()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				r.Record(everything(Accept, DropNone))
			}
		})
		wg.Go(func() {
			seq := uint64(0)
			for range 200 {
				lines, next := r.Since(seq)
				if next < seq || uint64(len(lines)) > next-seq {
					t.Errorf("%d lines between %d and %d", len(lines), seq, next)
				}
				seq = next
			}
		})
	}
	wg.Wait()
	if lines, next := r.Since(0); next != 800 || len(lines) != 16 {
		t.Errorf("%d lines, next %d", len(lines), next)
	}
}

func BenchmarkRecent(b *testing.B) {
	e := everything(Accept, DropNone)
	for name, perSecond := range map[string]int{"kept": -1, "suppressed": 1} {
		b.Run(name, func(b *testing.B) {
			r := NewRecent(100)
			r.limiter.perSecond = perSecond
			for b.Loop() {
				r.Record(e)
			}
		})
	}
}

// "newPseudonymizer holds its key out of reach of fmt": a Recent that is printed does not give it away.
func TestRecentIsNotPrinted(t *testing.T) {
	j := start(t, io.Discard, JSONConfig{Key: testKey})
	defer j.Close()
	r := j.Recent(1)
	if s := fmt.Sprintf("%v %+v %#v", r, r, r); strings.Contains(s, string(testKey)) || strings.Contains(s, "48, 49, 50") || strings.Contains(s, "0x30, 0x31") {
		t.Errorf("the key is printed: %s", s)
	}
}
