package admin

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/session"
)

// KickRequest is the body of POST /v1/kick.
type KickRequest struct {
	Target
	Reason uint8  `json:"reason,omitempty"` // session.ReasonKicked, as 0 is, or from session.ReasonGame on
	Detail string `json:"detail,omitempty"` // text for the player's log, at most 64 bytes
}

// kick is POST /v1/kick.
func (a *api) kick(c *call) (any, *Problem) {
	q := KickRequest{Reason: uint8(session.ReasonKicked)}
	problem := object(c.w, c.r, q.members(map[string]any{"reason": &q.Reason, "detail": &q.Detail}))
	if problem != nil {
		return nil, problem
	}
	reason := session.Reason(q.Reason)
	switch {
	case reason != session.ReasonKicked && reason < session.ReasonGame:
		return nil, problemBody.with("reason")
	case len(q.Detail) > maxDetail || strings.ContainsFunc(q.Detail, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, problemBody.with("detail")
	}
	if problem := a.check(&q.Target); problem != nil {
		return nil, problem
	}
	found, problem := a.players(c, q.Target)
	if problem != nil {
		return nil, problem
	}
	for _, p := range found {
		p.Kick(reason, q.Detail)
	}
	c.detail = fmt.Sprintf("reason %d, ended %d", reason, len(found))
	return Ended{len(found)}, nil
}
