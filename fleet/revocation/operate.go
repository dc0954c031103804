package revocation

import (
	"encoding/hex"
	"errors"
	"strings"

	"github.com/sallyport/sallyport/session"
)

// kindsOf are the kinds of records that withdraw what a session.Revocation does.
var kindsOf = [...]Kind{
	session.RevokeSubject: KindSubject, session.RevokeToken: KindToken, session.RevokeSignIn: KindSignIn,
	session.RevokeKey: KindKey, session.RevokeBuild: KindBuild, session.RevokeSession: KindSession,
}

// Revoke publishes a revocation for every server of the fleet that trusts this publisher with its
// kind. How many sessions end is not known here: ended is 0. When Revoke returns without an error
// the revocation is on the disk. Errors are those of Append; an invalid revocation matches
// session.ErrRevocation.
func (p *Publisher) Revoke(r session.Revocation) (ended int, err error) {
	if r.Kind < session.RevokeSubject || r.Kind > session.RevokeSession {
		return 0, session.ErrRevocation
	}
	record := Record{Kind: kindsOf[r.Kind], Issuer: r.Issuer, Value: r.Value}
	switch r.Kind {
	case session.RevokeSubject:
		record.IssuedBy = r.Time
	case session.RevokeSession:
		record.Value = ""
		id, err := hex.DecodeString(r.Value)
		if err != nil || len(id) != len(record.ID) || strings.ContainsAny(r.Value, "ABCDEF") {
			return 0, session.ErrRevocation
		}
		copy(record.ID[:], id)
	}
	return 0, p.decide(session.ErrRevocation, record)
}

// Ban publishes a ban for every server of the fleet, as Revoke publishes a revocation. The error of
// an invalid ban matches session.ErrBan.
func (p *Publisher) Ban(b session.Ban) (ended int, err error) {
	return 0, p.decide(session.ErrBan, Record{Kind: KindBan, Issuer: b.Issuer, Value: b.Subject, Until: b.Until, Reason: b.Reason, Note: b.Note})
}

// Lift publishes that this publisher's bans of a player end. Those of other publishers and a
// server's own stay in force.
func (p *Publisher) Lift(issuer, subject string) error {
	_, err := p.Append(Record{Kind: KindLift, Issuer: issuer, Value: subject})
	return err
}

// decide publishes a record; one that is not well formed also matches bad.
func (p *Publisher) decide(bad error, r Record) error {
	_, err := p.Append(r)
	if errors.Is(err, ErrRecord) {
		return errors.Join(bad, err)
	}
	return err
}
