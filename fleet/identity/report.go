package identity

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
)

// fail notes that there is no new certificate, or none that can be used, and tells of it once. It
// reports whether it has.
func (s *Source) fail(message string, err error, todo string) bool {
	s.mu.Lock()
	repeated := s.lastFailure == err.Error()
	s.failures++
	s.lastFailure = err.Error()
	s.mu.Unlock()
	if !repeated {
		s.config.Log.Error("identity: "+message, "error", err.Error(), "do", todo)
	}
	return !repeated
}

// unusable notes a new certificate or bundle that cannot be used. The former one stays in use.
func (s *Source) unusable(message string, err error, todo string) {
	if s.fail(message, err, todo) {
		s.config.Audit.Record(audit.Event{Decision: audit.Alarm, Detail: "identity: " + message})
	}
}

// watchAge tells of a certificate that should have been replaced by now.
func (s *Source) watchAge(running context.Context) {
	ticker := time.NewTicker(s.config.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-running.Done():
			return
		case now := <-ticker.C:
			s.age(now)
		}
	}
}

// age is how much of the own certificate's life is over.
type age uint8

const (
	fresh age = iota
	ageing
	dying
	dead
)

// ageOf returns the age of a certificate with that life, of which left is left.
func ageOf(left, life time.Duration) age {
	switch {
	case left <= 0:
		return dead
	case left < life/alarmPart:
		return dying
	case left < life/warnPart:
		return ageing
	}
	return fresh
}

// age tells once of each age that the certificate has reached.
func (s *Source) age(now time.Time) {
	m := s.material.Load()
	left := m.expires.Sub(now)
	a := ageOf(left, m.expires.Sub(m.svid.Certificates[0].NotBefore))
	s.mu.Lock()
	news := a > s.aged
	s.aged = max(s.aged, a)
	s.mu.Unlock()
	if !news {
		return
	}
	const todo = "see why the agent, or whatever writes the files, does not renew it"
	text, level := "identity: the service's certificate should have been renewed by now", slog.LevelWarn
	switch a {
	case dying:
		text, level = "identity: the service's certificate is about to expire", slog.LevelError
	case dead:
		text, level = "identity: the service's certificate has expired: other services refuse this one", slog.LevelError
	}
	s.config.Log.Log(context.Background(), level, text, "not_after", m.expires, "left", left.Round(time.Second).String(), "do", todo)
	if a >= dying {
		s.config.Audit.Record(audit.Event{Decision: audit.Alarm, Detail: text})
	}
}

// refuse notes a refused peer.
func (s *Source) refuse(p Peer, r Refusal, from netip.Prefix, what string) {
	s.config.Audit.Record(audit.Event{Decision: audit.Deny, Cause: r.String(), Actor: p.ID, Operation: what, Prefix: from})
	if leftOut, ok := s.lines.take(r, time.Now()); ok {
		s.config.Log.Warn("identity: peer refused", "cause", r.String(), "peer", p.ID, "network", from.String(),
			"what", what, "do", refusals[r].todo, "left_out", leftOut)
	}
}

// lines bounds the log: one line each logInterval for each Refusal.
type lines struct {
	mu sync.Mutex
	// +checklocks:mu
	last [numRefusals]time.Time
	// +checklocks:mu
	leftOut [numRefusals]uint64
}

func (l *lines) take(r Refusal, now time.Time) (leftOut uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.last[r]) < logInterval {
		l.leftOut[r]++
		return 0, false
	}
	leftOut, l.leftOut[r], l.last[r] = l.leftOut[r], 0, now
	return leftOut, true
}

// network returns the part of an address that logs and audits have.
func network(addr string) netip.Prefix {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 24
	if a.Addr().Unmap().Is6() {
		bits = 56
	}
	p, _ := a.Addr().Unmap().WithZone("").Prefix(bits)
	return p
}
