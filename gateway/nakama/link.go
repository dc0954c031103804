package nakama

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/heroiclabs/nakama-common/rtapi"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// link is a player's way into the match: one WebSocket after the other.
type link struct {
	backend    *Backend        // constant, as all down to cancel
	player     *gateway.Player // who may have left
	want       request
	credential credential
	queue      *queue
	ctx        context.Context // ends when the player has left
	cancel     context.CancelFunc

	over    atomic.Bool            // nothing that the player says counts any more
	polite  atomic.Bool            // the player has left as planned
	verdict atomic.Pointer[ending] // what somebody else has found out
	socket  atomic.Pointer[socket] // of now

	// Of the goroutine of run, and of what it calls.
	joined bool   // once
	out    []byte // a datagram for the player
}

func newLink(b *Backend, p *gateway.Player, want request) *link {
	l := &link{backend: b, player: p, want: want, queue: newQueue()}
	l.credential = credential{backend: b, issuer: p.Session().Issuer(), subject: p.Session().Subject(), sessions: b.config.Sessions}
	l.ctx, l.cancel = context.WithCancel(b.ctx)
	return l
}

// say queues an input. It runs in the turn of the player's shard.
func (l *link) say(payload []byte, reliable bool) {
	c := &l.backend.counts
	op, data, err := matchdata.Parse(payload)
	switch {
	case l.over.Load():
	case err != nil:
		c.malformed.Add(1)
	case len(payload) > l.backend.config.MaxInput:
		c.longInputs.Add(1)
		if l.backend.seldom("long") {
			l.backend.log.Warn("nakama: an input is too long and was dropped: raise MaxInput and Nakama's socket.max_message_size_bytes",
				"op code", op, "bytes", len(payload), "reliable", reliable, "MaxInput", l.backend.config.MaxInput)
		}
	case !l.queue.put(op, data, reliable):
		c.behind.Add(1)
		l.conclude(endSlow)
	}
}

// leave ends the link. It runs in the turn of the player's shard.
func (l *link) leave(reason session.Reason) {
	l.over.Store(true)
	l.polite.Store(reason == session.ReasonLeft)
	l.cancel()
}

// conclude ends the player's stay from another goroutine.
func (l *link) conclude(e *ending) {
	if l.verdict.CompareAndSwap(nil, e) {
		l.over.Store(true)
		if s := l.socket.Load(); s != nil {
			s.close()
		}
	}
}

// run keeps the player in the match until one of the two does not want it any longer.
func (l *link) run() {
	defer l.cancel()
	lost, pause := time.Now(), retryFirst
	for {
		entered, err := l.play()
		if l.ctx.Err() != nil {
			return
		}
		if e := l.verdict.Load(); e != nil {
			l.end(e)
			return
		}
		if entered {
			lost, pause = time.Now(), retryFirst
			l.queue.stale()
			l.credential.renew()
		}
		e, final := errors.AsType[*ending](err)
		patient := l.patient(lost)
		switch {
		case final && (!l.joined || e.cause != joinRejected || !patient):
			l.end(e)
			return
		case !patient && errors.Is(err, errCrowded):
			l.end(endCrowded)
			return
		case !patient: // a match that has the player still on its list is asked again until then
			l.end(endAway)
			return
		}
		if l.backend.seldom("broken") {
			l.backend.log.Warn("nakama: a player's WebSocket is made again", "error", err)
		}
		if transient(err) && !errors.Is(err, errCrowded) {
			l.backend.reach.doubt()
		}
		if l.wait(pause); l.verdict.Load() != nil {
			l.end(l.verdict.Load()) // not without this: who is to be put out does not join once more
			return
		}
		pause = min(2*pause, retryMost)
	}
}

// patient reports whether there is time for another attempt. While Nakama is away it is for the
// gateway to say how long players stay.
func (l *link) patient(lost time.Time) bool {
	back, _ := l.backend.reach.since()
	if back.After(lost) {
		lost = back
	}
	return l.backend.reach.isAway() || time.Since(lost) < l.backend.config.Stay
}

// wait waits for a pause, up to a half longer, and until Nakama is here.
func (l *link) wait(pause time.Duration) {
	timer := time.NewTimer(pause + rand.N(pause/2))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ctx.Done():
		return
	}
	_, here := l.backend.reach.since()
	select {
	case <-here:
	case <-l.ctx.Done():
	}
}

// end ends the player's session, after what the match has said reliably has arrived.
func (l *link) end(e *ending) {
	l.over.Store(true)
	b := l.backend
	switch e {
	case endKicked:
		b.counts.kicked.Add(1)
		b.record(l.player, audit.Close, audit.DropNone, e.cause)
	case endOver:
		b.counts.over.Add(1)
	case endBehind, endSlow:
		if b.seldom(e.cause) {
			b.log.Warn("nakama: a session ends: "+e.cause, "so far", b.counts.behind.Load())
		}
	case endCrowded:
		if b.seldom(e.cause) {
			b.log.Warn("nakama: a session ends: " + e.cause)
		}
	case endAway, endUnknown:
		b.log.Warn("nakama: a session ends: " + e.cause)
	default:
		b.counts.refused.Add(1)
		b.record(l.player, audit.Reject, audit.DropMatch, e.cause)
		if b.seldom(e.cause) {
			b.log.Info("nakama: a player does not get into the match: " + e.cause)
		}
	}
	if e.detail == "" {
		l.player.CloseAfter(lastWords, e.reason)
		return
	}
	l.player.CloseAfter(lastWords, e.reason, cut(e.detail))
}

