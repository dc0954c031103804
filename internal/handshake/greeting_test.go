package handshake

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/record"
)

// fragments cuts a message into pieces of n bytes, each in a record and a datagram of its own.
func fragments(m []byte, n int) (out [][]byte) {
	head, body := m[:messageHeaderLen], m[messageHeaderLen:]
	for from := 0; from < len(body); from += n {
		to := min(from+n, len(body))
		f := frag(head[0], uint16(head[5]), len(body), from, to)
		out = append(out, rec(record.Handshake, 0, uint16(10+len(out)), append(f[:messageHeaderLen], body[from:to]...)))
	}
	return out
}

// large are extensions of 1,300 bytes, as with a post-quantum key share.
var large = append(slices.Clone(usual), extension(51, make([]byte, 1250)...))

// "A server MUST answer a first ClientHello that comes in fragments from its first fragment alone" PROTOCOL.md 9.1:
// it keeps nothing of the others, and what the engine is given has all that it goes by.
func TestFirstFragment(t *testing.T) {
	c, _ := newConn(true)
	parts := fragments(appendMessage(nil, clientHello, 0, helloBody(nil, choices, large...)), 200)
	deliver(t, c, parts[1], Refused)
	deliver(t, c, parts[0], Taken)
	if !IsFirstHello(parts[0]) || IsFirstHello(parts[1]) {
		t.Error("another fragment than the first one begins a handshake")
	}
	suite, group, err := c.Accept(t.Context(), []record.Suite{record.RSAWithAES256, record.RSAWithAES128})
	if err != nil || suite != record.RSAWithAES128 || group != P256 {
		t.Fatal(suite, group, err)
	}
	for _, b := range parts[1:] {
		deliver(t, c, b, Taken)
	}
	deliver(t, c, parts[0], Taken) // again
	got := drain(c)
	if len(got) != 2 || !bytes.Equal(got[0], got[1]) || c.greeting.assembly.begun() {
		t.Fatalf("the engine reads %x", got)
	}
	m, _, _ := nextMessage(got[0][record.HeaderLen:])
	o, ok := readOffer(m.body, m.length)
	if !ok || m.to != m.length || m.seq != 0 || !o.masterSecret || !bytes.Equal(o.choices, choices) || !bytes.Equal(o.groups, []byte{0, P256}) {
		t.Errorf("the engine is shown %+v", o)
	}
}

// What the client offers and the server prefers decides, not the client's order.
func TestChoice(t *testing.T) {
	both := []record.Suite{record.ECDSAWithAES128, record.ECDSAWithAES256}
	for name, c := range map[string]struct {
		choices []byte
		groups  []byte
		suite   record.Suite
		group   uint16
	}{
		"AES-256 first":    {[]byte{0, 4, 0xc0, 0x2c, 0xc0, 0x2b, 1, 0}, []byte{0, X25519, 0, P256}, record.ECDSAWithAES128, P256},
		"AES-256 only":     {[]byte{0, 2, 0xc0, 0x2c, 1, 0}, []byte{0, P384, 0, X25519}, record.ECDSAWithAES256, X25519},
		"P-384 only":       {[]byte{0, 2, 0xc0, 0x2b, 1, 0}, []byte{0, P384}, record.ECDSAWithAES128, P384},
		"nothing of ours":  {[]byte{0, 2, 0x13, 0x01, 1, 0}, []byte{0, 30}, record.ECDSAWithAES128, P256},
		"compression, too": {[]byte{0, 4, 0x00, 0xff, 0xc0, 0x2b, 2, 1, 0}, []byte{0, P256}, record.ECDSAWithAES128, P256},
	} {
		groups := extension(extGroups, append([]byte{0, byte(len(c.groups))}, c.groups...)...)
		conn, _ := newConn(true)
		deliver(t, conn, rec(record.Handshake, 0, 0, appendMessage(nil, clientHello, 0, helloBody(nil, c.choices, groups))), Taken)
		if suite, group, err := conn.Accept(t.Context(), both); suite != c.suite || group != c.group || err != nil {
			t.Errorf("%s: %v, %d, %v", name, suite, group, err)
		}
	}
}

