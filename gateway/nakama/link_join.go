package nakama

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/heroiclabs/nakama-common/rtapi"

	"github.com/sallyport/sallyport/session"
)

// open signs in if need be, and makes a WebSocket, when there is a place among those that do. A match
// that takes long to answer holds none.
func (l *link) open() (*socket, error) {
	select {
	case l.backend.dials <- struct{}{}:
	case <-l.ctx.Done():
		return nil, errLeft
	}
	defer func() { <-l.backend.dials }()
	session, err := l.credential.token(l.ctx)
	if err != nil {
		return nil, err
	}
	s, err := dial(l.ctx, l.backend.config.URL, session, l.address())
	if errors.Is(err, errUnauthorized) {
		err = l.unauthorized(session)
	}
	return s, err
}

// enter is play up to the match's answer.
func (l *link) enter() (s *socket, sessionID string, err error) {
	if s, err = l.open(); err != nil {
		return nil, "", err
	}
	l.socket.Store(s)
	stop := context.AfterFunc(l.ctx, s.close)
	sessionID, err = l.join(s)
	if !stop() || l.verdict.Load() != nil {
		err = cmp.Or(err, errLeft)
	}
	if err != nil {
		s.close()
	}
	return s, sessionID, err
}

// unauthorized says what a refused session token means: one that had ended, that the player shows the
// next one; the last that the player has shown, that Nakama has logged out or banned the player.
func (l *link) unauthorized(session string) error {
	l.credential.forget()
	if s := l.credential.sessions; s == nil || s.refused(l.credential.subject, session) || time.Now().Add(almost).After(expiry(session)) {
		return &statusError{http.StatusUnauthorized}
	}
	return endSession
}

// address is the player's, for Nakama and its hooks.
func (l *link) address() string {
	if a := l.player.Addr().Addr(); a.IsValid() {
		return a.Unmap().WithZone("").String()
	}
	return ""
}

// joinCID names the request to join; there is no other.
const joinCID = "1"

// join asks the match, and waits for its answer. What comes before that is the player's already.
func (l *link) join(s *socket) (sessionID string, err error) {
	began := time.Now()
	metadata := make(map[string]string, len(l.want.Metadata)+1)
	maps.Copy(metadata, l.want.Metadata)
	metadata["transport"] = "udp"
	err = s.write(&rtapi.Envelope{Cid: joinCID, Message: &rtapi.Envelope_MatchJoin{MatchJoin: &rtapi.MatchJoin{
		Id: &rtapi.MatchJoin_MatchId{MatchId: l.want.MatchID}, Metadata: metadata,
	}}})
	if err == nil {
		err = s.conn.SetReadDeadline(time.Now().Add(joinTimeout))
	}
	e := new(rtapi.Envelope)
	for err == nil {
		if err = s.read(e); err != nil {
			break
		}
		switch m := e.Message.(type) {
		case *rtapi.Envelope_Match:
			l.event(e)
			return m.Match.GetSelf().GetSessionId(), s.alive()
		case *rtapi.Envelope_Error:
			if e.Cid == joinCID {
				return "", refusal(m.Error, time.Since(began))
			}
		default:
			err = l.take(e)
		}
	}
	return "", err
}

// refusal is what a match's answer means that took so long. What Nakama says in place of a match that
// is behind is no verdict on the player, and no ending.
func refusal(e *rtapi.Error, took time.Duration) error {
	switch rtapi.Error_Code(e.GetCode()) {
	case rtapi.Error_MATCH_NOT_FOUND:
		return endAbsent
	case rtapi.Error_MATCH_JOIN_REJECTED:
		if e.GetMessage() == joinCrowded || e.GetMessage() == joinRejected && took >= joinAnswer {
			return errCrowded
		}
		return &ending{session.ReasonKicked, cmp.Or(e.GetMessage(), joinRejected), joinRejected}
	}
	return &ending{session.ReasonKicked, cmp.Or(e.GetMessage(), joinRejected), "the server refuses the request"}
}
