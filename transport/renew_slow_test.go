package transport

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/netsim"
)

// A token that comes when the one before it has renewed the session after all is not shown: the server would take none so
// soon, and the client would ask for one after the other.
func TestRenewedMeanwhile(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		var asked atomic.Int64
		s := w.stay(1, func(c *ClientConfig) {
			mint := c.Token
			c.Token = func(ctx context.Context) ([]byte, error) {
				if asked.Add(1) > 1 {
					time.Sleep(5 * time.Second)
				}
				return mint(ctx)
			}
		})
		time.Sleep(time.Second)
		s.renewNow()
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { return from != serverAddr || len(b) < 200 }) // no RENEWED
		time.Sleep(5*time.Second + renewPatience + time.Second)
		w.net.Tap(nil) // and the next token is being asked for
		time.Sleep(2 * time.Minute)
		if n := asked.Load(); n != 3 || s.told(EventRenewed) != 1 {
			t.Errorf("%d tokens were asked for, %d have renewed the session", n, s.told(EventRenewed))
		}
		w.quit(r, s)
	})
}

// "Such a client MUST NOT show another token before half of the life is over that was left when it
// showed the first." PROTOCOL.md 5.3. A player in bearer mode whose RENEWED is lost for longer than
// others wait stays, and all that it sends is heard.
func TestRenewedLostToBearer(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run(func(c *Config) { c.Session.AllowBearer = true })
		grant := grantFor(1)
		grant.Life = 3 * time.Minute
		s := w.stay(1, func(c *ClientConfig) { c.Session.Bearer, c.Token = true, w.tokens(grant) })
		time.Sleep(time.Second)
		s.renewNow()
		w.net.Tap(func(from, _ netip.AddrPort, b []byte) bool { return from != serverAddr || len(b) < 200 }) // no RENEWED
		time.Sleep(renewPatience + time.Second)
		w.net.Tap(nil)
		if n := s.told(EventRenewed); n != 0 {
			t.Errorf("renewed %d times", n)
		}
		time.Sleep(grant.Life)
		w.unharmed(s)
		s.rest()
		if lost := w.missing(s); lost > 0 {
			t.Errorf("%d of %d inputs have not been heard; %v", lost, s.sent.Load(), r.Stats().Drops)
		}
		w.quit(r, s)
	})
}

// A login that hangs costs nobody the session, neither when the token expires nor when the server
// asks for one because the network has changed. One that is slow has more time when it is asked
// again.
func TestLoginThatHangs(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		grant := grantFor(1)
		grant.Life = 3 * time.Minute
		mint := w.tokens(grant)
		var asked atomic.Int64
		s := w.stay(1, func(c *ClientConfig) {
			c.Token = func(ctx context.Context) ([]byte, error) {
				took := make(<-chan time.Time) // nothing ever comes
				switch asked.Add(1) {
				case 2, 4:
				case 3:
					took = time.After(2*tokenPatience - time.Second)
				default:
					return mint(ctx)
				}
				select {
				case <-took:
					return mint(ctx)
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		})
		time.Sleep(grant.Life + 20*time.Second)
		w.unharmed(s)
		if n := asked.Load(); n != 3 || s.told(EventNoToken) != 1 || s.told(EventRenewed) != 1 {
			t.Errorf("asked for %d tokens; %+v", n, s.events)
		}
		w.rebind(s.Client, playerAddr(2))
		time.Sleep(15 * time.Second)
		w.unharmed(s)
		if n := asked.Load(); n != 5 || w.audits(audit.StepUp) != 1 || w.audits(audit.Close) != 0 || s.told(EventLost) != 0 {
			t.Errorf("asked for %d tokens; %+v", n, s.events)
		}
		w.quit(r, s)
	})
}

// A login that is slow for everybody is waited for, though tokens are short.
func TestLoginThatIsSlow(t *testing.T) {
	t.Parallel()
	both(t, func(w *world) {
		r := w.run()
		grant := grantFor(1)
		grant.Life = time.Minute
		mint := w.tokens(grant)
		s := w.stay(1, func(c *ClientConfig) {
			c.Token = func(ctx context.Context) ([]byte, error) {
				select {
				case <-time.After(9 * time.Second):
					return mint(ctx)
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		})
		time.Sleep(5 * time.Minute)
		w.unharmed(s)
		if s.told(EventNoToken) != 0 || s.told(EventRenewed) < 4 {
			t.Errorf("%+v", s.events)
		}
		w.quit(r, s)
	})
}
