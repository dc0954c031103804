package nakama

import (
	"net/http"
	"sync"
	"time"
)

// match is what is known of a match that has members here. Its fields are guarded by Backend.mu.
//
// Nakama tells nobody that a match has ended, and not the player itself that the match has kicked it.
// So each match is asked for now and then, by the list of matches: one that is not there any more has
// ended, and one that has no presence at all has kicked everybody.
type match struct {
	members map[*link]time.Time // since when
	seen    bool                // it was in the list once
	missed  int                 // times in a row that it was not
	empty   time.Time           // when it was last found without a presence; zero if it has some
	asked   int                 // times
}

// check asks for the matches until the backend closes. A round that takes longer than its time
// makes the next one wait.
func (b *Backend) check() {
	ticker := time.NewTicker(b.config.Check)
	defer ticker.Stop()
	for {
		select {
		case <-b.ctx.Done():
			return
		case <-ticker.C:
		}
		if b.reach.isAway() {
			continue
		}
		var wg sync.WaitGroup
		places := make(chan struct{}, checksAtOnce)
		for id, l := range b.watched() {
			places <- struct{}{}
			wg.Go(func() {
				b.ask(id, l)
				<-places
			})
		}
		wg.Wait()
	}
}

// watched returns the matches with a handler, and a member of each.
func (b *Backend) watched() map[string]*link {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make(map[string]*link, len(b.matches))
	for id, m := range b.matches {
		for l := range m.members {
			if l.want.authoritative() {
				list[id] = l
			}
			break
		}
	}
	return list
}

// ask asks for one match, by a member's session.
func (b *Backend) ask(id string, l *link) {
	began := time.Now()
	session, err := l.credential.token(b.ctx)
	if err != nil {
		return
	}
	n, found, err := b.api.size(b.ctx, session, id)
	if is(err, http.StatusUnauthorized) {
		l.credential.forget()
	}
	if err != nil {
		return
	}
	for _, l := range b.judge(id, began, n, found) {
		if found {
			l.conclude(endKicked)
		} else {
			l.conclude(endOver)
		}
	}
}

// judge takes an answer and returns the members who are in the match no longer. What is to count has
// been seen twice, by requests that began after the member had joined.
func (b *Backend) judge(id string, began time.Time, n int, found bool) (out []*link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := b.matches[id]
	if m == nil {
		return nil
	}
	m.asked++
	if !found {
		m.missed++
		if m.seen && m.missed >= 2 {
			for l := range m.members {
				out = append(out, l)
			}
		}
		if !m.seen && m.asked == 10 {
			b.log.Warn("nakama: a match is not in the list of matches, so that its end will not be noticed; this Nakama may be too old")
		}
		return out
	}
	m.seen, m.missed = true, 0
	if n > 0 {
		m.empty = time.Time{}
		return nil
	}
	if m.empty.IsZero() {
		m.empty = began
		return nil
	}
	for l, since := range m.members {
		if since.Before(m.empty) {
			out = append(out, l)
		}
	}
	m.empty = began
	return out
}
