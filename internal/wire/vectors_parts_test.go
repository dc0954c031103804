package wire

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"time"

	shared "github.com/sallyport/sallyport/internal/vectors"
)

type partsVector struct {
	Name  string   `json:"name"`
	Whole string   `json:"whole"`
	Parts []string `json:"parts"`
}

// A body travels in as many parts as it needs, and comes back whole; go generate writes the file anew.
func TestVectorsParts(t *testing.T) {
	var list []partsVector
	for _, v := range []struct {
		name string
		n    int
	}{{"one part", 1024}, {"two parts", 1025}, {"three parts", 2500}, {"the longest body", MaxHelloBody}} {
		whole := make([]byte, v.n)
		for i := range whole {
			whole[i] = byte(i)
		}
		made := partsVector{Name: v.name, Whole: hex.EncodeToString(whole)}
		var a Assembler
		for p := range Parts(whole) {
			made.Parts = append(made.Parts, hex.EncodeToString(p.AppendTo(nil)))
			got, done, err := a.Add(time.Unix(0, 0), p)
			if err != nil || done != (int(p.Offset)+len(p.Data) == v.n) || done && !slices.Equal(got, whole) {
				t.Errorf("%s: part at %d: %v, %v", v.name, p.Offset, done, err)
			}
		}
		list = append(list, made)
	}
	shared.Hold(t, "parts", list)
}

type assemblyVector struct {
	Name  string         `json:"name"`
	Steps []assemblyStep `json:"steps"`
}

type assemblyStep struct {
	AtMS   int64  `json:"at_ms"`
	Kind   string `json:"kind"`
	Part   string `json:"part"`
	Result string `json:"result"` // waits, malformed, or the whole body
}

// "A partial body is dropped 5 s after its first part came." PROTOCOL.md 2.6
//
// "A part of the other kind drops the partial body and begins a new one." PROTOCOL.md 2.6
func TestVectorsAssembly(t *testing.T) {
	body := func(n int, b byte) []byte { return slices.Repeat([]byte{b}, n) }
	type arrival struct {
		at     int64
		kind   Kind
		whole  []byte
		offset int
	}
	x, y, longer := body(2100, 'x'), body(2100, 'y'), body(2101, 'x')
	var list []assemblyVector
	for _, v := range []struct {
		name     string
		arrivals []arrival
		results  []string // whole stands for the body
	}{
		{"in any order, and twice", []arrival{{0, KindHello, x, 2048}, {1, KindHello, x, 0}, {2, KindHello, x, 2048}, {3, KindHello, x, 1024}}, []string{"waits", "waits", "waits", "whole"}},
		{"just in time", []arrival{{0, KindHello, x, 0}, {1, KindHello, x, 1024}, {4999, KindHello, x, 2048}}, []string{"waits", "waits", "whole"}},
		{"too late", []arrival{{0, KindHello, x, 0}, {1, KindHello, x, 1024}, {5000, KindHello, x, 2048}, {5001, KindHello, x, 0}, {5002, KindHello, x, 1024}}, []string{"waits", "waits", "waits", "waits", "whole"}},
		{"other bytes", []arrival{{0, KindHello, x, 0}, {1, KindHello, x, 1024}, {2, KindHello, y, 1024}, {3, KindHello, x, 2048}, {4, KindHello, x, 1024}, {5, KindHello, x, 0}}, []string{"waits", "waits", "malformed", "waits", "waits", "whole"}},
		{"another total", []arrival{{0, KindHello, x, 0}, {1, KindHello, longer, 1024}, {2, KindHello, x, 1024}, {3, KindHello, x, 2048}, {4, KindHello, x, 0}}, []string{"waits", "malformed", "waits", "waits", "whole"}},
		{"the other kind", []arrival{{0, KindHello, x, 0}, {1, KindRenew, x, 1024}, {2, KindRenew, x, 0}, {3, KindRenew, x, 2048}}, []string{"waits", "waits", "waits", "whole"}},
		{"one part after another", []arrival{{0, KindHello, body(9, 'x'), 0}, {1, KindHello, body(8, 'y'), 0}}, []string{"whole", "whole"}},
	} {
		made, a, last := assemblyVector{Name: v.name}, Assembler{}, KindHello
		for i, c := range v.arrivals {
			if c.kind != last { // as its owner does
				a.Reset()
			}
			last = c.kind
			p := Part{Total: uint16(len(c.whole)), Offset: uint16(c.offset), Data: c.whole[c.offset:min(len(c.whole), c.offset+MaxPart)]}
			got, done, err := a.Add(time.UnixMilli(c.at), p)
			step := assemblyStep{c.at, c.kind.String(), hex.EncodeToString(p.AppendTo(nil)), "waits"}
			switch {
			case errors.Is(err, ErrMalformed):
				step.Result = "malformed"
			case err != nil:
				t.Fatal(err)
			case done:
				step.Result = hex.EncodeToString(got)
			}
			if want := v.results[i]; step.Result != want && (want != "whole" || !slices.Equal(got, c.whole)) {
				t.Errorf("%s: step %d: %.20s, want %s", v.name, i+1, step.Result, want)
			}
			made.Steps = append(made.Steps, step)
		}
		list = append(list, made)
	}
	shared.Hold(t, "assembly", list)
}

