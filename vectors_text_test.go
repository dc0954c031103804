package sallyport_test

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// text writes a vector as PROTOCOL.md 15 has it: hex, up to 16 bytes a line, and what it is.
type text struct {
	t *testing.T
	strings.Builder

	rest string // hex that is not written yet
}

func newText(t *testing.T, name string) *text {
	x := &text{t: t}
	fmt.Fprintf(x, "**%s**\n\n```text\n", name)
	return x
}

// end closes the block.
func (x *text) end() string {
	if x.rest != "" {
		x.t.Errorf("%s is left over in\n%s", x.rest, x.String())
	}
	return x.String() + "```\n\n"
}

// line writes hex under a label.
func (x *text) line(digits, label string) {
	for digits != "" {
		n := min(32, len(digits))
		fmt.Fprintf(x, "%-32s  %s\n", digits[:n], label)
		digits, label = digits[n:], "..."
	}
}

// take cuts the next n bytes off the rest.
func (x *text) take(n int) string {
	if 2*n > len(x.rest) {
		x.t.Fatalf("%d bytes are wanted of %q after\n%s", n, x.rest, x.String())
	}
	s := x.rest[:2*n]
	x.rest = x.rest[2*n:]
	return s
}

// field writes the next n bytes under a label.
func (x *text) field(n int, label string) { x.line(x.take(n), label) }

// number writes the next n bytes, with their value in the label after a format that has a verb.
func (x *text) number(n int, format string) {
	s := x.take(n)
	x.line(s, fmt.Sprintf(format, value(s)))
}

// counted writes the next n bytes, with their value and its unit unless it is 0.
func (x *text) counted(n int, label, unit string) {
	if s := x.take(n); value(s) == 0 {
		x.line(s, label)
	} else {
		x.line(s, fmt.Sprintf("%s: %d %s", label, value(s), unit))
	}
}

// left writes all that is left.
func (x *text) left(label string) { x.field(len(x.rest)/2, label) }

// quoted writes all that is left, which is text, after a label.
func (x *text) quoted(label string) { x.left(label + ascii(x.rest)) }

// fields writes the fields of HELLO, WELCOME and RENEWED.
func (x *text) fields(kind wire.Kind) {
	names := map[uint64]string{1: "token", 2: "ticket", 3: "platform", 4: "build", 5: "scope", 6: "limits", 7: "metadata", 8: "lanes", 9: "time", 255: "proof"}
	for x.rest != "" {
		head := x.take(3)
		name, n := names[value(head[:2])], int(value(head[2:]))
		x.line(head, fmt.Sprintf("field: %s, %d bytes", name, n))
		switch name {
		case "limits":
			x.number(2, "payload: %d bytes")
			x.number(4, "rate: %d a second")
			x.number(4, "idle: %d ms")
		case "time":
			x.number(n, "server time: %d")
		case "lanes":
			x.lanes(n, kind)
		case "proof":
			x.field(n, name)
		default:
			x.field(n, ascii(x.rest[:2*n]))
		}
	}
}

// envelopeText is 15.1.
func envelopeText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct{ Name, Bytes string }](t, data) {
		x := newText(t, v.Name)
		x.rest = v.Bytes
		kind := x.header()
		x.field(4, "session id")
		x.field(4, "sequence")
		x.field(8, "tag")
		x.body(kind)
		all.WriteString(x.end())
	}
	return all.String()
}

// tagInputText is 15.2.
func tagInputText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct{ Name, Bytes string }](t, data) {
		x := newText(t, v.Name)
		x.rest = v.Bytes
		x.header()
		x.field(4, "session id")
		x.field(8, "sequence")
		x.field(2, "body length")
		all.WriteString(x.end())
	}
	return all.String()
}

func (x *text) header() wire.Kind {
	kind := wire.Kind(value(x.rest[1:2]))
	x.line(x.take(1), fmt.Sprintf("version %d, kind %d", value(x.rest[:1]), kind))
	x.number(1, "epoch %d")
	return kind
}

// body writes what its kind's map in section 3 says.
func (x *text) body(kind wire.Kind) {
	if kind == wire.KindHello || kind == wire.KindRenew {
		x.field(2, "part: total")
		x.field(2, "part: offset")
	}
	switch kind {
	case wire.KindHello:
		x.hello()
		x.fields(kind)
	case wire.KindWelcome:
		x.field(16, "client nonce")
		x.field(4, "session id")
		x.field(4, "epoch")
		x.field(32, "secret")
		x.field(8, "client next")
		x.field(8, "server next")
		x.field(4, "features")
		x.field(4, "connection id")
		x.number(8, "expiry: %d")
		x.number(8, "server time: %d")
		x.fields(kind)
	case wire.KindData:
		x.quoted("payload: ")
	case wire.KindRenew:
		x.quoted("")
	case wire.KindRenewed:
		x.field(4, "epoch")
		x.field(32, "secret")
		x.number(8, "expiry: %d")
		x.fields(kind)
	case wire.KindPing, wire.KindPong:
		x.field(8, "data")
		if x.rest != "" {
			x.number(4, "report: %d lost")
		}
		if x.rest != "" {
			x.number(8, "received: %d")
			x.number(8, "sent: %d")
		}
	case wire.KindClose:
		reason := wire.Reason(value(x.rest[:2]))
		x.field(1, "reason: "+reason.String())
		x.counted(4, "retry after", "ms")
		if reason == wire.ReasonVersion {
			for x.rest != "" {
				x.number(1, "detail: version %d is served")
			}
		} else {
			x.quoted("detail: ")
		}
	case wire.KindBearer:
		n := int(value(x.rest[:4]))
		x.field(2, "token length")
		x.field(n, ascii(x.rest[:2*n]))
		x.quoted("payload: ")
	case wire.KindNotice:
		x.field(1, "code: "+wire.NoticeCode(value(x.rest[:2])).String())
		x.number(4, "within: %d ms")
	case wire.KindFrames:
		x.frames()
	}
}

// hello writes what stands before the fields of a HELLO.
func (x *text) hello() {
	x.field(16, "client nonce")
	x.binding()
	x.field(8, "next to send")
	x.field(8, "next to receive")
	x.field(4, "features")
}

func (x *text) binding() {
	s := x.take(1)
	x.line(s, "binding mode: "+[]string{"none", "exporter"}[value(s)])
}

func value(digits string) uint64 {
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// ascii is hex as quoted text.
func ascii(digits string) string {
	b, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	return strconv.Quote(string(b))
}
