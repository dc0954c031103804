//go:build linux

package main

import (
	"debug/buildinfo"
	"slices"
	"testing"
)

// shared are the modules that both the plugin and Nakama 3.40.0 link, at the versions that Nakama links.
var shared = map[string]string{
	"github.com/cespare/xxhash/v2":        "v2.3.0",
	"github.com/golang-jwt/jwt/v5":        "v5.3.1",
	"github.com/heroiclabs/nakama-common": "v1.47.0",
	"golang.org/x/crypto":                 "v0.54.0",
	"golang.org/x/net":                    "v0.57.0",
	"golang.org/x/sys":                    "v0.47.0",
	"google.golang.org/protobuf":          "v1.36.11",
}

// own are the modules that only the plugin links, with one engine for handshakes or the other.
var own = []string{
	"github.com/klauspost/cpuid/v2",
	"github.com/klauspost/reedsolomon",
	"github.com/pion/dtls/v2",
	"github.com/pion/dtls/v3",
	"github.com/pion/logging",
	"github.com/pion/transport/v2",
	"github.com/pion/transport/v5",
	"github.com/sallyport/sallyport",
}

// A plugin loads only if every package that it shares with its server is of the same version: "plugin was built with
// a different version of package".
func TestPins(t *testing.T) {
	for _, tag := range []string{"", "sallyport_pion3"} {
		for module, version := range linked(t, buildPlugin(t, tag)) {
			if pin := shared[module]; pin != version && !slices.Contains(own, module) {
				t.Errorf("the plugin with tag %q links %s %s; Nakama links %q", tag, module, version, pin)
			}
		}
	}
}

// checkPins compares the table with what the server really links.
func checkPins(t *testing.T, server string) {
	t.Helper()
	have := linked(t, server)
	for module, pin := range shared {
		if have[module] != pin {
			t.Errorf("Nakama links %s %q, not %s", module, have[module], pin)
		}
	}
	for _, module := range own {
		if have[module] != "" {
			t.Errorf("Nakama links %s too, at %s", module, have[module])
		}
	}
}

// linked returns the modules that a program or plugin links, as go version -m does.
func linked(t *testing.T, file string) map[string]string {
	t.Helper()
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	modules := make(map[string]string)
	for _, m := range info.Deps {
		modules[m.Path] = m.Version
	}
	return modules
}
