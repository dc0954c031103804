package handshake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// rec builds a record.
func rec(typ record.ContentType, epoch byte, seq uint16, body []byte) []byte {
	b := []byte{byte(typ), 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, byte(seq >> 8), byte(seq), 0, 0}
	binary.BigEndian.PutUint16(b[11:], uint16(len(body)))
	return append(b, body...)
}

// msg builds a handshake message that is whole.
func msg(typ byte, seq uint16, n int) []byte { return frag(typ, seq, n, 0, n) }

// frag builds a fragment of a handshake message of n bytes.
func frag(typ byte, seq uint16, n, from, to int) []byte {
	b := make([]byte, messageHeaderLen+to-from)
	put := func(at, v int) { b[at], b[at+1], b[at+2] = byte(v>>16), byte(v>>8), byte(v) }
	b[0] = typ
	put(1, n)
	binary.BigEndian.PutUint16(b[4:], seq)
	put(6, from)
	put(9, to-from)
	return b
}

// choices are what the test's client offers: one suite of each key, the null compression.
var choices = []byte{0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0}

// extension builds an extension of a ClientHello.
func extension(typ uint16, body ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, typ)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// usual are the extensions of the test's client: the group P-256, and the extended master secret.
var usual = [][]byte{extension(extGroups, 0, 2, 0, P256), extension(extMasterSecret)}

// helloBody builds a ClientHello.
func helloBody(cookie, choices []byte, extensions ...[]byte) []byte {
	b := append([]byte{0xfe, 0xfd}, make([]byte, 32+1)...)
	b = append(append(append(b, byte(len(cookie))), cookie...), choices...)
	all := slices.Concat(extensions...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(all))), all...)
}

// cookie is what the test's engine asks for.
var cookie = []byte("twenty bytes of them")

var (
	verify = rec(record.Handshake, 0, 0, appendMessage(nil, helloVerify, 0, append([]byte{0xfe, 0xfd, byte(len(cookie))}, cookie...)))
	second = appendMessage(nil, clientHello, 1, helloBody(cookie, choices, usual...))
)

// asked returns a server's Conn whose engine has asked for the cookie.
func asked(t testing.TB) *Conn {
	t.Helper()
	c, _ := newConn(true)
	if c.Deliver(hello) != Taken {
		t.Fatal("a ClientHello is refused")
	}
	if _, _, err := c.Accept(t.Context(), []record.Suite{record.ECDSAWithAES128}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(verify); err != nil || c.Proven() {
		t.Fatal("the engine cannot ask for the cookie")
	}
	return c
}

var (
	ccs   = rec(record.ChangeCipherSpec, 0, 9, []byte{1})
	fin   = rec(record.Handshake, 1, 0, make([]byte, record.Overhead-record.HeaderLen+finishedLen))
	hello = rec(record.Handshake, 0, 0, appendMessage(nil, clientHello, 0, helloBody(nil, choices, usual...)))
	cke   = rec(record.Handshake, 0, 3, msg(clientKeyExchange, 2, 33))
)

// newConn returns a Conn and what it has sent.
func newConn(server bool) (*Conn, *[][]byte) {
	var sent [][]byte
	return NewConn(server, nil, nil, func(b []byte) { sent = append(sent, slices.Clone(b)) }), &sent
}

// proven returns a server's Conn whose client has returned the cookie.
func proven(t testing.TB) *Conn {
	t.Helper()
	c := asked(t)
	if c.Deliver(rec(record.Handshake, 0, 1, second)) != Taken || !c.Proven() {
		t.Fatal("not proven")
	}
	drain(c)
	return c
}

// client returns a client's Conn that has sent its Finished.
func client(t *testing.T) *Conn {
	t.Helper()
	c, _ := newConn(false)
	if _, err := c.Write(slices.Concat(ccs, fin)); err != nil {
		t.Fatal(err)
	}
	return c
}

func deliver(t *testing.T, c *Conn, datagram []byte, want Verdict) {
	t.Helper()
	if got := c.Deliver(datagram); got != want {
		t.Errorf("Deliver(%.20x…) = %v, want %v", datagram, got, want)
	}
}

// drain reads what waits for the engine.
func drain(c *Conn) (out [][]byte) {
	for {
		c.mu.Lock()
		n := len(c.inbox)
		c.mu.Unlock()
		if n == 0 {
			return out
		}
		b := make([]byte, 8192)
		k, err := c.Read(b)
		if err != nil {
			panic(err)
		}
		out = append(out, b[:k])
	}
}

// reads checks what the engine gets to see.
func reads(t *testing.T, c *Conn, want ...[]byte) {
	t.Helper()
	if got := drain(c); !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("engine reads %x, want %x", got, want)
	}
}

