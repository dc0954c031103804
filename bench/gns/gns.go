//go:build linux

package gns

import (
	"errors"
	"time"
)

// Values of ESteamNetworkingConfigValue.
const (
	sendBufferSize   = 9
	sendRateMin      = 10
	sendRateMax      = 11
	allowWithoutAuth = 23
	timeoutInitial   = 24
	timeoutConnected = 25
	receiveBuffer    = 47
	receiveMessages  = 48
)

var errConnect = errors.New("gns: not connected")

// Load loads the library of this name. Call it once, before all else.
func Load(name string) error { return load(name) }

// Listen begins to serve at a port of loopback. Connections will send rate bytes
// a second, no more and no less, and buffer so many bytes.
func Listen(port, rate, buffer int) error {
	for value, v := range map[int]int{
		sendRateMin: rate, sendRateMax: rate, sendBufferSize: buffer, allowWithoutAuth: 1,
		timeoutInitial: 60_000, timeoutConnected: 120_000, receiveBuffer: 8 << 20, receiveMessages: 1 << 16,
	} {
		configure(value, v)
	}
	if !begin(port) {
		return errConnect
	}
	return nil
}

// Connect connects a client at a port of loopback, within a time, and gives the
// server so many lanes, the first one first.
func Connect(port, count int, within time.Duration) error {
	if !join(port) {
		return errConnect
	}
	for end := time.Now().Add(within); state() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return errConnect
		}
	}
	if !lanes(count) {
		return errConnect
	}
	return nil
}

// Send sends a reliable message to the client, and reports whether there was
// room for it. It is safe for concurrent use.
func Send(lane int, b []byte) bool { return send(lane, b) }

// Receive calls f for each message that the client has: b is borrowed.
func Receive(f func(lane int, b []byte)) { receive(f) }

// Close ends both connections.
func Close() { finish() }
