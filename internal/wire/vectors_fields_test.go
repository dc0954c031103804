package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// object is a JSON object whose members stay in order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, m := range o {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%c%s:%s", "{,"[min(i, 1)], name, value)
	}
	if len(o) == 0 {
		b.WriteByte('{')
	}
	return append(b.Bytes(), '}'), nil
}

// with appends a member, unless it is left out.
func (o object) with(in bool, name string, value any) object {
	if !in {
		return o
	}
	return append(o, member{name, value})
}

// hexed is bytes as the file has them; text is a field of text, left out if it is empty.
func hexed(b []byte) string { return hex.EncodeToString(b) }

func (o object) hex(name string, b []byte) object  { return o.with(len(b) > 0, name, hexed(b)) }
func (o object) text(name string, b []byte) object { return o.with(len(b) > 0, name, string(b)) }

func wide(n uint64) string { return fmt.Sprintf("%016x", n) }
func name(n uint32) string { return fmt.Sprintf("%08x", n) }

// fieldsOf is what an envelope means, whose parts are together, member for member as its map has it.
func fieldsOf(t testing.TB, e Envelope) object {
	o := object{
		{"version", Version},
		{"kind", e.Kind.String()},
		{"epoch_bits", e.Epoch},
		{"session_id", name(e.Session)},
		{"sequence", e.Seq},
		{"tag", hexed(e.Tag[:])},
	}
	if inParts(e.Kind) {
		o = append(o, member{"part", object{{"total", len(e.Body)}, {"offset", 0}}})
	}
	if e.Kind == KindData {
		return append(o, member{"body", object{{"payload", hexed(e.Body)}}})
	}
	if e.Kind == KindFrames {
		return append(o, member{"body", object{{"frames", framesOf(t, e.Body)}}})
	}
	m, err := parseBody(e.Kind, e.Body)
	if err != nil {
		t.Fatal(err)
	}
	return append(o, member{"body", bodyOf(m)})
}

func bodyOf(m message) object {
	switch m := m.(type) {
	case Hello:
		o := object{
			{"client_nonce", hexed(m.Nonce[:])},
			{"binding_mode", m.Binding},
			{"next_to_send", wide(m.NextSend)},
			{"next_to_receive", wide(m.NextReceive)},
			{"features", m.Features},
		}
		o = o.hex("token", m.Token).hex("ticket", m.Ticket).text("platform", m.Platform).text("build", m.Build).text("scope", m.Scope)
		o = o.hex("metadata", m.Metadata).with(m.Features&FeatureLanes != 0, "lanes", object{
			{"generation", name(m.Lanes.Generation)}, {"delay", m.Lanes.Delay}, {"first_credits", m.Lanes.Credits[:m.Lanes.Stated]},
		})
		return o.hex("proof", m.Proof)
	case Welcome:
		o := object{
			{"client_nonce", hexed(m.Nonce[:])},
			{"session_id", name(m.Session)},
			{"epoch", m.Epoch},
			{"secret", hexed(m.Secret[:])},
			{"client_next", wide(m.ClientNext)},
			{"server_next", wide(m.ServerNext)},
			{"features", m.Features},
			{"connection_id", name(m.ConnectionID)},
			{"expiry", m.Expiry},
			{"server_time", m.ServerTime},
		}
		o = o.hex("ticket", m.Ticket)
		o = append(o, member{"limits", object{{"payload", m.Limits.MaxPayload}, {"rate", m.Limits.Rate}, {"idle", m.Limits.Idle}}})
		return o.with(m.Features&FeatureLanes != 0, "lanes", lanesOf(&m.Lanes))
	case Renew:
		return object{{"token", hexed(m.Token)}}
	case Renewed:
		o := object{{"epoch", m.Epoch}, {"secret", hexed(m.Secret[:])}, {"expiry", m.Expiry}}.hex("ticket", m.Ticket)
		return o.with(m.ServerTime != 0, "time", m.ServerTime)
	case Ping:
		return object{{"data", hexed(m.Data[:])}}
	case Pong:
		o := object{{"data", hexed(m.Data[:])}}.with(m.Report, "lost", m.Lost)
		return o.with(m.Times, "received", m.Received).with(m.Times, "sent", m.Sent)
	case CloseBody:
		return object{{"reason", m.Reason}, {"retry_after", m.RetryAfter}, {"detail", hexed(m.Detail)}}
	case BearerBody:
		return object{{"token", hexed(m.Token)}, {"payload", hexed(m.Payload)}}
	case NoticeBody:
		return object{{"code", m.Code}, {"within", m.Within}, {"detail", hexed(m.Detail)}}
	}
	panic(fmt.Sprintf("%T has no fields here", m))
}

func lanesOf(w *WelcomeLanes) object {
	lanes := []object{}
	for _, l := range w.Lanes[:w.Number] {
		flags := []string{}
		for i, flag := range []string{"input", "insure", "receipts"} {
			if l.Flags>>i&1 != 0 {
				flags = append(flags, flag)
			}
		}
		lanes = append(lanes, object{
			{"mode", l.Mode},
			{"priority", l.Priority},
			{"weight", l.Weight},
			{"flags", flags},
			{"parity", l.Parity},
			{"largest", l.MaxMessage},
			{"first_credit", l.Credit},
			{"age", l.MaxAge},
		})
	}
	return object{{"generation", name(w.Generation)}, {"delay", w.Delay}, {"rate", w.Rate}, {"lanes", lanes}}
}

// framesOf is the frames of a body.
func framesOf(t testing.TB, body []byte) []object {
	list := []object{}
	r := NewFrames(body)
	for f := new(Frame); r.Next(f); f = new(Frame) {
		o := object{{"type", f.Type.String()}}
		if f.Type == FrameAck {
			further := []object{}
			for rest := f.Ack.ranges; len(rest) > 0; {
				gap, n := ParseVarint(rest)
				length, m := ParseVarint(rest[n:])
				further = append(further, object{{"gap", gap}, {"length", length}})
				rest = rest[n+m:]
			}
			o = append(o, object{{"highest", f.Ack.Highest}, {"delay", f.Ack.Delay}, {"first", f.Ack.First}, {"further", further}}...)
			list = append(list, o)
			continue
		}
		has := func(types ...FrameType) bool { return slices.Contains(types, f.Type) }
		o = append(o, member{"lane", f.Lane})
		o = o.with(has(FrameLatest), "key", f.Key).with(!has(FrameCredit), "id", f.ID)
		o = o.with(has(FrameSkip, FrameCredit), "bytes", f.Bytes).with(!has(FrameSkip, FrameCredit), "length", f.Total)
		o = o.with(has(FrameFragment, FrameParity), "index", f.Index).with(!has(FrameSkip, FrameCredit), "data", hexed(f.Data))
		list = append(list, o)
	}
	if r.Malformed() {
		t.Fatalf("%x is malformed", body)
	}
	return list
}
