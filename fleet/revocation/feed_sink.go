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

	// banning holds a token but while a ban of this server's is published and put in force: a lift of
	// it may come meanwhile, and takes effect after it.
	banning chan struct{}
}

var _ Sink = (*lateSink)(nil)

func newLateSink() *lateSink {
	l := &lateSink{banning: make(chan struct{}, 1)}
	l.banning <- struct{}{}
	return l
}

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

// LiftEverywhere implements Sink.
func (l *lateSink) LiftEverywhere(issuer, subject string) bool {
	<-l.banning
	defer func() { l.banning <- struct{}{} }()
	s := l.server.Load()
	return s != nil && s.LiftEverywhere(issuer, subject)
}

// Use implements Sink.
func (l *lateSink) Use(used ...session.Used) (ended int) {
	if s := l.server.Load(); s != nil {
		return s.Use(used...)
	}
	return 0
}
