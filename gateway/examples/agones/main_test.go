package main

import (
	"strings"
	"testing"
	"time"
)

// The rollout is played as the program's comment says.
func TestRollout(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), config{players: 5, within: 4 * time.Second}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"game-1 is ready", "one who is not listed was refused", "5 of 5 players have resumed on game-2, 0 have signed in", "may end"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %s", want, out.String())
		}
	}
}

// A binary that is not there is named.
func TestNoBinary(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), config{sdkServer: "/nowhere/sdk-server", players: 1, within: time.Second}, &out); err == nil || !strings.Contains(err.Error(), "-sdk-server") {
		t.Error(err)
	}
}
