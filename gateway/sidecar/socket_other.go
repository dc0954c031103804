//go:build !linux

package sidecar

import (
	"errors"
	"net"
	"time"
)

// socket moves one datagram a system call.
type socket struct {
	conn   net.Conn
	memory [1 << 16]byte
	view   [1][]byte
}

func newSocket(conn net.Conn) (*socket, error) { return &socket{conn: conn}, nil }

func (s *socket) receive() ([][]byte, error) {
	for {
		n, err := s.conn.Read(s.memory[:])
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			time.Sleep(time.Millisecond) // the game does not listen
			continue
		}
		s.view[0] = s.memory[:n]
		return s.view[:], nil
	}
}

func (s *socket) send(b []byte, ends []int) (lost int) {
	at := 0
	for _, end := range ends {
		if _, err := s.conn.Write(b[at:end]); err != nil {
			lost++
		}
		at = end
	}
	return lost
}

func (s *socket) connect(string) error {
	return errors.New("sidecar: Unix sockets are for Linux: use an address of the loopback interface")
}

func (s *socket) close() error { return s.conn.Close() }
