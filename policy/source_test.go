package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/bucket"
)

// "Zero means 20 and 40", "Zero means 8", "Zero means 65,536"
func TestSourceConfigDefaults(t *testing.T) {
	got, err := SourceConfig{}.WithDefaults()
	if want := (SourceConfig{PerSecond: 20, Burst: 40, Unproven: 8, MaxSources: 65536}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if again, err := got.WithDefaults(); err != nil || again != got {
		t.Errorf("defaults of defaults: %+v, %v", again, err)
	}
}

// "1 to 1,000,000,000 each", "1 to 16,777,216", and the error names the field.
func TestSourceConfigBounds(t *testing.T) {
	for _, c := range []struct {
		field string
		set   func(*SourceConfig, int)
		most  int
	}{
		{"PerSecond", func(c *SourceConfig, n int) { c.PerSecond = n }, bucket.MaxRate},
		{"Burst", func(c *SourceConfig, n int) { c.Burst = n }, bucket.MaxBurst},
		{"Unproven", func(c *SourceConfig, n int) { c.Unproven = n }, 1 << 24},
		{"MaxSources", func(c *SourceConfig, n int) { c.MaxSources = n }, 1 << 24},
	} {
		for n, good := range map[int]bool{-1: false, 0: true, 1: true, c.most: true, c.most + 1: false} {
			var config SourceConfig
			c.set(&config, n)
			_, err := config.WithDefaults()
			if refused := errors.Is(err, ErrConfig) && strings.Contains(err.Error(), c.field); refused == good || good != (err == nil) {
				t.Errorf("%s of %d: %v", c.field, n, err)
			}
		}
	}
}
