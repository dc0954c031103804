package statuspage

// State is a match at one moment. It never changes once it is shown.
type State struct {
	Admin    bool     `json:"admin"`    // /revoke is served and names are shown
	Time     int64    `json:"time"`     // Unix ms
	Side     int      `json:"side"`     // of the square: positions are 0 to Side
	Tick     int      `json:"tick"`     // ticks a second
	Sessions int      `json:"sessions"` // live, not all of which need be among Players
	In       float64  `json:"in"`       // datagrams a second received, over the last second
	Out      float64  `json:"out"`      // datagrams a second sent, likewise
	Players  []Player `json:"players"`

	// Drops are datagrams dropped by reason, in each of the last seconds, the oldest first. All have the same length.
	Drops map[string][]uint64 `json:"drops"`
}

// Player is one row of the page.
type Player struct {
	Session  uint32 `json:"session"`
	Number   uint32 `json:"number"`           // in the match
	Name     string `json:"name,omitempty"`   // subject; empty without State.Admin
	Issuer   string `json:"issuer,omitempty"` // likewise
	Platform string `json:"platform"`         // as the client states it, any text
	Build    string `json:"build"`            // likewise
	X        uint16 `json:"x"`
	Y        uint16 `json:"y"`

	RTT  float64 `json:"rtt_ms"` // 0 as long as none was measured
	Loss float64 `json:"loss"`   // percent of the player's datagrams, over about the last 8 s
	Rate float64 `json:"rate"`   // datagrams a second accepted, over the last second
	Life float64 `json:"life_s"` // seconds until the session ends unless it is renewed

	Fingerprint string `json:"fingerprint"` // "ok", "step up", "noted"
}