// "Mute the writer first": what an engine says then is swallowed; and its nonces no longer count.
func TestMute(t *testing.T) {
	c, sent := newConn(true)
	if _, err := c.Write(fin); err != nil {
		t.Fatal(err)
	}
	c.Mute()
	if n, err := c.Write(fin); n != len(fin) || err != nil {
		t.Errorf("Write = %d, %v", n, err)
	}
	if len(*sent) != 1 || len(c.spent) != 1 {
		t.Errorf("sent %d, spent %d", len(*sent), len(c.spent))
	}
}

func TestClosed(t *testing.T) {
	c, sent := newConn(true)
	_ = c.Close()
	deliver(t, c, hello, Refused)
	if _, err := c.Write(hello); !errors.Is(err, net.ErrClosed) || len(*sent) != 0 {
		t.Errorf("Write: %v", err)
	}
	if _, err := c.Read(make([]byte, 10)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	c.Wait()
}

// "Read must return on Close", and on a deadline, whether set before or during it.
func TestReadReturns(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*Conn)
		want error
		at   time.Duration
	}{
		"close":          {func(c *Conn) { _ = c.Close() }, net.ErrClosed, time.Second},
		"past deadline":  {func(c *Conn) { _ = c.SetReadDeadline(time.Unix(0, 1)) }, os.ErrDeadlineExceeded, time.Second},
		"later deadline": {func(c *Conn) { _ = c.SetDeadline(time.Now().Add(time.Second)) }, os.ErrDeadlineExceeded, 2 * time.Second},
		"moved deadline": {func(c *Conn) {
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
		}, os.ErrDeadlineExceeded, 4 * time.Second},
		"deadline taken back": {func(c *Conn) {
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_ = c.SetReadDeadline(time.Time{})
			time.AfterFunc(5*time.Second, func() { c.Deliver(rec(record.Handshake, 0, 1, msg(serverHello, 1, 70))) })
		}, nil, 6 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, _ := newConn(false)
				start := time.Now()
				time.AfterFunc(time.Second, func() { c.do(conn) })
				_, err := conn.Read(make([]byte, 100))
				if !errors.Is(err, c.want) || time.Since(start) != c.at {
					t.Errorf("%v after %v", err, time.Since(start))
				}
			})
		})
	}
}

// A deliverer, an engine and a closer at once, for the race detector.
func TestConcurrent(t *testing.T) {
	c, _ := newConn(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			c.Deliver(hello)
			c.Deliver(rec(record.Handshake, 0, 1, second))
			c.Deliver(cke)
			c.Proven()
		}
		_ = c.Close()
	}()
	b := make([]byte, 100)
	_, _, _ = c.Accept(t.Context(), []record.Suite{record.ECDSAWithAES128}) // unless it has been closed already
	for {
		if _, err := c.Read(b); err != nil {
			break
		}
		_, _ = c.Write(verify)
		_, _ = c.Write(rec(record.Handshake, 0, 1, msg(serverHello, 1, 70)))
		_ = c.SetReadDeadline(time.Time{})
	}
	<-done
}
