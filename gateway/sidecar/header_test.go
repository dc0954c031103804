package sidecar

import (
	"bytes"
	"errors"
	"testing"
)

func TestHeader(t *testing.T) {
	want := Header{Kind: Judge, Lane: 2, Code: 3, Run: 4, Peer: 5, Handle: 6, Number: 7, Key: 8}
	b := append(want.AppendTo(nil), "body"...)
	if len(b) != HeaderLen+4 {
		t.Fatalf("%d bytes", len(b))
	}
	got, body, err := Parse(b)
	if err != nil || got != want || string(body) != "body" {
		t.Errorf("%+v %q %v", got, body, err)
	}
	for n := range HeaderLen {
		if _, _, err := Parse(b[:n]); !errors.Is(err, ErrShort) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	b[0] = 2
	if _, _, err := Parse(b); !errors.Is(err, ErrVersion) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Header{Kind: Data, Run: 1}.AppendTo(nil))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, body, err := Parse(b)
		if err != nil {
			return
		}
		if again := append(h.AppendTo(nil), body...); !bytes.Equal(again, b) {
			t.Errorf("%x becomes %x", b, again)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add(appendField(appendField(nil, FieldIssuer, []byte("a")), FieldSubject, []byte("b")))
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		if Fields(b, func(f Field, v []byte) {
			again = append(again, byte(f), byte(len(v)>>8), byte(len(v)))
			again = append(again, v...)
		}) && !bytes.Equal(again, b) {
			t.Errorf("%x becomes %x", b, again)
		}
	})
}
