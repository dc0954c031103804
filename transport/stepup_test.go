package transport

import (
	"context"
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/token"
)

// relay is somebody on the path of a player. While it is on, what the player sends reaches the server from another
// address, once, unread, unchanged and in order. It carries answers back as long as down is set; what the server sends
// to the player's own address arrives either way.
type relay struct {
	net      *netsim.Network
	own      netip.AddrPort
	on, down atomic.Bool
}

func (w *world) relay(victim netip.AddrPort) *relay {
	m := &relay{net: w.net, own: elsewhere}
	m.down.Store(true)
	w.net.Tap(func(from, to netip.AddrPort, b []byte) bool {
		switch {
		case !m.on.Load():
			return true
		case from == victim:
			w.net.Inject(m.own, to, b)
			return false
		case to == m.own && m.down.Load():
			w.net.Inject(from, victim, b)
		}
		return to != m.own
	})
	return m
}

// carries has the server believe for a while that the player is elsewhere.
func (m *relay) carries(t time.Duration) {
	m.on.Store(true)
	time.Sleep(t)
	m.on.Store(false)
}

// relayed is a match with a player whose identity provider is down, and somebody on its path.
func relayed(t *testing.T, f func(w *world, r *running, s *stayer, m *relay)) {
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.stay(1, func(c *ClientConfig) { c.Token = w.once(grantFor(1)) })
		m := w.relay(playerAddr(1))
		time.Sleep(2 * time.Second)
		f(w, r, s, m)
		w.net.Tap(nil)
		w.quit(r, s)
	})
}

// unharmed fails unless the player plays on, and nobody has been revoked.
func (w *world) unharmed(s *stayer) {
	w.Helper()
	if s.progress.over() != nil || s.since() > 2*frame || w.audits(audit.Revoke) > 0 {
		w.Errorf("over: %v, last snapshot %v ago, %d revocations", s.progress.over(), s.since(), w.audits(audit.Revoke))
	}
}

// "at home, in the network that the session is bound to, once it has answered a challenge from there" PROTOCOL.md 4.9
func TestRelayedForAMoment(t *testing.T) {
	t.Parallel()
	relayed(t, func(w *world, _ *running, s *stayer, m *relay) {
		for range 10 { // 300 ms each time, and as much again until the player is followed home
			m.carries(300 * time.Millisecond)
			time.Sleep(62 * time.Second)
		}
		if w.audits(audit.StepUp) != 10 || w.audits(audit.Close) != 0 {
			w.Errorf("%d step ups, %d ends", w.audits(audit.StepUp), w.audits(audit.Close))
		}
		w.unharmed(s)
	})
}

// "A step up that has lapsed MUST end the connection with reason 9 and MUST leave the session's tickets good from the
// network that they are bound to, and from no other" PROTOCOL.md 4.9. A player is relayed until then, and is at home
// before the idle time is over.
//
// "It SHOULD show the ticket alone while it has none" PROTOCOL.md 8.3: no token can be had meanwhile.
func TestRelayedUntilLapse(t *testing.T) {
	t.Parallel()
	relayed(t, func(w *world, _ *running, s *stayer, m *relay) {
		m.carries(20 * time.Second)
		time.Sleep(5 * time.Second)
		w.unharmed(s)
		if w.audits(audit.Close) != 1 || w.audits(audit.Reject) == 0 || w.audits(audit.Resume) != 1 {
			w.Errorf("%d ends, %d refusals, %d resumed", w.audits(audit.Close), w.audits(audit.Reject), w.audits(audit.Resume))
		}
		m.carries(5 * time.Second) // the session does not follow any more
		time.Sleep(5 * time.Second)
		w.unharmed(s)
		if w.audits(audit.Migrate) != 1 {
			w.Errorf("%d migrations", w.audits(audit.Migrate))
		}
	})
}

// A player who is relayed for longer than the idle time is told why it is over.
func TestRelayedForLong(t *testing.T) {
	t.Parallel()
	relayed(t, func(w *world, _ *running, s *stayer, m *relay) {
		m.carries(time.Minute)
		var closed *CloseError
		if err := s.progress.over(); !errors.As(err, &closed) || closed.Reason != wire.ReasonFingerprint {
			w.Errorf("over: %v", err)
		}
		if w.audits(audit.Revoke) != 0 {
			w.Error("revoked")
		}
	})
}

// "While the client is away from home, the server also sends NOTICE to the address that was
// validated before it left." PROTOCOL.md 4.9
func TestNoticeGoesHome(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		r := w.run()
		s := w.stay(1)
		m := w.relay(playerAddr(1))
		time.Sleep(2 * time.Second)
		m.on.Store(true)
		for w.audits(audit.Migrate) == 0 {
			time.Sleep(time.Millisecond)
		}
		m.down.Store(false) // and from here on keeps all answers
		time.Sleep(1500 * time.Millisecond)
		if s.told(EventNotice) == 0 {
			w.Error("no NOTICE has come to the player's own address")
		}
		m.on.Store(false)
		time.Sleep(15 * time.Second)
		w.unharmed(s)
		w.net.Tap(nil)
		w.quit(r, s)
	})
}

// away is a Verifier whose issuer cannot be reached while down is set.
type away struct {
	*token.Verifier
	down *atomic.Bool
}

func (v away) Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error) {
	if v.down.Load() {
		return nil, token.ErrUnavailable
	}
	return v.Verifier.Verify(ctx, now, raw)
}

// "while a token that the client has shown in time waits for the server or for its issuer, for 30 s
// in all" PROTOCOL.md 4.9
func TestStepUpWhileTheIssuerIsAway(t *testing.T) {
	t.Parallel()
	virtual(t, func(w *world) {
		w.net.SetImpairment(netsim.Impairment{Latency: 20 * time.Millisecond})
		var down atomic.Bool
		r := w.run(func(c *Config) { c.Verifier = away{c.Verifier.(*token.Verifier), &down} })
		s := w.stay(1)
		time.Sleep(time.Second)
		down.Store(true)
		w.rebind(s.Client, elsewhere)
		time.Sleep(25 * time.Second)
		down.Store(false)
		time.Sleep(15 * time.Second)
		w.unharmed(s)
		if w.audits(audit.Renew) != 1 || w.audits(audit.Close) != 0 {
			w.Errorf("%d renewals, %d ends", w.audits(audit.Renew), w.audits(audit.Close))
		}
		w.quit(r, s)
	})
}
