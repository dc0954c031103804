package record

import (
	"encoding/binary"
	"errors"
	"testing"
)

func nonceOf(rec []byte) uint64 { return binary.BigEndian.Uint64(rec[HeaderLen:]) }

// "Each value of the nonce_explicit MUST be distinct for each distinct invocation of the GCM encrypt function
// for any fixed key." RFC 5288 3
func TestNoncesUnique(t *testing.T) {
	client, _ := pair(t, suites[0], 3)
	quarter := uint64(1 << 18)
	if testing.Short() {
		quarter >>= 4
	}
	seen := make(map[uint64]bool, 4*quarter)
	buf := make([]byte, 0, 64)
	for i := range 4 * quarter {
		switch i { // a connection may get several connection ids, and one of them twice
		case quarter, 3 * quarter:
			client.SetConnectionID(0xa1b2c3d4)
		case 2 * quarter:
			client.SetConnectionID(0xa1b2c3d5)
		}
		rec, err := client.Seal(buf, ApplicationData, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := nonceOf(rec); seen[n] {
			t.Fatalf("record %d repeats nonce %x", i, n)
		} else {
			seen[n] = true
		}
	}
}

// "When WELCOME brings a connection id that is not 0, the client's explicit nonce is from then on
// connection id (4) ‖ low 32 bits of the record number (4), and the record number never restarts."
// PROTOCOL.md 9.3
func TestNoncesDeterministic(t *testing.T) {
	client, server := pair(t, suites[0], 2)
	for _, step := range []struct {
		id    uint32
		taken bool
		want  uint64
	}{
		{0, false, 0x0001_000000000002},
		{0x0001_0000, false, 0x0001_000000000003},
		{0x0001_abcd, false, 0x0001_000000000004},
		{0xdeadbeef, true, 0xdeadbeef_00000005},
		{0x00010001, false, 0xdeadbeef_00000006},
		{0xcafebabe, true, 0xcafebabe_00000007},
		{0x0000_abcd, false, 0xcafebabe_00000008},
	} {
		if step.id != 0 && client.SetConnectionID(step.id) != step.taken {
			t.Errorf("SetConnectionID(%x) = %v", step.id, !step.taken)
		}
		rec := seal(t, client, "x")
		if got := nonceOf(rec); got != step.want {
			t.Errorf("nonce %016x, want %016x", got, step.want)
		}
		open(t, server, rec, "x")
	}
}

// "A client MUST ignore it if the explicit nonce of its own Finished began with it."
// PROTOCOL.md 9.3
func TestSpentNonceForbidsConnectionID(t *testing.T) {
	s := testSecrets(suites[0])
	s.Spent = []uint64{0x0123456789abcdef, 0xdeadbeef00000001}
	c, err := New(s, true, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c.SetConnectionID(0xdeadbeef) || c.SetConnectionID(0x01234567) || !c.SetConnectionID(0xdeadbeee) {
		t.Error("SetConnectionID did not keep clear of spent nonces")
	}
}

// "Abort if the engine's own Finished used an explicit nonce that our counter could reach", at -1, 0 and +1.
func TestSpentNonceAhead(t *testing.T) {
	for nonce, want := range map[uint64]error{
		0x0001_000000000000: nil, // v3 counts as we do: used, and behind us
		0x0001_000000000006: nil,
		0x0001_000000000007: ErrSecrets,
		0x0001_000000000008: ErrSecrets,
		0x0001_0000ffffffff: ErrSecrets,
		0x0001_000100000000: nil,
		0x0000_ffffffffffff: nil,
		0x0002_000000000007: nil,
	} {
		s := testSecrets(suites[0])
		s.Spent = []uint64{42, nonce}
		if _, err := New(s, false, 7, 0); !errors.Is(err, want) {
			t.Errorf("nonce %016x: %v, want %v", nonce, err, want)
		}
	}
}

// "Records per key: a new connection before 2^24", at -1, 0 and +1.
func TestMaxRecords(t *testing.T) {
	client, server := pair(t, suites[0], MaxRecords-2)
	open(t, server, seal(t, client, "last but one"), "last but one")
	open(t, server, seal(t, client, "last"), "last")
	for range 3 {
		if dst, err := client.Seal([]byte{1, 2}, ApplicationData, nil); !errors.Is(err, ErrExhausted) || len(dst) != 2 {
			t.Errorf("Seal past the limit: %v", err)
		}
	}
	if got := client.Sealed(); got != MaxRecords {
		t.Errorf("Sealed = %d", got)
	}
	open(t, client, seal(t, server, "the other way still works"), "the other way still works")
	for _, next := range []uint64{MaxRecords, MaxRecords + 1, 1 << 48, 1<<64 - 1} {
		if _, err := New(testSecrets(suites[0]), true, next, 0); !errors.Is(err, ErrExhausted) {
			t.Errorf("New at %d: %v", next, err)
		}
	}
}

func TestUnknownSuites(t *testing.T) {
	for _, s := range []Suite{0, 0xc00a, 0xc014, 0xc0ac, 0xcca9, 0x1301, 0xffff} { // CBC, CCM, ChaCha20, TLS 1.3
		if _, err := New(testSecrets(s), true, 1, 0); !errors.Is(err, ErrSecrets) {
			t.Errorf("%v: %v", s, err)
		}
	}
}
