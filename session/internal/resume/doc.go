// Package resume is the sealed bytes by which a session is to outlive its connection and its process: tickets with their
// proofs, the fleet's keys, and snapshots of live sessions. PROTOCOL.md 8 reserves them; package session uses none yet.
package resume

import "time"

// minUsedLife is the least time in which used tickets are remembered together.
const minUsedLife = time.Minute
