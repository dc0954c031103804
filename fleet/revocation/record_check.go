package revocation

import (
	"time"

	"github.com/sallyport/sallyport/session"
)

// check returns an error that matches ErrRecord if r cannot be published.
func (r *Record) check() error {
	switch {
	case r.Kind < KindSubject || r.Kind > KindUsed:
		return badRecord("Kind is none")
	case r.Kind.hasIssuer() && (r.Issuer == "" || len(r.Issuer) > maxText):
		return badRecord("Issuer must have 1 to 256 bytes")
	case !r.Kind.hasIssuer() && r.Issuer != "":
		return badRecord("Issuer belongs to no " + r.Kind.String())
	case r.Kind.hasValue() && (r.Value == "" || len(r.Value) > maxText):
		return badRecord("Value must have 1 to 256 bytes")
	case !r.Kind.hasValue() && (r.Value != "" || r.ID == [16]byte{}):
		return badRecord("ID is what a " + r.Kind.String() + " names; Value must be empty")
	case !inRange(r.Until) || !inRange(r.IssuedBy) || !inRange(r.At):
		return badRecord("Until, IssuedBy and At must be in the years 1970 to 9999")
	case r.Kind == KindUsed && (r.Used < session.UsedToken || r.Used > session.UsedNetwork || r.Until.IsZero()):
		return badRecord("Used and Until say what was used, and how long to remember it")
	case r.Kind == KindBan && !stopsReconnecting(r.Reason):
		return badRecord("Reason of a ban must be kicked, wrong scope, fingerprint changed, revoked, too many datagrams, or ReasonGame and above")
	case len(r.Note) > maxNote:
		return badRecord("Note must have at most 64 bytes")
	case r.Kind == KindLift && (r.Of == PublisherID{}) != r.At.IsZero():
		return badRecord("Of and At belong together: whose bans, and up to which Time")
	}
	return nil
}

// inRange reports whether t can be written in a record.
func inRange(t time.Time) bool { return t.IsZero() || t.Unix() >= 0 && t.Year() <= 9999 }

// stopsReconnecting reports whether a server takes the reason for a ban. PROTOCOL.md 10
func stopsReconnecting(r session.Reason) bool {
	switch r {
	case 0, session.ReasonKicked, session.ReasonScope, session.ReasonFingerprint, session.ReasonRevoked, session.ReasonRate:
		return true
	}
	return r >= session.ReasonGame
}

// fill sets what Append sets: number, time, and until when the record is kept.
func (r *Record) fill(number uint64, micros int64, life time.Duration) {
	r.Number, r.Time = number, time.UnixMicro(micros).UTC()
	if r.Kind == KindBan && r.Reason == 0 {
		r.Reason = session.ReasonRevoked
	}
	switch {
	case !r.Until.IsZero():
		r.Until = time.Unix(r.Until.Add(time.Second-1).Unix(), 0).UTC()
	case r.Kind <= KindSignIn || r.Kind == KindSession:
		r.Until = time.Unix(r.Time.Add(life+time.Second-1).Unix(), 0).UTC()
	}
	if !r.IssuedBy.IsZero() {
		r.IssuedBy = time.UnixMicro(r.IssuedBy.UnixMicro()).UTC()
	}
	if !r.At.IsZero() {
		r.At = time.UnixMicro(r.At.UnixMicro()).UTC()
	}
}

// over reports whether the record may be forgotten.
func (r *Record) over(now time.Time) bool {
	return !r.Until.IsZero() && r.Until.Add(clockMargin).Before(now)
}
