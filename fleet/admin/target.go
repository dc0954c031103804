package admin

import (
	"cmp"

	"github.com/sallyport/sallyport/transport"
)

// Target is the player that a ban or a kick is about: by a live session, or by subject and issuer.
type Target struct {
	Session string `json:"session,omitempty"` // its name, 32 hexadecimal digits
	Subject string `json:"subject,omitempty"`
	Issuer  string `json:"issuer,omitempty"` // empty for the server's default
}

// members adds the target's members to those of a call.
func (t *Target) members(more map[string]any) map[string]any {
	more["session"], more["subject"], more["issuer"] = &t.Session, &t.Subject, &t.Issuer
	return more
}

// check returns the problem of a target that names no player, or more than one.
func (a *api) check(t *Target) *Problem {
	if t.Subject != "" {
		t.Issuer = cmp.Or(t.Issuer, a.config.Issuer)
	}
	switch {
	case t.Session != "" && parseName(t.Session) == nil:
		return problemBody.with("session")
	case len(t.Subject) > maxName:
		return problemBody.with("subject")
	case len(t.Issuer) > maxName:
		return problemBody.with("issuer")
	case (t.Session == "") == (t.Subject == ""), t.Session != "" && t.Issuer != "", t.Subject != "" && t.Issuer == "":
		return problemTarget
	}
	return nil
}

// players returns the players that a target is about.
func (a *api) players(c *call, t Target) (found []*transport.Player, problem *Problem) {
	f := filter{session: parseName(t.Session), subject: t.Subject, issuer: t.Issuer}
	problem = a.visit(c.r, func(p *transport.Player) {
		if f.match(p.Session()) {
			found = append(found, p)
		}
	})
	return found, problem
}

// playerOf returns who a target is: as it is given, or by a live session.
func (a *api) playerOf(c *call, t Target) (issuer, subject string, problem *Problem) {
	if problem := a.check(&t); problem != nil {
		return "", "", problem
	}
	if t.Subject != "" {
		return t.Issuer, t.Subject, nil
	}
	if a.config.Server == nil { // no session lives here
		return "", "", problemAbsent
	}
	found, problem := a.players(c, t)
	switch {
	case problem != nil:
		return "", "", problem
	case len(found) == 0:
		return "", "", problemAbsent
	}
	return found[0].Session().Issuer(), found[0].Session().Subject(), nil
}
