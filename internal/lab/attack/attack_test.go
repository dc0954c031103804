package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/tally"
	"github.com/sallyport/sallyport/internal/wire"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// lenient is a verifier with a hole: change spoils what good tokens claim.
type lenient struct {
	*token.Verifier
	change func(c *token.Claims)
}

func (l lenient) Verify(ctx context.Context, now time.Time, raw []byte) (*token.Claims, error) {
	claims, err := l.Verifier.Verify(ctx, now, raw)
	if err != nil {
		return nil, err
	}
	c := *claims // they are the cache's
	l.change(&c)
	return &c, nil
}

// server is a match server, with the hole that change makes unless it is nil.
func server(t *testing.T, change func(*token.Claims)) soak.Match {
	t.Helper()
	dev, err := gameserver.NewDev()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := dev.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	var v transport.Verifier = verifier
	if change != nil {
		v = lenient{verifier, change}
	}
	trail := &tally.Trail{}
	s, err := gameserver.Start(gameserver.Config{
		Listen: "127.0.0.1:0", Tick: 60, Certificate: dev.Certificate, Verifier: v, Audit: trail, Dev: dev, MaxPerSubject: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return soak.Embedded(s, dev, trail)
}

// players are honest, and who are done before the attack is.
var players = soak.Config{Players: 2, Rate: 60, Payload: 64, Duration: 500 * time.Millisecond}

// "Verdict ok when the server held": one with a hole does not hold, and the rows say where.
func TestWeakServer(t *testing.T) {
	t.Parallel()
	var number atomic.Uint32
	for name, test := range map[string]struct {
		attack string
		change func(*token.Claims)
		failed []int // rows
	}{
		"forgets used tokens":   {"stolen-token", func(c *token.Claims) { c.ID += string(rune('a' + number.Add(1)%26)) }, []int{0, 1}},
		"takes every device":    {"flip-fingerprint", func(c *token.Claims) { c.Platform, c.Build, c.HasThumbprint = "", "", false }, []int{0, 1, 2, 3, 4, 7, 8}},
		"takes every player":    {"flip-fingerprint", func(c *token.Claims) { c.Subject = "player" }, []int{5}},
		"takes every match":     {"flip-fingerprint", func(c *token.Claims) { c.Scope = scope }, []int{6}},
		"has no hole":           {"replay", nil, nil},
		"has no hole in tokens": {"flip-fingerprint", nil, nil},
		"has no hole in lanes":  {"lanes", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := Run(t.Context(), Config{Attack: test.attack, Honest: players}, server(t, test.change))
			var failed []int
			for i, row := range r.Rows {
				if row.Verdict != "ok" {
					failed = append(failed, i)
				}
			}
			if !slices.Equal(failed, test.failed) || r.OK() != (failed == nil) || len(r.Failures) != len(failed) {
				t.Errorf("rows %v failed, want %v; verdict %s: %q", failed, test.failed, r.Verdict, r.Failures)
			}
			if !r.Honest.OK() {
				t.Errorf("honest players: %v", r.Honest.Failures)
			}
		})
	}
}

// A player who stays although its session ought to be revoked is a failure.
func TestLanesThatHoldNothing(t *testing.T) {
	t.Parallel()
	target := server(t, nil)
	s := &stage{ctx: t.Context(), target: &target}
	row := s.perform(scene{play: func(s *stage) error {
		return s.overrun([]wire.Frame{message(arena.LanePickups, 1, 12)})
	}})
	if row.Verdict != "failed" || row.Audit["revoke lanes"] != 0 {
		t.Errorf("%+v", row)
	}
}

// Whoever loses an honest player has not held, whatever became of the attackers.
func TestHonestPlayersCount(t *testing.T) {
	r := &Report{Rows: []Row{{Verdict: "ok"}}, Honest: &soak.Report{Verdict: "failed", Failures: []string{"1 of 9 inputs lost"}}}
	if r.judge(false); r.OK() || len(r.Failures) != 1 {
		t.Errorf("%+v", r)
	}
}

// A server that does not hang has not been attacked.
func TestStallWithoutHang(t *testing.T) {
	t.Parallel()
	target := server(t, nil)
	target.Hang = nil
	r := Run(t.Context(), Config{Attack: "stall", Honest: players}, target)
	if r.OK() || len(r.Rows) != 1 || r.Rows[0].Verdict != "failed" {
		t.Errorf("%s: %+v", r.Verdict, r.Rows)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r := Run(ctx, Config{Attack: "bot", Honest: soak.Config{Players: 1, Rate: 60, Payload: 64, Duration: time.Hour}}, server(t, nil))
	if r.OK() || !slices.Contains(r.Failures, "interrupted") {
		t.Errorf("%s: %q", r.Verdict, r.Failures)
	}
}

// The report's fields are what scripts read, the table is what people do.
func TestReport(t *testing.T) {
	t.Parallel()
	r := Run(t.Context(), Config{Attack: "stolen-token", Honest: players}, server(t, nil))
	var text, object bytes.Buffer
	if err := r.WriteTable(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"verdict   ok", "token already used", "2 of 2 connected", "2 used", "2 reject used"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing:\n%s", want, &text)
		}
	}
	if err := json.NewEncoder(&object).Encode(r); err != nil {
		t.Fatal(err)
	}
	var top struct {
		Rows []map[string]any
	}
	if err := json.Unmarshal(object.Bytes(), &top); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(slices.Sorted(maps.Keys(top.Rows[0])), " ")
	if want := "attack audit drops expected seen verdict"; got != want {
		t.Errorf("a row has %s, want %s", got, want)
	}
}
