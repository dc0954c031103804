package soak

import "time"

// step is something that a player does at some time of play, besides playing.
type step struct {
	at time.Duration // since play began
	do func(s *stay)
}

// script is the steps of one player, in order of time.
func (c *Config) script(player int) []step {
	switch {
	case c.Migrate:
		share := time.Duration(player) * c.migrationTime() / time.Duration(c.Players)
		return []step{{(c.Duration-c.migrationTime())/2 + share, (*stay).migrate}}
	case c.Blackout > 0:
		begin := (c.Duration - c.Blackout) / 2
		return []step{{begin, (*stay).darken}, {begin + c.Blackout, (*stay).lighten}}
	}
	return nil
}

// migrationTime is over how long the players' changes of socket are spread, so that they are not one burst.
func (c *Config) migrationTime() time.Duration {
	return max(time.Second, time.Duration(c.Players)*time.Second/migrations)
}

// Least is how long play must last for what happens in the middle of it; zero if nothing does.
func (c *Config) Least() time.Duration {
	switch {
	case c.Migrate:
		return beforeTurn + c.migrationTime() + afterTurn
	case c.Blackout > 0:
		return c.Blackout + aroundBlackout
	case c.Replace:
		return beforeTurn + replaceTime + afterTurn
	}
	return 0
}

// turns reports whether anything happens in the middle of play.
func (c *Config) turns() bool { return c.Least() > 0 }

// cue tells when the first of steps is due; never if there is none.
func (r *run) cue(steps []step) <-chan time.Time {
	if len(steps) == 0 {
		return nil
	}
	return time.After(time.Until(r.played.Add(steps[0].at)))
}

// migrate has the player go on from another socket, behind an impairment as before. What was on its way out of the old
// one is lost with it; and one input more may be, which the server had not taken yet.
func (s *stay) migrate() {
	conn, err := s.listen()
	if err != nil {
		s.run.closed.Count("no other socket: " + err.Error())
		return
	}
	old := s.conn
	s.conn, s.before = conn, s.client.Stats()
	next := s.input.Number + 1
	s.turn.begin(time.Now(), next, next)
	if err := s.client.Rebind(conn); err != nil {
		return // the session is over, which receive notes
	}
	out, _ := old.Stats()
	s.turn.allow(1 + out.Unreachable)
}

// darken begins the blackout, lighten ends it.
func (s *stay) darken() {
	s.dark.Store(true)
	s.conn.Blackout(true)
}

func (s *stay) lighten() {
	s.before = s.client.Stats()
	s.turn.begin(time.Now(), 0, s.input.Number+1)
	s.conn.Blackout(false)
	s.dark.Store(false)
}
