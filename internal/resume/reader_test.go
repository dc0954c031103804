package resume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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

// "A snapshot that is damaged, cut off, followed by anything or too old is refused as a whole." PROTOCOL.md 8.4
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
	for age, refused := range map[time.Duration]bool{
		-time.Millisecond: true, 0: false, SnapshotLife: false, SnapshotLife + time.Millisecond: true,
	} {
		if _, err := Read(bytes.NewReader(one), ring, begin.Add(age)); (err != nil) != refused {
			t.Errorf("%v old: %v", age, err)
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

// "There are at most 4,096 chunks." PROTOCOL.md 8.4. Neither a reader nor a writer goes on.
func TestSnapshotLength(t *testing.T) {
	var c chunkCipher
	for n := range maxChunks + 1 {
		if nonce, ok := c.nonce(false); ok != (n < maxChunks) || binary.BigEndian.Uint64(nonce[:]) != uint64(n) {
			t.Fatalf("chunk %d: %x, %v", n, nonce, ok)
		}
	}
}
