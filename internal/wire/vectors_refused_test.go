package wire

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	shared "github.com/sallyport/sallyport/internal/vectors"
)

// Offsets in an envelope of one part, and in others.
const (
	atBody  = HeaderLen
	atHello = HeaderLen + partHeader

	partHeader = 4
)

// change is what makes an envelope of the group "envelopes" one that is refused.
type change func(b []byte) []byte

func put(at int, digits string) change {
	return func(b []byte) []byte {
		v, err := hex.DecodeString(digits)
		if err != nil {
			panic(err)
		}
		copy(b[at:], v)
		return b
	}
}

func shorter(n int) change   { return func(b []byte) []byte { return b[:len(b)-n] } }
func longer(s string) change { return func(b []byte) []byte { return append(b, s...) } }

// body replaces what follows the header of a part, and keeps its total true.
func body(c change) change {
	return func(b []byte) []byte {
		whole := c(slices.Clone(b[atHello:]))
		b = append(b[:atHello:atHello], whole...)
		binary.BigEndian.PutUint16(b[atBody:], uint16(len(whole)))
		return b
	}
}

// swap replaces the whole of a field, head included, or removes it. Those that follow stay.
func swap(typ byte, digits string) change {
	return func(b []byte) []byte {
		for at := fieldsAt(b); at < len(b); {
			end := at + 3 + int(binary.BigEndian.Uint16(b[at+1:]))
			if b[at] == typ {
				v, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
				if err != nil {
					panic(err)
				}
				return slices.Concat(b[:at], v, b[end:])
			}
			at = end
		}
		panic("no such field")
	}
}

// fieldsAt is where the fields begin: of an envelope with WELCOME or RENEWED, or of a whole HELLO.
func fieldsAt(b []byte) int {
	switch Kind(b[0] & 15) {
	case KindWelcome:
		return HeaderLen + 96
	case KindRenewed:
		return HeaderLen + 44
	}
	return 37
}

func lanesOfOne(lane string) string {
	return "08 0017 0a0b0c0d 10 00040000" + strings.ReplaceAll(lane, " ", "")
}

// The lanes field of one lane that is allowed, for those that are not.
var oneLane = swap(8, lanesOfOne("04 01 01 00 000fa0 010000 00000000"))

