package resume

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fleetkey"
)

type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	if f.left--; f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

// Close writes the last chunk and forgets what was sealed.
func TestWriterForgets(t *testing.T) {
	w, err := NewWriter(new(bytes.Buffer), newRing(t, newTestKey(t, 1)), begin, bytes.NewReader(counting(1, 16)))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Add(sampleSession(1)), w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{w.entry[:cap(w.entry)], w.chunk[:cap(w.chunk)]} {
		if len(b) == 0 || len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("%x is still there", b)
		}
	}
}

// A writer that fails is heard of, wherever it fails, and then to the end.
func TestSnapshotWriteErrors(t *testing.T) {
	ring := newRing(t, newTestKey(t, 1))
	for writes := range 5 {
		w, err := NewWriter(&failing{writes}, ring, begin, bytes.NewReader(counting(1, 16)))
		for n := 0; err == nil && n < 400; n++ {
			err = w.Add(sampleSession(n))
		}
		if err == nil {
			err = w.Close()
		} else if w != nil && (w.Remember(Remembered{}) == nil || w.Revoke(Revoked{}) == nil || w.Ban(Banned{}) == nil || w.Live(LiveAddress{}) == nil || w.Close() == nil) {
			t.Errorf("%d writes: the snapshot goes on after %v", writes, err)
		}
		if (err == nil) != (writes == 4) { // header and three chunks
			t.Errorf("%d writes: %v", writes, err)
		}
	}
	if _, err := NewWriter(new(bytes.Buffer), ring, begin, bytes.NewReader(nil)); err == nil {
		t.Error("an id without randomness")
	}
	key := newTestKey(t, 1)
	key.Wipe()
	for name, ring := range map[string]*fleetkey.Ring{"no ring": nil, "no key": {}, "a wiped key": newRing(t, key)} {
		var file bytes.Buffer
		_, err := NewWriter(&file, ring, begin, bytes.NewReader(counting(1, 16)))
		if !errors.Is(err, fleetkey.ErrKey) || !strings.HasPrefix(err.Error(), "resume: ") || file.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, file.Len())
		}
	}
}
