package transport

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
)

// "Expiry, revocation, scope, fingerprint and rate are looked at with every
// datagram." ARCHITECTURE.md: those that were on their way when the session was
// revoked are dropped, all of them, and the player is told once.
func TestRevokeInFlight(t *testing.T) {
	t.Parallel()
	const inputs, latency = 100, 50 * time.Millisecond
	for _, arrived := range []int{0, 1, 50, 99, 100} {
		t.Run(fmt.Sprint(arrived), func(t *testing.T) {
			virtual(t, func(w *world) {
				w.match.mute = true
				s := w.serve()
				stop := w.crowd(2)
				c := w.dial(1, quietClient)
				synctest.Wait()
				w.net.SetImpairment(netsim.Impairment{Latency: latency})
				for i := range inputs { // a millisecond apart
					time.AfterFunc(time.Duration(i)*time.Millisecond, func() { _ = c.Send(fmt.Append(nil, "input ", i)) })
				}
				time.Sleep(latency + time.Duration(arrived)*time.Millisecond - time.Millisecond/2)
				synctest.Wait()
				if n := s.RevokeSubject(testkit.IssuerName, "player 1"); n != 1 {
					w.Fatalf("%d sessions revoked", n)
				}
				w.closed(w.ending(c), wire.ReasonRevoked)
				time.Sleep(time.Second)
				w.deliveredOnce("input ", arrived)
				for i := arrived; i < inputs; i++ {
					if n := w.match.count(fmt.Sprint("input ", i)); n != 0 {
						w.Errorf("input %d was delivered after the revocation", i)
					}
				}
				if got := w.revocations(); len(got) != 1 || got[0] != "revoked" {
					w.Errorf("revocations audited: %v", got)
				}
				stop()
			})
		})
	}
}

// The match itself revokes, in the middle of a batch: the rest is not delivered.
func TestRevokeWithinTick(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.listen()
		got := 0
		h := Handler{Receive: func(p *Player, _ []byte) {
			if got++; got == 10 {
				s.RevokeSubject(p.Session().Issuer(), p.Session().Subject())
			}
		}}
		w.serving.Go(func() {
			for ; w.served == nil; time.Sleep(time.Second / 60) {
				_, w.served = s.Poll(h)
				s.Flush()
			}
		})
		c := w.dial(1)
		for range 100 {
			if err := c.Send([]byte("input")); err != nil {
				w.Fatal(err)
			}
		}
		w.closed(w.ending(c), wire.ReasonRevoked)
		synctest.Wait()
		if got != 10 {
			w.Errorf("%d delivered, the match revoked in the tenth", got)
		}
	})
}

// Revoked by another goroutine while datagrams are handled: when Revoke has
// returned, no other datagram is let in. The one that was being judged at that
// moment may still come through, and no second.
func TestRevokeRace(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		s := w.listen()
		var revoked sync.Map // of *Player: *atomic.Int64, deliveries since
		var revokers sync.WaitGroup
		begun := make(map[*Player]int)
		w.serving.Go(func() {
			w.served = s.Serve(Handler{Receive: func(p *Player, _ []byte) {
				if late, ok := revoked.Load(p); ok {
					late.(*atomic.Int64).Add(1)
				}
				if begun[p]++; begun[p] == 10 {
					revokers.Go(func() {
						p.Session().Revoke()
						revoked.Store(p, new(atomic.Int64))
					})
				}
			}})
		})
		for n := range 50 {
			c := w.dial(n, quietClient)
			for range 100 {
				_ = c.Send([]byte("input")) // the session may be over
			}
			w.closed(w.ending(c), wire.ReasonRevoked)
		}
		revokers.Wait()
		revoked.Range(func(p, late any) bool {
			if n := late.(*atomic.Int64).Load(); n > 1 {
				w.Errorf("%v: %d delivered after Revoke had returned", p.(*Player).Session().Subject(), n)
			}
			return true
		})
	})
}
