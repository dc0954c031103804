package transport

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/wire"
)

// resumption is why and when a client attempts to resume its session on another connection.
type resumption struct {
	lost         bool      // the path is lost, and OnEvent has been told
	disconnected bool      // the server has closed the current connection
	failed       error     // why the last attempt has failed, if that is known
	refusal      error     // what the server has last said of why the session does not go on, if it has
	proves       bool      // because a step up has lapsed: it takes the ticket with a fresh identity token
	identity     []byte    // that token, until it is shown
	retryAt      time.Time // no attempt before
	retries      int       // attempts since the path was lost
	rekeyAt      uint64    // records that a connection carries before it is replaced
}

// usedUp reports whether a connection's keys have protected almost as many records as they may,
// either way.
func (r *resumption) usedUp(rc *record.Conn) bool { return max(rc.Sealed(), rc.Opened()) >= r.rekeyAt }

// reason returns why the session is over when the server has been silent for too long.
func (r *resumption) reason(silence error) error { return cmp.Or(r.refusal, r.failed, silence) }

// pathLost reports whether the path of the current connection is lost: the server has closed that
// connection, or its machine finds so.
func (r *resumption) pathLost(now time.Time, current *machine.Client) bool {
	return r.disconnected || current.Lost(now)
}

// prove has the next attempt show a fresh identity token beside its ticket, if one can be had.
func (r *resumption) prove(now time.Time, renew *renewal) {
	r.proves = true
	if r.identity == nil && (renew.at.IsZero() || now.Before(renew.at)) {
		renew.at = now
	}
}

// offer keeps a fresh identity token for the next attempt, and reports whether that needs one.
func (r *resumption) offer(now time.Time, current *machine.Client, identity []byte) bool {
	if !r.proves || !r.pathLost(now, current) {
		return false
	}
	r.identity, r.retryAt = identity, now
	return true
}

// takeIdentity returns the identity token that an attempt shows, nil for none: each is shown once.
func (r *resumption) takeIdentity(next *clientConn) []byte {
	identity := r.identity
	r.identity, next.resuming.proves = nil, identity != nil
	return identity
}

// succeed forgets what led to an attempt that has succeeded.
func (r *resumption) succeed() { *r = resumption{rekeyAt: r.rekeyAt} }

// resuming is what a clientConn knows of the resumption of the session on it, or elsewhere.
type resuming struct {
	redirect  bool // the server has sent the client there
	overtaken bool // the client has a newer ticket than the one shown on this connection
	proves    bool // a fresh identity token is shown beside the ticket
	left      bool // its server has sent the client where the session has been resumed
}

// unread reports whether a refusal is for want of a whole HELLO: it says nothing of ticket or token.
func unread(reason wire.Reason) bool { return reason == wire.ReasonIdle }

// concernsToken reports whether a refusal is about the identity token, so that another one may do.
func concernsToken(reason wire.Reason) bool {
	return reason == wire.ReasonToken || reason == wire.ReasonExpired || reason == wire.ReasonUsed
}
