package resume

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// fleetKey is a key of a test's: id and secret follow from n.
func newTestKey(t testing.TB, n byte) FleetKey {
	t.Helper()
	k, err := NewFleetKey(uint32(n)<<24|1, counting(n, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newRing(t testing.TB, keys ...FleetKey) *FleetKeys {
	t.Helper()
	r, err := NewFleetKeys(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFleetKeyRefused(t *testing.T) {
	for name, c := range map[string]struct {
		id     uint32
		secret []byte
	}{
		"id 0":     {0, counting(1, 32)},
		"no bytes": {1, nil},
		"31 bytes": {1, counting(1, 31)},
		"33 bytes": {1, counting(1, 33)},
		"zeros":    {1, make([]byte, 32)},
		"one byte": {1, bytes.Repeat([]byte{7}, 32)},
	} {
		if k, err := NewFleetKey(c.id, c.secret); !errors.Is(err, ErrFleetKey) || k.ID() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// "It keeps a copy of secret."
func TestFleetKeyCopies(t *testing.T) {
	secret := counting(9, 32)
	k, err := NewFleetKey(1, secret)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := k.Text()
	clear(secret)
	if after, err := k.Text(); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%s, then %s, %v", before, after, err)
	}
}

func TestGenerateFleetKey(t *testing.T) {
	a, errA := GenerateFleetKey()
	b, errB := GenerateFleetKey()
	if errA != nil || errB != nil || a.ID() == 0 || a.ID() == b.ID() {
		t.Errorf("%v, %v: %08x and %08x", errA, errB, a.ID(), b.ID())
	}
	textA, _ := a.Text()
	textB, _ := b.Text()
	if bytes.Equal(textA[9:], textB[9:]) {
		t.Error("the same key twice")
	}
}

func TestFleetKeyFile(t *testing.T) {
	a, b := newTestKey(t, 1), newTestKey(t, 2)
	textA, _ := a.Text()
	textB, _ := b.Text()
	if want := "01000001:" + hex.EncodeToString(counting(1, 32)) + "\n"; string(textA) != want {
		t.Errorf("Text is %q, want %q", textA, want)
	}
	file := "# of November\n" + string(textA) + "\r\n  \n" + strings.ToUpper(strings.TrimSpace(string(textB)))
	keys, err := ParseFleetKeys([]byte(file))
	if err != nil || len(keys) != 2 || keys[0].ID() != a.ID() || keys[1].ID() != b.ID() {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if again, err := keys[1].Text(); err != nil || !bytes.Equal(again, textB) {
		t.Errorf("%q comes back as %q, %v", textB, again, err)
	}
	if keys, err := ParseFleetKeys([]byte("# nothing\n")); err != nil || len(keys) != 0 {
		t.Errorf("no key: %d keys, %v", len(keys), err)
	}
	good := strings.TrimSpace(string(textA))
	for name, file := range map[string]string{
		"short": good[:len(good)-1], "long": good + "0", "no colon": strings.Replace(good, ":", " ", 1),
		"no hex in id": "x" + good[1:], "no hex in key": good[:len(good)-1] + "x", "id 0": "00000000" + good[8:],
		"two on a line": good + " " + good, "too long": strings.Repeat("#\n", maxKeyFile/2) + "#",
	} {
		if _, err := ParseFleetKeys([]byte(file)); !errors.Is(err, ErrFleetKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFleetKeys(f *testing.F) {
	text, err := newTestKey(f, 1).Text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(append([]byte("#\n\n"), text...))
	f.Fuzz(func(t *testing.T, file []byte) {
		keys, err := ParseFleetKeys(file)
		if err != nil && (!errors.Is(err, ErrFleetKey) || keys != nil) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		var again []byte
		for _, k := range keys {
			line, err := k.Text()
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, line...)
		}
		if same, err := ParseFleetKeys(again); err != nil && len(again) <= maxKeyFile || len(same) != len(keys) {
			t.Fatalf("%d keys of %d, %v", len(same), len(keys), err)
		}
	})
}

// "A secret is a type": out of reach of ==, fmt, slog and encoders.
func TestFleetKeysStayInside(t *testing.T) {
	k := newTestKey(t, 0xa1)
	ring := newRing(t, k)
	if reflect.TypeFor[FleetKey]().Comparable() {
		t.Error("FleetKey compares with ==")
	}
	for _, holder := range []any{k, &k, ring, []FleetKey{k}} {
		var b bytes.Buffer
		fmt.Fprintf(&b, "%v %+v %#v %s %q %x %d", holder, holder, holder, holder, holder, holder, holder)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", holder)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", holder)
		j, _ := json.Marshal(holder)
		b.Write(j)
		_ = gob.NewEncoder(&b).Encode(holder)
		for _, spelling := range []string{string(counting(0xa1, 32)), "a1a2a3a4a5", "161 162 163", "161,162,163"} {
			if strings.Contains(strings.ToLower(b.String()), spelling) {
				t.Errorf("%T shows the key", holder)
			}
		}
	}
	for _, line := range []string{"01000001:a1a2a3", "a1a2a3a4:" + strings.Repeat("zz", 32)} {
		if _, err := ParseFleetKeys([]byte(line)); strings.Contains(err.Error(), "a1a2") || !strings.HasPrefix(err.Error(), "session: ") {
			t.Errorf("the error is %q", err)
		}
	}
}

// "Wipe forgets the key, in all copies."
func TestFleetKeyWipe(t *testing.T) {
	k := newTestKey(t, 1)
	ring := newRing(t, k)
	sealed := sealTicket(t, ring, sampleTicket())
	duplicate := k
	duplicate.Wipe()
	if k.key().secret != [32]byte{} {
		t.Error("the bytes are still there")
	}
	if _, err := k.Text(); !errors.Is(err, ErrFleetKey) {
		t.Errorf("Text: %v", err)
	}
	if _, err := openTicket(ring, begin, sealed); !errors.Is(err, errTicket) {
		t.Errorf("open: %v", err)
	}
	if _, err := sampleTicket().seal(nil, ring, bytes.NewReader(make([]byte, 12))); !errors.Is(err, errNoTicket) {
		t.Errorf("seal: %v", err)
	}
	if _, err := newSnapshotWriter(new(bytes.Buffer), ring, begin, bytes.NewReader(make([]byte, 16))); !errors.Is(err, errNoTicket) {
		t.Errorf("snapshot: %v", err)
	}
	FleetKey{}.Wipe() // harmless
	if _, err := (FleetKey{}).Text(); !errors.Is(err, ErrFleetKey) || (FleetKey{}).Sealed() != 0 {
		t.Errorf("the zero FleetKey: %v", err)
	}
}

// "The error matches ErrFleetKey, and then nothing has changed."
func TestFleetKeysSet(t *testing.T) {
	a, b := newTestKey(t, 1), newTestKey(t, 2)
	var many []FleetKey
	for n := range byte(maxFleetKeys + 1) {
		many = append(many, newTestKey(t, n+1))
	}
	newRing(t, many[:maxFleetKeys]...)
	ring := newRing(t, a)
	for name, keys := range map[string][]FleetKey{
		"empty": {{}}, "empty behind": {a, {}}, "same": {a, b, a}, "too many": many,
	} {
		if err := ring.Set(keys...); !errors.Is(err, ErrFleetKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := NewFleetKeys(keys...); !errors.Is(err, ErrFleetKey) {
			t.Errorf("new, %s: %v", name, err)
		}
	}
	if err := ring.Rotate(FleetKey{}); !errors.Is(err, ErrFleetKey) {
		t.Errorf("rotate to nothing: %v", err)
	}
	if err := ring.Rotate(a); !errors.Is(err, ErrFleetKey) {
		t.Errorf("rotate to itself: %v", err)
	}
	if ring.find(a.ID()) == nil || len(ring.all()) != 1 {
		t.Error("the ring has changed")
	}
	for _, off := range []*FleetKeys{nil, {}, newRing(t)} {
		if off.Enabled() || off.find(a.ID()) != nil {
			t.Error("a ring without keys has one")
		}
	}
	if err := new(FleetKeys).Rotate(a); err != nil {
		t.Errorf("the first key: %v", err)
	}
}

// Two servers change keys one after the other, and no ticket is lost between
// them: "first have every server open with the next key, then have every server
// seal with it".
func TestFleetKeysRotate(t *testing.T) {
	a, b, c := newTestKey(t, 1), newTestKey(t, 2), newTestKey(t, 3)
	servers := []*FleetKeys{newRing(t, a), newRing(t, a)}
	exchange := func(step string) {
		t.Helper()
		for i, from := range servers {
			if _, err := openTicket(servers[1-i], begin, sealTicket(t, from, sampleTicket())); err != nil {
				t.Errorf("%s: from server %d: %v", step, i, err)
			}
		}
	}
	before := sealTicket(t, servers[0], sampleTicket())
	for _, s := range servers {
		if err := s.Set(a, b); err != nil {
			t.Fatal(err)
		}
		exchange("told the next key")
	}
	for _, s := range servers {
		if err := s.Rotate(b); err != nil {
			t.Fatal(err)
		}
		exchange("rotated")
	}
	if _, err := openTicket(servers[0], begin, before); err != nil {
		t.Errorf("a ticket from before the change: %v", err)
	}
	if sealed := sealTicket(t, servers[0], sampleTicket()); !bytes.Equal(sealed[:4], []byte{2, 0, 0, 1}) {
		t.Errorf("sealed with key %x", sealed[:4])
	}
	if err := servers[0].Rotate(c); err != nil {
		t.Fatal(err)
	}
	if _, err := openTicket(servers[0], begin, before); !errors.Is(err, errTicket) {
		t.Errorf("a ticket under a retired key: %v", err)
	}
}

// Keys change, and one is wiped, while others seal and open; run with -race.
func TestFleetKeysConcurrency(t *testing.T) {
	old := newTestKey(t, 1)
	ring := newRing(t, old)
	var wg sync.WaitGroup
	for n := range byte(4) {
		wg.Go(func() {
			for range 50 {
				sealed, err := sampleTicket().seal(nil, ring, bytes.NewReader(counting(n, 12)))
				if err == nil {
					_, err = openTicket(ring, begin, sealed)
				}
				if err != nil && !errors.Is(err, errTicket) && !errors.Is(err, errNoTicket) {
					t.Error(err)
				}
				_, _ = old.Text()
			}
		})
		wg.Go(func() {
			if err := ring.Rotate(newTestKey(t, 10+n)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(old.Wipe)
	wg.Wait()
	if n := len(ring.all()); n != 2 {
		t.Errorf("%d keys", n)
	}
}
