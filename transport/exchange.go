package transport

import (
	"encoding/hex"
	"strconv"
	"time"
)

// Exchange is one request of a client and its outcome: a sign-in or a resumption on a new
// connection, with the DTLS handshake before it, or a renewal.
//
//	handshake ─ sign-in, with the verification of its identity token
//	handshake ─ resume, with the verification of an identity token that is shown beside the ticket
//	handshake                  that failed, or that no HELLO has followed
//	            renewal, with the verification of its identity token
//
// It names neither a player nor an address. Config.OnExchange gets it once it is over.
type Exchange struct {
	// Trace also stands in the audit's lines about the exchange (audit.Event.Trace). Lines about a
	// session that no exchange has caused, such as a change of address or the session's end, have the
	// trace of the exchange that brought the session to its present connection.
	Trace TraceID

	// Steps are in the order in which they began; there is at least one. The caller may keep them.
	Steps []Step
}

// Main returns the step that the exchange was for: sign-in, resume or renewal, or the handshake
// where none of them followed.
func (e Exchange) Main() Step {
	if n := len(e.Steps); n > 1 && e.Steps[0].Kind == StepHandshake {
		return e.Steps[1]
	}
	return e.Steps[0]
}

// Step is a part of an Exchange.
type Step struct {
	Kind StepKind

	// Start is when the first datagram of the step arrived, and End when the answer was queued. They
	// are times of the wall clock whose difference is that of a clock that never steps.
	Start, End time.Time

	// Outcome is OutcomeOK, OutcomeLeft, or the label of the audit.Drop for which the server has
	// refused.
	Outcome string

	// Cause is more exact than Outcome where there is one: a label of docs/fleet.md 11.2, of a
	// handshake one of HandshakeStats.FailedBy.
	Cause string
}

// The outcomes of a Step besides the labels of docs/fleet.md 11.1.
const (
	OutcomeOK   = "ok"   // as asked
	OutcomeLeft = "left" // the connection or the session ended before there was an answer
)

// StepKind is the kind of a Step.
type StepKind uint8

// The kinds of steps.
const (
	StepHandshake    StepKind = iota + 1 // DTLS, from the first ClientHello to the keys
	StepSignIn                           // from HELLO with an identity token to WELCOME, after Handler.Join
	StepResume                           // from HELLO with a ticket to the first datagram of the session on the new connection
	StepRenewal                          // from RENEW to RENEWED
	StepVerification                     // an identity token waits for its verification, and is verified
)

var stepNames = [...]string{
	StepHandshake: "handshake", StepSignIn: "sign-in", StepResume: "resume", StepRenewal: "renewal", StepVerification: "verification",
}

// String returns the kind as a word, or "step N".
func (k StepKind) String() string {
	if k >= StepHandshake && k <= StepVerification {
		return stepNames[k]
	}
	return "step " + strconv.Itoa(int(k))
}

// TraceID is a trace-id of W3C Trace Context (3.2.2.3): 16 bytes of crypto/rand, never what a client
// has sent.
type TraceID [16]byte

// String returns the 32 lower-case hex digits, nothing of the zero TraceID.
func (id TraceID) String() string {
	if id == (TraceID{}) {
		return ""
	}
	return hex.EncodeToString(id[:])
}
