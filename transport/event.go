package transport

import (
	"strconv"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// ClientEvent reports a change of a client's session.
type ClientEvent struct {
	Kind   ClientEventKind
	Reason session.Reason // EventClosed, if the server has given one
	Notice NoticeCode     // EventNotice
	To     string         // EventNotice of drain: host:port of another server, on which the session is about to be resumed; empty if the server names none, or the client cannot follow

	// LanesLost reports, with EventResumed, that the lanes have started over, as they do on another
	// server: unfinished messages are lost, and ids begin at 1.
	LanesLost bool

	Err error // EventNoToken: why there is no fresh token; EventClosed: what Receive returns, with its cause
}

// ClientEventKind is the kind of a ClientEvent.
type ClientEventKind uint8

// The events of a client.
const (
	EventJoined  ClientEventKind = iota + 1 // the session is live
	EventRenewed                            // a newer identity token has replaced the one in use
	EventNoToken                            // ClientConfig.Token has returned an error or no usable token; it is asked again in a second
	EventNotice                             // the server warns of something
	EventMoved                              // the server sends to the client's new address from now on
	EventLost                               // the path is lost, and another connection is being made
	EventResumed                            // the session goes on, on another connection
	EventClosed                             // the session is over, and not because of Close
)

var clientEventNames = [...]string{
	EventJoined: "joined", EventRenewed: "renewed", EventNoToken: "no token", EventNotice: "notice",
	EventMoved: "moved", EventLost: "lost", EventResumed: "resumed", EventClosed: "closed",
}

// String returns the kind as a word, or "event N".
func (k ClientEventKind) String() string {
	if k >= EventJoined && k <= EventClosed {
		return clientEventNames[k]
	}
	return "event " + strconv.Itoa(int(k))
}

// clientEvents maps the events of a client's machine to those that its user learns of.
var clientEvents = map[machine.EventKind]ClientEventKind{
	machine.EventJoined:  EventJoined,
	machine.EventRenewed: EventRenewed,
	machine.EventNotice:  EventNotice,
	machine.EventMoved:   EventMoved,
	machine.EventResumed: EventResumed,
}

// NoticeCode says what the server asks of a client.
type NoticeCode = wire.NoticeCode

// The notices of version 1. A client ignores one that it does not know.
const (
	NoticeStepUp NoticeCode = 1 // show a fresh identity token; a Client asks its Token for one
	NoticeDrain  NoticeCode = 2 // the server shuts down; a Client follows to ClientEvent.To, if that is given
	NoticeMoved  NoticeCode = 3 // the server sends to the client's new address from now on
)

// Doubt is what a server has recorded against a player who is still playing.
type Doubt uint8

// The doubts about a player.
const (
	DoubtNone    Doubt = iota // nothing
	DoubtStepUp               // a fresh identity token is owed: the fingerprint has changed
	DoubtFlagged              // the fingerprint has changed, which is permitted, or the behaviour was conspicuous
)

var doubtNames = [...]string{DoubtNone: "none", DoubtStepUp: "step up", DoubtFlagged: "flagged"}

// String returns the doubt in words, or "doubt N".
func (d Doubt) String() string {
	if d <= DoubtFlagged {
		return doubtNames[d]
	}
	return "doubt " + strconv.Itoa(int(d))
}

// doubtOf maps what a machine reports of its session.
func doubtOf(k machine.EventKind) Doubt {
	switch k {
	case machine.EventStepUp:
		return DoubtStepUp
	case machine.EventFlagged:
		return DoubtFlagged
	}
	return DoubtNone
}