// refusedEnvelopes break one rule each. What they are made of, or else base changed by instead, is
// allowed.
var refusedEnvelopes = []struct {
	name, base, rule string
	change           change
	instead          change
	reason           string // malformed if empty
}{
	{"cut off in the header", "data", "2.2: The first 18 bytes", func(b []byte) []byte { return b[:17] }, func(b []byte) []byte { return b[:18] }, ""},
	{"body of 1,146 bytes", "data", "2.1: body, 0 to 1145 bytes", longer(strings.Repeat("x", 1141)), longer(strings.Repeat("x", 1140)), ""},
	{"version 0", "data", "4.3: version for another version", put(0, "03"), nil, "version"},
	{"version 2", "data", "4.3: version for another version", put(0, "23"), nil, "version"},
	{"version 2 with a flag", "data", "4.3: version for another version", put(0, "23fd"), nil, "version"},
	{"hello of version 2", "hello", "4.3: version for another version", put(0, "21"), nil, "version"},
	{"kind 0", "data", "3: Codes 0 and 12 to 15 are malformed", put(0, "10"), nil, ""},
	{"kind 12", "data", "3: Codes 0 and 12 to 15 are malformed", put(0, "1c"), nil, ""},
	{"kind 15", "data", "3: Codes 0 and 12 to 15 are malformed", put(0, "1f"), nil, ""},
	{"lowest flag", "data", "2.3: A flag bit that is set makes the envelope malformed", put(1, "05"), nil, ""},
	{"highest flag", "data", "2.3: A flag bit that is set makes the envelope malformed", put(1, "81"), nil, ""},

	{"hello with epoch bits", "hello", "2.4: HELLO and WELCOME have epoch bits, session id, sequence and tag zero", put(1, "01"), nil, ""},
	{"hello with a session id", "hello", "2.4: HELLO and WELCOME have epoch bits, session id, sequence and tag zero", put(2, "01020304"), nil, ""},
	{"hello with a sequence", "hello", "2.4: HELLO and WELCOME have epoch bits, session id, sequence and tag zero", put(6, "00000001"), nil, ""},
	{"hello with a tag", "hello", "2.4: HELLO and WELCOME have epoch bits, session id, sequence and tag zero", put(10, "a0a1a2a3a4a5a6a7"), nil, ""},
	{"welcome with a session id", "welcome", "2.4: HELLO and WELCOME have epoch bits, session id, sequence and tag zero", put(2, "01020304"), nil, ""},
	{"close with a tag and no session", "close before welcome", "2.4: So has a CLOSE that is sent when there is no session", put(10, "a0a1a2a3a4a5a6a7"), nil, ""},
	{"close with a sequence and no session", "close before welcome", "2.4: So has a CLOSE that is sent when there is no session", put(6, "00000001"), nil, ""},
	{"bearer with epoch bits", "bearer", "2.4: In BEARER the epoch bits and the tag are zero", put(1, "01"), nil, ""},
	{"bearer with a tag", "bearer", "2.4: In BEARER the epoch bits and the tag are zero", put(10, "a0a1a2a3a4a5a6a7"), nil, ""},

	{"part of nothing", "renew", "2.6: The whole body has 1 to 5,120 bytes", func(b []byte) []byte { return append(b[:atBody], 0, 0, 0, 0) }, nil, ""},
	{"part of 5,121 bytes", "renew", "2.6: The whole body has 1 to 5,120 bytes", partOf(5121, 0, 1024), partOf(5120, 0, 1024), ""},
	{"part at 1,023", "renew", "2.6: offset of this part in it, a multiple of 1024", partOf(2048, 1023, 1024), partOf(2048, 1024, 1024), ""},
	{"part behind the end", "renew", "2.6: offset of this part in it, a multiple of 1024", partOf(2048, 2048, 0), partOf(2048, 1024, 1024), ""},
	{"part too short", "renew", "2.6: data: 1024 bytes, in the last part what is left", partOf(2500, 1024, 1023), partOf(2500, 1024, 1024), ""},
	{"last part too long", "renew", "2.6: data: 1024 bytes, in the last part what is left", partOf(2500, 2048, 453), partOf(2500, 2048, 452), ""},
	{"part cut off", "renew", "2.6: data: 1024 bytes, in the last part what is left", shorter(1), nil, ""},

	{"hello cut off", "hello", "3.1: features: bits the client offers", body(func(b []byte) []byte { return b[:36] }), nil, ""},
	{"hello without a token", "hello", "3.1: A HELLO has a token or a ticket, or both", body(swap(1, "")), nil, ""},
	{"hello with an empty field", "hello", "2.5: A sender MUST NOT write a field without a value", body(swap(4, "04 0000")), nil, ""},
	{"hello with a field twice", "hello", "2.5: Fields MUST stand in strictly ascending order of type", body(swap(4, "03 0005 312e342e32")), nil, ""},
	{"hello with fields out of order", "hello", "2.5: Fields MUST stand in strictly ascending order of type", body(swap(4, "02 0005 312e342e32")), nil, ""},
	{"hello with a field cut off", "hello", "3: bytes left over are malformed", body(shorter(1)), nil, ""},
	{"hello with a byte left over", "hello", "3: bytes left over are malformed", body(longer("\x09")), nil, ""},
	{"hello with a platform of 129 bytes", "hello", "2.5: Text has at most 128 bytes of UTF-8", body(swap(3, "03 0081"+strings.Repeat("78", 129))), body(swap(3, "03 0080"+strings.Repeat("78", 128))), ""},
	{"hello with a platform that is no UTF-8", "hello", "2.5: UTF-8", body(swap(3, "03 0002 c328")), body(swap(3, "03 0002 c3a8")), ""},
	{"hello with a surrogate", "hello", "2.5: UTF-8", body(swap(3, "03 0003 eda080")), body(swap(3, "03 0003 ed9f80")), ""},
	{"hello with a control character", "hello", "2.5: without control characters", body(swap(3, "03 0003 610a62")), body(swap(3, "03 0003 612062")), ""},
	{"hello with a control character above 127", "hello", "2.5: (Unicode category Cc)", body(swap(3, "03 0002 c285")), body(swap(3, "03 0002 c2a5")), ""},
	{"hello with metadata of 257 bytes", "hello with metadata", "2.5: 1 to 256 bytes of the game's own", body(swap(7, "07 0101"+strings.Repeat("78", 257))), body(swap(7, "07 0100"+strings.Repeat("78", 256))), ""},
	{"hello with metadata beside a ticket", "hello with ticket", "3.1: there is no metadata", body(swap(2, "02 0006 7469636b6574 07 0001 78")), nil, ""},
	{"hello with a ticket of 513 bytes", "hello with ticket", "2.5: 1 to 512 bytes, opaque to the client", body(swap(2, "02 0201"+strings.Repeat("74", 513))), body(swap(2, "02 0200"+strings.Repeat("74", 512))), ""},
	{"hello with a ticket without a proof", "hello with ticket", "3.1: with a ticket both are at least 1, there is a proof", body(swap(255, "")), nil, ""},
	{"hello with a proof of 31 bytes", "hello with ticket", "2.5: 32 bytes, section 8.2", body(swap(255, "ff 001f"+strings.Repeat("40", 31))), nil, ""},
	{"hello with a proof without a ticket", "hello", "3.1: Without a ticket both sequences are 1, the generation of lanes is 0 and there is no proof", body(longer("\xff\x00\x20" + strings.Repeat("@", 32))), nil, ""},
	{"hello that sends 2 next without a ticket", "hello", "3.1: Without a ticket both sequences are 1", put(atHello+17, "0000000000000002"), nil, ""},
	{"hello that receives 0 next without a ticket", "hello", "3.1: Without a ticket both sequences are 1", put(atHello+25, "0000000000000000"), nil, ""},
	{"hello that sends 0 next with a ticket", "hello with ticket", "3.1: with a ticket both are at least 1", put(atHello+17, "0000000000000000"), put(atHello+17, "0000000000000001"), ""},
	{"hello with feature lanes and no field", "hello", "16.2: A HELLO MUST have the field lanes if it offers feature bit 1, and only then", put(atHello+33, "00000002"), put(atHello+33, "00000001"), ""},
	{"hello with the field lanes and no feature", "hello with lanes", "16.2: A HELLO MUST have the field lanes if it offers feature bit 1, and only then", put(atHello+33, "00000001"), nil, ""},
	{"hello with a generation without a ticket", "hello", "3.1: the generation of lanes is 0", lanesInHello("0a0b0c0d 10"), lanesInHello("00000000 10"), ""},
	{"hello with a delay of 0", "hello with lanes", "16.2: in milliseconds, from 1", body(swap(8, "08 0005 0a0b0c0d 00")), body(swap(8, "08 0005 0a0b0c0d 01")), ""},
	{"hello with 17 first credits", "hello with lanes", "16.2: of lane 0 first, 0 to 16 of them", body(swap(8, "08 0049 0a0b0c0d 10"+strings.Repeat("00008000", 17))), body(swap(8, "08 0045 0a0b0c0d 10"+strings.Repeat("00008000", 16))), ""},
	{"hello with half a first credit", "hello with lanes", "16.2: of lane 0 first, 0 to 16 of them", body(swap(8, "08 0007 0a0b0c0d 10 0000")), body(swap(8, "08 0009 0a0b0c0d 10 00000000")), ""},

	{"welcome of session 0", "welcome", "3.2: session id, never 0", put(atBody+16, "00000000"), nil, ""},
	{"welcome of epoch 0", "welcome", "1: Epochs count from 1", put(atBody+20, "00000000"), nil, ""},
	{"welcome that expects 0 next", "welcome", "7.1: Each direction of a session numbers its datagrams from 1", put(atBody+56, "0000000000000000"), nil, ""},
	{"welcome that sends 0 next", "welcome", "7.1: Each direction of a session numbers its datagrams from 1", put(atBody+64, "0000000000000000"), nil, ""},
	{"welcome without limits", "welcome", "3.2: limits 6 (always there)", swap(6, ""), nil, ""},
	{"welcome with limits of 9 bytes", "welcome", "2.5: 10 bytes, section 3.2", swap(6, "06 0009 0479 00000100 000075"), nil, ""},
	{"welcome with limits of 11 bytes", "welcome", "2.5: 10 bytes, section 3.2", swap(6, "06 000b 0479 00000100 00007530 00"), nil, ""},
	{"welcome with an empty ticket", "welcome with ticket", "2.5: 1 to 512 bytes, opaque to the client", swap(2, "02 0000"), nil, ""},
	{"welcome with feature lanes and no field", "welcome with lanes", "16.2: WELCOME MUST have the field lanes if its features have bit 1, and only then", swap(8, ""), nil, ""},
	{"welcome with the field lanes and no feature", "welcome with lanes", "16.2: WELCOME MUST have the field lanes if its features have bit 1, and only then", put(atBody+72, "00000001"), nil, ""},
	{"welcome of generation 0", "welcome with lanes", "16.2: generation, never 0", swap(8, "08 0017 00000000 10 00040000 04010100000fa001000000000000"), oneLane, ""},
	{"welcome with a delay of 0", "welcome with lanes", "16.2: in milliseconds, from 1", swap(8, "08 0017 0a0b0c0d 00 00040000 04010100000fa001000000000000"), oneLane, ""},
	{"welcome with a rate of 0", "welcome with lanes", "16.2: bytes a second that the client may send, never 0", swap(8, "08 0017 0a0b0c0d 10 00000000 04010100000fa001000000000000"), oneLane, ""},
	{"welcome with no lane", "welcome with lanes", "16.2: lane 0 first, 1 to 16 of them", swap(8, "08 0009 0a0b0c0d 10 00040000"), oneLane, ""},
	{"welcome with 17 lanes", "welcome with lanes", "16.2: lane 0 first, 1 to 16 of them", swap(8, "08 00f7 0a0b0c0d 10 00040000"+strings.Repeat("04010100000fa001000000000000", 17)), swap(8, "08 00e9 0a0b0c0d 10 00040000"+strings.Repeat("04010100000fa001000000000000", 16)), ""},
	{"lane cut off", "welcome with lanes", "16.2: lanes, 14 bytes each", swap(8, "08 0016 0a0b0c0d 10 00040000 04010100000fa0010000000000"), oneLane, ""},
	{"lane of mode 0", "welcome with lanes", "16.2: mode, 1 to 5", swap(8, lanesOfOne("00 01 01 00 000fa0 000000 00000000")), swap(8, lanesOfOne("01 01 01 00 000fa0 000000 00000000")), ""},
	{"lane of mode 6", "welcome with lanes", "16.2: mode, 1 to 5", swap(8, lanesOfOne("06 01 01 00 000100 000000 00000000")), swap(8, lanesOfOne("05 01 01 00 000100 000000 00000000")), ""},
	{"lane of weight 0", "welcome with lanes", "16.2: weight among the lanes of one priority, from 1", swap(8, lanesOfOne("04 01 00 00 000fa0 010000 00000000")), oneLane, ""},
	{"lane with flag 8", "welcome with lanes", "16.2: flags in the high 4 bits: 1 input, 2 insure, 4 receipts", swap(8, lanesOfOne("04 01 01 80 000fa0 010000 00000000")), swap(8, lanesOfOne("04 01 01 70 000fa0 010000 00000000")), ""},
	{"lane of parity 5", "welcome with lanes", "16.2: parity in the low 4, 0 to 4", swap(8, lanesOfOne("02 01 01 05 000fa0 000000 00000000")), swap(8, lanesOfOne("02 01 01 04 000fa0 000000 00000000")), ""},
	{"reliable lane with parity", "welcome with lanes", "16.2: Parity is 0 in modes 3 to 5", swap(8, lanesOfOne("03 01 01 01 000fa0 010000 00000000")), swap(8, lanesOfOne("03 01 01 00 000fa0 010000 00000000")), ""},
	{"lane with parity of messages of 34,817", "welcome with lanes", "16.2: a lane with parity has messages of at most 34,816 bytes", swap(8, lanesOfOne("02 01 01 01 008801 000000 00000000")), swap(8, lanesOfOne("02 01 01 01 008800 000000 00000000")), ""},
	{"lane of no messages", "welcome with lanes", "16.2: largest message in bytes, from 1", swap(8, lanesOfOne("01 01 01 00 000000 000000 00000000")), swap(8, lanesOfOne("01 01 01 00 000001 000000 00000000")), ""},
	{"lane of values of 1,089", "welcome with lanes", "16.2: A lane of mode 5 has messages of at most 1,088 bytes, and no age", swap(8, lanesOfOne("05 01 01 00 000441 000000 00000000")), swap(8, lanesOfOne("05 01 01 00 000440 000000 00000000")), ""},
	{"lane of values that age", "welcome with lanes", "16.2: A lane of mode 5 has messages of at most 1,088 bytes, and no age", swap(8, lanesOfOne("05 01 01 00 000440 000000 00000001")), swap(8, lanesOfOne("05 01 01 00 000440 000000 00000000")), ""},
	{"ordered lane of little credit", "welcome with lanes", "16.2: The first credit is at least the largest message in modes 3 and 4", swap(8, lanesOfOne("04 01 01 00 000fa0 000f9f 00000000")), swap(8, lanesOfOne("04 01 01 00 000fa0 000fa0 00000000")), ""},
	{"sequenced lane with credit", "welcome with lanes", "16.2: and 0 in the others", swap(8, lanesOfOne("02 01 01 00 000fa0 010000 00000000")), swap(8, lanesOfOne("02 01 01 00 000fa0 000000 00000000")), ""},

	{"renewed cut off", "renewed", "3.5: expiry of that epoch, Unix milliseconds", func(b []byte) []byte { return b[:HeaderLen+43] }, func(b []byte) []byte { return b[:HeaderLen+44] }, ""},
	{"renewed of epoch 0", "renewed", "1: Epochs count from 1", put(atBody, "00000000"), nil, ""},
	{"renewed with a time of 7 bytes", "renewed", "2.5: Unix milliseconds, 8 bytes", swap(9, "09 0007 0001a3186a0ba0"), nil, ""},
	{"ping of 7 bytes", "ping", "3: A body MUST be exactly what its map says", shorter(1), nil, ""},
	{"ping of 9 bytes", "ping", "3: bytes left over are malformed", longer("x"), nil, ""},
	{"pong of 9 bytes", "pong", "3.7: report: lost 4, or nothing", longer("x"), longer("xxxx"), ""},
	{"pong of 20 bytes", "pong with report", "3.7: then times: received 8 and sent 8, or nothing", longer("receives"), longer("receivessends at"), ""},
	{"pong of 29 bytes", "pong with times", "3: bytes left over are malformed", longer("x"), nil, ""},
	{"close of reason 0", "close", "3.8: reason, never 0", put(atBody, "00"), nil, ""},
	{"close cut off", "close", "3.8: retry after: milliseconds", func(b []byte) []byte { return b[:HeaderLen+4] }, func(b []byte) []byte { return b[:HeaderLen+5] }, ""},
	{"close with a detail of 65 bytes", "close", "3.8: detail, 0 to 64 bytes", longer(strings.Repeat("x", 62)), longer(strings.Repeat("x", 61)), ""},
	{"notice of code 0", "notice", "3.10: code, never 0", put(atBody, "00"), nil, ""},
	{"notice with a detail of 65 bytes", "notice", "3.10: detail, 0 to 64 bytes", longer(strings.Repeat("x", 65)), longer(strings.Repeat("x", 64)), ""},
	{"bearer without a token", "bearer", "3.9: token length, at least 1", put(atBody, "0000"), nil, ""},
	{"bearer with a token cut off", "bearer", "3.9: token, then the payload", func(b []byte) []byte { return b[:HeaderLen+2+13] }, func(b []byte) []byte { return b[:HeaderLen+2+14] }, ""},
	{"frames without a frame", "frames", "3.11: The body is one or more frames", func(b []byte) []byte { return b[:HeaderLen] }, nil, ""},
	{"frames with a byte left over", "frames", "16.3: or bytes left over", longer("\x23"), nil, ""},
}

