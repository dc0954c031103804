package machine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/resume"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// revokedModel is the slow twin of a server's Gate. It knows sessions, players and tokens by name,
// keeps everything, and knows no connections. Servers do not tell each other, so each has its own;
// a process that takes over a server's sessions has the model of that server.
type revokedModel struct {
	out     map[[16]byte]bool         // sessions that no datagram is accepted of any more
	revoked map[[16]byte]bool         // of these, the ones that may be said to be revoked when a ticket is shown
	left    map[[16]byte]bool         // sessions that their players have ended: what is said of them afterwards may change nothing
	bans    [2]map[string]session.Ban // by subject: the server's own and the fleet's that lasts longest
	until   map[string]time.Time      // by subject: tokens that were issued until then are revoked
	tokens  map[string]bool           // by id: revoked
	known   map[[16]byte]*Session     // what has lived on this process and may yet be resumed, on its last connection
	player  map[[16]byte]string       // whose they are
	counts  struct{ in, out int }     // datagrams accepted of sessions; refusals for a revocation
}

func newRevokedModel() *revokedModel {
	return &revokedModel{
		out: map[[16]byte]bool{}, revoked: map[[16]byte]bool{}, left: map[[16]byte]bool{}, bans: [2]map[string]session.Ban{{}, {}}, until: map[string]time.Time{},
		tokens: map[string]bool{}, known: map[[16]byte]*Session{}, player: map[[16]byte]string{},
	}
}

// put records that a session was put out. The first time counts.
func (j *revokedModel) put(name [16]byte, revoked bool) {
	if !j.out[name] {
		j.out[name], j.revoked[name] = true, revoked
	}
	delete(j.known, name)
}

// banned returns the ban of a player that lasts longest, the server's own before the fleet's.
func (j *revokedModel) banned(now time.Time, subject string) (longest session.Ban, ok bool) {
	for _, bans := range j.bans {
		b, banned := bans[subject]
		if banned && (b.Until.IsZero() || now.Before(b.Until)) && (!ok || longer(b, longest)) {
			longest, ok = b, true
		}
	}
	return longest, ok
}

// longer reports whether a ban lasts longer than another.
func longer(b, than session.Ban) bool {
	return !than.Until.IsZero() && (b.Until.IsZero() || b.Until.After(than.Until))
}

// concerned reports whether a token is revoked.
func (j *revokedModel) concerned(subject, id string, issued time.Time) bool {
	until, ok := j.until[subject]
	return ok && !issued.After(until) || j.tokens[id]
}

// match is two servers, or one, their players and what the twins think of them.
type match struct {
	*testing.T
	rng    *rand.Rand
	now    time.Time
	first  *dialogue
	gates  []*Gate
	twins  []*revokedModel
	actors []*actor
	tokens int
}

// actor is one connection of a player's, live or not, and the ticket that was given on it.
type actor struct {
	*dialogue
	server int
	gone   bool // the server's end went with its process
}

func newMatch(t *testing.T, seed uint64, servers int) *match {
	d := connectOnly(t, session.Config{FleetKeys: fleet(t)}, session.ClientConfig{})
	m := &match{T: t, rng: rand.New(rand.NewPCG(seed, 7)), now: begin, first: d}
	for range servers {
		config := session.Config{MaxPerSubject: -1}
		if seed%2 == 1 {
			config = session.Config{Replace: seed%4 == 1} // sessions give way to newer ones of their player's
		}
		m.gates, m.twins = append(m.gates, d.anotherServer(config)), append(m.twins, newRevokedModel())
	}
	return m
}

// any is one of the actors, as of now; nil if there are none.
func (m *match) any() *actor {
	if len(m.actors) == 0 {
		return nil
	}
	a := m.actors[m.rng.IntN(len(m.actors))]
	a.now = m.now
	return a
}

// session is what an actor's connection carries; nil if there is none, or its process has gone.
func (m *match) session(a *actor) *Session {
	if a == nil || a.gone {
		return nil
	}
	return a.dialogue.server.Session()
}

func (m *match) subject() string { return fmt.Sprint("player ", m.rng.IntN(4)) }

func (m *match) identity(subject string) string {
	m.tokens++
	id := fmt.Sprint("token ", m.tokens)
	m.first.now = m.now
	c := m.first.mints(id)
	c.Subject, c.IssuedAt, c.ID = subject, m.now, id
	return id
}

// add keeps the newest actors.
func (m *match) add(a *actor) {
	if m.actors = append(m.actors, a); len(m.actors) > 24 {
		m.actors = m.actors[1:]
	}
}

