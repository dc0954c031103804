package transport

import (
	"cmp"
	"context"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
)

// search is how Dial finds the address of a server that answers: it begins a handshake with the
// first address, with the next while nothing comes, and so on. The first to complete one is the
// server, and the other handshakes end (RFC 8305). Only that server is shown the identity token.
type search struct {
	// Constant.
	client     *ClientConfig
	config     handshake.Config
	socket     *clientSocket
	candidates *candidates
	progress   *progress
	background *background
	results    chan searchResult
	open       func(ctx context.Context, server string) (*carrier, error) // Client.openCarrier
	carriers   chan carrierResult

	attempts []*attempt // one for each address, in order, as far as they have begun
	vain     int        // handshakes by UDP that have had attemptTime in which nothing came
	fallback fallback
	carried  *attempt // by a carrier; nil before there is one
}

// carrierResult is what ClientConfig.Fallback has returned.
type carrierResult struct {
	carrier *carrier
	err     error
}

// attempt is the search at one address.
type attempt struct {
	conn  *clientConn // nil once it has failed
	addr  netip.AddrPort
	first time.Time // when it began
	began time.Time // when it last began anew
	anew  int       // how often since anything was heard
	err   error     // why it has failed
	vain  bool      // of this handshake nothing has come for attemptTime, which is counted

	spoilt int       // how often it has failed because of what has changed on its way
	again  time.Time // when it is to begin anew because of that; zero for not
}

// searchResult is the end of a handshake.
type searchResult struct {
	conn *clientConn
	keys *handshake.Result
	err  error
}

// run returns the connection on which the handshake is complete, and its result.
func (s *search) run(ctx context.Context, addrs []netip.AddrPort) (*clientConn, *handshake.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.end(cancel)
	s.begin(ctx, addrs[0])
	ticker := time.NewTicker(searchInterval)
	defer ticker.Stop()
	for {
		select {
		case r := <-s.results:
			if a := s.attemptOn(r.conn); a != nil {
				if a.fail(time.Now(), r.err); r.err == nil { // and end leaves the connection alone
					return r.conn, r.keys, nil
				}
				if r.conn.carrier != nil {
					r.conn.carrier.end()
					s.fallback.again(time.Now())
				}
			}
		case r := <-s.carriers:
			s.carry(ctx, r)
		case <-s.socket.refused: // the next address may do better
		case <-ticker.C:
		case <-s.progress.ended:
			return nil, nil, s.progress.over()
		case <-ctx.Done():
			return nil, nil, s.outOfTime(ctx.Err())
		}
		now := time.Now()
		s.countVain(now)
		s.restart(ctx, now)
		s.fallBack(ctx, now)
		if n := len(s.attempts); n < len(addrs) && s.idle(now) {
			s.begin(ctx, addrs[n])
		} else if err := s.hopeless(now); n == len(addrs) && err != nil {
			return nil, nil, err
		}
	}
}

// begin tries another address.
func (s *search) begin(ctx context.Context, addr netip.AddrPort) {
	a := &attempt{addr: addr, first: time.Now()}
	s.attempts = append(s.attempts, a)
	s.try(ctx, a)
}

// fail ends an attempt. One that has failed because of what has changed on its way begins anew a few
// times, after a pause.
func (a *attempt) fail(now time.Time, err error) {
	a.conn, a.err, a.again = nil, err, time.Time{}
	if handshake.Spoilt(err) && a.spoilt < maxSpoilt {
		a.spoilt++
		a.again = now.Add(attemptPause)
	}
}

// try begins a handshake.
func (s *search) try(ctx context.Context, a *attempt) {
	a.err, a.again = nil, time.Time{}
	s.tryBy(ctx, a, nil, a.addr)
}

// tryBy is try by a carrier, nil for UDP.
func (s *search) tryBy(ctx context.Context, a *attempt, by *carrier, addr netip.AddrPort) {
	a.began, a.vain = time.Now(), false
	conn := newConnBy(a.began, s.socket, by, addr)
	ctx, conn.cancel = context.WithCancel(ctx)
	a.conn = conn
	s.candidates.add(conn)
	s.background.Go(func() {
		keys, err := dtls.Engine.Client(ctx, conn.negotiating, &s.config)
		select {
		case s.results <- searchResult{conn, keys, err}:
		case <-ctx.Done():
			if err == nil {
				keys.Secrets.Wipe()
			}
		}
		conn.negotiating.Wait()
	})
}

