package admin

import (
	"cmp"
	"container/heap"
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Session is one live session: a member of GET /v1/sessions.
type Session struct {
	Session   string    `json:"session"`             // its name, 32 hexadecimal digits, the same on every server
	ID        uint32    `json:"id"`                  // on this server
	Pseudonym string    `json:"pseudonym,omitempty"` // of the audit's lines
	Subject   string    `json:"subject,omitempty"`   // with the permission to read names
	Issuer    string    `json:"issuer,omitempty"`    // likewise
	Scope     string    `json:"scope,omitempty"`
	Platform  string    `json:"platform"` // as the client states it, any text
	Build     string    `json:"build"`    // likewise
	Network   string    `json:"network"`  // at most /24 or, for IPv6, /56
	Expires   time.Time `json:"expires"`  // unless it is renewed
	Doubt     string    `json:"doubt"`    // a transport.Doubt in words

	Received uint64  `json:"received"` // datagrams
	Lost     uint64  `json:"lost"`     // of the player's
	Sent     uint64  `json:"sent"`
	LostOut  uint64  `json:"lost_out"`  // of those sent; 0 without lanes
	RTT      float64 `json:"rtt_ms"`    // 0 as long as none was measured
	Jitter   float64 `json:"jitter_ms"` // likewise
	Rate     int     `json:"rate"`      // bytes a second that the lanes may send; 0 without
	Queued   int     `json:"queued"`    // bytes of messages that have not arrived; 0 without lanes
}

// Sessions is the answer of GET /v1/sessions: the sessions in the order of their ids.
type Sessions struct {
	Sessions []Session `json:"sessions"`
	Next     uint32    `json:"next,omitempty"` // to ask for those that follow, as "after"; absent at the end
}

// filter says which sessions are asked for. Empty fields match all.
type filter struct {
	session                           *[16]byte
	subject, issuer, pseudonym, scope string
}

// read reads what filters from the query, with the other parameters of the call.
func (f *filter) read(c *call, params map[string]*string) *Problem {
	params["subject"], params["issuer"], params["pseudonym"], params["scope"] = &f.subject, &f.issuer, &f.pseudonym, &f.scope
	if problem := query(c.r, params); problem != nil {
		return problem
	}
	if (f.subject != "" || f.issuer != "") && !c.names() {
		return problemNames
	}
	return nil
}

// match reports whether a session is asked for, as far as that can be told in the match's turn: a
// pseudonym takes too long.
func (f *filter) match(s session.Session) bool {
	return (f.session == nil || *f.session == s.Name()) &&
		(f.subject == "" || f.subject == s.Subject()) &&
		(f.issuer == "" || f.issuer == s.Issuer()) &&
		(f.scope == "" || f.scope == s.Scope())
}

// unmask finds the subject of the pseudonym, if there is one to look for, and reports whether
// anybody has it. Only the subjects are collected in the match's turn.
func (a *api) unmask(c *call, f *filter) (found bool, problem *Problem) {
	if f.pseudonym == "" {
		return true, nil
	}
	subjects := make(map[string]struct{})
	if problem := a.visit(c.r, func(p *transport.Player) {
		if s := p.Session(); f.match(s) {
			subjects[s.Subject()] = struct{}{}
		}
	}); problem != nil {
		return false, problem
	}
	for subject := range subjects {
		if a.config.Pseudonym(subject) == f.pseudonym {
			f.subject = subject
			return true, nil
		}
	}
	return false, nil
}

// names reports whether the caller may read names.
func (c *call) names() bool { return c.peer.Permissions.Has(identity.ReadNames) }

// parseName returns the name of a session as the API writes it, nil for what is none.
func parseName(s string) *[16]byte {
	name, err := hex.DecodeString(s)
	if err != nil || len(name) != 16 || hex.EncodeToString(name) != s {
		return nil
	}
	return (*[16]byte)(name)
}

// listSessions is GET /v1/sessions.
func (a *api) listSessions(c *call) (any, *Problem) {
	var f filter
	var limitText, afterText string
	if problem := f.read(c, map[string]*string{"limit": &limitText, "after": &afterText}); problem != nil {
		return nil, problem
	}
	limit, problem := pageOf(limitText)
	if problem != nil {
		return nil, problem
	}
	after, err := strconv.ParseUint(cmp.Or(afterText, "0"), 10, 32)
	if err != nil {
		return nil, problemQuery.with("after")
	}
	found, problem := a.unmask(c, &f)
	if problem != nil {
		return nil, problem
	}
	rows := make(rowHeap, 0, limit)
	more := false
	if !found {
		return Sessions{Sessions: rows}, nil
	}
	problem = a.visit(c.r, func(p *transport.Player) {
		s := p.Session()
		switch id := s.ID(); {
		case uint64(id) <= after || !f.match(s):
		case len(rows) < limit:
			heap.Push(&rows, rowOf(p))
		case id < rows[0].ID:
			rows[0], more = rowOf(p), true
			heap.Fix(&rows, 0)
		default:
			more = true
		}
	})
	if problem != nil {
		return nil, problem
	}
	for i := range rows {
		a.mask(c, &rows[i])
	}
	slices.SortFunc(rows, func(a, b Session) int { return cmp.Compare(a.ID, b.ID) })
	result := Sessions{Sessions: rows}
	if more {
		result.Next = rows[len(rows)-1].ID
	}
	return result, nil
}

// pageOf returns how many rows are asked for.
func pageOf(text string) (int, *Problem) {
	if text == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, problemQuery.with("limit")
	}
	return n, nil
}

