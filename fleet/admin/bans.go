package admin

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Ban is a ban in force: a member of GET /v1/bans. One that another process has left has no name.
type Ban struct {
	Pseudonym string    `json:"pseudonym,omitempty"` // of the audit's lines
	Subject   string    `json:"subject,omitempty"`   // with the permission to read names
	Issuer    string    `json:"issuer,omitempty"`    // likewise
	Until     time.Time `json:"until,omitzero"`      // absent for one that ends when it is lifted
	Reason    uint8     `json:"reason"`              // that the player is told
	Says      string    `json:"says"`                // Reason in words
	Note      string    `json:"note,omitempty"`
}

// Bans is the answer of GET /v1/bans: those that end first before others.
type Bans struct {
	Bans []Ban  `json:"bans"`
	Next string `json:"next,omitempty"` // to ask for those that follow, as "after"; absent at the end
}

// listBans is GET /v1/bans.
func (a *api) listBans(c *call) (any, *Problem) {
	var f filter
	var limitText, afterText string
	if problem := f.read(c, map[string]*string{"limit": &limitText, "after": &afterText}); problem != nil {
		return nil, problem
	}
	limit, problem := pageOf(limitText)
	if problem != nil {
		return nil, problem
	}
	after, ok := parsePlace(afterText)
	if !ok && afterText != "" {
		return nil, problemQuery.with("after")
	}
	if f.scope != "" {
		return nil, problemQuery.with("scope")
	}
	all := slices.DeleteFunc(a.config.Server.Bans(maxBans), func(b session.Ban) bool {
		return f.subject != "" && f.subject != b.Subject || f.issuer != "" && f.issuer != b.Issuer ||
			f.pseudonym != "" && (b.Subject == "" || f.pseudonym != a.config.Pseudonym(b.Subject))
	})
	list := a.order(all)
	if ok {
		list = slices.DeleteFunc(list, func(b placed) bool { return b.at.compare(after) <= 0 })
	}
	result := Bans{Bans: make([]Ban, 0, min(limit, len(list)))}
	if len(list) > limit {
		list = list[:limit]
		result.Next = list[limit-1].at.String()
	}
	for _, b := range list {
		row := Ban{Until: b.Until.UTC(), Reason: uint8(b.Reason), Says: b.Reason.String(), Note: b.Note}
		if b.Until.IsZero() {
			row.Until = time.Time{}
		}
		if b.Subject != "" {
			row.Pseudonym = a.config.Pseudonym(b.Subject)
		}
		if c.names() {
			row.Subject, row.Issuer = b.Subject, b.Issuer
		}
		result.Bans = append(result.Bans, row)
	}
	return result, nil
}

// end orders bans by when they are over; those without an end come last.
func end(b session.Ban) uint64 {
	if b.Until.IsZero() {
		return 1 << 63
	}
	return uint64(b.Until.Unix())
}

// Ended is the answer of a call that ends sessions: how many it has ended.
type Ended struct {
	Ended int `json:"ended"`
}

// BanRequest is the body of POST /v1/ban. Without For and Until the ban holds until it is lifted.
type BanRequest struct {
	Target
	For    string    `json:"for,omitempty"`    // a duration such as 24h
	Until  time.Time `json:"until,omitzero"`   // in the future
	Reason uint8     `json:"reason,omitempty"` // that the player is told; 0 for session.ReasonRevoked
	Note   string    `json:"note,omitempty"`   // at most 64 bytes, for the audit and the list of bans
}

// ban is POST /v1/ban.
func (a *api) ban(c *call) (any, *Problem) {
	var q BanRequest
	problem := object(c.w, c.r, q.members(map[string]any{"for": &q.For, "until": &q.Until, "reason": &q.Reason, "note": &q.Note}))
	if problem != nil {
		return nil, problem
	}
	b := session.Ban{Until: q.Until, Reason: session.Reason(q.Reason), Note: q.Note}
	if q.For != "" {
		d, err := time.ParseDuration(q.For)
		if err != nil || d <= 0 || !q.Until.IsZero() {
			return nil, problemBody.with("for")
		}
		b.Until = time.Now().Add(d)
	} else if !b.Until.IsZero() && time.Until(b.Until) <= 0 {
		return nil, problemBan.with("until") // it would keep nobody out, and look like one that does
	}
	if b.Issuer, b.Subject, problem = a.playerOf(c, q.Target); problem != nil {
		return nil, problem
	}
	n, err := a.banOf(b)
	return a.ended(c, "ban", n, err)
}

// banOf bans where that counts.
func (a *api) banOf(b session.Ban) (ended int, err error) {
	switch {
	case a.config.Publisher != nil:
		return a.config.Publisher.Ban(b)
	case a.config.Feed != nil:
		return a.config.Feed.Ban(b)
	}
	return a.config.Revoker.Ban(b)
}

// ended is the outcome of a ban or a revocation.
func (a *api) ended(c *call, what string, n int, err error) (any, *Problem) {
	c.detail = fmt.Sprintf("%s, ended %d", what, n)
	switch {
	case err == nil:
		return Ended{n}, nil
	case errors.Is(err, session.ErrBansFull), errors.Is(err, session.ErrRevocationsFull):
		p := *problemFull
		p.Ended = &n
		return nil, &p
	case errors.Is(err, session.ErrBan):
		return nil, problemBan
	case errors.Is(err, transport.ErrServerClosed):
		return nil, problemClosed
	}
	return nil, a.failed(err)
}

// failed is the outcome of what could not be done for a reason of the fleet's.
func (a *api) failed(err error) *Problem {
	a.config.Log.Error("admin: a call could not be done", "error", err.Error(), "do", "see what it says, and that the disk of the feed's or the keeper's store can be written")
	return problemFailed
}

// Lifted is the answer of POST /v1/lift: whether the player was banned, true where that is not known.
type Lifted struct {
	Lifted bool `json:"lifted"`
}

// lift is POST /v1/lift.
func (a *api) lift(c *call) (any, *Problem) {
	var issuer, subject string
	if problem := object(c.w, c.r, map[string]any{"issuer": &issuer, "subject": &subject}); problem != nil {
		return nil, problem
	}
	if issuer = cmp.Or(issuer, a.config.Issuer); issuer == "" || subject == "" || len(issuer) > maxName || len(subject) > maxName {
		return nil, problemTarget
	}
	lifted, err := a.unban(issuer, subject)
	if err != nil {
		return nil, a.failed(err)
	}
	c.detail = fmt.Sprintf("lifted %v", lifted)
	return Lifted{lifted}, nil
}

// unban lifts a ban, and reports whether the player was banned here, as far as that is known.
func (a *api) unban(issuer, subject string) (lifted bool, err error) {
	if a.config.Publisher != nil {
		if a.config.Server != nil {
			a.config.Server.Lift(issuer, subject) // one of the server's own, which no publisher knows
		}
		return true, a.config.Publisher.Lift(issuer, subject)
	}
	if a.config.Feed == nil {
		return a.config.Revoker.Lift(issuer, subject), nil
	}
	lifted = slices.ContainsFunc(a.config.Server.Bans(maxBans), func(b session.Ban) bool { return b.Issuer == issuer && b.Subject == subject })
	lifted = a.config.Server.Lift(issuer, subject) || lifted // one of the server's own, which no feed knows
	return lifted, a.config.Feed.Lift(issuer, subject)
}
