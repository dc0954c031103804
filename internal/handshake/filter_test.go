package handshake

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
)

// "Nothing but ClientHellos passes before the cookie has come back, and few": the first one in a datagram of its own.
func TestBeforeTheCookie(t *testing.T) {
	c, _ := newConn(true)
	first := hello[record.HeaderLen:]
	body := first[messageHeaderLen:]
	part := func(from, to int) []byte { // of the first
		return rec(record.Handshake, 0, 0, append(frag(clientHello, 0, len(body), from, to)[:messageHeaderLen], body[from:to]...))
	}
	for name, b := range map[string][]byte{
		"short fragment":   part(0, 40),
		"last fragment":    part(40, len(body)),
		"two records":      slices.Concat(hello, hello),
		"a gap":            slices.Concat(part(0, 50), part(51, len(body))),
		"an overlap":       slices.Concat(part(0, 50), part(49, len(body))),
		"nothing more":     slices.Concat(part(0, 50), part(50, 50)),
		"not the first":    slices.Concat(part(40, 50), part(50, len(body))),
		"two lengths":      slices.Concat(part(0, 50), put(part(50, 60), record.HeaderLen+3, byte(len(body)+1))),
		"a part, an alert": slices.Concat(part(0, 50), rec(record.Alert, 0, 0, []byte{2, 40})),
		"trailing byte":    append(slices.Clone(hello), 0),
		"two messages":     rec(record.Handshake, 0, 0, slices.Concat(first, first)),
		"second message":   rec(record.Handshake, 0, 0, second),
		"other message":    rec(record.Handshake, 0, 0, msg(clientKeyExchange, 0, 60)),
		"other version":    put(hello, 1, 3, 3),
		"DTLS 1.0 inside":  put(hello, record.HeaderLen+messageHeaderLen, 0xfe, 0xff),
		"other epoch":      put(hello, 3, 0, 1),
		"too short":        rec(record.Handshake, 0, 0, msg(clientHello, 0, 34)),
		"alert":            rec(record.Alert, 0, 0, []byte{2, 40}),
		"change":           ccs,
		"data":             rec(record.ApplicationData, 0, 0, []byte("x")),
		"finished":         fin,
		"empty":            nil,
	} {
		if c.Deliver(b) != Refused || IsFirstHello(b) {
			t.Errorf("%s: passed", name)
		}
	}
	reads(t, c)
	c = asked(t)
	for range MaxHellos - 1 {
		deliver(t, c, hello, Taken)
	}
	deliver(t, c, hello, Refused)
	if got := len(drain(c)); got != MaxHellos {
		t.Errorf("engine reads %d datagrams", got)
	}
}

func put(b []byte, at int, v ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], v)
	return b
}

// "IsFirstHello: single record, epoch 0, DTLS 1.0/1.2 version numbers."
func TestIsFirstHello(t *testing.T) {
	if !IsFirstHello(hello) || !IsFirstHello(put(hello, 1, 0xfe, 0xff)) {
		t.Error("a first ClientHello is refused")
	}
	for _, n := range []int{44, 50, 57} { // as the records of one datagram
		if parts := slices.Concat(fragments(hello[record.HeaderLen:], n)...); !IsFirstHello(parts) {
			t.Errorf("fragments of %d bytes are refused", n)
		} else if c, _ := newConn(true); c.Deliver(parts) != Taken {
			t.Errorf("fragments of %d bytes begin nothing", n)
		}
	}
	if IsFirstHello(rec(record.Handshake, 0, 1, second)) {
		t.Error("a second ClientHello passes as a first")
	}
	for n := range hello {
		if IsFirstHello(hello[:n]) {
			t.Errorf("%d bytes of a ClientHello pass", n)
		}
	}
}

// "≤ 16 KB handshake bytes in all", at -1, 0 and +1.
func TestBudget(t *testing.T) {
	c := asked(t)
	deliver(t, c, rec(record.Handshake, 0, 1, second), Taken)
	hellos := 0
	for _, b := range drain(c) {
		hellos += len(b)
	}
	left := MaxServerBytes - hellos
	for left > 2000 {
		deliver(t, c, rec(record.Handshake, 0, 5, frag(certificate, 2, 60000, 0, 1000-25)), Taken)
		left -= 1000
	}
	deliver(t, c, rec(record.Handshake, 0, 5, frag(certificate, 2, 60000, 0, left+1-25)), Refused)
	deliver(t, c, rec(record.Handshake, 0, 5, frag(certificate, 2, 60000, 0, left-25)), Taken)
	deliver(t, c, cke, Refused)
	deliver(t, c, ccs, Refused)
	deliver(t, c, fin, Refused)
	total := 0
	for _, b := range drain(c) {
		total += len(b)
	}
	if total+hellos != MaxServerBytes {
		t.Errorf("%d bytes passed", total+hellos)
	}
}

