package record

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// refused checks that the end drops the record: "Invalid records SHOULD be silently discarded, thus preserving
// the association" RFC 6347 4.1.2.7; "The receive window is updated only if the MAC verification succeeds"
// 4.1.2.6.
func refused(t *testing.T, c *Conn, what string, rec []byte) {
	t.Helper()
	high := c.window.Highest()
	if typ, text, err := c.Open(slices.Clone(rec)); !errors.Is(err, ErrRecord) || typ != 0 || text != nil {
		t.Errorf("%s: Open = %v, %x, %v", what, typ, text, err)
	}
	if c.window.Highest() != high {
		t.Errorf("%s: moved the window", what)
	}
}

// put returns a copy of rec with the bytes b at offset at.
func put(rec []byte, at int, b ...byte) []byte {
	rec = slices.Clone(rec)
	copy(rec[at:], b)
	return rec
}

func TestOpenRefuses(t *testing.T) {
	for _, suite := range suites {
		client, server := pair(t, suite, 1)
		open(t, server, seal(t, client, "before"), "before")
		rec := seal(t, client, "the record in question")
		for n := range rec {
			refused(t, server, "truncated", rec[:n])
			cut := slices.Clone(rec[:n])
			if n >= HeaderLen { // cut, but consistent
				binary.BigEndian.PutUint16(cut[11:], uint16(n-HeaderLen))
				refused(t, server, "truncated and relabelled", cut)
			}
		}
		for bit := range len(rec) * 8 {
			flipped := slices.Clone(rec)
			flipped[bit/8] ^= 1 << (bit % 8)
			refused(t, server, "bit flipped", flipped)
		}
		refused(t, server, "longer", append(slices.Clone(rec), 0))
		for typ := range 256 {
			if typ != int(ApplicationData) {
				refused(t, server, "other type", put(rec, 0, byte(typ)))
			}
		}
		refused(t, server, "DTLS 1.0", put(rec, 1, 0xfe, 0xff))
		refused(t, server, "DTLS 1.3", put(rec, 1, 0xfe, 0xfc))
		for _, e := range []byte{0, 2, 3, 255} {
			refused(t, server, "other epoch", put(rec, 3, 0, e))
		}
		refused(t, server, "far ahead", put(rec, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
		refused(t, server, "own direction", seal(t, server, "reflected"))
		open(t, server, rec, "the record in question")
		refused(t, server, "replayed", rec)
		open(t, server, seal(t, client, "after"), "after")
	}
}

// "The length MUST NOT exceed 2^14 + 1024" RFC 5246 6.2.3, and "2^14" for the plaintext, at -1, 0 and +1.
func TestSizes(t *testing.T) {
	client, server := pair(t, suites[0], 1)
	for _, n := range []int{0, 1, MaxPlaintext - 1, MaxPlaintext} {
		text := string(make([]byte, n))
		open(t, server, seal(t, client, text), text)
	}
	if dst, err := client.Seal([]byte{9}, ApplicationData, make([]byte, MaxPlaintext+1)); !errors.Is(err, ErrTooLarge) || len(dst) != 1 {
		t.Errorf("Seal above the limit: %v", err)
	}
	// Authentic, but too large: only a peer that breaks the rule can make it.
	h := Header{Type: ApplicationData, Version: Version, Epoch: epoch, Seq: client.next, Length: Overhead - HeaderLen + MaxPlaintext + 1}
	rec := make([]byte, Prefix, Overhead+MaxPlaintext+1)
	h.put(rec)
	client.out.prepare(rec[HeaderLen:], h, MaxPlaintext+1)
	refused(t, server, "oversized", client.out.aead.Seal(rec, client.out.nonce[:], make([]byte, MaxPlaintext+1), client.out.ad[:]))
}

// Reordered records open once each, those behind the window never.
func TestReorder(t *testing.T) {
	client, server := pair(t, suites[0], 1)
	const n = 3000
	var recs [n][]byte
	for i := range recs {
		recs[i] = seal(t, client, "x")
	}
	open(t, server, recs[n-1], "x")
	for i, seen := n-1, n-1; i >= 0; i-- {
		switch _, _, err := server.Open(slices.Clone(recs[i])); {
		case i == seen, seen-i >= 1024:
			if !errors.Is(err, ErrRecord) {
				t.Fatalf("record %d: %v", i, err)
			}
		case err != nil:
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if server.FailedOpens() != 0 {
		t.Errorf("%d replays count as forgeries", server.FailedOpens())
	}
}

// "Integrity limit: count failed decryptions per key, close at 2^36."
func TestFailedOpens(t *testing.T) {
	client, server := pair(t, suites[0], 1)
	rec := seal(t, client, "x")
	for i := range uint64(10) {
		refused(t, server, "forged", put(rec, Prefix, rec[Prefix]^1))
		if got := server.FailedOpens(); got != i+1 {
			t.Fatalf("FailedOpens = %d, want %d", got, i+1)
		}
	}
	server.failed = MaxFailedOpens - 1
	open(t, server, rec, "x")
	refused(t, server, "the last forgery", put(seal(t, client, "y"), Prefix, 0, 1, 2))
	if _, _, err := server.Open(seal(t, client, "z")); !errors.Is(err, ErrExhausted) {
		t.Errorf("Open past the limit: %v", err)
	}
}

func TestWipe(t *testing.T) {
	client, server := pair(t, suites[0], 1)
	rec := seal(t, client, "x")
	client.Wipe()
	server.Wipe()
	if _, err := client.Seal(nil, ApplicationData, nil); !errors.Is(err, ErrExhausted) {
		t.Errorf("Seal: %v", err)
	}
	if _, _, err := server.Open(rec); !errors.Is(err, ErrExhausted) {
		t.Errorf("Open: %v", err)
	}
	if _, err := client.Reseal(nil, rec); !errors.Is(err, ErrExhausted) {
		t.Errorf("Reseal: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	client, _ := pair(f, suites[0], 1)
	f.Add(seal(f, client, "seed"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := testSecrets(suites[len(b)%len(suites)])
		s.Master[0]++ // not the secrets of the seed
		client, _ := New(s, true, 5, 0)
		server, _ := New(s, false, 5, 0)
		for rest := b; ; {
			rec, more, ok := Next(rest)
			if !ok {
				break
			}
			if _, _, err := server.Open(rec); err == nil {
				t.Fatal("a record that nobody sealed opens")
			}
			rest = more
		}
		open(t, server, seal(t, client, "still usable"), "still usable")
	})
}
