package revocation

import "github.com/sallyport/sallyport/session"

// Sink is where a Subscriber puts records in force. A *transport.Server is one. Calls come from one
// goroutine, and may repeat what is already in force.
type Sink interface {
	Revoke(r session.Revocation) (ended int, err error)
	Ban(b session.Ban) (ended int, err error)
	LiftEverywhere(issuer, subject string) bool
	Use(used ...session.Used) (ended int)
}
