package transport

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// "CloseAfter closes the client as Close does, once every message ... has arrived", however the client
// is run, and from a handler, too.
func TestClientCloseAfter(t *testing.T) {
	const n = 100
	for name, end := range map[string]func(w *world, c *Client, l *ledger) error{
		"by itself": func(_ *world, c *Client, _ *ledger) error { return c.CloseAfter(10 * time.Second) },
		"beside Poll": func(_ *world, c *Client, l *ledger) error {
			done := make(chan error, 1)
			go func() { done <- takers["Poll"](c, ClientHandler{Receipt: l.receipt}) }()
			time.Sleep(100 * time.Millisecond)
			err := c.CloseAfter(10 * time.Second)
			<-done
			if len(l.receipts) != n {
				err = fmt.Errorf("%d receipts", len(l.receipts))
			}
			return err
		},
		"in a handler": func(w *world, c *Client, _ *ledger) (err error) {
			_ = w.match.player(0).Send([]byte("that is all"))
			time.Sleep(time.Second)
			called := false
			_, _ = c.Poll(ClientHandler{Receive: func([]byte) {
				called = true
				err = c.CloseAfter(10 * time.Second)
			}})
			if !called {
				w.Error("Receive is not called")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			virtual(t, func(w *world) {
				var up *netsim.Conn
				l := newLedger("server")
				w.match.lanes = l
				w.serve(allLanes)
				c := w.dial(1, withLanes, func(c *ClientConfig) { up = c.Conn.(*netsim.Conn) })
				up.SetImpairment(netsim.Impairment{Latency: 40 * time.Millisecond, Loss: 0.1})
				for id := uint64(1); id <= n; id++ {
					if _, err := c.SendMessage(laneOrdered, letterOf(laneOrdered, id, 500)); err != nil {
						w.Fatal(err)
					}
				}
				start := time.Now()
				if err := end(w, c, newLedger("client")); err != nil || time.Since(start) > 5*time.Second {
					w.Errorf("%v after %v", err, time.Since(start))
				}
				l.all(w, laneOrdered, n)
				if _, err := c.SendMessage(laneOrdered, nil); !errors.Is(err, net.ErrClosed) {
					w.Error(err)
				}
			})
		})
	}
}

// "Nothing more can be queued on the lanes", and what cannot arrive is waited for no longer than wait.
func TestClientCloseAfterInVain(t *testing.T) {
	virtual(t, func(w *world) {
		w.serve(allLanes)
		c := w.dial(1, withLanes)
		w.net.SetImpairment(netsim.Impairment{Loss: 1})
		_, _ = c.SendMessage(laneOrdered, []byte("hello"))
		start, done := time.Now(), make(chan error, 1)
		go func() { done <- c.CloseAfter(3 * time.Second) }()
		time.Sleep(time.Second)
		if _, err := c.SendMessage(laneOrdered, nil); !errors.Is(err, net.ErrClosed) {
			w.Error(err)
		}
		if err := c.SendLatest(laneLatest, 1, nil); !errors.Is(err, net.ErrClosed) {
			w.Error(err)
		}
		if err := <-done; err != nil || time.Since(start).Round(100*time.Millisecond) != 4*time.Second { // and the goodbye
			w.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
