package sallyport_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/internal/wire"
)

type appender interface{ AppendTo([]byte) []byte }

// judgeEnvelope is what internal/wire makes of a plaintext: "ok" and the bytes that it writes again, or
// the reason for which it is dropped.
func judgeEnvelope(b []byte) string {
	e, err := wire.Parse(b)
	if errors.Is(err, wire.ErrVersion) {
		return "version"
	}
	if err != nil {
		return "malformed"
	}
	var part []byte
	body := e.Body
	if e.Kind == wire.KindHello || e.Kind == wire.KindRenew {
		p, err := wire.ParsePart(e.Body)
		if err != nil {
			return "malformed"
		}
		if int(p.Total) != len(p.Data) {
			return "ok " + hex.EncodeToString(e.AppendTo(nil))
		}
		part, body = e.Body[:len(e.Body)-len(p.Data)], p.Data
	}
	again, err := judgeBody(e.Kind, body)
	if err != nil {
		return "malformed"
	}
	e.Body = slices.Concat(part, again)
	return "ok " + hex.EncodeToString(e.AppendTo(nil))
}

func judgeBody(k wire.Kind, body []byte) ([]byte, error) {
	var m appender
	var err error
	switch k {
	case wire.KindHello:
		m, err = wire.ParseHello(body)
	case wire.KindWelcome:
		m, err = wire.ParseWelcome(body)
	case wire.KindRenew:
		m, err = wire.ParseRenew(body)
	case wire.KindRenewed:
		m, err = wire.ParseRenewed(body)
	case wire.KindPing:
		m, err = wire.ParsePing(body)
	case wire.KindPong:
		m, err = wire.ParsePong(body)
	case wire.KindClose:
		m, err = wire.ParseCloseBody(body)
	case wire.KindBearer:
		m, err = wire.ParseBearerBody(body)
	case wire.KindNotice:
		m, err = wire.ParseNoticeBody(body)
	case wire.KindFrames:
		return judgeFrames(body)
	default:
		return body, nil
	}
	if err != nil {
		return nil, err
	}
	return m.AppendTo(nil), nil
}

func judgeFrames(body []byte) (again []byte, err error) {
	r := wire.NewFrames(body)
	var f wire.Frame
	for r.Next(&f) {
		again = f.AppendTo(again)
	}
	if r.Malformed() {
		return nil, wire.ErrMalformed
	}
	return again, nil
}

// The reader of conformance/ and internal/wire say the same to envelopes of every kind that are cut off,
// longer, or have another byte somewhere.
func TestConformanceAgrees(t *testing.T) {
	var inputs [][]byte
	add := func(b []byte) { inputs = append(inputs, b) }
	random := rand.New(rand.NewPCG(18, 15))
	for _, g := range vectors.Of(t).Groups {
		if g.Kind != "envelope" && g.Kind != "refused envelope" {
			continue
		}
		for _, raw := range g.Vectors {
			var v struct{ Bytes string }
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			b, err := hex.DecodeString(v.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			add(b)
			add(append(bytes.Clone(b), 0))
			step := 1
			if g.Kind == "refused envelope" { // many are alike
				step = 7
			}
			for i := random.IntN(step); i < min(len(b), 300); i += step {
				add(b[:i])
				for _, to := range []byte{0, b[i] ^ 1, b[i] + 1, 0xff, byte(random.Uint32())} {
					other := bytes.Clone(b)
					other[i] = to
					add(other)
				}
				// Two bytes that depend on each other, such as a length and what it counts.
				other := bytes.Clone(b)
				other[i]++
				add(slices.Insert(other, min(len(other), i+1+random.IntN(4)), byte(random.Uint32())))
			}
		}
	}
	var questions strings.Builder
	for _, b := range inputs {
		fmt.Fprintf(&questions, "envelope %x\n", b)
	}
	out, ok := python(t, []byte(questions.String()), "--judge")
	if !ok {
		t.Fatal(out)
	}
	answers := bufio.NewScanner(strings.NewReader(out))
	answers.Buffer(nil, 1<<20)
	verdicts, bad := map[string]int{}, 0
	for _, b := range inputs {
		if !answers.Scan() {
			t.Fatalf("the reader answers %d of %d questions", len(verdicts), len(inputs))
		}
		want := judgeEnvelope(b)
		verdict, why, _ := strings.Cut(answers.Text(), " ")
		got := verdict
		if verdict == "ok" {
			got += " " + why
		}
		verdicts[verdict]++
		if got != want && bad < 20 {
			bad++
			t.Errorf("%x\nthe reader: %s\nour code:   %s", b, answers.Text(), want)
		}
	}
	if len(inputs) < 10_000 || verdicts["ok"] < 1000 || verdicts["malformed"] < 1000 || verdicts["version"] < 10 {
		t.Errorf("%d inputs, verdicts %v: too few of one of them", len(inputs), verdicts)
	}
	t.Logf("%d inputs, verdicts %v", len(inputs), verdicts)
}
