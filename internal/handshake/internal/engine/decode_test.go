package engine

import (
	"bytes"
	"encoding/gob"
	"reflect"
	"testing"
)

// slowDecode is what decode must agree with.
func slowDecode(raw []byte) (*state, error) {
	s := new(state)
	return s, gob.NewDecoder(bytes.NewReader(raw)).Decode(s)
}

func TestDecode(t *testing.T) {
	first := good(t)
	none := state{}
	server := good(t)
	server.IsClient, server.PeerCertificates, server.SequenceNumber = false, nil, 1<<40
	other := func() []byte { // the same values under other definitions
		var b bytes.Buffer
		_ = gob.NewEncoder(&b).Encode(struct {
			LocalEpoch uint16
			IsClient   bool
			More       []string
		}{1, true, []string{"x"}})
		return b.Bytes()
	}()
	d := new(decoder)
	for i, raw := range [][]byte{
		encode(t, first), encode(t, none), encode(t, server), other, encode(t, first), encode(t, server),
	} {
		want, err := slowDecode(raw)
		got := new(state)
		if err2 := d.decode(raw, got); (err == nil) != (err2 == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("state %d: %+v, %v, want %+v, %v", i, got, err2, want, err)
		}
		if len(got.MasterSecret) > 0 && bytes.Contains(raw, got.MasterSecret) {
			t.Errorf("the secret of state %d stays in its gob", i)
		}
	}
}

// What is cut short or changed is no other state than the plain Decoder says, nor does it spoil the next.
func TestDecodeDamaged(t *testing.T) {
	raw := encode(t, good(t))
	for i := range raw {
		for _, bad := range [][]byte{raw[:i], flip(raw, i)} {
			want, err := slowDecode(bad)
			got, err2 := decode(bytes.Clone(bad))
			if (err == nil) != (err2 == nil) || err == nil && !reflect.DeepEqual(got, want) {
				t.Fatalf("byte %d: %+v, %v, want %+v, %v", i, got, err2, want, err)
			}
		}
		if _, err := decode(bytes.Clone(raw)); err != nil {
			t.Fatalf("after byte %d: %v", i, err)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x81
	return b
}

func BenchmarkDecode(b *testing.B) {
	var raw bytes.Buffer
	s := state{LocalEpoch: 1, MasterSecret: make([]byte, 48), PeerCertificates: [][]byte{make([]byte, 500)}}
	if err := gob.NewEncoder(&raw).Encode(s); err != nil {
		b.Fatal(err)
	}
	for name, decode := range map[string]func([]byte) (*state, error){"kept": decode, "fresh": slowDecode} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(bytes.Clone(raw.Bytes())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
