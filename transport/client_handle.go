package transport

import (
	"time"

	"github.com/sallyport/sallyport/internal/machine"
	"github.com/sallyport/sallyport/internal/wire"
)

// handle gives a record's plaintext to the connection's machine, and does what that says.
func (s *clientState) handle(now time.Time, conn *clientConn, plaintext []byte) {
	reply, ev := conn.machine.Handle(now, plaintext)
	former := conn == s.conns.former
	if seq := conn.machine.Arrived(); seq != 0 && conn.messages != nil && !conn.messages.arrived(now, seq, ev) {
		s.stats.Dropped++
	}
	if reply.Kind != 0 && !former {
		conn.send(reply.Kind, reply.Body) //nolint:errcheck // a lost datagram
	}
	lanesLost, to := false, ""
	switch ev.Kind {
	case machine.EventNone:
		if ev.Drop != 0 {
			s.stats.Dropped++
		}
		return
	case machine.EventData:
		s.stats.Received++
		s.stats.Overrun += s.inbox.push(ev.Payload)
		s.inbox.announce()
		return
	case machine.EventPong, machine.EventFrames:
		return
	case machine.EventJoined:
		setConnectionID(conn, ev.ConnectionID)
		s.lanes.agree(now, conn)
		s.progress.join()
		s.renewal.schedule(now, conn.machine.Expires())
	case machine.EventResumed:
		setConnectionID(conn, ev.ConnectionID)
		s.resumed(now)
		lanesLost = s.lanes.agree(now, conn)
		s.conns.former.closeElsewhere()
	case machine.EventRenewed:
		if former {
			return
		}
		s.renewed(now)
	case machine.EventMoved:
		s.stats.Moved++
		s.lanes.moved()
	case machine.EventNotice:
		switch {
		case former:
			conn.closeElsewhere() // it has not heard that
			return
		case ev.Notice.Code == wire.NoticeStepUp:
			s.renewal.soon(now, s.conns.current.machine)
		case ev.Notice.Code == wire.NoticeDrain:
			to = s.redirect.heed(now, ev, s.conns.current)
		}
	case machine.EventClosed:
		s.closed(now, conn, ev)
		return
	case machine.EventCloseAgain:
		conn.closeNotify()
		if s.progress.over() != nil {
			s.progress.acknowledge() // the server ends the session, too
		}
		return
	}
	s.reports.notify(ClientEvent{Kind: clientEvents[ev.Kind], Notice: ev.Notice.Code, LanesLost: lanesLost, To: to})
}

// setConnectionID has the server's connection id in all records from now on, if there is one.
func setConnectionID(conn *clientConn, id uint32) {
	if id != 0 {
		conn.record.SetConnectionID(id) // one that is of no use is ignored
	}
}

// closed heeds a CLOSE of the server's.
func (s *clientState) closed(now time.Time, conn *clientConn, ev machine.Event) {
	conn.closeNotify()
	switch {
	case conn == s.conns.former:
	case conn == s.conns.next:
		s.refused(now, ev)
	case !s.progress.hasJoined() && unread(ev.Reason): // connect makes another connection
	case conn.machine.Resumable() && ev.Reason == wire.ReasonShutdown: // where the server has sent the client
		refusal := s.config.refusal(now, ev, s.renewal.shown)
		s.resumption.disconnected, s.resumption.refusal = true, refusal
		s.redirect.serverClosed(now, refusal)
	case conn.machine.Resumable(): // from the network that the player was in, perhaps
		s.resumption.disconnected, s.resumption.refusal = true, closeErrorOf(ev)
		if ev.Reason == wire.ReasonFingerprint {
			s.resumption.prove(now, &s.renewal)
		}
	default:
		s.progress.linger = now.Add(closeTime)
		s.conclude(s.config.refusal(now, ev, s.renewal.shown))
	}
}
