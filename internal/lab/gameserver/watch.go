package gameserver

import (
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/lab/statuspage"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

const (
	// sampleEvery is how often rates are measured, and how old a state is at most when nobody asks for one.
	sampleEvery = time.Second

	// showEvery is the least between two states: smooth to the eye, whoever asks how often.
	showEvery = 100 * time.Millisecond

	// maxShown is how many players a state has at most, so that making one never holds up a tick: more rows nobody reads.
	maxShown = 200
)

// watch shows the match to the status page. It belongs to the goroutine of the tick, but for asked and newest: there the
// page asks and the tick answers, and neither waits for the other.
type watch struct {
	config  Config            // constant
	admin   bool              // constant: who looks may be told names
	game    *transport.Server // constant
	arena   *arena.Arena      // constant
	players []*watched        // by joining, until somebody leaves
	of      map[*transport.Player]*watched
	drops   history
	sampled time.Time // rates are of the second before
	shown   time.Time
	in, out meter

	asked  atomic.Bool
	newest atomic.Pointer[statuspage.State]
}

// watched is a player of whom the page has a row.
type watched struct {
	player *transport.Player // constant
	place  int               // in watch.players
	end    *time.Timer       // of Config.RevokeAfter; nil without
	meters playerMeters
}

func newWatch(config Config, game *transport.Server, a *arena.Arena, admin bool) *watch {
	w := &watch{config: config, admin: admin, game: game, arena: a, of: make(map[*transport.Player]*watched)}
	w.sample(time.Now())
	w.show(w.sampled)
	return w
}

// State is the match as of the last second, or since the last question if that is less long ago. It is safe for
// concurrent use.
func (w *watch) State() *statuspage.State {
	w.asked.Store(true)
	return w.newest.Load()
}

// handler is h, watched.
func (w *watch) handler(h transport.Handler) transport.Handler {
	watched := h
	watched.Join = func(p *transport.Player) { h.Join(p); w.join(p) }
	watched.Leave = func(p *transport.Player, r session.Reason) { w.leave(p); h.Leave(p, r) }
	return watched
}

func (w *watch) join(p *transport.Player) {
	row := &watched{player: p, place: len(w.players)}
	if w.config.RevokeAfter > 0 {
		s := p.Session()
		row.end = time.AfterFunc(w.config.RevokeAfter, func() { s.Revoke() })
	}
	row.meters.sample(p, time.Now())
	w.players, w.of[p] = append(w.players, row), row
}

func (w *watch) leave(p *transport.Player) {
	row := w.of[p]
	delete(w.of, p)
	if row.end != nil {
		row.end.Stop()
	}
	last := len(w.players) - 1
	w.players[row.place] = w.players[last]
	w.players[row.place].place = row.place
	w.players[last] = nil
	w.players = w.players[:last]
}

// look ends a tick: it measures once a second, and shows what it sees when it has measured or somebody asks.
func (w *watch) look(now time.Time) {
	due := now.Sub(w.sampled) >= sampleEvery
	if due {
		w.sample(now)
	}
	if due || now.Sub(w.shown) >= showEvery && w.asked.Load() {
		w.asked.Store(false)
		w.show(now)
	}
}

// sample measures what has happened since the last sample.
func (w *watch) sample(now time.Time) {
	seconds := now.Sub(w.sampled).Seconds()
	w.sampled = now
	stats := w.game.Stats()
	w.in.rate(stats.Received, seconds)
	w.out.rate(stats.Sent, seconds)
	w.drops.add(stats.Drops)
	for _, row := range w.rows() {
		row.meters.sample(row.player, now)
	}
}

// rows are the players that are shown.
func (w *watch) rows() []*watched { return w.players[:min(len(w.players), maxShown)] }

// show makes a state and hands it over.
func (w *watch) show(now time.Time) {
	w.shown = now
	s := &statuspage.State{
		Admin: w.admin, Time: now.UnixMilli(), Side: arena.Side, Tick: w.config.Tick, Sessions: len(w.players),
		In: w.in.perSecond, Out: w.out.perSecond, Drops: w.drops.seconds(),
		Players: make([]statuspage.Player, 0, len(w.rows())),
	}
	for _, row := range w.rows() {
		s.Players = append(s.Players, w.row(row, now))
	}
	w.newest.Store(s)
}

// row returns the row of a player as of now.
func (w *watch) row(row *watched, now time.Time) statuspage.Player {
	session, body := row.player.Session(), w.arena.Body(row.player)
	stated := session.Fingerprint()
	p := statuspage.Player{
		Session: session.ID(), Number: body.Player, Platform: stated.Platform, Build: stated.Build, X: body.X, Y: body.Y,
		Life: max(session.Expires().Sub(now).Seconds(), 0),
	}
	if w.admin {
		p.Name, p.Issuer = session.Subject(), session.Issuer()
	}
	row.meters.fill(&p)
	return p
}
