package audit

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func start(t *testing.T, w io.Writer, c JSONConfig) *JSON {
	t.Helper()
	j, err := NewJSON(w, c)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// sum returns the number of event lines, and what all lines say was suppressed and lost.
func sum(t *testing.T, output string) (lines, suppressed, lost int) {
	t.Helper()
	for l := range strings.Lines(output) {
		if l == "\n" {
			continue // where the line before was cut off at its end
		}
		m := fields(t, l)
		if m["decision"] != nil {
			lines++
		}
		told, _ := m["unmapped"].(map[string]any)
		if n, ok := told["suppressed"].(float64); ok {
			suppressed += int(n)
		}
		if n, ok := told["lost"].(float64); ok {
			lost += int(n)
		}
	}
	return lines, suppressed, lost
}

func TestConfig(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	for name, c := range map[string]JSONConfig{
		"key of 15 bytes": {Key: testKey[:minKey-1]},
		"empty key":       {Key: []byte{}},
		"negative queue":  {Queue: -1},
		"no signer":       {Chain: &ChainConfig{}},
		"another key":     {Chain: &ChainConfig{Signer: p256}},
		"negative time":   {Chain: &ChainConfig{Signer: key, Every: -1}},
	} {
		if _, err := NewJSON(io.Discard, c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewJSON(nil, JSONConfig{}); !errors.Is(err, ErrConfig) {
		t.Errorf("no writer: %v", err)
	}
	j := start(t, io.Discard, JSONConfig{})
	if j.room != defaultQueue || j.limiter.perSecond != defaultPerSecond {
		t.Errorf("queue %d, %d a second", j.room, j.limiter.perSecond)
	}
	j.Close()
}

// "PerSecond is how many lines are written in one second of the clock", and "Lines, suppressed and lost add up to the
// events recorded".
func TestPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		j := start(t, &b, JSONConfig{PerSecond: 10})
		burst := func(n int) (output string) {
			for range n {
				j.Record(Event{Decision: Accept})
			}
			synctest.Wait()
			output = b.String()
			b.Reset()
			return output
		}
		for _, c := range []struct{ events, lines, told int }{
			{9, 9, 0},
			{10, 10, 0},
			{11, 10, 0},
			{1, 1, 1},
			{1000, 10, 0},
			{12, 10, 990},
			{0, 0, 0},
		} {
			out := burst(c.events)
			if lines, told, _ := sum(t, out); lines != c.lines || told != c.told {
				t.Errorf("%d events: %d lines, %d suppressed; want %d and %d", c.events, lines, told, c.lines, c.told)
			}
			first, _, _ := strings.Cut(out, "\n")
			if _, told, _ := sum(t, first); c.told != 0 && told != c.told {
				t.Errorf("the first line after a run of %d does not say so: %s", c.told, first)
			}
			time.Sleep(time.Second)
		}
		j.Close()
		want := `{"time":946684807000,"class_uid":0,"category_uid":0,"activity_id":0,"activity_name":"Unknown","type_uid":0,` +
			`"severity_id":1,"status_id":0,"disposition_id":0,"message":"tally",` +
			`"metadata":{"version":"1.8.0","product":{"name":"Sallyport","vendor_name":"Sallyport"},"profiles":["security_control"]},` +
			`"unmapped":{"suppressed":2}}` + "\n"
		if got := b.String(); got != want {
			t.Errorf("last line %q, want %q", got, want)
		}
	})
}

// A second begins when the clock's does, and not when the first line of a run is written.
func TestSecondOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		j := start(t, &b, JSONConfig{PerSecond: 1})
		time.Sleep(900 * time.Millisecond)
		j.Record(Event{Decision: Accept}) // 0.9 s
		time.Sleep(100*time.Millisecond - time.Nanosecond)
		j.Record(Event{Decision: Accept}) // the last ns of the second
		time.Sleep(time.Nanosecond)
		j.Record(Event{Decision: Accept}) // 1 s
		j.Close()
		if lines, told, _ := sum(t, b.String()); lines != 2 || told != 1 {
			t.Errorf("%d lines, %d suppressed", lines, told)
		}
	})
}

