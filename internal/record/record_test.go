package record

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

var suites = []Suite{ECDSAWithAES128, RSAWithAES128, ECDSAWithAES256, RSAWithAES256}

// testSecrets returns secrets that differ in every byte.
func testSecrets(suite Suite) *Secrets {
	s := &Secrets{Suite: suite}
	for i := range s.Master {
		s.Master[i] = byte(i)
	}
	for i := range s.ClientRandom {
		s.ClientRandom[i], s.ServerRandom[i] = byte(100+i), byte(200+i)
	}
	return s
}

// pair returns the two ends of a connection whose handshake used next record numbers each way.
func pair(t testing.TB, suite Suite, next uint64) (client, server *Conn) {
	t.Helper()
	client, err := New(testSecrets(suite), true, next, 0)
	if err != nil {
		t.Fatal(err)
	}
	if server, err = New(testSecrets(suite), false, next, 0); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func seal(t testing.TB, c *Conn, text string) []byte {
	t.Helper()
	rec, err := c.Seal(nil, ApplicationData, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func open(t testing.TB, c *Conn, rec []byte, want string) {
	t.Helper()
	typ, got, err := c.Open(slices.Clone(rec))
	if err != nil || typ != ApplicationData || string(got) != want {
		t.Fatalf("Open = %v, %q, %v; want %q", typ, got, err, want)
	}
}

// "key_block = PRF(SecurityParameters.master_secret, "key expansion", SecurityParameters.server_random +
// SecurityParameters.client_random)" RFC 5246 6.3; "additional_data = seq_num + type + version + length"
// 6.2.3.3; "struct { opaque salt[4]; opaque nonce_explicit[8]; }" RFC 5288 3.
func TestSealEqualsTwin(t *testing.T) {
	for _, suite := range suites {
		s := testSecrets(suite)
		n, h, _ := suite.params()
		block := twinPRF(h, 2*n+8, s.Master[:], "key expansion", slices.Concat(s.ServerRandom[:], s.ClientRandom[:])...)
		client, server := pair(t, suite, 7)
		for end, c := range []*Conn{client, server} {
			key, iv := block[end*n:(end+1)*n], block[2*n+4*end:2*n+4*end+4]
			for i, size := range []int{0, 1, 15, 16, 17, 333} {
				text := bytes.Repeat([]byte{byte(size)}, size)
				seq := []byte{0, 1, 0, 0, 0, 0, 0, byte(7 + i)}
				ad := slices.Concat(seq, []byte{22, 0xfe, 0xfd, byte(size >> 8), byte(size)})
				body := slices.Concat(seq, twinGCM(key, append(slices.Clone(iv), seq...), ad, text))
				want := slices.Concat([]byte{22, 0xfe, 0xfd}, seq, []byte{byte(len(body) >> 8), byte(len(body))}, body)
				got, err := c.Seal(nil, Handshake, text)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%v end %d size %d: got %x (%v), want %x", suite, end, size, got, err, want)
				}
			}
		}
	}
}

// RFC 5705 4: "PRF(SecurityParameters.master_secret, label, SecurityParameters.client_random +
// SecurityParameters.server_random)[length]", without a context.
func TestExport(t *testing.T) {
	for _, suite := range suites {
		s := testSecrets(suite)
		_, h, _ := suite.params()
		want := twinPRF(h, 100, s.Master[:], "EXPERIMENTAL-x", slices.Concat(s.ClientRandom[:], s.ServerRandom[:])...)
		for _, n := range []int{0, 1, 31, 32, 33, 48, 100} {
			if got := s.Export("EXPERIMENTAL-x", n); !bytes.Equal(got, want[:n]) {
				t.Errorf("%v: Export(%d) = %x, want %x", suite, n, got, want[:n])
			}
		}
	}
}

// "It panics on a label that TLS itself uses and on a suite that New refuses."
func TestExportRefuses(t *testing.T) {
	for label, suite := range map[string]Suite{"key expansion": suites[0], "master secret": suites[1], "x": 0xc00a} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Export(%q) with %v did not panic", label, suite)
				}
			}()
			testSecrets(suite).Export(label, 32)
		}()
	}
}

// Fmt, log/slog and encoding/json do not get to see it.
func TestSecretsStayInside(t *testing.T) {
	s := testSecrets(suites[0])
	for _, v := range []any{s, *s, struct{ S Secrets }{*s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "3, 4, 5") || strings.Contains(got, "030405") ||
				strings.Contains(got, "3 4 5") || strings.Contains(got, "0x3, 0x4") {
				t.Errorf("%s shows %s", verb, got)
			}
		}
		if b, err := json.Marshal(v); err == nil {
			t.Errorf("json gives %s", b)
		}
	}
	s.Wipe()
	if s.Master != [48]byte{} || s.ClientRandom != [32]byte{} {
		t.Error("Wipe left something")
	}
}

