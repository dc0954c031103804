package wire

import (
	"encoding/hex"
	"reflect"
	"slices"
	"testing"

	shared "github.com/sallyport/sallyport/internal/vectors"
)

// A message is a body with a meaning, of any kind.
type message interface{ AppendTo([]byte) []byte }

// vector is one message of the group "envelopes", built from values.
type vector struct {
	name     string
	envelope Envelope // without Body
	body     message  // nil for DATA
	payload  []byte   // of DATA
}

var (
	sampleNonce  = [16]byte(counting(0x00, 16))
	sampleSecret = [32]byte(counting(0x20, 32))
	sampleTag    = Tag(counting(0xa0, 8))

	sampleHelloLanes = HelloLanes{
		Generation: 0x0a0b0c0d, Delay: 16, Stated: 2, Credits: [MaxLanes]uint32{0, 32768},
	}

	// A lane of each mode: snapshots, chat, and so on.
	sampleWelcomeLanes = WelcomeLanes{Generation: 0x0a0b0c0d, Delay: 16, Rate: 262144, Number: 5, Lanes: [MaxLanes]LaneSpec{
		{Mode: 2, Priority: 0, Weight: 1, Parity: 1, MaxMessage: 8192},
		{Mode: 3, Priority: 1, Weight: 2, Flags: LaneInput | LaneInsure, MaxMessage: 1088, Credit: 65536, MaxAge: 2500},
		{Mode: 4, Priority: 1, Weight: 1, Flags: LaneReceipts, MaxMessage: 1 << 20, Credit: 4 << 20},
		{Mode: 1, Priority: 1, Weight: 1, MaxMessage: 1088, MaxAge: 200},
		{Mode: 5, Priority: 2, Weight: 1, MaxMessage: 256},
	}}
)

// The values that the vectors of PROTOCOL.md 15 are made of. Tags are placeholders: real ones need keys.
var vectors = []vector{
	{"hello", Envelope{Kind: KindHello}, Hello{
		Nonce: sampleNonce, Binding: BindingExporter, NextSend: 1, NextReceive: 1, Token: []byte("identity-token"),
		Platform: []byte("linux"), Build: []byte("1.4.2"), Scope: []byte("match-7"),
	}, nil},
	{"hello with metadata", Envelope{Kind: KindHello}, Hello{
		Nonce: sampleNonce, Binding: BindingExporter, NextSend: 1, NextReceive: 1, Token: []byte("identity-token"),
		Metadata: []byte("skin=7"),
	}, nil},
	{"hello with ticket", Envelope{Kind: KindHello}, Hello{
		Nonce: sampleNonce, Binding: BindingExporter, NextSend: 1 << 32, NextReceive: 77, Ticket: []byte("ticket"),
		Proof: counting(0x40, ProofLen),
	}, nil},
	{"hello with lanes", Envelope{Kind: KindHello}, Hello{
		Nonce: sampleNonce, Binding: BindingExporter, NextSend: 1 << 32, NextReceive: 77, Features: FeatureReports | FeatureLanes,
		Ticket: []byte("ticket"), Lanes: sampleHelloLanes, Proof: counting(0x40, ProofLen),
	}, nil},
	{"welcome", Envelope{Kind: KindWelcome}, Welcome{
		Nonce: sampleNonce, Session: 0x01020304, Epoch: 1, Secret: sampleSecret, ClientNext: 1, ServerNext: 1,
		Expiry: 1800000900000, ServerTime: 1800000000000, Limits: Limits{MaxPayload: MaxBody, Rate: 256, Idle: 30000},
	}, nil},
	{"welcome with ticket", Envelope{Kind: KindWelcome}, Welcome{
		Nonce: sampleNonce, Session: 0x01020304, Epoch: 1, Secret: sampleSecret, ClientNext: 1 << 32, ServerNext: 78,
		Features: 1, ConnectionID: 0xcafe0001, Expiry: 1800000900000, ServerTime: 1800000000000,
		Limits: Limits{MaxPayload: MaxBody, Rate: 256, Idle: 30000}, Ticket: []byte("ticket"),
	}, nil},
	{"welcome with lanes", Envelope{Kind: KindWelcome}, Welcome{
		Nonce: sampleNonce, Session: 0x01020304, Epoch: 1, Secret: sampleSecret, ClientNext: 1 << 32, ServerNext: 78,
		Features: FeatureReports | FeatureLanes, ConnectionID: 0xcafe0001, Expiry: 1800000900000, ServerTime: 1800000000000,
		Limits: Limits{MaxPayload: MaxBody, Rate: 256, Idle: 30000}, Lanes: sampleWelcomeLanes,
	}, nil},
	{"data", inSession(KindData), nil, []byte("input")},
	{"renew", inSession(KindRenew), Renew{Token: []byte("fresh-token")}, nil},
	{"renewed", inSession(KindRenewed), Renewed{
		Epoch: 2, Secret: sampleSecret, Expiry: 1800001800000, Ticket: []byte("ticket"), ServerTime: 1800000900000,
	}, nil},
	{"ping", inSession(KindPing), Ping{Data: [8]byte(counting(0x60, 8))}, nil},
	{"pong", inSession(KindPong), Pong{Data: [8]byte(counting(0x60, 8))}, nil},
	{"pong with report", inSession(KindPong), Pong{Data: [8]byte(counting(0x60, 8)), Report: true, Lost: 9}, nil},
	{"pong with times", inSession(KindPong), Pong{
		Data: [8]byte(counting(0x60, 8)), Report: true, Times: true, Lost: 9, Received: 1800000000000250, Sent: 1800000000000410,
	}, nil},
	{"close", inSession(KindClose), CloseBody{Reason: ReasonShutdown, RetryAfter: 5000, Detail: []byte("bye")}, nil},
	{"close before welcome", Envelope{Kind: KindClose}, CloseBody{Reason: ReasonVersion, Detail: []byte{1}}, nil},
	{"bearer", untagged(inSession(KindBearer)), BearerBody{Token: []byte("identity-token"), Payload: []byte("input")}, nil},
	{"notice", inSession(KindNotice), NoticeBody{Code: NoticeStepUp, Within: 10000}, nil},
	{"frames", inSession(KindFrames), nil, []byte("\x23\x07\x02hi")},
}