func partOf(total, offset uint16, n int) change {
	return func(b []byte) []byte {
		b = binary.BigEndian.AppendUint16(b[:atBody], total)
		b = binary.BigEndian.AppendUint16(b, offset)
		return append(b, strings.Repeat("x", n)...)
	}
}

// lanesInHello puts a field lanes without credits, and its feature, into a HELLO without a ticket.
func lanesInHello(value string) change {
	return func(b []byte) []byte {
		v, err := hex.DecodeString(strings.ReplaceAll("08 0005 "+value, " ", ""))
		if err != nil {
			panic(err)
		}
		return put(atHello+33, "00000002")(body(func(b []byte) []byte { return append(b, v...) })(b))
	}
}

// verdict is what a receiver says to an envelope: a reason, or nothing if it is well-formed.
func verdict(b []byte) string {
	e, err := Parse(b)
	if errors.Is(err, ErrVersion) {
		return "version"
	}
	whole := e.Body
	if err == nil && inParts(e.Kind) {
		var p Part
		if p, err = ParsePart(e.Body); int(p.Total) != len(p.Data) {
			whole = nil
		} else {
			whole = p.Data
		}
	}
	if err == nil && e.Kind == KindFrames {
		r := NewFrames(whole)
		for f := new(Frame); r.Next(f); {
		}
		if r.Malformed() {
			err = ErrMalformed
		}
	} else if err == nil && whole != nil {
		_, err = parseBody(e.Kind, whole)
	}
	if err != nil {
		return "malformed"
	}
	return ""
}

// Each is refused because of its rule alone: what it is made of is not.
func TestVectorsRefused(t *testing.T) {
	base := map[string][]byte{}
	for _, v := range vectors {
		base[v.name] = v.bytes()
	}
	var list []refusedVector
	for _, v := range refusedEnvelopes {
		bad, good := v.change(slices.Clone(base[v.base])), slices.Clone(base[v.base])
		if v.instead != nil {
			good = v.instead(good)
		}
		want := v.reason
		if want == "" {
			want = "malformed"
		}
		if got := verdict(bad); got != want {
			t.Errorf("%s: %q, want %q", v.name, got, want)
		}
		if got := verdict(good); got != "" {
			t.Errorf("%s: what is allowed is refused as %q: %x", v.name, got, good)
		}
		list = append(list, refusedVector{v.name, hex.EncodeToString(bad), want, v.rule, hex.EncodeToString(good)})
	}
	shared.Hold(t, "refused envelopes", list)
}
