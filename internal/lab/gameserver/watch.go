package gameserver

import (
	_ "embed" // the panel
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/statuspage"
	"github.com/sallyport/sallyport/transport"
)

const (
	// pingEvery is how often the round trip to a player is measured, for the status page.
	pingEvery = time.Second

	// showEvery is the least between two pictures: smooth to the eye, whoever asks how often.
	showEvery = 100 * time.Millisecond

	// maxShown is how many players a picture has at most: as many as the page has rows.
	maxShown = 200
)

//go:embed panel.js
var panelScript string

// picture is the arena at one moment. It never changes once it is shown.
type picture struct {
	Side   int    `json:"side"` // of the square: positions are 0 to Side
	Bodies []spot `json:"bodies"`
}

// spot is where a player is.
type spot struct {
	Session uint32 `json:"session"`
	X       uint16 `json:"x"`
	Y       uint16 `json:"y"`
}

// watch makes pictures of the arena for the status page. It belongs to the goroutine of the tick, but for asked and
// newest: there the page asks and the tick answers, and neither waits for the other.
type watch struct {
	config  Config       // constant
	arena   *arena.Arena // constant
	players []*watched   // by joining, until somebody leaves
	of      map[*transport.Player]*watched
	shown   time.Time

	asked  atomic.Bool
	newest atomic.Pointer[picture]
}

// watched is a player who is in the arena.
type watched struct {
	player *transport.Player // constant
	place  int               // in watch.players
	end    *time.Timer       // of Config.RevokeAfter; nil without
}

func newWatch(config Config, a *arena.Arena) *watch {
	w := &watch{config: config, arena: a, of: make(map[*transport.Player]*watched)}
	w.show(time.Now())
	return w
}

// panel is the arena on the status page.
func (w *watch) panel() *statuspage.Panel {
	return &statuspage.Panel{Title: "Arena", Script: panelScript, Data: func() any {
		w.asked.Store(true)
		return w.newest.Load()
	}}
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
	if s := p.Session(); w.config.RevokeAfter > 0 {
		row.end = time.AfterFunc(w.config.RevokeAfter, func() { s.Revoke() })
	}
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

// look ends a tick: it makes a picture if somebody has asked for one.
func (w *watch) look(now time.Time) {
	if w.asked.Load() && now.Sub(w.shown) >= showEvery {
		w.asked.Store(false)
		w.show(now)
	}
}

// show makes a picture and hands it over.
func (w *watch) show(now time.Time) {
	w.shown = now
	rows := w.players[:min(len(w.players), maxShown)]
	p := &picture{Side: arena.Side, Bodies: make([]spot, 0, len(rows))}
	for _, row := range rows {
		body := w.arena.Body(row.player)
		p.Bodies = append(p.Bodies, spot{row.player.Session().ID(), body.X, body.Y})
	}
	w.newest.Store(p)
}