// rowHeap has the session with the highest id first, so that a page keeps the lowest ones.
type rowHeap []Session

func (h rowHeap) Len() int           { return len(h) }
func (h rowHeap) Less(i, j int) bool { return h[i].ID > h[j].ID }
func (h rowHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *rowHeap) Push(x any)        { *h = append(*h, x.(Session)) }
func (h *rowHeap) Pop() any          { panic("a page only grows") }

// getSession is GET /v1/sessions/{session}.
func (a *api) getSession(c *call) (any, *Problem) {
	if problem := query(c.r, nil); problem != nil {
		return nil, problem
	}
	f := filter{session: parseName(c.name)}
	if f.session == nil {
		return nil, problemQuery.with("session")
	}
	var found *Session
	if problem := a.visit(c.r, func(p *transport.Player) {
		if found == nil && f.match(p.Session()) {
			row := rowOf(p)
			found = &row
		}
	}); problem != nil {
		return nil, problem
	}
	if found == nil {
		return nil, problemAbsent
	}
	a.mask(c, found)
	return found, nil
}

// visit calls f for every player in the player's turn. One request visits at a time, so however
// many ask, a turn does the work of one.
func (a *api) visit(r *http.Request, f func(*transport.Player)) *Problem {
	ctx, cancel := context.WithTimeout(r.Context(), visitTime)
	defer cancel()
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return problemStalled
	}
	err := a.config.Server.Visit(ctx, func(p *transport.Player) bool { f(p); return true })
	switch {
	case errors.Is(err, transport.ErrServerClosed):
		return problemClosed
	case err != nil:
		return problemStalled
	}
	return nil
}

// rowOf returns what is known of a player. It is called in the player's turn.
func rowOf(p *transport.Player) Session {
	s, stats := p.Session(), p.Stats()
	stated := s.Fingerprint()
	name := s.Name()
	return Session{
		Session: hex.EncodeToString(name[:]), ID: s.ID(), Subject: s.Subject(), Issuer: s.Issuer(), Scope: s.Scope(),
		Platform: stated.Platform, Build: stated.Build, Network: shorten(stats.Prefix),
		Expires: s.Expires().UTC(), Doubt: stats.Doubt.String(),
		Received: stats.Received, Lost: stats.Lost, Sent: stats.Sent, LostOut: stats.LostOut,
		RTT: milliseconds(stats.RTT), Jitter: milliseconds(stats.Jitter), Rate: stats.Rate, Queued: stats.Queued,
	}
}

// mask gives a session the pseudonym of its player, and takes the name unless the caller may read
// it.
func (a *api) mask(c *call, s *Session) {
	s.Pseudonym = a.config.Pseudonym(s.Subject)
	if !c.names() {
		s.Subject, s.Issuer = "", ""
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// shorten returns a player's network as the audit shortens it.
func shorten(p netip.Prefix) string {
	longest := 56
	if p.Addr().Is4() {
		longest = 24
	}
	short, err := p.Addr().Prefix(min(p.Bits(), longest))
	if err != nil {
		return ""
	}
	return short.String()
}
