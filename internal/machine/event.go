package machine

import (
	"strconv"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/fingerprint"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
)

// EventKind is the effect of a message or of the passing of time.
type EventKind uint8

// The events of both machines.
const (
	EventNone       EventKind = iota
	EventVerify               // Token needs verification; hand the outcome to Verified
	EventJoined               // the session is live
	EventData                 // Payload is the game's
	EventRenewed              // a newer identity token replaces the old one
	EventRefused              // HELLO or RENEW was refused for Drop and Cause
	EventPong                 // RTT is a measured round trip (client; server with lanes: the client has reported what it has lost)
	EventNotice               // Notice is the server's warning (client only)
	EventClosed               // the session, or the attempt to open one, has ended for Reason
	EventAnswered             // a Challenge was answered (server only)
	EventStepUp               // Part of the fingerprint has changed: the client must present a fresh token (server only)
	EventFlagged              // Part has changed without consequence, or, without a Part, behaviour is suspicious (server only)
	EventResume               // a ticket asks for the session on the connection ConnectionID, or on none if that is 0; answer with Resume (server only)
	EventResumed              // like EventJoined, for a session that has lived elsewhere
	EventTakeover             // the session has moved here from the former connection; see Event.Enters (server only)
	EventMoved                // the server has moved the connection to the address that the client sends from now (client only)
	EventNoted                // something was refused for Drop and Cause, once a connection, which ends nothing (server only)
	EventFrames               // Payload is the body of FRAMES: hand it to Charge and to the session's lanes (server), or to the lanes (client)
	EventCloseAgain           // the peer has sent CLOSE for a session that has ended already: it has not received ours
)

var eventNames = [...]string{
	EventNone: "none", EventVerify: "verify", EventJoined: "joined", EventData: "data", EventRenewed: "renewed",
	EventRefused: "refused", EventPong: "pong", EventNotice: "notice", EventClosed: "closed", EventAnswered: "answered",
	EventStepUp: "step up", EventFlagged: "flagged", EventResume: "resume", EventResumed: "resumed",
	EventTakeover: "takeover", EventMoved: "moved", EventNoted: "noted", EventFrames: "frames", EventCloseAgain: "close again",
}

// String returns the kind in words, or "event N".
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "event " + strconv.Itoa(int(k))
}

// Event is what a machine returns to its caller. Payload and Token are borrowed and valid until the
// machine is called again.
type Event struct {
	Kind         EventKind
	Drop         audit.Drop // why the message was dropped, or the session ended
	Reason       wire.Reason
	Part         fingerprint.Part // EventStepUp, EventFlagged
	ConnectionID uint32           // EventJoined, EventResumed, client only: starts explicit nonces, 0 for none. EventResume, Replaced: the session's connection
	Payload      []byte           // EventData; EventJoined, server: what HELLO carried for the game; EventClosed, EventNotice, client: the detail of the server's CLOSE or NOTICE; EventClosed, EventRefused, EventNoted, server: more about Cause, for the operator
	Token        []byte
	Claims       *token.Claims // EventRefused, EventRenewed: of the token, if it was valid
	RTT          time.Duration
	RetryAfter   time.Duration
	Notice       Notice // EventNotice

	// Enters is set by the first accepted datagram of a session that was resumed here, whatever
	// else that datagram leads to: EventJoined if the session lived nowhere on this server,
	// EventTakeover if it moves here from the former connection. Server only.
	Enters    EventKind
	Cause     Cause    // EventRefused, EventNoted, EventClosed, server only: why, more exactly than Drop
	Ticket    bool     // EventRefused, EventVerify, server only: HELLO has shown a ticket
	Displaces bool     // the connection given to Resume has ended, which waited for its first datagram
	Replaced  *Session // EventJoined, EventResumed, server only: the player's session that is replaced, to be ended on ConnectionID; or nil
}

// Notice is a warning of the server.
type Notice struct {
	Code   wire.NoticeCode
	Within uint32 // ms until the server acts on it
}

// Reply is an envelope to send with Append; Kind 0 means none. Body is borrowed and valid until the
// machine is called again.
type Reply struct {
	Kind wire.Kind
	Body []byte
}

// dropped is the result for a message that is dropped.
func dropped(d audit.Drop) (Reply, Event) { return Reply{}, Event{Drop: d} }

// reasons maps what the operator counts to the reason for the client.
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
	audit.DropLanes:       wire.ReasonRevoked,
	audit.DropMatch:       wire.ReasonScope, // unless the match gives another one
}