// Rejections, which a stranger can cause, take at most half of them, and nobody can hide them behind a flood: of a
// revocation there is a line however few others are written.
func TestFloodHidesNothing(t *testing.T) {
	for perSecond, rejections := range map[int]int{1: 1, 2: 1, 3: 2, 10: 5, 100: 50} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			j := start(t, &b, JSONConfig{PerSecond: perSecond})
			for range 5000 {
				j.Record(Event{Decision: Reject, Reason: DropToken})
			}
			j.Record(Event{Decision: Revoke})
			j.Close()
			if got := strings.Count(b.String(), `"reject"`); got != rejections {
				t.Errorf("%d a second: %d rejections, want %d", perSecond, got, rejections)
			}
			if got := strings.Count(b.String(), `"revoke"`); got != 1 {
				t.Errorf("%d a second: %d revocations", perSecond, got)
			}
			if lines, told, _ := sum(t, b.String()); lines+told != 5001 {
				t.Errorf("%d a second: %d lines and %d suppressed are not all", perSecond, lines, told)
			}
		})
	}
}

// gate is a writer that waits until it is opened.
type gate struct {
	bytes.Buffer
	open chan struct{}
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	return g.Buffer.Write(b)
}

// "A Sink takes events and never blocks", and what the queue does not take is lost, exactly.
func TestSlowWriter(t *testing.T) {
	for _, extra := range []int{-1, 0, 1, 1000} {
		synctest.Test(t, func(t *testing.T) {
			const queue = 16
			w := &gate{open: make(chan struct{})}
			j := start(t, w, JSONConfig{Queue: queue, PerSecond: -1})
			j.Record(Event{Decision: Accept})
			synctest.Wait() // it waits in Write, the queue is empty
			begin := time.Now()
			for range queue + extra {
				j.Record(Event{Decision: Accept})
			}
			if !time.Now().Equal(begin) {
				t.Error("Record has waited")
			}
			if got, want := j.Lost(), uint64(max(extra, 0)); got != want {
				t.Errorf("%d more than the queue: %d lost, want %d", extra, got, want)
			}
			close(w.open)
			j.Close()
			lines, _, lost := sum(t, w.String())
			if lines != 1+queue+min(extra, 0) || lost != max(extra, 0) {
				t.Errorf("%d more than the queue: %d lines, %d said to be lost", extra, lines, lost)
			}
		})
	}
}

// failing cuts off or refuses every write while n is above zero.
type failing struct {
	bytes.Buffer
	n, keep int
	err     error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.n--; f.n < 0 {
		return f.Buffer.Write(b)
	}
	n, _ := f.Buffer.Write(b[:min(f.keep, len(b))])
	return n, f.err
}

var errFull = errors.New("disk full")

// "what finds ... the writer failing is counted as lost", the next line says so, and stands on a line of its own.
func TestFailingWriter(t *testing.T) {
	for name, w := range map[string]*failing{
		"refuses":  {n: 3, err: errFull},
		"cuts off": {n: 3, err: errFull, keep: 20},
		"lies":     {n: 3, keep: 20},
	} {
		j := start(t, w, JSONConfig{PerSecond: -1})
		for range 10 {
			j.Record(Event{Decision: Accept})
		}
		err := j.Close()
		if j.Lost() != 3 || !errors.Is(err, errFull) && !errors.Is(err, io.ErrShortWrite) || !strings.HasPrefix(err.Error(), "audit: ") {
			t.Errorf("%s: %d lost, %v", name, j.Lost(), err)
		}
		whole := 0
		for l := range strings.Lines(w.String()) {
			if strings.HasSuffix(l, "}\n") {
				whole++
				fields(t, l)
			}
		}
		// The three are told by whichever line was queued after they had failed, or by the last one.
		if whole != 7 && whole != 8 || !strings.Contains(w.String(), `"lost":`) {
			t.Errorf("%s: %d whole lines in\n%s", name, whole, w.String())
		}
	}
}

