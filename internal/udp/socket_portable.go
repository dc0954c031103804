package udp

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// portable is a socket over any net.PacketConn: one goroutine reads it into a
// bounded queue, since nothing portable can be asked what has arrived. It has as many
// buffers as have ever been needed at once, BatchLen made at a time.
type portable struct {
	conn  Conn
	flows flowConn               // conn, where that knows several addresses of ours; else nil
	local localHandle            // of all flows, where flows is nil; constant
	waker atomic.Pointer[Socket] // is woken, too
	ready chan struct{}
	wg    sync.WaitGroup // the reader; close waits
	ended atomic.Bool    // close has begun
	deaf  atomic.Bool    // the reader has ended
	drops atomic.Uint64

	mu sync.Mutex
	// +checklocks:mu
	queue []Packet // ring; what is not counted has no buffer
	// +checklocks:mu
	first, count int
	// +checklocks:mu
	batch []Packet // what receive returned last
	// +checklocks:mu
	free []Packet // with buffers that are in no use
}

// NewPortable makes a socket of conn, which it then owns.
func NewPortable(conn net.PacketConn) *portable { return newPortable(conn, localHandle{}) }

// newPortable is NewPortable of which all flows have a Local.
func newPortable(conn net.PacketConn, local localHandle) *portable {
	s := &portable{conn: NewConn(conn), local: local, ready: make(chan struct{}, 1), queue: make([]Packet, QueueLen), batch: make([]Packet, 0, BatchLen)}
	if local == (localHandle{}) && s.LocalAddr().Addr().IsUnspecified() {
		s.flows = flowsOf(conn)
	}
	s.wg.Add(1)
	go s.read()
	return s
}

// read runs until the socket is closed. Sockets of another make say so in words of their
// own, such as io.EOF: once close has begun, any error ends the reader. Until then an
// error says nothing about the next datagram.
func (s *portable) read() {
	defer s.wg.Done()
	var failed Failures
	spare := Packet{Buf: make([]byte, 0, BufferLen)}
	for {
		n, addr, err := s.take(spare.Buf[:BufferLen])
		switch {
		case err == nil:
			failed.End()
			spare.Addr, spare.Buf, spare.Stamp = addr, spare.Buf[:n], time.Now().UnixNano()
			spare = s.enqueue(spare)
			s.Wake()
		case s.ended.Load() || errors.Is(err, net.ErrClosed):
			s.deaf.Store(true)
			return
		default:
			failed.Pause()
		}
	}
}

// take waits for a datagram.
func (s *portable) take(b []byte) (int, Flow, error) {
	if s.flows != nil {
		return s.flows.readFlow(b)
	}
	n, from, err := s.conn.Read(b)
	return n, Flow{AddrPort: from, Local: s.local}, err
}

// enqueue puts p at the end, and returns a packet whose buffer is free: when
// the queue is full, the oldest one's.
func (s *portable) enqueue(p Packet) (spare Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == len(s.queue) {
		s.first = (s.first + 1) % len(s.queue)
		s.count--
		s.drops.Add(1)
	}
	slot := &s.queue[(s.first+s.count)%len(s.queue)]
	spare, *slot = *slot, p
	s.count++
	if spare.Buf == nil {
		if len(s.free) == 0 {
			s.free = append(s.free, NewBatch(BatchLen)...)
		}
		last := len(s.free) - 1
		spare, s.free = s.free[last], s.free[:last]
	}
	return spare
}

func (s *portable) Receive() []Packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, s.batch...)
	s.batch = s.batch[:min(BatchLen, s.count)]
	for i := range s.batch {
		slot := &s.queue[s.first]
		s.batch[i], *slot = *slot, Packet{}
		s.first = (s.first + 1) % len(s.queue)
	}
	s.count -= len(s.batch)
	return s.batch
}

func (s *portable) Wait(timeout time.Duration, _ bool) {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-s.ready:
	case <-t.C:
	}
}

func (s *portable) Wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
	if other := s.waker.Load(); other != nil {
		(*other).Wake()
	}
}

func (s *portable) Send(packets []Packet) {
	for i := range packets {
		s.SendOne(packets[i])
	}
}

func (s *portable) SendOne(p Packet) {
	if s.flows != nil {
		_ = s.flows.writeFlow(p.Buf, p.Addr)
	} else {
		_ = s.conn.Write(p.Buf, p.Addr.AddrPort)
	}
}

func (s *portable) LocalAddr() netip.AddrPort { return AddrPort(s.conn.LocalAddr()) }

func (s *portable) Multihomed() bool { return s.flows != nil }

func (s *portable) Stats() Stats { return Stats{Overflow: s.drops.Load(), Closed: s.deaf.Load()} }

func (s *portable) Close() error {
	s.ended.Store(true)
	err := s.conn.Close()
	s.wg.Wait()
	s.Wake()
	return err
}
