package transport

import (
	"crypto/sha256"
	"net"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/dtls"
	"github.com/sallyport/sallyport/internal/handshake"
	"github.com/sallyport/sallyport/internal/udp"
)

// shard is a shard's players. But for them and what is below it belongs to whoever runs the
// shard's turns.
type shard struct {
	*dtls.Shard

	server *Server // constant

	pause   time.Duration // how long the loop may wait after its turn; the loop's own
	engines bool          // players come: engines and verifications run, or soon will

	handler   Handler      // of the turn
	successor netip.Prefix // while a session ends that gives way: from where the one comes that takes its place
	endings   endings      // of connections that are to go
	players   players
	schedule  schedule       // of the players' lanes
	receipts  receipts       // of messages on them
	joining   *joiningPlayer // nil unless a Join is under way; under Out.Mu, written by the turn
}

func newShard(s *Server, l *dtls.Shard) *shard {
	sh := &shard{Shard: l, server: s}
	sh.schedule.shard, sh.receipts.shard = sh, sh
	l.Out.Fill = sh.schedule.fill
	return sh
}

// Accept makes the session of a connection whose keys are there.
func (s *shard) Accept(began, now time.Time, addr udp.Flow, r *handshake.Result) *dtls.Conn {
	c := &conn{}
	c.self.shard = s
	c.aside = newAside(c, began, now)
	c.session.Init(s.server.gate, now, channel(r), addr.Addr())
	c.Init(c, 0)
	return &c.Conn
}

// Failed tells the audit why a handshake has failed, of an address that has returned the cookie.
func (s *shard) Failed(began, now time.Time, addr udp.Flow, err error) {
	s.server.audit.Record(audit.Event{
		Time: s.server.clock.at(now), Decision: audit.Reject, Reason: audit.DropHandshake, Prefix: prefixOf(addr),
		Detail: handshake.Cause(err), Trace: s.server.shakeFailed(began, now, handshake.KindOf(err).String()),
	})
}

// Turned repeats what is to be repeated.
func (s *shard) Turned(now time.Time) { s.endings.repeat(now) }

// Prefetch reads the memory that a session needs for a record.
func (s *shard) Prefetch(c *dtls.Conn, stage int) byte {
	return connOf(c).session.PrefetchHandle(stage)
}

// shardOf is the shard of players on one of package dtls, nil without.
func shardOf(s *dtls.Shard) *shard {
	if s == nil {
		return nil
	}
	return s.User.(*shard)
}

// connOf is the connection that a connection is part of, nil without.
func connOf(c *dtls.Conn) *conn {
	if c == nil {
		return nil
	}
	return c.User.(*conn)
}

func udpAddr(a netip.AddrPort) net.Addr { return net.UDPAddrFromAddrPort(a) }

func thumbprint(der []byte) [32]byte { return sha256.Sum256(der) }
