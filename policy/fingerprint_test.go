package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func withDefaults(t testing.TB, c FingerprintConfig) *FingerprintConfig {
	t.Helper()
	c, err := c.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// "ActionDefault means ActionRequire for all four", "ActionDefault means ActionStepUp", "Zero means 24 and 56", "Zero means 10 s".
func TestFingerprintDefaults(t *testing.T) {
	got := *withDefaults(t, FingerprintConfig{})
	want := FingerprintConfig{
		ActionRequire, ActionRequire, ActionRequire, ActionRequire, ActionStepUp,
		24, 56, 10 * time.Second,
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if again := *withDefaults(t, got); again != got {
		t.Errorf("defaults of defaults: %+v", again)
	}
	set := FingerprintConfig{
		ActionNote, ActionStepUp, ActionNote, ActionStepUp, ActionRequire,
		1, 128, time.Nanosecond,
	}
	if got := *withDefaults(t, set); got != set {
		t.Errorf("what is set changes: %+v, want %+v", got, set)
	}
}

// "1 to 32 and 1 to 128", "The error is ErrConfig."
func TestFingerprintConfigBounds(t *testing.T) {
	for name, c := range map[string]FingerprintConfig{
		"platform":    {Platform: ActionNote + 1},
		"build":       {Build: ActionNote + 1},
		"certificate": {Certificate: ActionNote + 1},
		"channel":     {Channel: ActionNote + 1},
		"network":     {Network: 255},
		"IPv4 -1":     {IPv4Bits: -1},
		"IPv4 33":     {IPv4Bits: 33},
		"IPv6 -1":     {IPv6Bits: -1},
		"IPv6 129":    {IPv6Bits: 129},
		"time":        {StepUpTime: -1},
	} {
		if _, err := c.WithDefaults(); !errors.Is(err, ErrConfig) || !strings.HasPrefix(err.Error(), "policy: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []FingerprintConfig{{IPv4Bits: 1}, {IPv4Bits: 32}, {IPv6Bits: 1}, {IPv6Bits: 128}} {
		if _, err := c.WithDefaults(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// "one lower-case word", and values that do not exist say so.
func TestNames(t *testing.T) {
	for got, want := range map[fmt.Stringer]string{
		ActionDefault: "default", ActionRequire: "require", ActionStepUp: "step up", ActionNote: "note", Action(4): "action 4",
		VerdictAllow: "allow", VerdictFlag: "flag", VerdictLimit: "limit", VerdictRevoke: "revoke", Verdict(255): "verdict 255",
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
