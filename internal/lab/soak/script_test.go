package soak

import (
	"testing"
	"time"
)

// "Over how long the players' changes of socket are spread, so that they are not one burst", in the middle of play; and
// "Least is how long play must last for what happens in the middle of it".
func TestScript(t *testing.T) {
	const second = time.Second
	for name, test := range map[string]struct {
		config             Config
		least              time.Duration
		first, last, after time.Duration // of the steps of all players: first and last, and how far apart those of one are
	}{
		"nothing":         {Config{Players: 50, Duration: 10 * second}, 0, 0, 0, 0},
		"migrate":         {Config{Players: 50, Duration: 10 * second, Migrate: true}, 3 * second, 4500 * time.Millisecond, 5480 * time.Millisecond, 0},
		"migrate, a few":  {Config{Players: 2, Duration: 10 * second, Migrate: true}, 3 * second, 4500 * time.Millisecond, 5 * second, 0},
		"migrate, a many": {Config{Players: 200, Duration: 10 * second, Migrate: true}, 6 * second, 3 * second, 6980 * time.Millisecond, 0},
		"blackout":        {Config{Players: 50, Duration: 10 * second, Blackout: 4 * second}, 8 * second, 3 * second, 3 * second, 4 * second},
		"replace":         {Config{Players: 50, Duration: 10 * second, Replace: true}, 3 * second, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := &test.config
			if c.Least() != test.least || c.turns() != (test.least > 0) {
				t.Errorf("least %v, want %v", c.Least(), test.least)
			}
			if test.first == 0 {
				if steps := c.script(0); steps != nil {
					t.Errorf("steps %v", steps)
				}
				return
			}
			first, last := c.script(0), c.script(c.Players-1)
			if first[0].at != test.first || last[0].at != test.last || first[len(first)-1].at-first[0].at != test.after {
				t.Errorf("steps from %v to %v and %v later", first[0].at, last[0].at, first[len(first)-1].at-first[0].at)
			}
		})
	}
}

func TestCue(t *testing.T) {
	r := &run{played: time.Now()}
	if r.cue(nil) != nil {
		t.Error("a cue without a step")
	}
	select {
	case <-r.cue([]step{{at: -time.Second}}):
	case <-time.After(5 * time.Second):
		t.Error("no cue for a step that is due")
	}
}
