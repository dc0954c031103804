package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
	"unsafe"
)

func FuzzEnvelope(f *testing.F) {
	for _, b := range readVectors(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatal(err)
			}
			return
		}
		inside(t, b, e.Body)
		if got := e.AppendTo(nil); !bytes.Equal(got, b) {
			t.Fatalf("%x comes back as %x", b, got)
		}
	})
}

func FuzzHello(f *testing.F) { fuzzBody(f, KindHello) }

func FuzzWelcome(f *testing.F) { fuzzBody(f, KindWelcome) }

// FuzzBodies gives its input to the parser of every kind.
func FuzzBodies(f *testing.F) {
	fuzzBody(f, KindRenew, KindRenewed, KindPing, KindPong, KindClose, KindBearer, KindNotice)
}

func fuzzBody(f *testing.F, kinds ...Kind) {
	for _, v := range vectors {
		f.Add(v.bodyBytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range kinds {
			checkRoundTrip(t, k, b)
		}
	})
}

// checkRoundTrip parses, appends and parses again; nothing may get lost, and nothing may come from outside b.
func checkRoundTrip(t *testing.T, k Kind, b []byte) {
	m, err := parseBody(k, b)
	if err != nil {
		if !errors.Is(err, ErrMalformed) {
			t.Fatal(err)
		}
		return
	}
	v := reflect.ValueOf(m)
	for _, field := range v.Fields() {
		if s, ok := field.Interface().([]byte); ok {
			inside(t, b, s)
		}
	}
	again := m.AppendTo(nil)
	if len(again) > len(b) {
		t.Fatalf("%v: %x grows to %x", k, b, again)
	}
	if got, err := parseBody(k, again); err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%v: %+v comes back as %+v, %v", k, m, got, err)
	}
}

// inside fails unless s is part of b, and append to s would leave b alone.
func inside(t *testing.T, b, s []byte) {
	t.Helper()
	if s == nil {
		return
	}
	from := uintptr(unsafe.Pointer(unsafe.SliceData(s))) - uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if cap(s) != len(s) || from > uintptr(len(b)) || from+uintptr(len(s)) > uintptr(len(b)) {
		t.Fatalf("%d bytes at %d (capacity %d) are not inside %d", len(s), from, cap(s), len(b))
	}
}

// FuzzPart takes its input as a part, and as a body that is cut and put together again.
func FuzzPart(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 'x'}, uint8(0))
	f.Add(counting(0, 2500), uint8(1))
	f.Add(counting(0, 5120), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, first uint8) {
		if p, err := ParsePart(b); err == nil {
			inside(t, b, p.Data)
			if got := p.AppendTo(nil); !bytes.Equal(got, b) {
				t.Fatalf("%x comes back as %x", b, got)
			}
		}
		if len(b) == 0 || len(b) > MaxHelloBody {
			return
		}
		var a Assembler
		parts := cut(b)
		for i := range parts {
			body, ok, err := a.Add(time.Time{}, parts[(i+int(first))%len(parts)])
			if err != nil || ok != (i == len(parts)-1) || ok && !bytes.Equal(body, b) {
				t.Fatalf("part %d of %d: %x, %v, %v", i+1, len(parts), body, ok, err)
			}
		}
	})
}

// FuzzAssembler plays parts of a few bodies against a slow twin, which keeps the parts themselves.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte{0, 1, 2, 0, 2, 1})
	f.Add([]byte{0, 1, 8, 2, 0x40, 0x81, 0x42})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var choice []Part
		for _, body := range [][]byte{counting(0, 2500), counting(1, 2500), counting(0, 2501), counting(0, 9)} {
			choice = append(choice, cut(body)...)
		}
		var fast Assembler
		var slow slowAssembler
		now := start
		for _, s := range steps {
			now = now.Add(time.Duration(s>>4) * time.Second / 4)
			p := choice[int(s&15)%len(choice)]
			body, ok, err := fast.Add(now, p)
			wantBody, wantErr := slow.add(now, p)
			if !bytes.Equal(body, wantBody) || ok != (wantBody != nil) || !errors.Is(err, wantErr) {
				t.Fatalf("%d bytes, %v, %v; want %d bytes, %v", len(body), ok, err, len(wantBody), wantErr)
			}
		}
	})
}

// slowAssembler is the list of PROTOCOL.md 2.6, with the parts in a map.
type slowAssembler struct {
	started time.Time
	parts   map[uint16]Part
}

func (s *slowAssembler) add(now time.Time, p Part) ([]byte, error) {
	if len(s.parts) == 0 || !now.Before(s.started.Add(PartialLife)) {
		s.started, s.parts = now, map[uint16]Part{}
	}
	for _, o := range s.parts {
		if o.Total != p.Total || o.Offset == p.Offset && !bytes.Equal(o.Data, p.Data) {
			s.parts = nil
			return nil, ErrMalformed
		}
	}
	s.parts[p.Offset] = p
	var body []byte
	for offset := 0; offset < int(p.Total); offset += MaxPart {
		o, ok := s.parts[uint16(offset)]
		if !ok {
			return nil, nil
		}
		body = append(body, o.Data...)
	}
	s.parts = nil
	return body, nil
}