// Accept waits as long as it may.
func TestAcceptEnds(t *testing.T) {
	c, _ := newConn(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := c.Accept(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	time.AfterFunc(time.Millisecond, func() { _ = c.Close() })
	if _, _, err := c.Accept(t.Context(), nil); !errors.Is(err, ErrFailed) {
		t.Error(err)
	}
}

// "The server assembles only a ClientHello that carries the cookie" PROTOCOL.md 9.1: its fragments
// in any order but for the first, twice, overlapping, with gaps that are filled later; and the
// engine gets what the client has sent, byte by byte.
func TestFragmentsOfTheSecond(t *testing.T) {
	whole := appendMessage(nil, clientHello, 1, helloBody(cookie, choices, large...))
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := asked(t)
		drain(c)
		size := 80 + random.IntN(400)
		parts := fragments(whole, size)
		parts = append(parts, fragments(whole, size+1+random.IntN(50))...) // again, cut otherwise
		shuffled := slices.Clone(parts[1:])
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		deliver(t, c, shuffled[0], map[bool]Verdict{true: Taken, false: Refused}[bytes.Equal(shuffled[0][19:22], []byte{0, 0, 0})])
		deliver(t, c, parts[0], Taken)
		for i, b := range shuffled {
			if c.Proven() {
				break
			}
			if v := c.Deliver(b); v != Taken {
				t.Fatalf("seed %d: fragment %d is %v", seed, i, v)
			}
		}
		got := drain(c)
		if !c.Proven() || len(got) != 1 || !bytes.Equal(got[0][record.HeaderLen:], whole) {
			t.Fatalf("seed %d: the engine reads %d datagrams, proven %v", seed, len(got), c.Proven())
		}
	}
}

// What does not fit is not taken, and spoils nothing.
func TestFragmentsThatDoNotFit(t *testing.T) {
	whole := appendMessage(nil, clientHello, 1, helloBody(cookie, choices, large...))
	parts := fragments(whole, 300)
	longer := slices.Clone(parts[1])
	longer[record.HeaderLen+3]++ // of the whole
	forged := slices.Clone(parts[1])
	forged[len(forged)-1] ^= 1
	wrong := fragments(appendMessage(nil, clientHello, 1, helloBody([]byte("twenty bytes of guess"), choices, large...)), 300)
	c := asked(t)
	drain(c)
	for _, b := range [][]byte{parts[1], wrong[0], wrong[1], longer} { // nothing of it is the cookie's
		deliver(t, c, b, Refused)
	}
	if c.greeting.assembly.begun() {
		t.Error("memory without a cookie")
	}
	deliver(t, c, parts[0], Taken)
	deliver(t, c, parts[1], Taken)
	for _, b := range [][]byte{longer, wrong[1][:40]} {
		deliver(t, c, b, Refused)
	}
	deliver(t, c, slices.Concat(parts[2:]...), Taken) // several in one datagram
	if got := drain(c); !c.Proven() || len(got) != 1 || !bytes.Equal(got[0][record.HeaderLen:], whole) {
		t.Errorf("the engine reads %d datagrams", len(got))
	}
	// a forged fragment that was faster than the client's: the client sends all of it again
	for _, forged := range [][]byte{forged, longer} {
		c := asked(t)
		drain(c)
		deliver(t, c, parts[0], Taken)
		c.Deliver(forged)
		for range 2 {
			for _, b := range parts {
				c.Deliver(b)
			}
		}
		if got := drain(c); len(got) == 0 || !bytes.Equal(got[0][record.HeaderLen:], whole) {
			t.Error("a forged fragment ends the handshake")
		}
	}
	// "at most 4,096 bytes", at 0 and +1
	for _, more := range []int{0, 1} {
		filler := make([]byte, MaxHello+more-len(helloBody(cookie, choices, append(slices.Clone(usual), extension(51))...)))
		long := appendMessage(nil, clientHello, 1, helloBody(cookie, choices, append(slices.Clone(usual), extension(51, filler...))...))
		c := asked(t)
		for _, b := range fragments(long, 1000) {
			deliver(t, c, b, map[int]Verdict{0: Taken, 1: Refused}[more])
		}
		if c.Proven() != (more == 0) {
			t.Errorf("%d bytes: proven %v", len(long)-messageHeaderLen, c.Proven())
		}
	}
}

// "The server sends an alert to a client whose handshake fails, once the client has returned the
// cookie" PROTOCOL.md 9.1, and its server knows why: with one datagram, under a record number that
// the engine has not used.
func TestRefusedWithReason(t *testing.T) {
	groups := extension(extGroups, 0, 2, 0, 30)
	for name, c := range map[string]struct {
		first, second []byte
		want          error
		alert         byte
	}{
		"no suite":         {helloBody(nil, []byte{0, 2, 0x13, 1, 1, 0}, usual...), helloBody(cookie, []byte{0, 2, 0x13, 1, 1, 0}, usual...), ErrSuite, 71},
		"no master secret": {helloBody(nil, choices, usual[0]), helloBody(cookie, choices, usual[0]), ErrMasterSecret, 40},
		"no group":         {helloBody(nil, choices, groups, usual[1]), helloBody(cookie, choices, groups, usual[1]), ErrGroup, 71},
		"malformed":        {helloBody(nil, choices, usual...), helloBody(cookie, choices, append(usual, usual...)...), ErrHello, 47},
		"other suites":     {helloBody(nil, choices, usual...), helloBody(cookie, []byte{0, 2, 0xc0, 0x2b, 1, 0}, usual...), ErrHello, 47},
	} {
		conn, sent := newConn(true)
		conn.Deliver(rec(record.Handshake, 0, 0, appendMessage(nil, clientHello, 0, c.first)))
		if _, _, err := conn.Accept(t.Context(), []record.Suite{record.ECDSAWithAES128}); err != nil {
			t.Fatal(err)
		}
		drain(conn)
		_, _ = conn.Write(verify)
		deliver(t, conn, rec(record.Handshake, 0, 1, appendMessage(nil, clientHello, 1, c.second)), Taken)
		if want := rec(record.Alert, 0, 1, []byte{2, c.alert}); len(*sent) != 2 || !bytes.Equal((*sent)[1], want) {
			t.Errorf("%s: sent %x, want %x", name, *sent, want)
		}
		if err := conn.Failure(errors.New("closed")); !errors.Is(err, c.want) || !errors.Is(err, ErrFailed) || !conn.Proven() {
			t.Errorf("%s: %v", name, err)
		}
		deliver(t, conn, hello, Refused)
	}
}
