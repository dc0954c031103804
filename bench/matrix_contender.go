//go:build linux

package main

import "errors"

// The lanes of a trial: messages of 60 a second, and the bulk behind them.
const (
	laneRealTime = 0
	laneBulk     = 1
	laneCount    = 2
)

// contender is a library that carries reliable messages.
type contender struct {
	name string

	// open starts a server and a client of it in this process and connects them.
	open func(s *stage) (pair, error)

	// missing says why the contender cannot run here; nil means that it always can.
	missing func() string
}

// stage is what a contender plays on.
type stage struct {
	trial *trial

	// through gives the address at which the link leads to the server.
	through func(server string) (string, error)

	// deliver is told each message that the client has received, whole. b is
	// borrowed. It is safe for concurrent use.
	deliver func(lane int, b []byte)
}

// pair is a server and a client.
type pair interface {
	// send sends a reliable message to the client, in order if the library can do
	// nothing else. Lane 0 does not wait for a tick. One goroutine sends on each
	// lane; send may block, or return errFull if there is no room yet. b is
	// borrowed.
	send(lane int, b []byte) error
	close()
}

var errFull = errors.New("bench: no room yet")

// contenders are in the order of the tables.
var contenders = []contender{
	{name: ours, open: openSallyport},
	{name: uninsured, open: openUninsured},
	{name: "gns", open: openGNS, missing: missingGNS},
	{name: "enet", open: openENet, missing: missingENet},
	{name: "kcp-go", open: openKCP},
	{name: "quic-streams", open: openQUICStreams},
	{name: "quic-stream", open: openQUICStream},
}

// present reports whether the contender can run here.
func (c *contender) present() bool { return c.missing == nil || c.missing() == "" }
