package machine

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/session"
)

// receivingVector is a client that has taken the WELCOME of one epoch, and what comes to it then.
type receivingVector struct {
	Name        string          `json:"name"`
	From        string          `json:"from"`
	Secret      string          `json:"secret"`
	Exporter    string          `json:"exporter"`
	Binding     string          `json:"binding"`
	Session     string          `json:"session"`
	Epoch       string          `json:"epoch"`
	Platform    string          `json:"platform"`
	Build       string          `json:"build"`
	Certificate string          `json:"certificate"`
	Steps       []receivingStep `json:"steps"`
}

type receivingStep struct {
	AtMS     int64  `json:"at_ms"`
	Envelope string `json:"envelope"`
	Result   string `json:"result"` // the number restored, or why it is dropped
}

// "The client MUST receive by steps 4.1 to 4.4 and 4.6 to 4.8, update the window, and deliver."
// PROTOCOL.md 4.12
//
// "The client MUST accept the old epoch until 5 s after the first datagram that the server sent in the new
// one." PROTOCOL.md 5.3
func TestVectorsReceiving(t *testing.T) {
	first := twin{secret: counted(0x20, 32), exporter: counted(0x80, 32), binding: 1, session: 0x01020304, epoch: 1, platform: "linux", build: "1.4.2"}
	second := first
	second.secret, second.epoch = counted(0x40, 32), 2
	// sent is what the server sends in an epoch.
	sent := func(w twin, kind wire.Kind, seq uint64, body string) []byte {
		e := wire.Envelope{Kind: kind, Epoch: uint8(w.epoch % 4), Session: w.session, Seq: uint32(seq), Body: []byte(body)}
		copy(e.Tag[:], w.tag(1, kind, seq, len(body)))
		return e.AppendTo(nil)
	}
	data := func(w twin, seq uint64) []byte { return sent(w, wire.KindData, seq, "state") }
	spoilt := func(b []byte, at int) []byte { b[at] ^= 1; return b }
	renewed := sent(first, wire.KindRenewed, 2, string(wire.Renewed{
		Epoch: 2, Secret: [32]byte(second.secret), Expiry: 1800001800000, ServerTime: 1800000900000,
	}.AppendTo(nil)))
	type arrival struct {
		at   int64
		b    []byte
		want string
	}
	seq := func(n uint64) string { return fmt.Sprintf("%016x", n) }
	var list []receivingVector
	for _, v := range []struct {
		name     string
		arrivals []arrival
	}{
		{"each step, and nothing changes before the last", []arrival{
			{0, data(first, 1)[:17], "malformed"},
			{0, spoilt(data(first, 1), 1+1), "session"},
			{0, append([]byte{0x23}, data(first, 1)[1:]...), "version"},
			{0, data(second, 1), "epoch"},
			{0, data(first, 0), "replay"},
			{0, spoilt(data(first, 1), 10), "tag"},
			{0, data(first, 1), seq(1)},
			{0, data(first, 1), "replay"},
		}},
		{"the first step that fails counts", []arrival{
			{0, data(first, 1), seq(1)},
			{0, spoilt(spoilt(data(first, 1), 2), 10), "session"},
			{0, spoilt(spoilt(data(first, 1), 1), 10), "epoch"},
			{0, spoilt(data(first, 1), 10), "replay"},
		}},
		{"what the tag covers", []arrival{
			{0, append([]byte{0x16}, data(first, 1)[1:]...), "tag"},
			{0, append(data(first, 1), 'x'), "tag"},
			{0, data(first, 1)[:22], "tag"},
			{0, sent(first, wire.KindData, 1, "other"), seq(1)}, // the body is the record's to authenticate
		}},
		{"a wrong upper half", []arrival{{0, data(first, 1<<32), "replay"}, {0, data(first, 1<<32+1), "tag"}, {0, data(first, 1), seq(1)}}},
		{"a body that does not parse has used its number", []arrival{
			{0, sent(first, wire.KindPing, 1, "12345678x"), "malformed"},
			{0, sent(first, wire.KindPing, 1, "12345678"), "replay"},
			{0, sent(first, wire.KindPing, 2, "12345678"), seq(2)},
			{0, sent(first, wire.KindPong, 3, "12345678x"), "malformed"},
			{0, sent(first, wire.KindPong, 3, "12345678"), "replay"},
			{0, data(first, 4), seq(4)},
		}},
		{"the next epoch, and the overlap of the one before", []arrival{
			{0, data(second, 1), "epoch"},
			{0, data(first, 1), seq(1)},
			{0, renewed, seq(2)},
			{10, data(first, 4), seq(4)},
			{100, data(second, 5), seq(5)},
			{200, data(first, 3), seq(3)},
			{5099, data(first, 6), seq(6)},
			{5100, data(first, 7), "epoch"},
			{5100, data(second, 7), seq(7)},
		}},
	} {
		made := receivingVector{
			v.name, "server", hex.EncodeToString(first.secret), hex.EncodeToString(first.exporter), "01", "01020304", "00000001",
			hex.EncodeToString([]byte(first.platform)), hex.EncodeToString([]byte(first.build)), "", nil,
		}
		c := receivingClient(t, first)
		for i, a := range v.arrivals {
			_, ev := c.Handle(begin.Add(time.Duration(a.at)*time.Millisecond), bytes.Clone(a.b))
			if got := ev.Drop; got == audit.DropNone != (len(a.want) == 16) || got != audit.DropNone && got.String() != a.want {
				t.Errorf("%s: step %d: dropped as %v, want %s", v.name, i+1, got, a.want)
			}
			made.Steps = append(made.Steps, receivingStep{a.at, hex.EncodeToString(a.b), a.want})
		}
		list = append(list, made)
	}
	vectors.Hold(t, "received datagrams", list)
}

