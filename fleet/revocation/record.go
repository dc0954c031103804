package revocation

import (
	"time"

	"github.com/sallyport/sallyport/session"
)

// Record withdraws trust, or says that something was used up, on every server of the fleet. Which
// fields count depends on Kind:
//
//	kind                        fields
//	subject token sign-in key   Issuer, Value
//	build                       Value
//	session                     ID, the session's name
//	ban                         Issuer, Value: the subject; Reason, Note
//	lift                        Issuer, Value: the subject; Of, At
//	used                        Used, ID, Until; Epoch and Reason as in session.Used
//
// Issuer and Value have at most 256 bytes, Note has at most 64.
type Record struct {
	Kind   Kind
	Issuer string
	Value  string
	ID     [16]byte
	Used   session.UsedKind

	// Time is when the record was first published, by the publisher's clock, in microseconds. No two records
	// of a publisher have the same Time, and a later record has a later Time, whatever the clock does.
	// Append sets it.
	Time time.Time

	// IssuedBy, for a subject, refuses tokens that were issued up to then, by the clock of issuers and
	// servers; zero means when the record was published. Append sets it where Time is later than the
	// publisher's clock, which was set back since an earlier record.
	IssuedBy time.Time
	byClock  bool // IssuedBy is by the publisher's clock

	// Until is when the record may be forgotten, in seconds; for a ban it is when the ban ends. Zero
	// means, for subject, token, sign-in and session, once the longest-lived token issued by Time has
	// expired; for key, build, ban and lift it means never.
	Until time.Time

	// Reason is sent to a banned player; zero means session.ReasonRevoked. Note is for the audit.
	Reason session.Reason
	Note   string

	// Epoch is that of session.Used.
	Epoch uint32

	// Of and At, for a lift, name another publisher's ban: every ban by Of of this player with a Time
	// up to At ends. Of zero means every earlier ban of the player by the publisher of the lift.
	Of PublisherID
	At time.Time

	// Number counts the records of a publisher from 1. Append sets it.
	Number uint64
}

// UsedRecord returns the record that makes other servers refuse what session.Config.OnUsed reports.
func UsedRecord(u session.Used) Record {
	return Record{Kind: KindUsed, Used: u.Kind, ID: u.ID, Epoch: u.Epoch, Reason: u.Reason, Until: u.Until}
}
