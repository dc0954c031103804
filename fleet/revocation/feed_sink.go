package revocation

import (
	"errors"
	"sync/atomic"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// lateSink is a server that is made after the Subscriber which feeds it.
type lateSink struct {
	server atomic.Pointer[transport.Server]
}

var _ Sink = (*lateSink)(nil)

func (l *lateSink) set(s *transport.Server) { l.server.Store(s) }

// errNoServer is what a Feed answers before Run.
var errNoServer = errors.New("revocation: the feed has no server before Run")

// Revoke implements Sink.
func (l *lateSink) Revoke(r session.Revocation) (ended int, err error) {
	if s := l.server.Load(); s != nil {
		return s.Revoke(r)
	}
	return 0, errNoServer
}

// Ban implements Sink.
func (l *lateSink) Ban(b session.Ban) (ended int, err error) {
	if s := l.server.Load(); s != nil {
		return s.Ban(b)
	}
	return 0, errNoServer
}

// Lift implements Sink.
func (l *lateSink) Lift(issuer, subject string) bool {
	s := l.server.Load()
	return s != nil && s.Lift(issuer, subject)
}

// Use implements Sink.
func (l *lateSink) Use(used ...session.Used) (ended int) {
	if s := l.server.Load(); s != nil {
		return s.Use(used...)
	}
	return 0
}
