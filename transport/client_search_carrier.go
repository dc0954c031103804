package transport

import (
	"context"
	"time"
)

// countVain counts the handshakes by UDP in which nothing has come for attemptTime, and those whose
// datagrams the system refuses.
func (s *search) countVain(now time.Time) {
	for _, a := range s.attempts {
		if a.conn == nil || a.vain {
			continue
		}
		if a.conn.unsent() || now.Sub(s.candidates.lastHeard(a.conn)) >= attemptTime {
			a.vain = true
			s.vain++
		}
	}
}

// fallBack asks for a carrier once UDP is in vain, and gives up one that is.
func (s *search) fallBack(ctx context.Context, now time.Time) {
	if s.client.Fallback == nil || s.vain < vainAttempts {
		return
	}
	if a := s.carried; a != nil && a.conn != nil {
		if !a.conn.carrier.gone.Load() && now.Sub(s.candidates.lastHeard(a.conn)) < attemptTime {
			return
		}
		s.stop(a)
		s.fallback.again(now)
	}
	if asks, _ := s.fallback.wants(now, now); !asks {
		return
	}
	s.fallback.asking = true
	s.background.Go(func() {
		within, cancel := context.WithTimeout(ctx, carrierTime)
		defer cancel()
		k, err := s.open(within, s.socket.server)
		select {
		case s.carriers <- carrierResult{k, err}:
		case <-ctx.Done():
			k.end()
		}
	})
}

// carry begins a handshake by a carrier that ClientConfig.Fallback has returned.
func (s *search) carry(ctx context.Context, r carrierResult) {
	f := &s.fallback
	if f.asking, f.told = false, r.err; r.err != nil {
		f.again(time.Now())
		return
	}
	s.carried = &attempt{first: time.Now()}
	s.tryBy(ctx, s.carried, r.carrier, r.carrier.remote)
}
