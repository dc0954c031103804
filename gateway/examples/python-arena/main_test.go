package main

import (
	"testing"

	"github.com/sallyport/sallyport/gateway/internal/playtest"
)

// The players of examples/client play on it, lanes included, and find every promise kept.
func TestPlay(t *testing.T) {
	playtest.Lines(t, "arena.py", 60)
	playtest.Play(t, game)
}

// So do players whose UDP is blocked, by WebSocket.
func TestPlayByWebSocket(t *testing.T) { playtest.Blocked(t, game) }