// play makes a WebSocket, joins the match, and carries messages until the WebSocket ends. entered says that the match
// was joined.
func (l *link) play() (entered bool, err error) {
	s, sessionID, err := l.enter()
	if err != nil {
		return false, err
	}
	defer s.close()
	l.backend.enter(l, sessionID)
	defer l.backend.exit(l, sessionID)
	b := l.backend
	b.counts.joined.Add(1)
	if l.joined {
		b.counts.rejoined.Add(1)
	}
	l.joined = true
	broken, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		l.write(s, broken)
	}()
	err = l.read(s)
	s.close()
	close(broken)
	<-written
	return true, err
}

// open signs in if need be, and makes a WebSocket, when there is a place among those that do. A match that takes long to
// answer holds none.
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

// unauthorized says what a refused session token means: one that had ended, that the player shows the next one; the last
// that the player has shown, that Nakama has logged out or banned the player.
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

// refusal is what a match's answer means that took so long. What Nakama says in place of a match that is behind is no
// verdict on the player, and no ending.
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

// read hands to the player what comes, until the WebSocket ends.
func (l *link) read(s *socket) error {
	e := new(rtapi.Envelope)
	for {
		if err := s.read(e); err != nil {
			return errors.Join(errBroken, err)
		}
		if err := l.take(e); err != nil {
			return err
		}
	}
}

// take hands over one message.
func (l *link) take(e *rtapi.Envelope) error {
	switch m := e.Message.(type) {
	case *rtapi.Envelope_MatchData:
		return l.deliver(m.MatchData)
	case *rtapi.Envelope_MatchPresenceEvent:
		for _, p := range m.MatchPresenceEvent.GetLeaves() {
			l.backend.gone(p.GetSessionId())
		}
		return l.event(e)
	}
	return nil
}

// deliver sends match data to the player: what is reliable on its lane, all else as a payload if it
// fits one, and by the other lane if not. The error is endBehind.
func (l *link) deliver(d *rtapi.MatchData) error {
	reliable, limit, lane := d.GetReliable() && !l.backend.lossy(d.GetOpCode()), matchdata.MaxUnreliable, matchdata.Unreliable
	if reliable {
		limit, lane = matchdata.MaxReliable, matchdata.Reliable
	}
	var sender []byte
	if l.want.Sender {
		id := matchdata.Sender(d.GetPresence().GetUserId())
		sender = id[:]
	}
	var fits bool
	if l.out, fits = matchdata.Append(l.out[:0], limit, d.GetOpCode(), sender, d.GetData()); !fits {
		l.oversized(d.GetOpCode(), len(d.GetData()), reliable)
		return nil
	}
	if !reliable && len(l.out) <= transport.MaxPayload {
		lane = gateway.Datagram
	}
	return l.send(lane, l.out)
}

// send sends, without lanes as a payload.
func (l *link) send(lane int, b []byte) error {
	err := l.player.Send(lane, 0, b)
	if errors.Is(err, transport.ErrNoLanes) {
		err = l.player.Send(gateway.Datagram, 0, b)
	}
	switch {
	case err == nil:
		l.backend.counts.messages.Add(1)
	case errors.Is(err, transport.ErrFull):
		l.backend.counts.behind.Add(1)
		return endBehind
	case errors.Is(err, session.ErrTooLarge):
		l.oversized(-1, len(b), lane == matchdata.Reliable)
	}
	return nil // a player who is away for the moment, or gone
}

func (l *link) oversized(op int64, n int, reliable bool) {
	l.backend.counts.oversized.Add(1)
	if l.backend.seldom("oversized") {
		l.backend.log.Warn("nakama: match data fits no lane of a player and was dropped", "op code", op, "bytes", n, "reliable", reliable)
	}
}

// write hands to Nakama what the player says, until the WebSocket or the stay ends.
func (l *link) write(s *socket, broken <-chan struct{}) {
	defer s.close() // so that read ends, too
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		if err := l.flush(s); err != nil {
			return
		}
		select {
		case <-l.queue.wake:
		case <-ping.C:
			if s.ping() != nil {
				return
			}
		case <-broken:
			return
		case <-l.ctx.Done():
			l.depart(s)
			return
		}
	}
}

// flush writes what waits.
func (l *link) flush(s *socket) error {
	var in input
	data := &rtapi.MatchDataSend{MatchId: l.want.MatchID}
	e := &rtapi.Envelope{Message: &rtapi.Envelope_MatchDataSend{MatchDataSend: data}}
	for {
		reliable, ok := l.queue.take(&in)
		if !ok {
			break
		}
		data.OpCode, data.Data, data.Reliable = in.op, in.data, reliable
		if err := s.write(e); err != nil {
			return err
		}
		l.backend.counts.inputs.Add(1)
	}
	l.backend.counts.droppedInputs.Add(l.queue.lost())
	return nil
}

// depart ends the presence: one who has left as planned leaves the match, whose handler then hears
// that; for any other the WebSocket breaks.
func (l *link) depart(s *socket) {
	if !l.polite.Load() {
		return
	}
	if l.flush(s) == nil && s.write(&rtapi.Envelope{Message: &rtapi.Envelope_MatchLeave{
		MatchLeave: &rtapi.MatchLeave{MatchId: l.want.MatchID},
	}}) == nil {
		s.bye()
	}
}
