package endurance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/lab/soak"
	"github.com/sallyport/sallyport/internal/lab/succession"
)

func TestMain(m *testing.M) {
	if succession.IsChild() {
		os.Exit(succession.Child(os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// samples are as many as a run of d has, each made by of.
func samples(d time.Duration, of func(second int) Sample) []Sample {
	all := make([]Sample, 0, int(d.Seconds()))
	for i := range int(d.Seconds()) {
		s := of(i + 1)
		s.At = float64(i + 1)
		all = append(all, s)
	}
	return all
}

// level is a process that stays as it is.
func level(int) Sample {
	return Sample{Sessions: 1000, Goroutines: 30, Heap: 30 << 20, Resident: 80 << 20, Descriptors: 12}
}

func TestJudge(t *testing.T) {
	const hour = time.Hour
	grow := func(by func(s *Sample, second int)) func(int) Sample {
		return func(second int) Sample {
			s := level(second)
			by(&s, second)
			return s
		}
	}
	for name, c := range map[string]struct {
		long time.Duration
		of   func(int) Sample
		want string // in the only failure; empty means none
	}{
		"flat":                        {hour, level, ""},
		"while players join":          {hour, grow(func(s *Sample, i int) { s.Goroutines += max(0, 9-i) * 100 }), ""},
		"a goroutine a minute":        {hour, grow(func(s *Sample, i int) { s.Goroutines += i / 60 }), "goroutines: 50 at first, then 90"},
		"a descriptor a minute":       {hour, grow(func(s *Sample, i int) { s.Descriptors += i / 60 }), "descriptors: 32 at first, then 72"},
		"10 KB of heap a second":      {hour, grow(func(s *Sample, i int) { s.Heap += int64(i) * 10 << 10 }), "live heap"},
		"1.9 MB in two hours":         {hour, grow(func(s *Sample, i int) { s.Resident += int64(i) * 1900 << 10 / 7200 }), ""},
		"2.1 MB in two hours":         {hour, grow(func(s *Sample, i int) { s.Resident += int64(i) * 2200 << 10 / 7200 }), "resident memory in 2h0m0s"},
		"before minute 1":             {hour, grow(func(s *Sample, i int) { s.Resident -= int64(max(0, 55-i)) << 20 }), ""},
		"too short to judge memory":   {time.Minute, grow(func(s *Sample, i int) { s.Resident += int64(i) << 20 }), ""},
		"a system that does not tell": {hour, func(int) Sample { return Sample{Sessions: 1000, Goroutines: 30} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := Report{Samples: samples(c.long, c.of), elapsed: c.long}
			r.judge(false)
			if r.OK() != (c.want == "") || c.want != "" && (len(r.Failures) != 1 || !strings.Contains(r.Failures[0], c.want)) {
				t.Errorf("failures %q, want one with %q", r.Failures, c.want)
			}
		})
	}
}

func TestJudgeRounds(t *testing.T) {
	r := Report{Groups: []Group{{Name: "steady", Rounds: 1}, {Name: "dark"}}, Samples: samples(time.Minute, level), elapsed: time.Minute}
	r.judge(true)
	if got := strings.Join(r.Failures, "; "); got != "interrupted after 60.0 s; no round of the group dark" {
		t.Errorf("failures %q", got)
	}
}

func TestTeams(t *testing.T) {
	for _, players := range []int{MinPlayers, 999, 5000} {
		for _, g := range groups {
			sum := 0
			for _, size := range g.teams(players) {
				if size < 1 || size > teamSize {
					t.Errorf("%d players, %s: a team of %d", players, g.name, size)
				}
				sum += size
			}
			if want := int(g.share * float64(players)); g.share > 0 && sum != want {
				t.Errorf("%d players, %s: %d in teams, want %d", players, g.name, sum, want)
			}
		}
	}
}

// A subject never plays in two rounds: what one of them did is not to be held against another.
func TestSubjects(t *testing.T) {
	r := run{}
	dev, end, err := soak.StartEmbedded(Tick)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	r.match = dev
	seen := map[string]bool{}
	for team := range 2 {
		for number := range 2 {
			m := r.target(&Group{Name: "steady"}, team, number)
			raw, err := m.Token(t.Context(), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			subject := subject(t, raw)
			if seen[subject] {
				t.Errorf("%s twice", subject)
			}
			seen[subject] = true
		}
	}
}

func TestPicture(t *testing.T) {
	r := Report{Players: 10, Samples: samples(time.Minute, level), elapsed: time.Minute}
	var b bytes.Buffer
	if err := r.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for d := xml.NewDecoder(&b); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
			for _, a := range e.Attr {
				if n := len(strings.Fields(a.Value)); a.Name.Local == "points" && n != len(r.Samples) {
					t.Errorf("a line of %d points, want %d", n, len(r.Samples))
				}
			}
		}
	}
	if lines != len(charts) {
		t.Errorf("%d lines, want %d", lines, len(charts))
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []Config{{Players: MinPlayers - 1, Duration: time.Hour}, {Players: MinPlayers, Duration: MinDuration - 1}} {
		if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "must be at least") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// subject is that of a token, which nobody need verify here.
func subject(t *testing.T, raw []byte) string {
	t.Helper()
	var claims struct{ Sub string }
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(string(raw), ".")[1])
	if err == nil {
		err = json.Unmarshal(body, &claims)
	}
	if err != nil || claims.Sub == "" {
		t.Fatalf("%s: %v", raw, err)
	}
	return claims.Sub
}
