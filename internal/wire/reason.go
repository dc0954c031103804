package wire

import "strconv"

// Reason is the code in a CLOSE: why a session ended or did not begin.
type Reason uint8

// The reasons of version 1. A receiver treats one that it does not know as an end like any other.
const (
	ReasonLeft        Reason = 1
	ReasonShutdown    Reason = 2
	ReasonKicked      Reason = 3
	ReasonMalformed   Reason = 4
	ReasonVersion     Reason = 5
	ReasonToken       Reason = 6
	ReasonExpired     Reason = 7
	ReasonScope       Reason = 8
	ReasonFingerprint Reason = 9
	ReasonUsed        Reason = 10
	ReasonFull        Reason = 11
	ReasonBusy        Reason = 12
	ReasonRevoked     Reason = 13
	ReasonBinding     Reason = 14
	ReasonTicket      Reason = 15
	ReasonUnavailable Reason = 16
	ReasonIdle        Reason = 17
	ReasonReplaced    Reason = 18
	ReasonRate        Reason = 19

	// ReasonGame is the first of the reasons that the game defines: it and all above, up to 255.
	// Their meaning is between a match and its clients; they end the session and its tickets.
	ReasonGame Reason = 128
)

var reasonNames = [...]string{
	ReasonLeft:        "player left",
	ReasonShutdown:    "server shutting down",
	ReasonKicked:      "kicked",
	ReasonMalformed:   "malformed",
	ReasonVersion:     "unknown protocol version",
	ReasonToken:       "bad token",
	ReasonExpired:     "token expired",
	ReasonScope:       "wrong scope",
	ReasonFingerprint: "fingerprint changed",
	ReasonUsed:        "token already used",
	ReasonFull:        "server full",
	ReasonBusy:        "server busy",
	ReasonRevoked:     "revoked",
	ReasonBinding:     "channel binding refused",
	ReasonTicket:      "ticket refused",
	ReasonUnavailable: "issuer unavailable",
	ReasonIdle:        "idle",
	ReasonReplaced:    "replaced by another connection",
	ReasonRate:        "too many datagrams",
}

// Defined reports whether version 1 defines the reason or leaves it to the game.
func (r Reason) Defined() bool { return ReasonLeft <= r && r <= ReasonRate || r >= ReasonGame }

// String returns the words PROTOCOL.md uses, "game's reason N", or "reason N".
func (r Reason) String() string {
	switch {
	case r >= ReasonGame:
		return "game's reason " + strconv.Itoa(int(r))
	case r.Defined():
		return reasonNames[r]
	}
	return "reason " + strconv.Itoa(int(r))
}
