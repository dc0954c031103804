package attack

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// scene is one thing that an attacker tries.
type scene struct {
	attack   string // what is done
	expected string // what a server that holds does
	play     func(s *stage) error
}

// stage is where a scene is played, and what has been seen there.
type stage struct {
	ctx    context.Context
	target *soak.Match
	number int // of the next attacker

	before tally.Counts // drops when the scene began
	trail  tally.Counts // likewise what had been audited
	seen   string
	broken bool
	cast   []*raw
}

// What attackers state of themselves, and what their tokens are for.
var honest = session.Fingerprint{Platform: "go", Build: "attack"}

const scope = "arena"

// grant is for an attacker who has not played yet.
func (s *stage) grant() token.Grant {
	s.number++
	return token.Grant{
		Subject: fmt.Sprintf("attacker-%d", s.number), Scope: scope, Platform: honest.Platform, Build: honest.Build,
	}
}

// enter lets a client join from local, nil for a new address. The stage ends it.
func (s *stage) enter(local net.Addr, f session.Fingerprint, identity []byte) (*raw, error) {
	return s.enterAs(local, session.ClientConfig{Fingerprint: f, Scope: scope}, identity)
}

func (s *stage) enterAs(local net.Addr, config session.ClientConfig, identity []byte) (*raw, error) {
	p, err := dial(s.ctx, s.target, local, config, identity)
	if err == nil {
		s.cast = append(s.cast, p)
	}
	return p, err
}

// join lets an attacker in with a token of its own.
func (s *stage) join() (*raw, error) {
	p, _, err := s.joinAs(s.grant())
	return p, err
}

// joinAs lets an attacker in with a token for g, and returns the token, too.
func (s *stage) joinAs(g token.Grant) (p *raw, identity []byte, err error) {
	if identity, err = s.target.Mint(s.ctx, g); err != nil {
		return nil, nil, err
	}
	p, err = s.enter(nil, honest, identity)
	return p, identity, err
}

// saw notes what happened; held is whether that was right.
func (s *stage) saw(held bool, format string, args ...any) {
	if s.seen != "" {
		s.seen += "; "
	}
	s.seen += fmt.Sprintf(format, args...)
	s.broken = s.broken || !held
}

// refused expects an attempt to join to have failed for a reason.
func (s *stage) refused(p *raw, err error, want session.Reason) {
	closed, answered := errors.AsType[*transport.CloseError](err)
	switch {
	case err == nil:
		s.saw(false, "let in as session %d", p.id())
	case answered:
		s.saw(closed.Reason == want, "refused: %v", closed.Reason)
	default:
		s.saw(false, "%v", err)
	}
}

// playsOn expects a session to take n inputs more, no fewer and no copies, after those that it has taken already.
func (s *stage) playsOn(who string, p *raw, before uint64, n int) {
	p.play(n)
	await(func() bool { return p.newest().Delivered >= before+uint64(n) || !p.lives() })
	got, ok := p.delivered()
	if !p.lives() || !ok {
		s.saw(false, "%s is out: %v", who, p.reason())
		return
	}
	s.saw(got == before+uint64(n), "%s plays on, %d of %d delivered", who, got, before+uint64(n))
}

// dropped expects the server to count at least n drops for a reason.
func (s *stage) dropped(reason string, n uint64) {
	var got uint64
	held := s.await(func() bool {
		got = s.drops()[reason]
		return got >= n
	})
	if held {
		s.saw(true, "%d dropped as %s", got, reason)
	} else {
		s.saw(false, "only %d of %d dropped as %s", got, n, reason)
	}
}

// audited expects n records of a decision, where they can be seen.
func (s *stage) audited(what string, n uint64) {
	if s.target.Trail == nil {
		return
	}
	var got uint64
	held := s.await(func() bool {
		got = s.decisions()[what]
		return got == n
	})
	s.saw(held, "audited: %d %s", got, what)
}

// await waits for something that a server which holds does soon; no longer once it has shown that it does not.
func (s *stage) await(done func() bool) bool {
	if s.broken {
		return done()
	}
	return await(done)
}

// drops returns the drops since the scene began.
func (s *stage) drops() tally.Counts {
	stats, err := s.stats()
	if err != nil {
		return nil
	}
	return tally.Counts(stats.Drops).Since(s.before)
}

// decisions returns the audited decisions since the scene began; none if they cannot be seen.
func (s *stage) decisions() tally.Counts { return s.target.Trail.Counts().Since(s.trail) }

// stats asks the server. An interrupt does not cut the question short.
func (s *stage) stats() (gameserver.Stats, error) {
	return s.target.Stats(context.WithoutCancel(s.ctx))
}

// perform plays one scene and judges it.
func (s *stage) perform(sc scene) Row {
	row := Row{Attack: sc.attack, Expected: sc.expected, Verdict: "failed"}
	stats, err := s.stats()
	s.before, s.trail, s.seen, s.broken = stats.Drops, s.target.Trail.Counts(), "", false
	if err == nil {
		err = sc.play(s)
	}
	if err != nil {
		s.saw(false, "%v", err)
	}
	if !s.broken && s.ctx.Err() == nil {
		row.Verdict = "ok"
	}
	row.Seen, row.Drops, row.Audit = s.seen, s.drops(), s.decisions()
	for _, p := range s.cast {
		p.leave()
	}
	s.cast = nil
	return row
}
