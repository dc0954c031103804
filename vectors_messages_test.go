package sallyport_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// frameText is the first part of 15.5.
func frameText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]struct{ Name, Bytes string }](t, data) {
		x := newText(t, v.Name)
		x.rest = v.Bytes
		x.frames()
		all.WriteString(x.end())
	}
	return all.String()
}

// refusedText is a table of bytes that break one rule each: of long ones the beginning.
func refusedText(t *testing.T, data []byte) string {
	var all strings.Builder
	all.WriteString("| refused | as | bytes | rule |\n|---|---|---|---|\n")
	for _, v := range decode[[]struct{ Name, Bytes, Reason, Rule string }](t, data) {
		section, _, _ := strings.Cut(v.Rule, ":")
		fmt.Fprintf(&all, "| %s | `%s` | %s | %s |\n", v.Name, v.Reason, short(v.Bytes), section)
	}
	return all.String() + "\n"
}

type (
	parityVector struct {
		Name, Message     string
		Fragments, Parity []string
	}
	ackVector struct {
		Name    string
		Arrived []uint64
		DelayUS int `json:"delay_us"`
		Body    string
	}
	packingVector struct {
		Name, Lanes string
		Arrived     []uint64
		Messages    []messageVector
		Bodies      []string
	}
	exchangeVector struct {
		Name, Hello, Welcome string
		Steps                []struct {
			messageVector

			AtUS     int `json:"at_us"`
			End      string
			What     string
			Sequence uint64
			Body     string
			ID       uint64
			Arrived  bool
		}
	}
)

type messageVector struct {
	Lane int
	Key  *uint64
	Data string
}

// String says what the message is.
func (m messageVector) String() string {
	what := fmt.Sprintf("%d bytes", len(m.Data)/2)
	if m.Key != nil && m.Data == "" {
		what = "removed"
	}
	if b, err := hex.DecodeString(m.Data); err == nil && len(b) < 20 && len(b) > 0 {
		what = fmt.Sprintf("%q", b)
	}
	if m.Key != nil {
		return fmt.Sprintf("key %d on lane %d: %s", *m.Key, m.Lane, what)
	}
	return fmt.Sprintf("lane %d: %s", m.Lane, what)
}

// parityText is the first part of 15.6.
func parityText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]parityVector](t, data) {
		x := newText(t, v.Name)
		for j, parts := range [][]string{{v.Message}, v.Fragments, v.Parity} {
			for k, part := range parts {
				label := fmt.Sprintf([]string{"message", "fragment %[1]d", "parity frame %[1]d"}[j], k)
				label = strings.Split(label, "%!")[0]
				x.line(part[:32], fmt.Sprintf("%s: the first of %d bytes", label, len(part)/2))
				x.line(part[len(part)-32:], "the last of them")
			}
		}
		all.WriteString(x.end())
	}
	return all.String()
}

// ackText is the second part of 15.6.
func ackText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]ackVector](t, data) {
		x := newText(t, v.Name)
		fmt.Fprintf(x, "arrived: %s; the highest of them %d µs ago\n", ranges(v.Arrived), v.DelayUS)
		x.rest = v.Body
		x.frames()
		all.WriteString(x.end())
	}
	return all.String()
}

// packingText is the third part of 15.6.
func packingText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]packingVector](t, data) {
		x := newText(t, v.Name)
		x.rest = v.Lanes
		x.lanes(len(v.Lanes)/2, wire.KindWelcome)
		fmt.Fprintf(x, "\narrived: %s\nwaiting, in the order in which the game has sent them:\n", ranges(v.Arrived))
		for _, m := range v.Messages {
			fmt.Fprintf(x, "%v\n", m)
		}
		for i, body := range v.Bodies {
			fmt.Fprintf(x, "\ndatagram %d\n", i+1)
			x.rest = body
			x.frames()
		}
		all.WriteString(x.end())
	}
	return all.String()
}

// exchangeText is the last part of 15.6.
func exchangeText(t *testing.T, data []byte) string {
	var all strings.Builder
	for _, v := range decode[[]exchangeVector](t, data) {
		x := newText(t, v.Name)
		x.rest = v.Hello
		x.lanes(len(v.Hello)/2, wire.KindHello)
		x.WriteString("\n")
		x.rest = v.Welcome
		x.lanes(len(v.Welcome)/2, wire.KindWelcome)
		all.WriteString(x.end() + "| ms | end | what happens |\n|---|---|---|\n")
		for _, s := range v.Steps {
			what := s.What
			switch s.What {
			case "message":
				what = fmt.Sprintf("its game sends message %d on %v", s.ID, s.messageVector)
			case "value":
				what = fmt.Sprintf("its game sends %v", s.messageVector)
			case "sends", "loses":
				what = fmt.Sprintf("sends %d: %s", s.Sequence, frameList(t, s.Body))
				if s.What == "loses" {
					what = strings.Replace(what, ":", ", which is lost:", 1)
				}
			case "takes", "refuses", "leaves out":
				what = fmt.Sprintf("%s %d", s.What, s.Sequence)
			case "delivers":
				what = fmt.Sprintf("delivers message %d on %v", s.ID, s.messageVector)
				if s.Key != nil {
					what = fmt.Sprintf("delivers %v", s.messageVector)
				}
			case "receipt":
				what = fmt.Sprintf("message %d on lane %d has arrived", s.ID, s.Lane)
				if !s.Arrived {
					what = fmt.Sprintf("message %d on lane %d is not known to have arrived", s.ID, s.Lane)
				}
			}
			fmt.Fprintf(&all, "| %d | %s | %s |\n", s.AtUS/1000, s.End, what)
		}
		all.WriteString("\n")
	}
	return all.String()
}

// ranges writes ascending numbers, those that follow each other as one range.
func ranges(numbers []uint64) string {
	var all []string
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && numbers[j+1] == numbers[j]+1 {
			j++
		}
		if i == j {
			all = append(all, fmt.Sprint(numbers[i]))
		} else {
			all = append(all, fmt.Sprintf("%d to %d", numbers[i], numbers[j]))
		}
		i = j + 1
	}
	return strings.Join(all, ", ")
}

// frameList names the frames of a body.
func frameList(t *testing.T, body string) string {
	b, err := hex.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	r := wire.NewFrames(b)
	var f wire.Frame
	for r.Next(&f) {
		what := fmt.Sprintf("lane %d %v %d", f.Lane, f.Type, f.ID)
		switch f.Type {
		case wire.FrameAck:
			var numbers []uint64
			for _, g := range f.Ack.Ranges(nil, uint64(f.Ack.Highest)) {
				for n := g.High; n >= g.Low; n-- {
					numbers = append(numbers, n)
				}
			}
			slices.Sort(numbers)
			what = "ACK " + ranges(numbers)
		case wire.FrameFragment:
			what = fmt.Sprintf("lane %d FRAGMENT %d of %d", f.Lane, f.Index, f.ID)
		case wire.FrameParity:
			what = fmt.Sprintf("lane %d PARITY %d of %d", f.Lane, f.Index, f.ID)
		case wire.FrameLatest:
			what = fmt.Sprintf("lane %d LATEST %d of key %d", f.Lane, f.ID, f.Key)
		case wire.FrameCredit:
			what = fmt.Sprintf("lane %d CREDIT %d", f.Lane, f.Bytes)
		case wire.FrameSkip:
			what = fmt.Sprintf("lane %d SKIP to %d", f.Lane, f.ID)
		}
		all = append(all, what)
	}
	return strings.Join(all, "; ")
}
