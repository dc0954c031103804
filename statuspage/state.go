package statuspage

import (
	"cmp"
	"slices"
	"time"

	"github.com/sallyport/sallyport/transport"
)

// state is /state. It never changes once it is shown; only Panel is set when somebody shows it first.
type state struct {
	Time    int64           `json:"time"`    // Unix ms
	Acts    bool            `json:"acts"`    // /revoke, /ban and /lift are served
	Stalled bool            `json:"stalled"` // no turn came: there are no players to show
	Stats   transport.Stats `json:"stats"`
	Players []player        `json:"players"`
	Bans    []banned        `json:"bans"` // in force, those that end first before others
	Panel   any             `json:"panel,omitempty"`
}

// player is a row of the page.
type player struct {
	Session   uint32 `json:"session"`
	Pseudonym string `json:"pseudonym,omitempty"` // of the audit's lines
	Name      string `json:"name,omitempty"`      // subject; with Config.Names
	Issuer    string `json:"issuer,omitempty"`    // likewise
	Platform  string `json:"platform"`            // as the client states it, any text
	Build     string `json:"build"`               // likewise

	Received    uint64  `json:"received"` // datagrams
	Lost        uint64  `json:"lost"`     // of the player's
	Sent        uint64  `json:"sent"`
	LostOut     uint64  `json:"lost_out"`  // of those sent; 0 without lanes
	RTT         float64 `json:"rtt_ms"`    // 0 as long as none was measured
	Jitter      float64 `json:"jitter_ms"` // likewise
	Rate        int     `json:"rate"`      // bytes a second that the lanes may send; 0 without
	Queued      int     `json:"queued"`    // bytes of messages that have not arrived; 0 without lanes
	Life        float64 `json:"life_s"`    // seconds until the session ends unless it is renewed
	Fingerprint string  `json:"fingerprint"`
}

// banned is a ban in force. One that another process has left has no name.
type banned struct {
	Pseudonym string `json:"pseudonym,omitempty"` // of the audit's lines
	Name      string `json:"name,omitempty"`      // subject; with Config.Names
	Issuer    string `json:"issuer,omitempty"`    // likewise
	Until     int64  `json:"until,omitempty"`     // Unix ms; 0 for one that ends when it is lifted
	Reason    uint8  `json:"reason"`              // that the player gets
	Says      string `json:"says"`                // Reason in words
	Note      string `json:"note,omitempty"`
}

// bans returns the bans in force, maxBans at most.
func (c *Config) bans() []banned {
	list := c.Server.Bans(maxBans)
	rows := make([]banned, 0, len(list))
	for _, b := range list {
		row := banned{Reason: uint8(b.Reason), Says: b.Reason.String(), Note: b.Note}
		if !b.Until.IsZero() {
			row.Until = b.Until.UnixMilli()
		}
		if c.Events != nil {
			row.Pseudonym = c.Events.Pseudonym(b.Subject)
		}
		if c.Names {
			row.Name, row.Issuer = b.Subject, b.Issuer
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b banned) int {
		return cmp.Or(cmp.Compare(uint64(a.Until-1), uint64(b.Until-1)), cmp.Compare(a.Pseudonym, b.Pseudonym)) // 0 comes last
	})
	return rows
}

// row returns the row of a player as of now. It is called in the player's turn.
func (c *Config) row(p *transport.Player, now time.Time) player {
	s, stats := p.Session(), p.Stats()
	stated := s.Fingerprint()
	row := player{
		Session: s.ID(), Platform: stated.Platform, Build: stated.Build,
		Received: stats.Received, Lost: stats.Lost, Sent: stats.Sent, LostOut: stats.LostOut,
		RTT: milliseconds(stats.RTT), Jitter: milliseconds(stats.Jitter), Rate: stats.Rate, Queued: stats.Queued,
		Life:        max(s.Expires().Sub(now).Seconds(), 0),
		Fingerprint: doubt(stats.Doubt),
	}
	if c.Events != nil {
		row.Pseudonym = c.Events.Pseudonym(s.Subject())
	}
	if c.Names {
		row.Name, row.Issuer = s.Subject(), s.Issuer()
	}
	return row
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// doubt is a transport.Doubt in the page's words.
func doubt(d transport.Doubt) string {
	switch d {
	case transport.DoubtStepUp:
		return "step up"
	case transport.DoubtFlagged:
		return "noted"
	}
	return "ok"
}