// Lets the next line say so, and what l would have said
func TestFailedLineIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &failing{err: errFull}
		j := start(t, w, JSONConfig{PerSecond: 1})
		for range 3 {
			j.Record(Event{Decision: Accept}) // one line, two suppressed
		}
		time.Sleep(time.Second)
		synctest.Wait()
		w.n = 1
		j.Record(Event{Decision: Accept}) // would tell the two, and fails
		time.Sleep(time.Second)
		j.Record(Event{Decision: Accept})
		j.Close()
		if lines, suppressed, lost := sum(t, w.String()); lines != 2 || suppressed != 2 || lost != 1 {
			t.Errorf("%d lines, %d suppressed, %d lost", lines, suppressed, lost)
		}
	})
}

// A writer that never works loses everything, and neither Record nor Close minds.
func TestBrokenWriter(t *testing.T) {
	j := start(t, &failing{n: 1 << 30, err: errFull}, JSONConfig{PerSecond: -1})
	for range 100 {
		j.Record(Event{Decision: Accept})
	}
	if err := j.Close(); !errors.Is(err, errFull) || j.Lost() != 100 {
		t.Errorf("%v, %d lost", err, j.Lost())
	}
}

// Close writes what is queued and waits until it is written. "Later events are lost."
func TestClose(t *testing.T) {
	var b bytes.Buffer
	j := start(t, &b, JSONConfig{PerSecond: -1})
	for range 1000 {
		j.Record(Event{Decision: Accept})
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if lines, _, _ := sum(t, b.String()); lines != 1000 {
		t.Errorf("%d lines", lines)
	}
	j.Record(Event{Decision: Accept})
	if j.Lost() != 1 {
		t.Errorf("%d lost", j.Lost())
	}
	if err := j.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

// "safe for concurrent use": every event is a whole line or counted.
func TestConcurrentRecord(t *testing.T) {
	var b bytes.Buffer
	j := start(t, &b, JSONConfig{Queue: 8, PerSecond: 500})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				j.Record(Event{Decision: Accept, Subject: "s", Detail: "a\nb"})
				j.Lost()
			}
		})
	}
	wg.Wait()
	j.Close()
	lines, suppressed, lost := sum(t, b.String())
	if lines+suppressed+lost != 4000 || lost != int(j.Lost()) {
		t.Errorf("%d lines, %d suppressed, %d lost of 4000", lines, suppressed, lost)
	}
}

// TestSuppressedIsCheap: a flood costs its victim neither memory nor work.
func TestSuppressedIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := start(t, io.Discard, JSONConfig{PerSecond: 1})
		e := Event{Decision: Reject, Subject: "s", TokenID: "t", Detail: strings.Repeat("x", 10_000)}
		j.Record(e)
		if n := testing.AllocsPerRun(100, func() { j.Record(e) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
		j.Close()
	})
}

func BenchmarkRecord(b *testing.B) {
	e := Event{Decision: Accept, Issuer: "https://issuer.example", Subject: "player", TokenID: "id", Session: 7, Scope: "match"}
	for name, perSecond := range map[string]int{"written": -1, "suppressed": 1} {
		b.Run(name, func(b *testing.B) {
			j, err := NewJSON(io.Discard, JSONConfig{PerSecond: perSecond})
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			for b.Loop() {
				j.Record(e)
			}
		})
	}
}

// BenchmarkWrite is what a line costs the goroutine that writes.
func BenchmarkWrite(b *testing.B) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	e := Event{Decision: Accept, Issuer: "https://issuer.example", Subject: "player", TokenID: "id", Session: 7, Scope: "match"}
	for name, c := range map[string]*ChainConfig{"plain": nil, "chained": {Signer: key}} {
		b.Run(name, func(b *testing.B) {
			j := &JSON{w: io.Discard, pseudonym: newPseudonymizer(testKey)}
			j.link(c)
			l := newLine(e, j.pseudonym, tally{})
			b.ReportAllocs()
			for b.Loop() {
				j.write(l)
			}
		})
	}
}
