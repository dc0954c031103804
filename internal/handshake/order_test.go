package handshake

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
)

// Records of the last flight that come early wait until the engine can use them, and follow in the same Read.
func TestOrder(t *testing.T) {
	cert := rec(record.Handshake, 0, 2, msg(certificate, 2, 300))
	empty := rec(record.Handshake, 0, 2, msg(certificate, 2, 3))
	cke3 := rec(record.Handshake, 0, 3, msg(clientKeyExchange, 3, 33))
	verify := rec(record.Handshake, 0, 4, msg(certificateVerify, 4, 70))
	part1 := rec(record.Handshake, 0, 3, frag(clientKeyExchange, 2, 33, 0, 20))
	part2 := rec(record.Handshake, 0, 4, frag(clientKeyExchange, 2, 33, 20, 33))
	join := slices.Concat[[]byte]
	for name, c := range map[string]struct {
		in, want [][]byte
	}{
		"in order":              {[][]byte{cke, ccs, fin}, [][]byte{cke, ccs, fin}},
		"at once":               {[][]byte{join(cke, ccs, fin)}, [][]byte{join(cke, ccs, fin)}},
		"backwards":             {[][]byte{fin, ccs, cke}, [][]byte{join(cke, ccs, fin)}},
		"finished before ccs":   {[][]byte{cke, fin, ccs}, [][]byte{cke, join(ccs, fin)}},
		"certificate":           {[][]byte{cert, cke3, ccs, fin, verify}, [][]byte{cert, cke3, join(verify, ccs, fin)}},
		"no certificate":        {[][]byte{empty, ccs, cke3, fin}, [][]byte{empty, join(cke3, ccs), fin}},
		"key before cert":       {[][]byte{cke3, join(ccs, fin), empty}, [][]byte{cke3, join(empty, ccs, fin)}},
		"in fragments":          {[][]byte{part1, ccs, part2, fin}, [][]byte{part1, join(part2, ccs), fin}},
		"fragments backwards":   {[][]byte{part2, part1, ccs, part2}, [][]byte{part2, part1, ccs, part2}},
		"all of it backwards":   {[][]byte{fin, ccs, part2, part1}, [][]byte{part2, join(part1, ccs, fin)}},
		"half of it twice":      {[][]byte{part2, part2, ccs, part1}, [][]byte{part2, part2, join(part1, ccs)}},
		"two ccs, one kept":     {[][]byte{ccs, put(ccs, 10, 77), cke}, [][]byte{join(cke, ccs)}},
		"at most four finished": {[][]byte{fin, fin, fin, fin, fin, ccs, cke}, [][]byte{join(cke, ccs, fin, fin, fin, fin)}},
	} {
		t.Run(name, func(t *testing.T) {
			conn := proven(t)
			for _, b := range c.in {
				conn.Deliver(b)
			}
			reads(t, conn, c.want...)
		})
	}
}

// A retransmitted ClientHello after the cookie begins the flight again, and does not end it.
func TestOrderAfterHelloAgain(t *testing.T) {
	c := proven(t)
	again := rec(record.Handshake, 0, 2, second)
	deliver(t, c, again, Taken)
	deliver(t, c, ccs, Taken)
	deliver(t, c, cke, Taken)
	reads(t, c, again, slices.Concat(cke, ccs))
}

// A client uses its keys as soon as it has sent its Finished, and not before.
func TestClientOrder(t *testing.T) {
	c, _ := newConn(false)
	deliver(t, c, ccs, Taken)
	deliver(t, c, rec(record.ApplicationData, 1, 0, nil), Refused)
	reads(t, c)
	if _, err := c.Write(slices.Concat(cke, ccs, fin)); err != nil {
		t.Fatal(err)
	}
	deliver(t, c, fin, Unsure)
	reads(t, c, slices.Concat(ccs, fin))
}

// "CCS under next epoch-0 number + Finished plaintext re-sealed under fresh epoch-1 record number."
func TestResend(t *testing.T) {
	s := record.Secrets{Suite: record.ECDSAWithAES128}
	engine, _ := record.New(&s, false, 0, 0)
	plain := msg(finished, 5, 12)
	flight, _ := engine.Seal(slices.Clone(ccs), record.Handshake, plain)
	c := proven(t)
	if _, err := c.Write(flight); err != nil {
		t.Fatal(err)
	}
	setNumber(flight, 1) // that of the ClientHello with the cookie
	c.Mute()
	res, err := c.Result(s, 1, nil)
	if err != nil || !bytes.Equal(res.Flight, flight) {
		t.Fatalf("Result: %v, flight %x", err, res.Flight)
	}
	server, _ := record.New(&res.Secrets, false, res.Next, 0)
	peer, _ := record.New(&s, true, 1, 0)
	for i := range 3 {
		out, err := res.Flight.Resend(server, []byte("dst"))
		if err != nil || string(out[:3]) != "dst" {
			t.Fatal(err)
		}
		change, rest, _ := record.Next(out[3:])
		if h, _ := record.ParseHeader(change); h.Seq != uint64(2+i) || h.Epoch != 0 || !bytes.Equal(change[13:], []byte{1}) {
			t.Errorf("ChangeCipherSpec %x", change)
		}
		if h, _ := record.ParseHeader(rest); h.Seq != uint64(1+i) || h.Epoch != 1 {
			t.Errorf("Finished under record number %d", h.Seq)
		}
		if typ, text, err := peer.Open(rest); err != nil || typ != record.Handshake || !bytes.Equal(text, plain) || !IsFinished(text) {
			t.Errorf("Finished opens as %v %x, %v", typ, text, err)
		}
	}
	if _, err := Flight(nil).Resend(server, nil); !errors.Is(err, record.ErrRecord) {
		t.Errorf("without a flight: %v", err)
	}
}

// "Abort if the engine's own Finished used an explicit nonce that our counter could reach."
func TestResultAborts(t *testing.T) {
	s := record.Secrets{Suite: record.ECDSAWithAES128}
	for nonce, ok := range map[string]bool{
		"\x00\x01\x00\x00\x00\x00\x00\x00": true, // record number 0, as v3 counts
		"\x00\x01\x00\x00\x00\x00\x00\x01": false,
		"\x00\x01\x00\x00\xff\xff\xff\xff": false,
		"\x00\x01\x00\x01\x00\x00\x00\x00": true,
		"\x12\x34\x56\x78\x9a\xbc\xde\xf0": true,
	} {
		c, _ := newConn(true)
		if _, err := c.Write(slices.Concat(ccs, put(fin, record.HeaderLen, []byte(nonce)...))); err != nil {
			t.Fatal(err)
		}
		c.Mute()
		if _, err := c.Result(s, 1, nil); (err == nil) != ok || !ok && !errors.Is(err, ErrFailed) {
			t.Errorf("nonce %x: %v", nonce, err)
		}
	}
	for name, flight := range map[string][]byte{"no Finished": ccs, "no ChangeCipherSpec": fin} {
		c, _ := newConn(true)
		_, _ = c.Write(flight)
		if _, err := c.Result(s, 1, nil); !errors.Is(err, ErrFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIsFinished(t *testing.T) {
	good := msg(finished, 5, 12)
	if !IsFinished(good) {
		t.Error("a Finished is none")
	}
	for _, bad := range [][]byte{nil, good[:23], append(slices.Clone(good), 0), msg(finished, 5, 13), msg(clientHello, 5, 12), frag(finished, 5, 24, 0, 12)} {
		if IsFinished(bad) {
			t.Errorf("%x passes", bad)
		}
	}
}
