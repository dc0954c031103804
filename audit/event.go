package audit

import (
	"net/netip"
	"strconv"
	"time"
)

// Decision is what was decided about a session. The zero value is none.
type Decision uint8

const (
	Accept  Decision = iota + 1 // session opened or resumed
	Reject                      // session refused
	Revoke                      // session ended by a rule or by the fleet
	Renew                       // next token epoch
	Close                       // session ended by its player, by the match or by time
	Replace                     // connection replaced by another one of the same session
	Alarm                       // something an operator should look at
)

var decisions = [...]string{"none", "accept", "reject", "revoke", "renew", "close", "replace", "alarm"}

// String returns the decision as one lower-case word; "decision N" for a value that does not exist.
func (d Decision) String() string {
	if int(d) >= len(decisions) {
		return "decision " + strconv.Itoa(int(d))
	}
	return decisions[d]
}

// Event is one decision. Subject, TokenID and Prefix are given as they are; the Sink makes them unrecognisable. Detail
// must name neither a person nor an address.
type Event struct {
	Time     time.Time // zero means now
	Decision Decision
	Reason   Drop // DropNone where nothing was refused

	Issuer, Subject, TokenID string // of the identity token
	Session                  uint32 // zero outside a session
	Prefix                   netip.Prefix

	Platform, Build, Scope, Detail string
}

// Sink takes events. Record is safe for concurrent use, never blocks and never fails: a Sink counts what it cannot take.
type Sink interface {
	Record(Event)
}
