package resume

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

// writeSnapshot writes sessions, each with the token that it has used.
func writeSnapshot(t testing.TB, keys *fleetkey.Ring, id byte, sessions ...*Session) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, keys, begin, bytes.NewReader(counting(id, 16)))
	if err != nil {
		t.Fatal(err)
	}
	for n, s := range sessions {
		if err := errors.Join(w.Add(s), w.Remember(sampleRemembered(n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func TestSnapshot(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	for _, n := range []int{0, 1, 2, 10, 300} { // 300 take more than one chunk
		list := sampleSessions(n)
		file := writeSnapshot(t, ring, byte(n), list...)
		got, err := Read(bytes.NewReader(file), ring, begin)
		if err != nil || len(got.Sessions) != n || got.ID != [16]byte(counting(byte(n), 16)) {
			t.Fatalf("%d sessions: %+v, %v", n, got, err)
		}
		for i, s := range list {
			if want := written(t, s); !reflect.DeepEqual(got.Sessions[i], want) {
				t.Errorf("session %d of %d:\n%+v, want\n%+v", i, n, got.Sessions[i], want)
			}
		}
	}
}

// The memory of what counts once, or is revoked, goes with the sessions: "each list is in the order in which it was
// written".
func TestSnapshotMemory(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	var file bytes.Buffer
	w, err := NewWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	want := Snapshot{ID: [16]byte(counting(1, 16)), Made: begin, Digests: [32]byte(counting(2, 32))}
	want.Address, want.Clock = netip.MustParseAddrPort("[::1]:7777"), sampleClock
	if err := errors.Join(w.For(want.Address), w.Digests(&want.Digests), w.Clock(want.Clock)); err != nil {
		t.Fatal(err)
	}
	for n := range 3000 {
		var err error
		switch n % 5 {
		case 4:
			err = w.Live(sampleLive(n))
			want.Live = append(want.Live, sampleLive(n))
		case 0:
			err = w.Remember(sampleRemembered(n))
			want.Remembered = append(want.Remembered, sampleRemembered(n))
		case 1:
			err = w.Revoke(sampleRevoked(n))
			want.Revoked = append(want.Revoked, sampleRevoked(n))
		case 2:
			err = w.Add(sampleSession(n))
			want.Sessions = append(want.Sessions, written(t, sampleSession(n)))
		case 3:
			err = w.Ban(sampleBanned(n))
			want.Banned = append(want.Banned, sampleBanned(n))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&file, ring, begin)
	if err != nil || !reflect.DeepEqual(got, &want) {
		t.Errorf("%d sessions, %d remembered, %d revoked, %v", len(got.Sessions), len(got.Remembered), len(got.Revoked), err)
	}
}

var sampleClock = Clock{int64(time.Hour), begin.UnixNano()}

func sampleRemembered(n int) Remembered {
	return Remembered{uint64(n) << 40, uint32(n) << 8, byte(n), uint32(n), uint32(n) + 1, begin.Add(time.Duration(n) * time.Second).UnixMilli()}
}

func sampleRevoked(n int) Revoked {
	at := begin.Add(time.Duration(n)).UnixNano()
	return Revoked{sha256.Sum256([]byte{byte(n), byte(n >> 8), 1}), at, at + int64(time.Hour)}
}

func sampleBanned(n int) Banned {
	return Banned{sha256.Sum256([]byte{byte(n), byte(n >> 8), 2}), begin.Add(time.Duration(n) * time.Hour).UnixNano(), byte(n), int64(n % 3)}
}

func sampleLive(n int) LiveAddress {
	addr := netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)})
	if n%2 == 0 {
		addr = netip.AddrFrom16([16]byte{0x20, 1, 6: byte(n >> 8), 7: byte(n)})
	}
	return LiveAddress{addr, begin.Add(time.Duration(n) * time.Second).UnixMilli()}
}

// A session and the token that it has used take at most 512 bytes, with the default window and names of Amazon Cognito.
func TestSnapshotSize(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	var plain, heavy, all []*Session
	for n := range 1000 {
		s := sampleSession(n)
		all = append(all, s)
		if s.Next != nil {
			continue
		}
		if plain = append(plain, sampleSession(n&^1)); n%4 == 1 {
			heavy = append(heavy, s)
		}
	}
	for _, c := range []struct {
		name string
		list []*Session
	}{{"IPv4, 128 bits", plain}, {"IPv6, 256 bits, certificate", heavy}, {"mixed, a tenth renewing", all}} {
		per := len(writeSnapshot(t, ring, 1, c.list...)) / len(c.list)
		if t.Logf("%s: %d bytes a session", c.name, per); per > 512 {
			t.Errorf("%s: %d bytes a session", c.name, per)
		}
	}
}

// "A session of an earlier version has kind 1. The successor MUST leave it out, and take over the rest." docs/fleet.md
// 8.4: a ban does not end with the version that imposed it.
func TestSnapshotOfEarlierVersion(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	var file bytes.Buffer
	w, err := NewWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.entry = append(w.entry[:0], counting(3, 200)...)
		if err := w.put(1); err != nil {
			t.Fatal(err)
		}
	}
	ban := sampleBanned(1)
	if err := errors.Join(w.Ban(ban), w.Remember(sampleRemembered(1)), w.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&file, ring, begin)
	if err != nil || len(got.Sessions) != 0 || got.LeftOut != 2 || len(got.Remembered) != 1 || !reflect.DeepEqual(got.Banned, []Banned{ban}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzSnapshot takes its input as a chunk's entries, and as a file: what parses is written and read again the same,
// and no file of somebody else's opens.
func FuzzSnapshot(f *testing.F) {
	ring := newRing(f, newTestKey(f, 1))
	for n := range 10 {
		names := shared{numbers: map[string]uint16{}}
		entry := sampleSession(n).appendTo(nil, &names)
		chunk := appendItem([]byte{entrySession}, entry)
		again := sampleSession(n+1).appendTo(nil, &names)
		f.Add(chunk)
		f.Add(appendItem(append(chunk, entrySession), again))
	}
	remembered, revoked, banned := sampleRemembered(1), sampleRevoked(1), sampleBanned(1)
	f.Add(appendItem([]byte{entryRemembered}, remembered.appendTo(nil)))
	f.Add(appendItem([]byte{entryRevoked}, revoked.appendTo(nil)))
	f.Add(appendItem([]byte{entryBanned}, banned.appendTo(nil)))
	f.Add(appendItem([]byte{entryAddress}, []byte{192, 0, 2, 1, 4, 5}))
	f.Add(appendItem([]byte{entryDigests}, counting(1, 32)))
	f.Add(appendItem([]byte{entryClock}, sampleClock.appendTo(nil)))
	for n := range 2 {
		live := sampleLive(n)
		f.Add(appendItem([]byte{entryLive}, live.appendTo(nil)))
	}
	f.Add(laned(f, 0))
	f.Add(laned(f, 100))
	f.Add(laned(f, maxChunk/2))
	f.Add(writeSnapshot(f, newRing(f, newTestKey(f, 2)), 1, sampleSession(1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Read(bytes.NewReader(b), ring, begin); !errors.Is(err, ErrSnapshot) {
			t.Fatalf("%x: %v", b, err)
		}
		p := parser{snapshot: &Snapshot{ID: [16]byte(counting(1, 16)), Made: begin}}
		if !p.parse(b) || !p.endPieces() {
			return
		}
		p.snapshot.LeftOut = 0 // no version writes those any more
		again, err := Read(bytes.NewReader(rewrite(t, ring, p.snapshot)), ring, begin)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range p.snapshot.Sessions {
			p.snapshot.Sessions[i] = written(t, s)
		}
		if !reflect.DeepEqual(again, p.snapshot) {
			t.Fatalf("%+v comes back as %+v", p.snapshot, again)
		}
	})
}

// rewrite writes what s has.
func rewrite(t testing.TB, ring *fleetkey.Ring, s *Snapshot) []byte {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(&file, ring, s.Made, bytes.NewReader(s.ID[:]))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Sessions {
		err = errors.Join(err, w.Add(e))
	}
	err = errors.Join(err, w.For(s.Address), w.Clock(s.Clock))
	if s.Digests != [32]byte{} {
		err = errors.Join(err, w.Digests(&s.Digests))
	}
	for _, e := range s.Remembered {
		err = errors.Join(err, w.Remember(e))
	}
	for _, e := range s.Revoked {
		err = errors.Join(err, w.Revoke(e))
	}
	for _, e := range s.Banned {
		err = errors.Join(err, w.Ban(e))
	}
	for _, e := range s.Live {
		err = errors.Join(err, w.Live(e))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// 10,000 sessions are to be handed over within a second.
func BenchmarkSnapshot(b *testing.B) {
	ring := newRing(b, newTestKey(b, 1))
	list := sampleSessions(10_000)
	size := 0
	for b.Loop() {
		file := writeSnapshot(b, ring, 1, list...)
		f, err := Read(bytes.NewReader(file), ring, begin)
		if err != nil || len(f.Sessions) != len(list) {
			b.Fatal(err)
		}
		size = len(file)
	}
	b.ReportMetric(float64(size)/float64(len(list)), "bytes/session")
}
