package nakama

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/aging"
	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// Backend is a gateway.Backend: a Nakama server, and a WebSocket to it for each player.
type Backend struct {
	config Config // constant, as all down to reach
	api    *api
	log    *slog.Logger
	dials  chan struct{} // a place for each WebSocket or sign-in that is under way
	scopes *aging.Map[request]
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // the goroutines of players, of probe and of check

	reach  reach
	counts counts

	mu sync.Mutex
	// +checklocks:mu
	members map[string]*link // who is in a match, by the session id of the WebSocket
	// +checklocks:mu
	matches map[string]*match // those that have members, by id
	// +checklocks:mu
	said map[string]time.Time // when each kind of fault was logged last
}

// New returns a Backend for a gateway.Config. The error matches ErrConfig.
func New(config Config) (*Backend, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Backend{
		config: config, api: newAPI(config.URL, config.ServerKey), log: config.Log,
		dials: make(chan struct{}, config.Dials), scopes: aging.New[request](remembered / 2),
		members: make(map[string]*link), matches: make(map[string]*match), said: make(map[string]time.Time),
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.reach.init()
	return b, nil
}

// Lanes returns the lanes of a gateway with this backend: the two of package nakamabridge, and one
// for presences.
func Lanes() []transport.Lane {
	return append(matchdata.Lanes(), transport.Lane{Mode: transport.Ordered, Priority: 1, MaxMessage: matchdata.MaxReliable, Queue: 256 << 10})
}

// Start implements gateway.Backend. A Nakama that does not answer yet is no error: nobody is admitted
// until it does.
func (b *Backend) Start(*gateway.Gateway) error {
	if b.config.clear() {
		b.log.Warn("nakama: session tokens travel to another host without TLS: see that the network encrypts")
	}
	b.look(true)
	b.wg.Go(b.probe)
	if b.config.Check > 0 {
		b.wg.Go(b.check)
	}
	return nil
}

// Ready implements gateway.Backend.
func (b *Backend) Ready() error {
	if b.reach.isAway() {
		return errAway
	}
	return nil
}

// Restores returns false: which match a player is in, a snapshot does not say. See gateway.Backend.
func (b *Backend) Restores() bool { return false }

// Close implements gateway.Backend.
func (b *Backend) Close() error {
	b.cancel()
	b.wg.Wait()
	b.api.close()
	return nil
}

// Authorize is the session.Config.Authorize of a gateway with this backend: it refuses players whom
// the backend cannot serve. It checks the form of the request; the match decides later whether it
// takes the player.
func (b *Backend) Authorize(a *session.Admission) error {
	asked, ok := parseScope(a.Scope)
	if a.Scope != "" && !ok {
		return session.Refusal(session.ReasonScope)
	}
	begins := a.Why == session.Opening || a.Why == session.ResumingElsewhere // any other keeps its match, and its token's scope
	if begins && !allows(a.Claims.Scope, asked.MatchID) {
		return session.Refusal(session.ReasonScope)
	}
	switch a.Why {
	case session.Opening:
		r, err := parseRequest(a.Metadata)
		if err != nil {
			return session.Refusal(session.ReasonMalformed)
		}
		if ok && r.MatchID != asked.MatchID {
			return session.Refusal(session.ReasonScope)
		}
	case session.ResumingElsewhere:
		known := b.config.Sessions == nil
		if !known {
			_, known = b.config.Sessions.of(a.Claims.Subject)
		}
		name := a.Session.Name()
		said, here := b.scopes.Get(string(name[:]))
		if !known || !ok && !here {
			return session.Refusal(session.ReasonTicket) // the client signs in anew, which says all there is to say
		}
		if ok && said.MatchID != asked.MatchID { // else the client has said more than a scope holds
			said = asked
		}
		b.scopes.Put(string(name[:]), said) // anew, so that it is there when the player joins
	}
	return nil
}

// Join implements gateway.Backend.
func (b *Backend) Join(p *gateway.Player) {
	name := p.Session().Name()
	want, err := parseRequest(p.Metadata())
	if p.Origin() != transport.OriginOpened {
		known := false
		if want, known = b.scopes.Get(string(name[:])); !known {
			p.Kick(endUnknown.reason, endUnknown.detail)
			return
		}
	} else if err != nil {
		p.Kick(session.ReasonKicked, "no match was asked for")
		return
	}
	b.scopes.Put(string(name[:]), want) // for the session's ticket, on this gateway
	l := newLink(b, p, want)
	p.Value = l
	b.counts.players.Add(1)
	b.wg.Go(l.run)
}

// Data implements gateway.Backend.
func (b *Backend) Data(p *gateway.Player, lane int, _ uint32, payload []byte) {
	if l, ok := p.Value.(*link); ok {
		l.say(payload, lane == matchdata.Reliable)
	}
}

// Left implements gateway.Backend.
func (b *Backend) Left(p *gateway.Player, reason session.Reason) {
	if l, ok := p.Value.(*link); ok {
		b.counts.players.Add(-1)
		l.leave(reason)
	}
}

// lossy reports whether broadcasts with this op code may be lost.
func (b *Backend) lossy(op int64) bool { return slices.Contains(b.config.Unreliable, op) }

// enter notes that a WebSocket is in a match, and exit that it is not any more.
func (b *Backend) enter(l *link, sessionID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.members[sessionID] = l
	m := b.matches[l.want.MatchID]
	if m == nil {
		m = &match{members: make(map[*link]time.Time)}
		b.matches[l.want.MatchID] = m
	}
	m.members[l] = time.Now()
}

func (b *Backend) exit(l *link, sessionID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.members[sessionID] == l {
		delete(b.members, sessionID)
	}
	if m := b.matches[l.want.MatchID]; m != nil {
		delete(m.members, l)
		if len(m.members) == 0 {
			delete(b.matches, l.want.MatchID)
		}
	}
}

// gone is told of a presence that has left a match. One of ours whose WebSocket is still open
// after a moment was kicked: Nakama tells all others, and not itself.
func (b *Backend) gone(sessionID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.members[sessionID]
	if l == nil {
		return
	}
	time.AfterFunc(settle, func() {
		b.mu.Lock()
		still := b.members[sessionID] == l
		b.mu.Unlock()
		if still {
			l.conclude(endKicked)
		}
	})
}

// seldom reports whether a fault of this kind may be logged now: once a logEvery.
func (b *Backend) seldom(kind string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if last, ok := b.said[kind]; ok && now.Sub(last) < logEvery {
		return false
	}
	b.said[kind] = now
	return true
}

// record puts what Nakama has decided about a player into the audit.
func (b *Backend) record(p *gateway.Player, d audit.Decision, reason audit.Drop, detail string) {
	s := p.Session()
	b.config.Audit.Record(audit.Event{
		Decision: d, Reason: reason, Issuer: s.Issuer(), Subject: s.Subject(), TokenID: s.TokenID(), Session: s.ID(), Detail: detail,
	})
}

// counts are what Stats returns.
type counts struct {
	players                                                                   atomic.Int64
	joined, rejoined, refused, kicked, over, signedIn, refreshed              atomic.Uint64
	inputs, droppedInputs, longInputs, malformed, messages, oversized, behind atomic.Uint64
}

// Stats counts the events of a Backend since New.
type Stats struct {
	Players       int    `json:"players"`        // now
	Joined        uint64 `json:"joined"`         // matches joined
	Rejoined      uint64 `json:"rejoined"`       // and joined again, on another WebSocket
	Refused       uint64 `json:"refused"`        // joins refused by the match, the account or the session
	Kicked        uint64 `json:"kicked"`         // players whom a match has removed
	Over          uint64 `json:"over"`           // players whose match has ended
	SignedIn      uint64 `json:"signed_in"`      // sign-ins to Nakama by the gateway
	Refreshed     uint64 `json:"refreshed"`      // sessions refreshed by the gateway
	Inputs        uint64 `json:"inputs"`         // inputs handed to Nakama
	DroppedInputs uint64 `json:"dropped_inputs"` // unreliable inputs for which a slow or broken WebSocket left no room
	LongInputs    uint64 `json:"long_inputs"`    // inputs longer than Config.MaxInput, dropped
	Malformed     uint64 `json:"malformed"`      // inputs without an op code, dropped
	Messages      uint64 `json:"messages"`       // match data handed to players
	Oversized     uint64 `json:"oversized"`      // match data that fits no lane of the player, dropped
	Behind        uint64 `json:"behind"`         // players whose session ended because reliable messages or inputs had no room
}

// Stats returns the counts since New. It is safe for concurrent use.
func (b *Backend) Stats() Stats {
	c := &b.counts
	return Stats{
		Players: int(c.players.Load()), Joined: c.joined.Load(), Rejoined: c.rejoined.Load(), Refused: c.refused.Load(),
		Kicked: c.kicked.Load(), Over: c.over.Load(), SignedIn: c.signedIn.Load(), Refreshed: c.refreshed.Load(),
		Inputs: c.inputs.Load(), DroppedInputs: c.droppedInputs.Load(), LongInputs: c.longInputs.Load(),
		Malformed: c.malformed.Load(), Messages: c.messages.Load(), Oversized: c.oversized.Load(), Behind: c.behind.Load(),
	}
}

// transient reports whether an error says that Nakama itself may be away.
func transient(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return !ok || e.status >= 500
}