// "Alerts of epoch 0 never reach the engine; content type 23 never; unknown types refused; epochs > 1; CCS with
// epoch ≥ 1."
func TestNeverReachesTheEngine(t *testing.T) {
	for _, c := range []*Conn{proven(t), client(t)} {
		for typ := range 256 {
			for epoch := range byte(4) {
				for _, body := range [][]byte{{}, {1}, {2}, {1, 0}, {2, 40}, make([]byte, 47), make([]byte, 49), make([]byte, 200)} {
					typ := record.ContentType(typ)
					if typ == record.ChangeCipherSpec && epoch == 0 && bytes.Equal(body, []byte{1}) {
						continue
					}
					if typ == record.Handshake && epoch == 0 && len(body) >= messageHeaderLen {
						continue
					}
					want := Refused
					if !c.server && epoch == 1 && (typ == record.Alert || typ == record.ApplicationData) {
						want = Divert // "client: content type 23 is in the clear, never pass it to pion"
					}
					deliver(t, c, rec(typ, epoch, 1, body), want)
				}
			}
		}
		for _, version := range [][]byte{{3, 3}, {0xfe, 0xfc}, {0xfe, 0xfe}, {0, 0}} {
			deliver(t, c, put(cke, 1, version...), Refused)
		}
		deliver(t, c, nil, Refused)
		deliver(t, c, make([]byte, maxDatagram+1), Refused)
		reads(t, c)
	}
}

// "Invalid records SHOULD be silently discarded": the good ones beside them pass.
func TestRecordsAreJudgedOneByOne(t *testing.T) {
	c := proven(t)
	alert, data := rec(record.Alert, 0, 7, []byte{2, 40}), rec(record.ApplicationData, 0, 8, []byte("x"))
	deliver(t, c, slices.Concat(alert, cke, data, ccs, alert, []byte{22, 0xfe}), Taken)
	reads(t, c, slices.Concat(cke, ccs))

	cl := client(t)
	early := rec(record.ApplicationData, 1, 1, make([]byte, 40))
	deliver(t, cl, slices.Concat(ccs, fin, early), Divert)
	reads(t, cl, slices.Concat(ccs, fin))
}

// "Copy always": what the caller does with its buffer afterwards is its own affair.
func TestDeliverCopies(t *testing.T) {
	c := proven(t)
	b := slices.Clone(cke)
	deliver(t, c, b, Taken)
	f := slices.Clone(fin)
	deliver(t, c, f, Unsure)
	clear(b)
	clear(f)
	deliver(t, c, ccs, Taken)
	reads(t, c, cke, slices.Concat(ccs, fin))
}

// "Divert from the moment the engine writes an epoch-1 record (server)", and after Mute on both ends.
func TestDivert(t *testing.T) {
	c := proven(t)
	deliver(t, c, slices.Concat(cke, ccs, fin), Taken)
	drain(c)
	deliver(t, c, slices.Concat(cke, ccs, fin), Taken) // a retransmission that nobody reads any more
	if _, err := c.Write(slices.Concat(ccs, fin)); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{hello, cke, ccs, fin, {1, 2, 3}, rec(record.ApplicationData, 1, 1, nil)} {
		deliver(t, c, b, Divert)
	}
	deliver(t, c, nil, Refused)
	reads(t, c)
	_ = c.Close()
	deliver(t, c, fin, Divert)

	cl := client(t)
	cl.Mute()
	for _, b := range [][]byte{ccs, fin, {1, 2, 3}} {
		deliver(t, cl, b, Divert)
	}
	reads(t, cl)
}

func FuzzDeliver(f *testing.F) {
	f.Add(slices.Concat(hello, cke, ccs, fin), false)
	f.Add(rec(record.Alert, 1, 0, make([]byte, 26)), true)
	f.Fuzz(func(t *testing.T, b []byte, isClient bool) {
		c := NewConn(!isClient, nil, nil, func([]byte) {})
		c.proven.Store(!isClient)
		v := c.Deliver(b)
		seen := drain(c)
		if v == Refused && len(seen) != 0 {
			t.Fatal("refused, and yet passed on")
		}
		for _, d := range seen { // what passes is a sequence of whole records of types 20 and 22
			for len(d) > 0 {
				r, rest, ok := record.Next(d)
				if !ok || r[0] != 20 && r[0] != 22 || r[3] != 0 || r[4] > 1 || r[4] == 1 && r[0] == 20 {
					t.Fatalf("passed %x", d)
				}
				d = rest
			}
		}
	})
}
