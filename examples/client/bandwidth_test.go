package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/netsim"
)

// "bits a second with suffixes K, M and G; 0 means no limit"
func TestBandwidthFlag(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "64000": 64_000, "512K": 512_000, "512k": 512_000, "2M": 2_000_000, "1.5M": 1_500_000, "0.5K": 500,
		"1G": 1_000_000_000, "1000G": netsim.MaxBandwidth, "0M": 0,
		"": -1, "M": -1, "2MB": -1, "2Mbit": -1, "-2M": -1, "+2M": -1, "2e6": -1, "NaN": -1, "inf": -1, "0x10": -1, "1_000": -1,
		" 2M": -1, "2 M": -1, "1001G": -1, "0.1": -1, "2T": -1, "1.2.3M": -1,
	} {
		var out bytes.Buffer
		f, _ := parse([]string{"-bandwidth", text}, &out, &out)
		switch {
		case want < 0 && f != nil:
			t.Errorf("-bandwidth %q is %d", text, f.config.Impairment.Bandwidth)
		case want < 0 && !strings.Contains(out.String(), "-bandwidth"):
			t.Errorf("-bandwidth %q: %s", text, &out)
		case want >= 0 && (f == nil || f.config.Impairment.Bandwidth != want):
			t.Errorf("-bandwidth %q: %+v, %s", text, f, &out)
		}
	}
}

func TestQueueFlag(t *testing.T) {
	for args, good := range map[string]bool{
		"-queue 100ms": false, "-bandwidth 0 -queue 1s": false, "-bandwidth 2M -queue -1s": false, "-bandwidth 2M -queue 3s": false,
		"-bandwidth 2M -queue 0": true, "-bandwidth 2M -queue 2s": true,
	} {
		var out bytes.Buffer
		if f, _ := parse(strings.Fields(args), &out, &out); (f != nil) != good || !good && !strings.Contains(out.String(), "-queue") {
			t.Errorf("%s: %s", args, &out)
		}
	}
}

// Over a line that has room for a player everything arrives that loss does not take. One that is too
// narrow for the inputs or the snapshots makes them wait and drops some, which is nobody's fault.
func TestBandwidth(t *testing.T) {
	for name, args := range map[string][]string{
		"wide":   {"-bandwidth", "2M", "-loss", "0.05", "-latency", "50ms", "-duration", "2s"},
		"narrow": {"-bandwidth", "64K", "-duration", "2s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, code := play(t, t.Context(), args...)
			wantOK(t, r, code)
			if name == "narrow" && r.RTT.P50 < float64(netsim.DefaultQueue/time.Millisecond)/2 {
				t.Errorf("round trips of %+v: the snapshots do not queue", r.RTT)
			}
		})
	}
}
