package handshake

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
)

// numberOf is the record number of the first record of a datagram.
func numberOf(b []byte) uint64 {
	h, _ := record.ParseHeader(b)
	return h.Seq
}

// "A client SHOULD begin its record numbers of DTLS epoch 0 at a random one of 47 bits, another one in each handshake, and
// go on from there" PROTOCOL.md 9.1
func TestClientNumbers(t *testing.T) {
	seen := map[uint64]bool{}
	for range 100 {
		c, sent := newConn(false)
		c.ExpectCookie()
		for _, b := range [][]byte{hello, rec(record.Handshake, 0, 1, msg(clientHello, 1, 99)), slices.Concat(cke, ccs, fin)} {
			was := slices.Clone(b)
			if _, err := c.Write(b); err != nil || !bytes.Equal(b, was) {
				t.Fatalf("Write: %v, and its datagram is changed: %x", err, b)
			}
		}
		first := numberOf((*sent)[0])
		if first >= 1<<47 || seen[first] {
			t.Fatalf("the first is %d", first)
		}
		seen[first] = true
		if n := numberOf((*sent)[1]); n != first+1 {
			t.Errorf("%d follows %d", n, first)
		}
		last := (*sent)[2]
		change := last[len(cke):]
		if n := numberOf(last); n != first+3 || numberOf(change) != first+9 || numberOf(change[len(ccs):]) != 0 {
			t.Errorf("the last flight is %x", last) // the Finished of epoch 1 is as the engine made it
		}
	}
}

// "HelloVerifyRequest MUST have the record number of the ClientHello that it answers, and so MUST the first record that
// answers a ClientHello with the cookie (RFC 6347, section 4.2.1); those after it go on from there." PROTOCOL.md 9.1
func TestServerNumbers(t *testing.T) {
	for _, at := range []uint64{0, 1<<47 - 1, 1<<48 - 4} {
		testServerNumbers(t, at)
	}
}

func testServerNumbers(t *testing.T, at uint64) {
	t.Helper()
	c, sent := newConn(true)
	first, again, with := slices.Clone(hello), slices.Clone(hello), rec(record.Handshake, 0, 1, second)
	setNumber(first, at)
	setNumber(again, at+1)
	setNumber(with, at+2)
	deliver(t, c, first, Taken)
	if _, _, err := c.Accept(t.Context(), []record.Suite{record.ECDSAWithAES128}); err != nil {
		t.Fatal(err)
	}
	for i, b := range [][]byte{first, again} {
		if i > 0 {
			deliver(t, c, b, Taken)
		}
		if _, err := c.Write(rec(record.Handshake, 0, uint16(i), verify[record.HeaderLen:])); err != nil {
			t.Fatal(err)
		}
		if n := numberOf((*sent)[i]); n != at+uint64(i) {
			t.Errorf("HelloVerifyRequest %d has number %d", i, n)
		}
	}
	deliver(t, c, with, Taken)
	for i := range 3 {
		if _, err := c.Write(rec(record.Handshake, 0, uint16(2+i), msg(serverHello, uint16(1+i), 70))); err != nil {
			t.Fatal(err)
		}
		if n := numberOf((*sent)[2+i]); n != (at+2+uint64(i))%(1<<48) || (*sent)[2+i][4] != 0 {
			t.Errorf("record %d of its flight: %x", i, (*sent)[2+i][:record.HeaderLen])
		}
	}
}

// "Each end MUST drop a record of DTLS epoch 0 whose number is not the handshake's" PROTOCOL.md 9.1, and it uses up
// nothing of what the handshake may have.
func TestFarNumbers(t *testing.T) {
	server := proven(t)
	client, _ := newConn(false)
	client.ExpectCookie()
	for name, c := range map[string]*Conn{"server": server, "client": client} {
		near := c.filter.numbers.near
		budget := c.filter.budget
		for _, distance := range []uint64{maxDistance + 1, -(maxDistance + 1) & (1<<48 - 1), 1 << 47, 1 << 40} {
			for _, b := range [][]byte{cke, ccs, verify, rec(record.Alert, 0, 0, []byte{alertFatal, 40})} {
				b = slices.Clone(b)
				setNumber(b, (near+distance)&(1<<48-1))
				deliver(t, c, b, Refused)
			}
		}
		if reads(t, c); c.filter.budget != budget || c.patience != nil {
			t.Errorf("%s: they had an effect", name)
		}
		b := slices.Clone(cke)
		if name == "client" {
			b = slices.Clone(verify)
		}
		setNumber(b, near+maxDistance)
		deliver(t, c, b, Taken)
	}
}

// Fragments of a ClientHello with the cookie: one whose number is far from that of the first is not looked at, be it as
// right as the others.
func TestFarFragments(t *testing.T) {
	const at = 1 << 46
	c := asked(t)
	body := second[messageHeaderLen:]
	fragment := func(from, to int, number uint64) []byte {
		b := frag(clientHello, 1, len(body), from, to)
		copy(b[messageHeaderLen:], body[from:to])
		b = rec(record.Handshake, 0, 0, b)
		setNumber(b, number)
		return b
	}
	const half = 60 // the cookie is in the first
	deliver(t, c, fragment(0, half, at), Taken)
	deliver(t, c, fragment(half, len(body), 1), Refused)
	if c.Proven() {
		t.Fatal("a far fragment has completed it")
	}
	deliver(t, c, fragment(half, len(body), at+1), Taken)
	if !c.Proven() || c.filter.numbers.near != at {
		t.Errorf("proven %v, near %d", c.Proven(), c.filter.numbers.near)
	}
}
