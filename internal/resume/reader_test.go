package resume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleetkey"
)

func refusedSnapshot(t *testing.T, name string, keys *fleetkey.Ring, now time.Time, file []byte) {
	t.Helper()
	if f, err := Read(bytes.NewReader(file), keys, now); !errors.Is(err, ErrSnapshot) || f != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// "A snapshot that is damaged, cut off or followed by anything MUST be refused as a whole."
// docs/fleet.md 8.4
func TestSnapshotRefused(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1), newTestKey(t, 2))
	one := writeSnapshot(t, ring, 1, sampleSession(1))
	for i := range one {
		b := bytes.Clone(one)
		b[i] ^= 1
		refusedSnapshot(t, fmt.Sprintf("byte %d", i), ring, begin, b)
		refusedSnapshot(t, fmt.Sprintf("%d bytes", i), ring, begin, one[:i])
	}
	refusedSnapshot(t, "longer", ring, begin, append(bytes.Clone(one), 0))
	refusedSnapshot(t, "twice", ring, begin, append(bytes.Clone(one), one...))
	refusedSnapshot(t, "other key", newRing(t, newTestKey(t, 2)), begin, one)
	refusedSnapshot(t, "no key", nil, begin, one)
}

// "Sessions are good for 30 s" docs/fleet.md 8.4. Whatever else is in a snapshot has a time of its
// own.
func TestSnapshotLate(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	one := writeSnapshot(t, ring, 1, sampleSession(1))
	for age, late := range map[time.Duration]int{
		-time.Millisecond: 1, 0: 0, SnapshotLife: 0, SnapshotLife + time.Millisecond: 1, 365 * 24 * time.Hour: 1,
	} {
		got, err := Read(bytes.NewReader(one), ring, begin.Add(age))
		if err != nil || got.LeftOut != late || len(got.Sessions) != 1-late || len(got.Remembered) != 1 {
			t.Errorf("%v old: %+v, %v", age, got, err)
		}
	}
}

// An address is one, and there is one at most; so with the digest key.
func TestSnapshotOfServer(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	v4, v6 := netip.MustParseAddrPort("192.0.2.1:7777"), netip.MustParseAddrPort("[2001:db8::1]:1")
	key := [32]byte(counting(1, 32))
	for name, c := range map[string]struct {
		write func(w *Writer) error
		want  *Snapshot
	}{
		"none":         {func(w *Writer) error { return w.For(netip.AddrPort{}) }, &Snapshot{}},
		"IPv4":         {func(w *Writer) error { return w.For(v4) }, &Snapshot{Address: v4}},
		"IPv6":         {func(w *Writer) error { return w.For(v6) }, &Snapshot{Address: v6}},
		"two":          {func(w *Writer) error { return errors.Join(w.For(v4), w.For(v4)) }, nil},
		"key":          {func(w *Writer) error { return w.Digests(&key) }, &Snapshot{Digests: key}},
		"two keys":     {func(w *Writer) error { return errors.Join(w.Digests(&key), w.Digests(&key)) }, nil},
		"clock":        {func(w *Writer) error { return w.Clock(sampleClock) }, &Snapshot{Clock: sampleClock}},
		"two clocks":   {func(w *Writer) error { return errors.Join(w.Clock(sampleClock), w.Clock(sampleClock)) }, nil},
		"no clock":     {func(w *Writer) error { return w.Clock(Clock{}) }, &Snapshot{}},
		"behind by 0":  {func(w *Writer) error { return w.Clock(Clock{Stepped: 1}) }, nil},
		"ban held < 0": {func(w *Writer) error { return w.Ban(Banned{Held: -1}) }, nil},
		"a zero key":   {func(w *Writer) error { return w.Digests(&[32]byte{}) }, nil},
	} {
		var file bytes.Buffer
		w, err := NewWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
		if err = errors.Join(err, c.write(w), w.Close()); err != nil {
			t.Fatal(name, err)
		}
		got, err := Read(&file, ring, begin)
		if c.want != nil {
			c.want.ID, c.want.Made = [16]byte(counting(1, 16)), begin
		}
		if !reflect.DeepEqual(got, c.want) || (err != nil) != (c.want == nil) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Chunks stand in their file, in their place.
func TestSnapshotChunks(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	list := sampleSessions(500)
	file, other := writeSnapshot(t, ring, 1, list...), writeSnapshot(t, ring, 2, list...)
	header := file[:snapshotHeader]
	chunks, foreign := cutChunks(file), cutChunks(other)
	if len(chunks) < 3 {
		t.Fatalf("%d chunks", len(chunks))
	}
	last := chunks[len(chunks)-1]
	marked := bytes.Clone(chunks[0])
	marked[0] |= 0x80
	unmarked := bytes.Clone(last)
	unmarked[0] &^= 0x80
	long := binary.BigEndian.AppendUint32(nil, lastChunk|(maxChunk+17))
	for name, order := range map[string][][]byte{
		"no chunk":            {},
		"last missing":        chunks[:len(chunks)-1],
		"last alone":          {last},
		"first missing":       chunks[1:],
		"one missing":         {chunks[0], last},
		"swapped":             append([][]byte{chunks[1], chunks[0]}, chunks[2:]...),
		"repeated":            append([][]byte{chunks[0]}, chunks...),
		"of another file":     append([][]byte{foreign[0]}, chunks[1:]...),
		"marked as last":      {marked},
		"last not marked":     append(append([][]byte(nil), chunks[:len(chunks)-1]...), unmarked),
		"something follows":   append(append([][]byte(nil), chunks...), chunks[0]),
		"longer than a chunk": {long, make([]byte, maxChunk+17)},
	} {
		refusedSnapshot(t, name, ring, begin, append(bytes.Clone(header), bytes.Join(order, nil)...))
	}
	if _, err := Read(bytes.NewReader(append(bytes.Clone(header), bytes.Join(chunks, nil)...)), ring, begin); err != nil {
		t.Error(err)
	}
}

func cutChunks(file []byte) (chunks [][]byte) {
	for rest := file[snapshotHeader:]; len(rest) > 0; {
		n := 4 + int(binary.BigEndian.Uint32(rest)&^lastChunk)
		chunks = append(chunks, rest[:n])
		rest = rest[n:]
	}
	return chunks
}

// "There are at most 4,096 chunks." docs/fleet.md 8.4. Neither a reader nor a writer goes on.
func TestSnapshotLength(t *testing.T) {
	var c chunkCipher
	for n := range maxChunks + 1 {
		if nonce, ok := c.nonce(false); ok != (n < maxChunks) || binary.BigEndian.Uint64(nonce[:]) != uint64(n) {
			t.Fatalf("chunk %d: %x, %v", n, nonce, ok)
		}
	}
}
