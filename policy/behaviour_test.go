package policy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/bucket"
)

func behaviour(t testing.TB, c BehaviourConfig) *BehaviourConfig {
	t.Helper()
	c, err := c.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// lots is a configuration whose buckets never run dry.
var lots = BehaviourConfig{Datagrams: bucket.MaxRate, DatagramBurst: bucket.MaxBurst, Bytes: bucket.MaxRate, ByteBurst: bucket.MaxBurst}

// "Zero means 256 and 512", "262,144 and 524,288", "256, 400 and 480", "1 s"; thresholds are "1 to 16,777,216 each", a Window
// "16 ms to 1 minute".
func TestBehaviourConfig(t *testing.T) {
	got := behaviour(t, BehaviourConfig{})
	if got.Datagrams != 256 || got.DatagramBurst != 512 || got.Bytes != 256<<10 || got.ByteBurst != 512<<10 ||
		got.Flag != 256 || got.Limit != 400 || got.Revoke != 480 || got.Window != time.Second {
		t.Errorf("defaults: %+v", got)
	}
	if again := behaviour(t, *got); *again != *got {
		t.Errorf("defaults of defaults: %+v", again)
	}
	for name, c := range map[string]BehaviourConfig{
		"datagrams":       {Datagrams: -1},
		"datagrams above": {Datagrams: bucket.MaxRate + 1},
		"burst":           {DatagramBurst: -1},
		"burst above":     {DatagramBurst: bucket.MaxBurst + 1},
		"bytes":           {Bytes: -1},
		"bytes above":     {Bytes: bucket.MaxRate + 1},
		"byte burst":      {ByteBurst: -1},
		"byte burst more": {ByteBurst: bucket.MaxBurst + 1},
		"flag":            {Flag: -1},
		"flag, limit":     {Flag: 401},
		"limit":           {Limit: -1},
		"limit, revoke":   {Limit: 481},
		"revoke":          {Revoke: 399},
		"revoke above":    {Revoke: maxChanges + 1},
		"window":          {Window: minWindow - 1},
		"window above":    {Window: maxWindow + 1},
	} {
		if _, err := c.WithDefaults(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []BehaviourConfig{
		lots,
		{Datagrams: 1, DatagramBurst: 1, Bytes: 1, ByteBurst: 1, Flag: 1, Limit: 1, Revoke: 1, Window: minWindow},
		{Flag: 400, Limit: 400, Revoke: 400, Window: maxWindow},
		{Revoke: maxChanges},
	} {
		behaviour(t, c)
	}
}

// "so set all three if you set one": the error says which numbers do not fit, and where they come from.
func TestOneThreshold(t *testing.T) {
	_, err := BehaviourConfig{Limit: 100}.WithDefaults()
	for _, want := range []string{"Flag, Limit and Revoke are 256, 100 and 480", "zero means 256, 400 and 480", "set all three", "1 to 16777216"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
