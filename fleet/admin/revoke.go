package admin

import (
	"cmp"
	"errors"
	"time"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/session"
)

// RevokeRequest is the body of POST /v1/revoke: exactly one of the first six.
type RevokeRequest struct {
	Session string `json:"session,omitempty"` // its name, 32 hexadecimal digits
	Subject string `json:"subject,omitempty"`
	TokenID string `json:"token_id,omitempty"` // jti
	SignIn  string `json:"sign_in,omitempty"`
	KeyID   string `json:"key_id,omitempty"` // kid
	Build   string `json:"build,omitempty"`

	Issuer string    `json:"issuer,omitempty"` // of all but session and build; empty for the server's default
	Time   time.Time `json:"time,omitzero"`    // of a subject: tokens issued later are good; zero for now; at most two minutes ahead
}

func (a *api) revokeHere(r session.Revocation) (ended int, err error) {
	return a.config.Revoker.Revoke(r)
}

// revoke is POST /v1/revoke.
func (a *api) revoke(c *call) (any, *Problem) {
	var q RevokeRequest
	if problem := object(c.w, c.r, map[string]any{
		"session": &q.Session, "subject": &q.Subject, "token_id": &q.TokenID, "sign_in": &q.SignIn, "key_id": &q.KeyID,
		"build": &q.Build, "issuer": &q.Issuer, "time": &q.Time,
	}); problem != nil {
		return nil, problem
	}
	r := session.Revocation{Time: q.Time}
	for _, given := range []struct {
		kind  session.RevocationKind
		value string
	}{
		{session.RevokeSession, q.Session},
		{session.RevokeSubject, q.Subject},
		{session.RevokeToken, q.TokenID},
		{session.RevokeSignIn, q.SignIn},
		{session.RevokeKey, q.KeyID},
		{session.RevokeBuild, q.Build},
	} {
		if given.value == "" {
			continue
		}
		if r.Value != "" {
			return nil, problemTarget
		}
		r.Kind, r.Value = given.kind, given.value
	}
	if r.Kind != session.RevokeSession && r.Kind != session.RevokeBuild {
		r.Issuer = cmp.Or(q.Issuer, a.config.Issuer)
	}
	switch {
	case r.Value == "" || len(r.Value) > maxName || len(r.Issuer) > maxName || q.Issuer != "" && r.Issuer == "":
		return nil, problemTarget
	case q.Session != "" && parseName(q.Session) == nil:
		return nil, problemBody.with("session")
	case !q.Time.IsZero() && (r.Kind != session.RevokeSubject || time.Until(q.Time) > identity.ClockTolerance):
		return nil, problemBody.with("time") // one of the future would be a ban that no list of bans has
	}
	revoke := a.revokeHere
	if a.config.Publisher != nil {
		revoke = a.config.Publisher.Revoke
	}
	n, err := revoke(r)
	if errors.Is(err, session.ErrRevocation) {
		return nil, problemTarget
	}
	return a.ended(c, r.Kind.String(), n, err)
}