// open is a newcomer.
func (m *match) open() {
	subject, k := m.subject(), m.rng.IntN(len(m.gates))
	m.first.gate, m.first.now = m.gates[k], m.now
	id := m.identity(subject)
	a := &actor{dialogue: m.first.connect(session.ClientConfig{}, id, channel), server: k}
	a.getsConnectionID()
	h := a.present(a.clientTick(wire.KindHello)...)
	_, refuse := m.twins[k].banned(m.now, subject)
	refuse = refuse || m.twins[k].concerned(subject, id, m.now)
	m.answered("open", k, subject, h, refuse, refuse)
	if h.Event.Kind == EventJoined {
		m.gaveWay(k, h)
		a.toClient(h.envelope)
		m.lives(a, subject)
	}
}

// gaveWay notes that a session was put out to make room for a newer one of its player's, if it was.
func (m *match) gaveWay(k int, h heard) {
	if h.Event.Replaced != nil {
		m.twins[k].put(h.Event.Replaced.Name(), false)
	}
}

// lives notes that a session lives on an actor's server.
func (m *match) lives(a *actor, subject string) {
	s, j := m.session(a), m.twins[a.server]
	j.known[s.Name()], j.player[s.Name()] = s, subject
	m.add(a)
}

// answered judges the answer to a HELLO: whether it is to be refused, and whether that is for a
// revocation.
func (m *match) answered(what string, k int, subject string, h heard, refuse, revoked bool) {
	m.Helper()
	j := m.twins[k]
	switch {
	case refuse && h.Event.Kind != EventRefused:
		m.Fatalf("%s: event %v although it was put out", what, h.Event.Kind)
	case (h.Drop == audit.DropRevoked) != revoked:
		m.Fatalf("%s: refused for %v; revoked: %v", what, h.Drop, revoked)
	case !revoked:
		return
	}
	j.counts.out++
	want := wire.ReasonRevoked
	if b, banned := j.banned(m.now, subject); banned {
		want = b.Reason
	}
	h.because(want)
}

// comeBack shows a ticket, old or new, on some server. Whether the WELCOME is answered is another
// step.
func (m *match) comeBack() {
	a := m.any()
	if a == nil || !a.client.Resumable() {
		return
	}
	k := m.rng.IntN(len(m.gates))
	r := &actor{dialogue: a.reconnects(m.gates[k], home), server: k}
	hello, err := wire.ParseHello(r.client.hello)
	if err != nil {
		m.Fatal(err)
	}
	t, err := resume.OpenTicket(m.gates[k].config.FleetKeys, m.now, hello.Ticket)
	if err != nil {
		return // expired
	}
	j := m.twins[k]
	_, withdrawn := j.banned(m.now, t.Subject)
	withdrawn = withdrawn || j.concerned(t.Subject, t.TokenID, time.UnixMilli(t.Issued))
	h := r.showsTicket()
	revoked := withdrawn || j.revoked[t.Name] && (!j.left[t.Name] || h.Drop == audit.DropRevoked)
	m.answered("resume", k, t.Subject, h, withdrawn || j.out[t.Name], revoked)
	if h.kind == wire.KindWelcome {
		m.gaveWay(k, h)
		r.toClient(h.envelope)
		m.lives(r, t.Subject)
	}
}

// talk is a datagram of the player's.
func (m *match) talk() {
	a := m.any()
	s := m.session(a)
	if s == nil || !a.client.Live() {
		return
	}
	c, j, name := a.dialogue.server, m.twins[a.server], s.Name()
	excused := false // the connection may end, and the session go on on another
	if r := c.resuming; r != nil {
		excused = j.concerned(r.ticket.Subject, r.ticket.TokenID, time.UnixMilli(r.ticket.Issued))
	}
	m.begins(a)
	before := c.state
	h := a.toServer(a.clientSends(wire.KindData, "input"))
	m.hear("talk", a, h, excused)
	if h.Event.Kind == EventData {
		j.counts.in++
	} else if before == live && !j.out[name] && h.Drop == audit.DropNone {
		m.Fatalf("talk: event %v", h.Event.Kind)
	}
}

// begins is what the next datagram of a client's does: the first one of an epoch whose token has
// been revoked since it was taken puts the session out.
func (m *match) begins(a *actor) {
	c, j, s := a.dialogue.server, m.twins[a.server], m.session(a)
	if !c.Begun() || c.next == nil || a.client.sending.Load().number != c.next.number || j.out[s.Name()] {
		return
	}
	if p := c.pending.claims; j.concerned(p.Subject, p.ID, p.IssuedAt) {
		j.put(s.Name(), true)
	}
}