// "A UDP datagram may hold several records." PROTOCOL.md 2.1
func TestNext(t *testing.T) {
	client, server := pair(t, suites[0], 1)
	var datagram []byte
	for _, text := range []string{"one", "", "three"} {
		datagram = append(datagram, seal(t, client, text)...)
	}
	rest, got := append(datagram, 23, 0xfe, 0xfd), []string{}
	for {
		rec, more, ok := Next(rest)
		if !ok {
			break
		}
		rest = more
		_, text, err := server.Open(rec)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(text))
	}
	if !slices.Equal(got, []string{"one", "", "three"}) || len(rest) != 3 {
		t.Errorf("got %q, %d bytes left", got, len(rest))
	}
	for n := range HeaderLen {
		if _, _, ok := Next(make([]byte, n)); ok {
			t.Errorf("Next took %d bytes", n)
		}
	}
	short := make([]byte, HeaderLen+4)
	binary.BigEndian.PutUint16(short[11:], 5)
	if _, _, ok := Next(short); ok {
		t.Error("Next took a record that is cut short")
	}
}

// The plaintext may be anywhere, or lie exactly where its ciphertext goes.
func TestSealInPlace(t *testing.T) {
	a, _ := pair(t, suites[0], 1)
	b, _ := pair(t, suites[0], 1)
	text := bytes.Repeat([]byte("in place "), 20)
	buf := make([]byte, 5, 1200)
	copy(buf[:cap(buf)][5+Prefix:], text)
	got, err := a.Seal(buf, ApplicationData, buf[:cap(buf)][5+Prefix:][:len(text)])
	if err != nil {
		t.Fatal(err)
	}
	if &got[0] != &buf[0] {
		t.Error("Seal moved the buffer")
	}
	if want := seal(t, b, string(text)); !bytes.Equal(got[5:], want) {
		t.Errorf("got %x, want %x", got[5:], want)
	}
}

// "RFC 6347 4.2.4: re-sealing under a fresh record number", never the old nonce.
func TestReseal(t *testing.T) {
	engine, _ := pair(t, suites[2], 0)
	finished := []byte("\x14\x00\x00\x0c\x00\x07\x00\x00\x00\x00\x00\x0c verify data")
	flight, err := engine.Seal(nil, Handshake, finished)
	if err != nil {
		t.Fatal(err)
	}
	client, server := pair(t, suites[2], 1)
	again, err := client.Reseal([]byte("kept"), flight)
	if err != nil || string(again[:4]) != "kept" {
		t.Fatal(err)
	}
	if h, _ := ParseHeader(again[4:]); h.Seq != 1 || bytes.Equal(again[4+HeaderLen:4+Prefix], flight[HeaderLen:Prefix]) {
		t.Error("record number or nonce repeats")
	}
	typ, text, err := server.Open(again[4:])
	if err != nil || typ != Handshake || !bytes.Equal(text, finished) {
		t.Errorf("Open = %v, %q, %v", typ, text, err)
	}
	for _, bad := range [][]byte{nil, flight[:20], flight[:len(flight)-1], append(slices.Clone(flight), 0)} {
		if _, err := client.Reseal(nil, bad); !errors.Is(err, ErrRecord) {
			t.Errorf("Reseal of %d bytes: %v", len(bad), err)
		}
	}
	if _, err := server.Reseal(nil, flight); !errors.Is(err, ErrRecord) || server.Sealed() != 1 {
		t.Errorf("Reseal of the peer's record: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, s := range suites {
		if !strings.HasPrefix(s.String(), "TLS_ECDHE_") || s.RSA() != strings.HasPrefix(s.String(), "TLS_ECDHE_RSA_") {
			t.Errorf("%#x is called %v, RSA %v", uint16(s), s, s.RSA())
		}
	}
	for typ := range 256 {
		if ContentType(typ).String() == "" {
			t.Errorf("content type %d has no name", typ)
		}
	}
	if !IsCloseNotify(CloseNotify[:]) || !IsCloseNotify([]byte{2, 0}) || IsCloseNotify([]byte{2, 40}) || IsCloseNotify(nil) {
		t.Error("IsCloseNotify")
	}
}
