package main

import (
	"errors"
	"testing"

	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/token"
)

// "An error ends the server": better none than one that lets everybody in.
func TestInitModuleWithoutPool(t *testing.T) {
	t.Parallel()
	if err := InitModule(t.Context(), nil, nil, nil, nil); !errors.Is(err, token.ErrConfig) {
		t.Errorf("InitModule without settings: %v", err)
	}
}

// "MatchJoinAttempt admits players while there is room."
func TestArenaIsFull(t *testing.T) {
	t.Parallel()
	var match runtime.Match = arena{}
	state, _, _ := match.MatchInit(t.Context(), nil, nil, nil, nil)
	for i := range maxPlayers + 1 {
		_, admitted, _ := match.MatchJoinAttempt(t.Context(), nil, nil, nil, nil, 0, state, nil, nil)
		if want := i < maxPlayers; admitted != want {
			t.Errorf("player %d: admitted %v, want %v", i, admitted, want)
		}
		if _, room := match.MatchSignal(t.Context(), nil, nil, nil, nil, 0, state, ""); admitted != (room == "true") {
			t.Errorf("player %d: admitted %v, room %s", i, admitted, room)
		}
		state.(*world).players[string(rune('a'+i))] = &player{}
	}
}

// "After which a match ends": else whoever joins and leaves makes match after match that runs for ever.
func TestArenaEnds(t *testing.T) {
	t.Parallel()
	var match runtime.Match = arena{}
	state, _, _ := match.MatchInit(t.Context(), nil, nil, nil, nil)
	loop := func(ticks int) any {
		var after any
		for range ticks {
			after = match.MatchLoop(t.Context(), nil, nil, nil, listeners{}, 0, state, nil)
		}
		return after
	}
	if loop(emptyTicks) == nil {
		t.Error("the match ended too soon")
	}
	state.(*world).players["a"] = &player{}
	if loop(emptyTicks+1) == nil {
		t.Error("the match ended with a player in it")
	}
	delete(state.(*world).players, "a")
	if loop(emptyTicks) == nil || loop(1) != nil {
		t.Errorf("the match did not end after %d empty ticks", emptyTicks)
	}
}

// listeners is a dispatcher without players.
type listeners struct{ runtime.MatchDispatcher }

func (listeners) BroadcastMessage(int64, []byte, []runtime.Presence, runtime.Presence, bool) error {
	return nil
}

// "It ignores malformed steps, and senders who are no players."
func TestMove(t *testing.T) {
	t.Parallel()
	w := &world{players: map[string]*player{"a": {User: "u"}}}
	for _, step := range []string{"\x01\xff", "\x7f\x80", "", "\x01", "\x01\x01\x01"} {
		w.move("a", []byte(step))
		w.move("stranger", []byte(step))
	}
	if got, want := string(w.encode()), `[{"user":"u","x":128,"y":-129}]`; got != want {
		t.Errorf("the world is %s, want %s", got, want)
	}
}