// receivingClient is a client that has taken the WELCOME of an epoch and waits for RENEWED.
func receivingClient(t *testing.T, w twin) *Client {
	c, err := NewClient(begin, session.ClientConfig{
		Fingerprint: session.Fingerprint{Platform: w.platform, Build: w.build},
	}, Channel{Exporter: [32]byte(w.exporter)}, []byte("identity"))
	if err != nil {
		t.Fatal(err)
	}
	welcome := wire.Welcome{
		Nonce: c.nonce, Session: w.session, Epoch: w.epoch, Secret: [32]byte(w.secret), ClientNext: 1, ServerNext: 1,
		Expiry: 1800000900000, ServerTime: 1800000000000, Limits: wire.Limits{MaxPayload: wire.MaxBody, Rate: 256, Idle: 30000},
	}
	if _, ev := c.Handle(begin, (wire.Envelope{Kind: wire.KindWelcome, Body: welcome.AppendTo(nil)}).AppendTo(nil)); ev.Kind != EventJoined {
		t.Fatalf("%+v", ev)
	}
	if err := c.Renew(begin, []byte("fresh")); err != nil {
		t.Fatal(err)
	}
	return c
}

func counted(from byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

type copiesVector struct {
	Name        string       `json:"name"`
	From        string       `json:"from"`
	Secret      string       `json:"secret"`
	Exporter    string       `json:"exporter"`
	Binding     string       `json:"binding"`
	Session     string       `json:"session"`
	Epoch       string       `json:"epoch"`
	Platform    string       `json:"platform"`
	Build       string       `json:"build"`
	Certificate string       `json:"certificate"`
	First       string       `json:"first"` // its sequence
	Body        closeFields  `json:"body"`
	Copies      []copyVector `json:"copies"`
}

type closeFields struct {
	Reason     wire.Reason `json:"reason"`
	RetryAfter uint32      `json:"retry_after"`
	Detail     string      `json:"detail"`
}

type copyVector struct {
	AtMS     int64  `json:"at_ms"`
	Sequence string `json:"sequence"`
	Envelope string `json:"envelope"`
}

// "Each copy has a record number, and in a session a sequence, of its own." PROTOCOL.md 5.5
func TestVectorsCopiesOfClose(t *testing.T) {
	w := twin{secret: counted(0x20, 32), exporter: counted(0x80, 32), binding: 1, session: 0x01020304, epoch: 1, platform: "linux", build: "1.4.2"}
	_, client, server := w.fast(t)
	var list []copiesVector
	for _, v := range []struct {
		name, from string
		sender     *epoch
		first      uint64
		body       wire.CloseBody
	}{
		{"the server shuts down", "server", server, 8, wire.CloseBody{Reason: wire.ReasonShutdown, RetryAfter: 5000, Detail: []byte("bye")}},
		{"the player leaves", "client", client, 1<<32 - 2, wire.CloseBody{Reason: wire.ReasonLeft}},
	} {
		made := copiesVector{
			v.name, v.from, hex.EncodeToString(w.secret), hex.EncodeToString(w.exporter), "01", "01020304", "00000001",
			hex.EncodeToString([]byte(w.platform)), hex.EncodeToString([]byte(w.build)), "", fmt.Sprintf("%016x", v.first),
			closeFields{v.body.Reason, v.body.RetryAfter, hex.EncodeToString(v.body.Detail)},
			nil,
		}
		l := link{id: w.session, sequence: v.first - 1}
		l.sending.Store(v.sender)
		for i, at := range []int64{0, 100, 300, 700} { // transport has the times
			b, err := l.append(nil, wire.KindClose, v.body.AppendTo(nil))
			if err != nil {
				t.Fatal(err)
			}
			made.Copies = append(made.Copies, copyVector{at, fmt.Sprintf("%016x", v.first+uint64(i)), hex.EncodeToString(b)})
		}
		list = append(list, made)
	}
	vectors.Hold(t, "copies of a CLOSE", list)
}
