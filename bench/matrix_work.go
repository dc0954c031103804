//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	smallMessage = 200     // bytes of a message of lane 0, sent 60 times a second
	bulkMessage  = 8 << 10 // bytes of a message of the bulk
	bulkSmall    = 512 << 10
	bulkLarge    = 5 << 20

	connectTime = 20 * time.Second
	fullPause   = 2 * time.Millisecond // before the bulk is offered again
)

// bulkAhead is how many bytes of the bulk a game lets be under way: what the
// link carries in a second. Some libraries take everything at once, and search
// it for each datagram.
func bulkAhead(rate int) int { return min(max(rate, 64<<10), 512<<10) }

// outcome is what one trial has shown. Rates are in bytes a second.
type outcome struct {
	Condition string  `json:"condition"`
	Contender string  `json:"contender"`
	Round     int     `json:"round"`
	Quiet     delays  `json:"quiet_ms"`  // of lane 0 without the bulk
	Loaded    delays  `json:"loaded_ms"` // and with it
	Small     float64 `json:"small"`     // until 512 KB had arrived
	Large     float64 `json:"large"`     // until 5 MB had, or the time was over
	CPU       float64 `json:"cpu_us"`    // of both ends for each message without the bulk
	BulkCPU   float64 `json:"bulk_ms"`   // of both ends for each MB of the bulk, with lane 0
	Missing   int     `json:"missing"`   // messages of lane 0 that had not arrived in the end
	Behind    float64 `json:"behind"`    // share of the relay's timers that rang late
}

// delays are times of one message, one way, in ms.
type delays []float64

// phase is a part of a trial; a message belongs to the one in which it was sent.
type phase int

const (
	warming phase = iota
	quiet
	loaded
	phaseCount
)

// underWay is a message of lane 0 that has not arrived.
type underWay struct {
	sent  time.Duration // since the beginning
	phase phase
}

// work is a trial that runs. Times are since began.
type work struct {
	began   time.Time
	arrived chan struct{} // has an entry when bulk has grown

	mu sync.Mutex
	// +checklocks:mu
	phase phase
	// +checklocks:mu
	delays [phaseCount]delays
	// +checklocks:mu
	open map[uint64]underWay
	// +checklocks:mu
	bulk int // bytes that have arrived
	// +checklocks:mu
	small time.Duration // when 512 KB had
	// +checklocks:mu
	large time.Duration // when 5 MB had
}

func newWork() *work {
	return &work{began: time.Now(), open: make(map[uint64]underWay), arrived: make(chan struct{}, 1)}
}

// deliver implements stage.deliver.
func (w *work) deliver(lane int, b []byte) {
	now := time.Since(w.began)
	w.mu.Lock()
	defer w.mu.Unlock()
	if lane == laneRealTime {
		w.close(binary.LittleEndian.Uint64(b), now)
		return
	}
	w.bulk += len(b)
	if w.bulk >= bulkSmall && w.small == 0 {
		w.small = now
	}
	if w.bulk >= bulkLarge && w.large == 0 {
		w.large = now
	}
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// close takes note of when a message of lane 0 arrived.
//
// +checklocks:w.mu
func (w *work) close(id uint64, now time.Duration) {
	if m, ok := w.open[id]; ok {
		w.delays[m.phase] = append(w.delays[m.phase], ms(now-m.sent))
		delete(w.open, id)
	}
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// enter begins a phase.
func (w *work) enter(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.phase = p
}

// run does a whole trial, and closes p.
func (w *work) run(p pair, t *trial) (*outcome, error) {
	o := &outcome{Condition: t.Name, Contender: t.Contender, Round: t.Round}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait() // for sends that only close ends
	defer p.close()
	defer cancel()
	failed := make(chan error, 2)
	wg.Go(func() { failed <- w.tick(ctx, p) })

	time.Sleep(t.Times.Warm)
	w.enter(quiet)
	cpu := processorTime()
	time.Sleep(t.Times.Quiet)
	o.CPU = float64(processorTime()-cpu) / 1e3 / (t.Times.Quiet.Seconds() * hertz)
	w.enter(loaded)
	bulk, over := context.WithTimeout(ctx, t.Times.Bulk)
	defer over()
	wg.Go(func() { failed <- w.flood(bulk, p, bulkAhead(t.bytes())) })
	w.weigh(bulk, o)
	cancel()
	w.drain(t.Times.Drain)
	w.end(o)
	select {
	case err := <-failed:
		return o, err
	default:
		return o, nil
	}
}

// tick sends on lane 0, 60 times a second. If send has blocked, the next message
// is as old as it should be.
func (w *work) tick(ctx context.Context, p pair) error {
	b, start := make([]byte, smallMessage), time.Since(w.began)
	for id := uint64(0); ; id++ {
		due := start + time.Duration(id)*time.Second/hertz
		sent := due
		if wait := due - time.Since(w.began); wait > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
			sent = time.Since(w.began)
		}
		if ctx.Err() != nil {
			return nil
		}
		binary.LittleEndian.PutUint64(b, id)
		w.mu.Lock()
		w.open[id] = underWay{sent, w.phase}
		w.mu.Unlock()
		if err := p.send(laneRealTime, b); err != nil && ctx.Err() == nil && !errors.Is(err, errFull) {
			return err
		}
	}
}

// flood sends the bulk.
func (w *work) flood(ctx context.Context, p pair, ahead int) error {
	b := make([]byte, bulkMessage)
	for sent := 0; sent < bulkLarge && ctx.Err() == nil; {
		if sent-w.weight() >= ahead {
			select {
			case <-ctx.Done():
			case <-w.arrived:
			}
			continue
		}
		switch err := p.send(laneBulk, b); {
		case err == nil:
			sent += len(b)
		case errors.Is(err, errFull):
			time.Sleep(fullPause)
		case ctx.Err() == nil:
			return err
		}
	}
	return nil
}

// weight is how much of the bulk has arrived.
func (w *work) weight() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bulk
}

// weigh waits until the bulk has arrived, or ctx is over.
func (w *work) weigh(ctx context.Context, o *outcome) {
	start, cpu := time.Since(w.began), processorTime()
	for ctx.Err() == nil && w.weight() < bulkLarge {
		time.Sleep(fullPause)
	}
	used := processorTime() - cpu
	w.mu.Lock()
	defer w.mu.Unlock()
	o.Small, o.Large = w.rate(start, bulkSmall, w.small), w.rate(start, bulkLarge, w.large)
	o.BulkCPU = float64(used) / max(float64(w.bulk), 1)
}

// rate is of so many bytes that had arrived at a time, or of all if they have not.
//
// +checklocks:w.mu
func (w *work) rate(start time.Duration, bytes int, at time.Duration) float64 {
	if at == 0 {
		bytes, at = w.bulk, time.Since(w.began)
	}
	return float64(bytes) / (at - start).Seconds()
}

// drain waits for messages of lane 0 that are under way.
func (w *work) drain(wait time.Duration) {
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(fullPause) {
		w.mu.Lock()
		n := len(w.open)
		w.mu.Unlock()
		if n == 0 {
			return
		}
	}
}

// end counts what has not arrived as arriving now.
func (w *work) end(o *outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Since(w.began)
	o.Missing = len(w.open)
	for id := range w.open {
		w.close(id, now)
	}
	o.Quiet, o.Loaded = w.delays[quiet], w.delays[loaded]
}

// processorTime is this process's, in ns; zero if the system does not say.
func processorTime() int64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