// hear judges what a connection says.
func (m *match) hear(what string, a *actor, h heard, excused bool) {
	m.Helper()
	s := m.session(a)
	if s == nil {
		return
	}
	j := m.twins[a.server]
	accepted := h.Event.Kind == EventData || h.Event.Kind == EventRenewed
	switch told := h.Drop == audit.DropRevoked; {
	case accepted && j.out[s.Name()]:
		m.Fatalf("%s: accepted of a session that was put out", what)
	case told && !j.out[s.Name()] && !excused:
		m.Fatalf("%s: said to be revoked, and is not", what)
	case told:
		j.counts.out++
	}
}

// renew shows a fresh token. Its RENEWED may be lost.
func (m *match) renew() {
	a := m.any()
	s := m.session(a)
	if s == nil || !a.client.Live() || !a.dialogue.server.Begun() {
		return
	}
	id := m.identity(s.Subject())
	if a.client.Renew(a.now, []byte(id)) != nil {
		return
	}
	m.begins(a)
	h := a.present(a.clientTick(wire.KindRenew)...)
	j := m.twins[a.server]
	c := m.first.claims[id]
	m.hear("renew", a, h, j.concerned(c.Subject, c.ID, c.IssuedAt) || a.dialogue.server.resuming != nil)
	if h.Event.Kind == EventRenewed && m.rng.IntN(4) > 0 {
		a.toClient(h.envelope)
	}
}

// ends is a connection's end, by either side, for good or not.
func (m *match) ends() {
	a := m.any()
	s := m.session(a)
	if s == nil {
		return
	}
	c, j, name := a.dialogue.server, m.twins[a.server], s.Name()
	switch reason := [...]wire.Reason{wire.ReasonKicked, wire.ReasonReplaced, wire.ReasonShutdown, wire.ReasonLeft}[m.rng.IntN(4)]; {
	case reason == wire.ReasonLeft && a.client.Live():
		m.begins(a)
		if h := a.toServer(a.clientSends(wire.KindClose, closeBody)); h.Event.Kind == EventClosed {
			m.hear("leave", a, h, c.resuming != nil)
			j.left[name] = true
			delete(j.known, name)
		}
	case reason == wire.ReasonKicked && m.rng.IntN(2) == 0:
		reason = wire.Reason(m.rng.IntN(256))
		c.Dismiss(reason, "")
		j.put(name, ticketsDrop(reason) == audit.DropRevoked)
	case reason == wire.ReasonKicked && !c.livesOnFormer():
		c.Close(reason)
		j.put(name, false)
	case reason == wire.ReasonReplaced, reason == wire.ReasonShutdown:
		c.Close(reason)
	}
}

// revoke is a word of the match's about a session, a player or a token.
func (m *match) revoke() {
	a := m.any()
	s := m.session(a)
	if s == nil {
		return
	}
	g, j := m.gates[a.server], m.twins[a.server]
	switch m.rng.IntN(6) {
	case 0, 1:
		if first := s.Revoke(); first == j.out[s.Name()] && !j.left[s.Name()] {
			m.Fatal("a session is put out twice, or never")
		}
		j.put(s.Name(), true)
	case 2:
		known := j.known[s.Name()] != nil && !j.out[s.Name()]
		if g.RevokeSession(s.ID()) {
			j.put(s.Name(), true)
		} else if known {
			m.Fatal("a session that may be resumed is not found by its id")
		}
	case 3:
		want := m.putAll(j, s.Subject(), func(*Session) bool { return true }, true)
		if n := g.RevokeSubject("issuer", s.Subject()); n != want {
			m.Fatalf("%d sessions of a subject were revoked, want %d", n, want)
		}
	case 4:
		r := session.Revocation{Kind: session.RevokeSubject, Issuer: "issuer", Value: s.Subject(), Time: m.now.Add(-time.Minute * time.Duration(m.rng.IntN(2)))}
		want := m.putAll(j, s.Subject(), func(s *Session) bool { return s.names.Load().issued <= r.Time.UnixMilli() }, true)
		if n, err := g.Revoke(m.now, r); n != want || err != nil {
			m.Fatalf("%d sessions, %v; want %d", n, err, want)
		}
		if r.Time.After(j.until[s.Subject()]) {
			j.until[s.Subject()] = r.Time
		}
	case 5:
		id := s.TokenID()
		if p := a.dialogue.server.pending; p != nil && p.claims != nil && m.rng.IntN(2) == 0 {
			id = p.claims.ID // a token whose epoch has not begun
		}
		m.putAll(j, s.Subject(), func(s *Session) bool {
			return s.TokenID() == id && g.sessionOf(&resume.Ticket{Session: s.id, Name: s.name}) != nil
		}, true)
		j.tokens[id] = true
		if _, err := g.Revoke(m.now, session.Revocation{Kind: session.RevokeToken, Issuer: "issuer", Value: id, Time: m.now}); err != nil {
			m.Fatal(err)
		}
	}
}

