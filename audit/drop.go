package audit

import (
	"strconv"
	"sync/atomic"
)

// Drop is why something was refused. One value is at once the label of a counter, the reason of an
// audit event and a row of the documentation. The numbers are not stable between releases; the
// labels are.
type Drop uint8

const (
	DropNone        Drop = iota // not refused
	DropSize                    // UDP datagram outside the limits
	DropSource                  // unknown address, no acceptable first handshake datagram
	DropBudget                  // handshake budget of the source or of the server spent
	DropHandshake               // handshake failed, or a datagram that is no part of the one under way
	DropRecord                  // record did not open, or was seen before
	DropMalformed               // not an envelope or body of this protocol
	DropSession                 // not this connection's session id
	DropRevoked                 // session revoked
	DropExpired                 // session past its expiry
	DropEpoch                   // neither the current epoch nor one it may overlap
	DropReplay                  // sequence seen before, or too old
	DropTag                     // tag differs
	DropFingerprint             // observation and fingerprint disagree
	DropRate                    // more than rate and behaviour allow
	DropState                   // kind not allowed in this state or direction
	DropVersion                 // protocol version not served
	DropToken                   // identity token refused: form, signature, issuer, audience, times
	DropScope                   // identity token is for another match
	DropUsed                    // identity token has already opened a session
	DropFull                    // as many sessions as allowed
	DropBusy                    // verification queue full
	DropUnavailable             // key set of the issuer cannot be reached
	DropBinding                 // channel binding mode refused
	DropTicket                  // resumption ticket or its proof refused
	DropQueue                   // receive queue full, oldest datagram dropped
	DropIdle                    // no datagram for the idle time
	DropMatch                   // refused by the match
	DropLanes                   // lanes used as no honest peer does
	numDrops                    // how many there are
)

var drops = [numDrops]struct{ label, sentence string }{
	DropNone:        {"none", "Nothing was refused."},
	DropSize:        {"size", "The UDP datagram is shorter or longer than the limits allow."},
	DropSource:      {"source", "An unknown address sent something other than an acceptable first handshake datagram."},
	DropBudget:      {"budget", "The handshake budget of the source prefix or of the whole server is spent."},
	DropHandshake:   {"handshake", "The handshake failed, or a datagram from its address was no part of it or began another one."},
	DropRecord:      {"record", "The DTLS record did not open under the connection's key, or was seen before."},
	DropMalformed:   {"malformed", "The record opened, but holds no envelope or body of this protocol."},
	DropSession:     {"session", "The session id is not the one of this connection."},
	DropRevoked:     {"revoked", "The session has been revoked."},
	DropExpired:     {"expired", "The session is past its expiry and leeway."},
	DropEpoch:       {"epoch", "The token epoch is neither current, nor next, nor the previous one within its overlap."},
	DropReplay:      {"replay", "The sequence was seen before or is older than the replay window."},
	DropTag:         {"tag", "The datagram's tag is not the one that session, sequence and connection require."},
	DropFingerprint: {"fingerprint", "What is observed no longer agrees with what the session was bound to."},
	DropRate:        {"rate", "The session sends more than its rate and behaviour limits allow."},
	DropState:       {"state", "The kind is not allowed in this state or from this side."},
	DropVersion:     {"version", "The protocol version is not served."},
	DropToken:       {"token", "The identity token was refused for its form, signature, issuer, audience or times."},
	DropScope:       {"scope", "The identity token does not permit this match."},
	DropUsed:        {"used", "The identity token has already opened or renewed a session."},
	DropFull:        {"full", "The server has as many sessions as it allows."},
	DropBusy:        {"busy", "The queue for token verification is full."},
	DropUnavailable: {"unavailable", "The key set of the token's issuer cannot be reached."},
	DropBinding:     {"binding", "The channel binding mode is refused by the configuration."},
	DropTicket:      {"ticket", "The resumption ticket or its proof was refused."},
	DropQueue:       {"queue", "The receive queue was full and its oldest datagram was dropped."},
	DropIdle:        {"idle", "No datagram arrived for the idle time."},
	DropMatch:       {"match", "The match refused the player."},
	DropLanes:       {"lanes", "A lane was used beyond its credit or its window, or a datagram acknowledged that was never sent."},
}

// String returns the label, one lower-case word; "drop N" for a value that does not exist.
func (d Drop) String() string {
	if d >= numDrops {
		return "drop " + strconv.Itoa(int(d))
	}
	return drops[d].label
}

// Describe returns one sentence for operators; empty for a value that does not exist.
func (d Drop) Describe() string {
	if d >= numDrops {
		return ""
	}
	return drops[d].sentence
}

// Counters counts drops by reason, exactly: repeats that a Sink suppresses are still counted here.
// The zero value is ready, all methods are safe for concurrent use, and none allocates but
// Snapshot. Shards should each own one and add up snapshots, because one counter written by two
// cores costs more than the check it counts.
type Counters [numDrops]atomic.Uint64

// Add counts one drop. DropNone and values that do not exist are not counted.
func (c *Counters) Add(d Drop) {
	if d != DropNone && d < numDrops {
		c[d].Add(1)
	}
}

// Snapshot returns the counters that are not zero, by label. While others count, the values may be
// a few datagrams apart.
func (c *Counters) Snapshot() map[string]uint64 {
	m := make(map[string]uint64)
	for d := range numDrops {
		if n := c[d].Load(); n != 0 {
			m[d.String()] = n
		}
	}
	return m
}