// stop ends an attempt's handshake.
func (s *search) stop(a *attempt) {
	a.conn.abort()
	s.candidates.remove(a.conn)
	a.conn = nil
}

// end stops all attempts.
func (s *search) end(cancel context.CancelFunc) {
	cancel()
	for _, a := range s.attempts {
		if a.conn != nil {
			s.stop(a)
		}
	}
	if s.carried != nil && s.carried.conn != nil {
		s.stop(s.carried)
	}
}

// attemptOn returns the attempt that uses a connection, nil if none does any more.
func (s *search) attemptOn(conn *clientConn) *attempt {
	for _, a := range s.attempts {
		if a.conn == conn {
			return a
		}
	}
	if s.carried != nil && s.carried.conn == conn {
		return s.carried
	}
	return nil
}

// restart begins anew where nothing has come for as long as the attempt is given, and where something
// has spoilt it.
func (s *search) restart(ctx context.Context, now time.Time) {
	for _, a := range s.attempts {
		conn := a.conn
		if conn == nil {
			if !a.again.IsZero() && !now.Before(a.again) {
				s.try(ctx, a)
			}
			continue
		}
		heard := s.candidates.lastHeard(conn)
		if now.Before(heard.Add(a.patience(heard))) {
			continue
		}
		if a.anew++; heard.After(a.began) {
			a.anew = 0
		}
		s.stop(a)
		s.try(ctx, a)
	}
}

// patience returns how long nothing may come before a handshake begins anew. A server that has
// answered and is silent then has forgotten the handshake, or was told of another one first. While
// nothing comes at all it is twice as long each time, since an answer may take longer than
// anybody thought, less a little: an engine repeats its ClientHello after as much, and the server
// may answer that one first.
func (a *attempt) patience(heard time.Time) time.Duration {
	if a.anew == 0 || heard.After(a.began) {
		return attemptTime
	}
	return attemptTime<<min(a.anew, maxDoublings) - searchInterval
}

// idle reports whether it is time to try the next address: none of those before has answered
// lately, and the last one has had addressPause for it unless nothing could be sent there.
func (s *search) idle(now time.Time) bool {
	for i, a := range s.attempts {
		if a.conn == nil || a.conn.unsent() {
			continue
		}
		patience := time.Duration(0)
		heard := s.candidates.lastHeard(a.conn)
		switch {
		case heard.After(a.began):
			patience = attemptTime
		case i == len(s.attempts)-1:
			patience = addressPause
		}
		if now.Before(heard.Add(patience)) {
			return false
		}
	}
	return true
}

// hopeless returns why none of the addresses can answer: a handshake has failed, or nothing
// could be sent for sendPatience. It returns nil while one of them may.
func (s *search) hopeless(now time.Time) error {
	for _, a := range s.attempts {
		if !a.again.IsZero() || a.conn != nil && (!a.conn.unsent() || now.Before(a.first.Add(sendPatience))) {
			return nil
		}
	}
	if err := s.firstFailure(); err != nil {
		return err
	}
	if s.client.Fallback != nil {
		s.vain = max(s.vain, vainAttempts) // UDP is out of the question
		return nil
	}
	return s.socket.silence(nil)
}

// outOfTime returns what is known of the handshakes when there is no time for them any more.
func (s *search) outOfTime(ctx error) error {
	if err := s.firstFailure(); err != nil {
		return err
	}
	e := s.socket.unanswered(ctx)
	if a := s.carried; a != nil && a.err != nil {
		return s.client.handshakeFailed(a.err)
	}
	if err := s.fallback.told; err != nil {
		e.text, e.causes = cmp.Or(e.text, err.Error()), append(e.causes, err)
	}
	for _, a := range s.attempts {
		if a.conn == nil {
			continue
		}
		err := a.conn.negotiating.Failure(context.DeadlineExceeded)
		if explained(err) { // by an alert
			return s.client.handshakeFailed(err)
		}
		if s.candidates.lastHeard(a.conn).After(a.began) {
			e.text = cmp.Or(e.text, "the handshake has begun; "+handshake.Cause(err))
		}
	}
	return e
}

// firstFailure returns what went wrong at the first address at which a handshake has failed.
func (s *search) firstFailure() error {
	for _, a := range s.attempts {
		if a.err != nil {
			return s.client.handshakeFailed(a.err)
		}
	}
	return nil
}

// explained reports whether a handshake is known to have failed for more than want of time.
func explained(err error) bool {
	kind := handshake.KindOf(err)
	return kind != handshake.KindOther && kind != handshake.KindTimeout
}