func inSession(k Kind) Envelope {
	return Envelope{Kind: k, Epoch: 1, Session: 0x01020304, Seq: 7, Tag: sampleTag}
}

func untagged(e Envelope) Envelope {
	e.Epoch, e.Tag = 0, Tag{}
	return e
}

func counting(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

// inParts says whether the kind's body stands behind a part header.
func inParts(k Kind) bool { return k == KindHello || k == KindRenew }

// bytes writes the plaintext of the record, which all vectors fit.
func (v vector) bytes() []byte {
	e := v.envelope
	e.Body = v.bodyBytes()
	if inParts(e.Kind) {
		e.Body = Part{Total: uint16(len(e.Body)), Data: e.Body}.AppendTo(nil)
	}
	return e.AppendTo(nil)
}

func (v vector) bodyBytes() []byte {
	if v.body == nil {
		return v.payload
	}
	return v.body.AppendTo(nil)
}

// parseBody returns what body means, for a kind whose parts are together already.
func parseBody(k Kind, body []byte) (message, error) {
	switch k {
	case KindHello:
		return ParseHello(body)
	case KindWelcome:
		return ParseWelcome(body)
	case KindRenew:
		return ParseRenew(body)
	case KindRenewed:
		return ParseRenewed(body)
	case KindPing:
		return ParsePing(body)
	case KindPong:
		return ParsePong(body)
	case KindClose:
		return ParseCloseBody(body)
	case KindBearer:
		return ParseBearerBody(body)
	case KindNotice:
		return ParseNoticeBody(body)
	}
	return nil, nil
}

// envelopeVector is one of the group "envelopes": the bytes, and what they mean. Other programs read the
// fields; conformance/README.md says how values are written.
type envelopeVector struct {
	Name       string `json:"name"`
	Bytes      string `json:"bytes"`
	Fields     object `json:"fields"`
	DecodeOnly bool   `json:"decode_only,omitempty"` // it has what a sender does not write
}

type tagInputVector struct {
	Name     string `json:"name"`
	Envelope string `json:"envelope"` // the one that the block is of
	Bytes    string `json:"bytes"`
	Fields   object `json:"fields"`
}

// readVectors returns the bytes of the groups "envelopes" and "tag input", by name.
func readVectors(t testing.TB) map[string][]byte {
	t.Helper()
	m := map[string][]byte{}
	for _, group := range []string{"envelopes", "tag input"} {
		for _, v := range shared.Read[struct {
			Name, Bytes, Envelope string
			Fields                any
			DecodeOnly            bool `json:"decode_only"`
		}](t, group) {
			m[v.Name] = unhex(t, v.Bytes)
		}
	}
	return m
}

// The values give the bytes and the fields of the file; go generate writes it anew.
func TestVectorsAppend(t *testing.T) {
	var list []envelopeVector
	for _, v := range vectors {
		e := v.envelope
		e.Body = v.bodyBytes()
		list = append(list, envelopeVector{Name: v.name, Bytes: hex.EncodeToString(v.bytes()), Fields: fieldsOf(t, e)})
	}
	shared.Hold(t, "envelopes", list)
	data := list[slices.IndexFunc(vectors, func(v vector) bool { return v.name == "data" })]
	shared.Hold(t, "tag input", []tagInputVector{{"tag input", data.Bytes, hex.EncodeToString(tagInput()), object{
		{"version_kind", Version<<4 | KindData}, {"flags_epoch", 1}, {"session_id", "01020304"}, {"sequence", "0000000200000007"}, {"body_length", 5},
	}}})
}

// The bytes of the file give the values.
func TestVectorsParse(t *testing.T) {
	file := readVectors(t)
	for _, v := range vectors {
		e, err := Parse(file[v.name])
		if err != nil {
			t.Errorf("%s: %v", v.name, err)
			continue
		}
		body := e.Body
		if e.Body = nil; !reflect.DeepEqual(e, v.envelope) {
			t.Errorf("%s: envelope %+v, want %+v", v.name, e, v.envelope)
		}
		if inParts(e.Kind) {
			body = wholePart(t, body)
		}
		if got, err := parseBody(e.Kind, body); err != nil || !reflect.DeepEqual(got, v.body) {
			t.Errorf("%s: body %+v, %v; want %+v", v.name, got, err, v.body)
		}
	}
}

func wholePart(t *testing.T, b []byte) []byte {
	t.Helper()
	p, err := ParsePart(b)
	if err != nil || int(p.Total) != len(p.Data) {
		t.Fatalf("ParsePart: %+v, %v", p, err)
	}
	return p.Data
}

// tagInput is the block for the vector "data", whose sequence is 7 + 2^33.
func tagInput() []byte {
	var block [16]byte
	TagInput(&block, KindData, 1, 0x01020304, 7+1<<33, len("input"))
	return block[:]
}
