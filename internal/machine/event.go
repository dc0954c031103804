package machine

import (
	"strconv"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
)

// EventKind says what a message or the passing of time has led to.
type EventKind uint8

// The events of both machines.
const (
	EventNone       EventKind = iota
	EventVerify               // Token waits for its verification; hand the outcome to Verified
	EventJoined               // the session is live
	EventData                 // Payload is the game's
	EventRenewed              // a newer identity token took the place of the old one
	EventRefused              // HELLO or RENEW was refused for Drop
	EventPong                 // RTT is a measured round trip (client only)
	EventNotice               // Notice is the server's warning (client only)
	EventClosed               // the session, or the attempt at one, is over for Reason
	EventAnswered             // a Challenge was answered (server only)
	EventStepUp               // Part of the fingerprint has changed: the player must show a fresh token (server only)
	EventFlagged              // Part has changed and may, or without one behaviour is conspicuous (server only)
	EventResume               // a ticket asks for the session that lives on the connection with Hint, if that is not 0; hand it to Resume (server only)
	EventResumed              // like EventJoined, for a session that has lived elsewhere
	EventTakeover             // the session has moved here from the former connection; see Event.Enters (server only)
	EventMoved                // the server has moved the connection to the address that the client sends from now (client only)
	EventCloseAgain           // the peer has said CLOSE in a session that is over already: it has not heard that we know
)

var eventNames = [...]string{
	EventNone: "none", EventVerify: "verify", EventJoined: "joined", EventData: "data", EventRenewed: "renewed",
	EventRefused: "refused", EventPong: "pong", EventNotice: "notice", EventClosed: "closed", EventAnswered: "answered",
	EventStepUp: "step up", EventFlagged: "flagged", EventResume: "resume", EventResumed: "resumed",
	EventTakeover: "takeover", EventMoved: "moved", EventCloseAgain: "close again",
}

// String returns the kind in words, or "event N".
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "event " + strconv.Itoa(int(k))
}

// Event is what a machine tells its caller. Payload and Token are borrowed and
// valid until the machine is called again.
type Event struct {
	Kind       EventKind
	Drop       audit.Drop // why the message went no further, or the session ended
	Reason     wire.Reason
	Part       policy.Part // EventStepUp, EventFlagged
	Hint       uint32      // EventJoined and EventResumed, client only: what to begin explicit nonces with, 0 for nothing; EventResume
	Payload    []byte      // EventData: the game's; EventClosed, client only: the detail of the server's CLOSE
	Token      []byte
	Claims     *token.Claims // EventRefused, EventRenewed: of the token, when it was good in itself
	RTT        time.Duration
	RetryAfter time.Duration
	Notice     Notice // EventNotice

	// Enters is not EventNone with the first datagram that is accepted of a session that was resumed
	// here, whatever else that datagram leads to: EventJoined if its player is to be let in,
	// EventTakeover if the player comes here from the former connection. Server only.
	Enters    EventKind
	Displaces bool     // what waited for its first datagram on the connection that Resume was given has ended
	Replaced  *Session // EventJoined, EventResumed, server only: the player's other session that gives way, to be ended on the connection with Hint; or nil
}

// Notice is a server's warning.
type Notice struct {
	Code   wire.NoticeCode
	Within uint32 // ms until the server acts on it
}

// Reply is an envelope that a machine wants sent by Append; Kind 0 means none.
// Body is borrowed and valid until the machine is called again.
type Reply struct {
	Kind wire.Kind
	Body []byte
}

// dropped is the answer to a message that went no further.
func dropped(d audit.Drop) (Reply, Event) { return Reply{}, Event{Drop: d} }

// reasons maps what the operator counts to what the player is told.
var reasons = map[audit.Drop]wire.Reason{
	audit.DropMalformed:   wire.ReasonMalformed,
	audit.DropVersion:     wire.ReasonVersion,
	audit.DropToken:       wire.ReasonToken,
	audit.DropExpired:     wire.ReasonExpired,
	audit.DropScope:       wire.ReasonScope,
	audit.DropFingerprint: wire.ReasonFingerprint,
	audit.DropUsed:        wire.ReasonUsed,
	audit.DropFull:        wire.ReasonFull,
	audit.DropBusy:        wire.ReasonBusy,
	audit.DropRevoked:     wire.ReasonRevoked,
	audit.DropTag:         wire.ReasonRevoked,
	audit.DropBinding:     wire.ReasonBinding,
	audit.DropTicket:      wire.ReasonTicket,
	audit.DropUnavailable: wire.ReasonUnavailable,
	audit.DropIdle:        wire.ReasonIdle,
	audit.DropRate:        wire.ReasonRate,
}
