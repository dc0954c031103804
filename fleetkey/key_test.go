package fleetkey

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

func TestKeyRefused(t *testing.T) {
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
		if k, err := New(c.id, c.secret); !errors.Is(err, ErrKey) || k.ID() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// It keeps a copy of secret.
func TestKeyCopies(t *testing.T) {
	secret := counting(9, 32)
	k, err := New(1, secret)
	if err != nil {
		t.Fatal(err)
	}
	before, _ := k.Text()
	clear(secret)
	if after, err := k.Text(); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%s, then %s, %v", before, after, err)
	}
}

func TestGenerate(t *testing.T) {
	a, errA := Generate()
	b, errB := Generate()
	if errA != nil || errB != nil || a.ID() == 0 || a.ID() == b.ID() {
		t.Errorf("%v, %v: %08x and %08x", errA, errB, a.ID(), b.ID())
	}
	textA, _ := a.Text()
	textB, _ := b.Text()
	if bytes.Equal(textA[9:], textB[9:]) {
		t.Error("the same key twice")
	}
}

// "A secret is a type": out of reach of ==, fmt, slog and encoders.
func TestKeysStayInside(t *testing.T) {
	k := newTestKey(t, 0xa1)
	ring := newRing(t, k)
	if reflect.TypeFor[Key]().Comparable() {
		t.Error("a Key compares with ==")
	}
	for _, holder := range []any{k, &k, ring, []Key{k}} {
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
		if _, err := Parse([]byte(line)); strings.Contains(err.Error(), "a1a2") || !strings.HasPrefix(err.Error(), "fleetkey: ") {
			t.Errorf("the error is %q", err)
		}
	}
}

// Wipe forgets the key, in all copies.
func TestKeyWipe(t *testing.T) {
	k := newTestKey(t, 1)
	nonce := counting(0x60, 12)
	sealed, err := k.SealTicket(nil, nonce, []byte("content"), nil)
	if err != nil {
		t.Fatal(err)
	}
	duplicate := k
	duplicate.Wipe()
	if k.key().secret != [32]byte{} {
		t.Error("the bytes are still there")
	}
	for name, gone := range map[string]Key{"wiped": k, "zero": {}} {
		if _, err := gone.Text(); !errors.Is(err, ErrKey) {
			t.Errorf("%s: Text: %v", name, err)
		}
		if _, err := gone.Cipher(nil, "purpose"); !errors.Is(err, ErrKey) {
			t.Errorf("%s: Cipher: %v", name, err)
		}
		if b, err := gone.OpenTicket([]byte("dst"), nonce, sealed, nil); !errors.Is(err, ErrKey) || string(b) != "dst" {
			t.Errorf("%s: OpenTicket: %x, %v", name, b, err)
		}
		if b, err := gone.SealTicket([]byte("dst"), nonce, []byte("content"), nil); !errors.Is(err, ErrKey) || string(b) != "dst" {
			t.Errorf("%s: SealTicket: %x, %v", name, b, err)
		}
	}
	Key{}.Wipe() // harmless
	if k.Sealed() != 1 || (Key{}).Sealed() != 0 || (Key{}).ID() != 0 {
		t.Errorf("%d and %d sealed", k.Sealed(), Key{}.Sealed())
	}
}
