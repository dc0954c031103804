package transport

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// portable is a socket over any net.PacketConn: one goroutine reads it into a
// bounded queue, since nothing portable can be asked what has arrived.
type portable struct {
	conn  packetConn
	flows flowConn // conn, where that knows several addresses of ours; else nil
	ready chan struct{}
	batch []packet       // what receive returned last
	wg    sync.WaitGroup // the reader; close waits
	ended atomic.Bool    // close has begun
	drops atomic.Uint64

	mu sync.Mutex
	// +checklocks:mu
	queue []packet // ring; a receive swaps buffers with it
	// +checklocks:mu
	first, count int
}

func newPortable(conn net.PacketConn) *portable {
	s := &portable{conn: newPacketConn(conn), ready: make(chan struct{}, 1), queue: newBatch(queueLen), batch: newBatch(batchLen)}
	if s.localAddr().Addr().IsUnspecified() {
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
	var failed failures
	spare := packet{buf: make([]byte, 0, bufferLen)}
	for {
		n, addr, err := s.take(spare.buf[:bufferLen])
		switch {
		case err == nil:
			failed.end()
			spare.addr, spare.buf, spare.stamp = addr, spare.buf[:n], time.Now().UnixNano()
			spare = s.enqueue(spare)
			s.wake()
		case s.ended.Load() || errors.Is(err, net.ErrClosed):
			return
		default:
			failed.pause()
		}
	}
}

// take waits for a datagram.
func (s *portable) take(b []byte) (int, flow, error) {
	if s.flows != nil {
		return s.flows.readFlow(b)
	}
	n, from, err := s.conn.read(b)
	return n, flow{AddrPort: from}, err
}

// enqueue puts p at the end, and returns a packet whose buffer is free: when
// the queue is full, the oldest one's.
func (s *portable) enqueue(p packet) (spare packet) {
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
	return spare
}

func (s *portable) receive() []packet {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.batch), s.count)
	for i := range n {
		slot := &s.queue[s.first]
		s.batch[i], *slot = *slot, s.batch[i]
		s.first = (s.first + 1) % len(s.queue)
	}
	s.count -= n
	return s.batch[:n]
}

func (s *portable) wait(timeout time.Duration, _ bool) {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-s.ready:
	case <-t.C:
	}
}

func (s *portable) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

func (s *portable) send(packets []packet) {
	for i := range packets {
		s.sendOne(packets[i])
	}
}

func (s *portable) sendOne(p packet) {
	if s.flows != nil {
		_ = s.flows.writeFlow(p.buf, p.addr)
	} else {
		_ = s.conn.write(p.buf, p.addr.AddrPort)
	}
}

func (s *portable) localAddr() netip.AddrPort { return addrPort(s.conn.LocalAddr()) }

func (s *portable) several() bool { return s.flows != nil }

func (s *portable) stats() SocketStats { return SocketStats{Shards: 1, Overflow: s.drops.Load()} }

func (s *portable) close() error {
	s.ended.Store(true)
	err := s.conn.Close()
	s.wg.Wait()
	s.wake()
	return err
}
