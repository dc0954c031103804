package transport

import (
	"fmt"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// An attacker has a client of its own, whose keys lie open to it. What a session
// would send and what a connection seals are two steps here, so that one can be
// changed, kept, or taken elsewhere.

// envelope is the next one of c's session, in the clear.
func (w *world) envelope(c *Client, payload string) []byte {
	w.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.state.conns.current.machine.Append(nil, wire.KindData, []byte(payload))
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// smuggle sends plaintexts in c's connection, each in a record of its own.
func (w *world) smuggle(c *Client, plaintexts ...[]byte) {
	w.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, plaintext := range plaintexts {
		b, err := c.state.conns.current.record.Seal(nil, record.ApplicationData, plaintext)
		if err != nil {
			w.Fatal(err)
		}
		c.state.conns.current.write(b)
	}
}

// dropped fails unless the server has dropped exactly n datagrams for a reason.
func (w *world) dropped(reason string, n uint64) {
	w.Helper()
	synctest.Wait()
	if got := w.server.Stats().Drops[reason]; got != n {
		w.Errorf("%d dropped as %s, want %d: %v", got, reason, n, w.server.Stats().Drops)
	}
}

// crowd lets honest players send 60 inputs a second each. stop ends that, and
// fails unless all live and every input has been delivered once.
func (w *world) crowd(size int) (stop func()) {
	w.Helper()
	done := make(chan struct{})
	var players sync.WaitGroup
	sent, clients := make([]int, size), make([]*Client, size)
	for i := range size {
		clients[i] = w.dial(200 + i)
		players.Go(func() {
			ticker := time.NewTicker(time.Second / 60)
			defer ticker.Stop()
			for {
				select {
				case <-ticker.C:
				case <-clients[i].progress.ended:
					return
				case <-done:
					return
				}
				_ = clients[i].Send(fmt.Append(nil, "honest ", i, " ", sent[i])) // stop looks at errors
				sent[i]++
			}
		})
	}
	return func() {
		w.Helper()
		close(done)
		players.Wait()
		time.Sleep(time.Second)
		for i, n := range sent {
			if err := clients[i].progress.over(); err != nil {
				w.Errorf("honest player %d is out after %d inputs: %v", i, n, err)
			}
			w.deliveredOnce(fmt.Sprint("honest ", i, " "), n)
		}
	}
}

// deliveredOnce fails unless payloads with this name and the numbers below n have each been
// delivered once.
func (w *world) deliveredOnce(name string, n int) {
	w.Helper()
	for i := range n {
		if got := w.match.count(fmt.Sprint(name, i)); got != 1 {
			w.Errorf("%q was delivered %d times", fmt.Sprint(name, i), got)
		}
	}
}

// revocations are those audited, by reason.
func (w *world) revocations() (reasons []string) {
	for _, e := range w.audit.all() {
		if e.Decision.String() == "revoke" {
			reasons = append(reasons, e.Reason.String())
		}
	}
	slices.Sort(reasons)
	return reasons
}