// putAll records that the sessions of a player that are known and concerned were put out.
func (m *match) putAll(j *revokedModel, subject string, concerned func(*Session) bool, revoked bool) (n int) {
	for name, s := range j.known {
		if j.player[name] == subject && concerned(s) {
			j.put(name, revoked)
			n++
		}
	}
	return n
}

// ban bans a player or lifts the ban.
func (m *match) ban() {
	k := m.rng.IntN(len(m.gates))
	g, j := m.gates[k], m.twins[k]
	of := m.rng.IntN(2)
	b := session.Ban{Issuer: "issuer", Subject: m.subject(), Reason: wire.Reason(200 + m.rng.IntN(3)), Everywhere: of == 1}
	switch m.rng.IntN(6) {
	case 0:
		b.Until = begin // over
		if n, err := g.Ban(b); n != 0 || err != nil {
			m.Fatal(n, err)
		}
		return
	case 1:
	case 2, 3:
		b.Until = m.now.Add(time.Duration(1+m.rng.IntN(300)) * time.Second)
	default:
		g.Lift("issuer", b.Subject, b.Everywhere)
		delete(j.bans[of], b.Subject)
		return
	}
	want := m.putAll(j, b.Subject, func(*Session) bool { return true }, false)
	if n, err := g.Ban(b); n != want || err != nil {
		m.Fatalf("%d sessions, %v; want %d", n, err, want)
	}
	if old := j.bans[of][b.Subject]; old.Subject == "" || !longer(old, b) {
		j.bans[of][b.Subject] = b
	}
}

// restart replaces a server's process. What it could not hand on may be resumed, and has lived
// nowhere.
func (m *match) restart() {
	k := m.rng.IntN(len(m.gates))
	var all []*dialogue
	for _, a := range m.actors {
		if a.server == k && !a.gone {
			a.now = m.now
			all = append(all, a.dialogue)
		}
	}
	m.first.gate, m.first.now = m.gates[k], m.now
	g, snap := m.first.savesAndRestores(all...)
	if m.rng.IntN(3) == 0 {
		snap.LeaveOut() // it was too late for sessions
	}
	j := m.twins[k]
	clear(j.known)
	for _, r := range snap.Sessions {
		if j.out[r.Name] {
			m.Fatal("a session that was put out is handed on")
		}
	}
	for _, a := range m.actors {
		if a.server != k || a.gone {
			continue
		}
		a.gone = true
		s, c := a.dialogue.server.Session(), a.dialogue.server
		for _, r := range snap.Sessions {
			if s == nil || !c.Begun() || c.resuming != nil || r.Name != s.Name() || r.ConnectionID != c.connectionID {
				continue
			}
			next, drop := a.restores(g, r)
			if drop == audit.DropRevoked && !j.concerned(r.Subject, r.Standing.TokenID, time.UnixMilli(r.Standing.Issued)) {
				m.Fatal("refused as revoked after a restart, and is not")
			}
			if drop == audit.DropNone {
				a.dialogue, a.gone = next, false
				j.known[r.Name] = next.server.Session()
			}
		}
	}
	m.gates[k] = g
}

// pass is some time, in which servers look at their clocks.
func (m *match) pass() {
	m.now = m.now.Add(time.Duration(m.rng.IntN(12_000)) * time.Millisecond)
	if m.rng.IntN(10) == 0 {
		m.now = m.now.Add(session.DefaultIdle)
	}
	for _, a := range m.actors {
		if a.now = m.now; !a.gone {
			m.hear("tick", a, a.tickServer(), false)
		}
	}
}

// No datagram of a session that the model calls ended is accepted again on the server that was
// told, and nobody is told of a revocation that is none: whatever happens in whatever order, on one
// server and on two.
func TestRevokedModel(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 3
	}
	for servers := 1; servers <= 2; servers++ {
		for seed := range seeds {
			t.Run(fmt.Sprintf("%d servers, seed %d", servers, seed), func(t *testing.T) {
				m := newMatch(t, seed, servers)
				steps := []func(){
					m.open, m.open, m.comeBack, m.comeBack, m.comeBack, m.talk, m.talk, m.talk, m.talk, m.talk, m.talk, m.renew, m.pass,
				}
				rare := []func(){m.ends, m.revoke, m.ban, m.restart}
				for range 1500 {
					if m.rng.IntN(8) == 0 {
						rare[m.rng.IntN(len(rare))]()
					} else {
						steps[m.rng.IntN(len(steps))]()
					}
				}
				for k, j := range m.twins {
					if j.counts.in < 5 || j.counts.out < 5 {
						t.Errorf("server %d: %d datagrams accepted, %d times revoked", k, j.counts.in, j.counts.out)
					}
				}
			})
		}
	}
}