type destinationVector struct {
	Name        string       `json:"name"`
	Detail      string       `json:"detail"`
	Destination *destination `json:"destination"`
}

type destination struct {
	Host string `json:"host"`
	Port uint16 `json:"port"`
}

// The details of the tests, for programs in other languages; go generate writes the file anew.
func TestVectorsDestinations(t *testing.T) {
	var list []destinationVector
	for _, v := range []struct{ name, detail string }{
		{"a name", "match-2.example.com:7777"},
		{"a name with its last dot", "match-2.example.com.:7777"},
		{"a name of one label, port 1", "pod:1"},
		{"a label that begins with a digit, port 65535", "3com.example:65535"},
		{"IPv4", "192.0.2.7:7777"},
		{"IPv6", "[2001:db8::17]:7777"},
		{"IPv4 mapped to IPv6", "[::ffff:192.0.2.1]:7777"},
		{"text", "shutting down"},
		{"nothing", ""},
		{"no name", ":7777"},
		{"no port", "pod:"},
		{"port 0", "pod:0"},
		{"port 65536", "pod:65536"},
		{"a port with a zero in front", "pod:07777"},
		{"a port with a sign", "pod:+7777"},
		{"a port by name", "pod:https"},
		{"white space", "pod:7777 "},
		{"an empty label", "a..b:7777"},
		{"an outer hyphen", "pod-:7777"},
		{"an underscore", "a_b:7777"},
		{"a letter beyond ASCII", "p\u00f6d:7777"},
		{"a last label that begins with a digit", "example.3com:7777"},
		{"an address of two numbers", "127.1:7777"},
		{"a hexadecimal address", "0x7f.1:7777"},
		{"IPv6 without brackets", "2001:db8::17:7777"},
		{"IPv4 in brackets", "[127.0.0.1]:7777"},
		{"a zone", "[fe80::1%eth0]:7777"},
		{"unspecified IPv4", "0.0.0.0:7777"},
		{"unspecified IPv6", "[::]:7777"},
		{"multicast IPv4", "224.0.0.1:7777"},
		{"multicast IPv6", "[ff02::1]:7777"},
		{"broadcast", "255.255.255.255:7777"},
		{"multicast mapped to IPv6", "[::ffff:224.0.0.1]:7777"},
	} {
		made := destinationVector{Name: v.name, Detail: hex.EncodeToString([]byte(v.detail))}
		if host, port, ok := ParseDestination(v.detail); ok {
			made.Destination = &destination{host, port}
		}
		list = append(list, made)
	}
	shared.Hold(t, "destinations", list)
}

// closeVector is a CLOSE of another version, which a client reads before WELCOME.
type closeVector struct {
	Name   string `json:"name"`
	Bytes  string `json:"bytes"`
	Fields object `json:"fields"`
}

// "a client MUST read a CLOSE of any version before WELCOME" PROTOCOL.md 2.2
func TestVectorsForeignClose(t *testing.T) {
	var list []closeVector
	for _, v := range []struct {
		name    string
		version byte
		detail  []byte
	}{{"close of version 2", 2, []byte{2, 3}}, {"close of version 15", 15, []byte{15}}, {"close of version 0", 0, nil}} {
		m := CloseBody{Reason: ReasonVersion, Detail: v.detail}
		b := Envelope{Kind: KindClose, Body: m.AppendTo(nil)}.AppendTo(nil)
		b[0] = v.version<<4 | byte(KindClose)
		e, err := Parse(b)
		if !errors.Is(err, ErrVersion) {
			t.Fatal(err)
		}
		fields := fieldsOf(t, e)
		fields[0].value = v.version
		list = append(list, closeVector{v.name, hex.EncodeToString(b), fields})
	}
	shared.Hold(t, "closes of other versions", list)
}
