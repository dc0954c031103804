package reach

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testkit"
)

func TestMain(m *testing.M) {
	if IsChild() {
		os.Exit(Child())
	}
	os.Exit(m.Run())
}

// patience is how long something may take that a machine which is idle does in a moment.
const patience = time.Minute

func config(t *testing.T, servers int) Config {
	return Config{Dir: t.TempDir(), Ports: [6]int(testkit.FreePorts(t, 6)), Servers: servers, Most: 1 << 18}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// Every bound of a Report, with eight match servers and a NATS server that is killed: some forty
// processes' worth of waiting, most of it for elections.
func TestReach(t *testing.T) {
	m := Measure{Config: config(t, 8), Calm: 20, Killed: 10, Once: 5, More: 90_000}
	m.Stored = 10_000
	r, err := Run(within(t, 6*time.Minute), m, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Print(t.Output()); err != nil {
		t.Error(err)
	}
	t.Logf("late, of these: %v; leader %v; start %v", append(lates(r.Calm), lates(r.Killed)...), r.LeaderLate, r.StartLate)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}

func lates(samples []Sample) (d []time.Duration) {
	for _, s := range samples {
		d = append(d, ms(s.Late))
	}
	return d
}
