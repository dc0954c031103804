package resume

import (
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

const (
	// MaxIdentity is how many bytes of a player's identity a ticket and a snapshot have: a user name,
	// a few groups and claims. In a ticket it gives way to names that leave less room.
	MaxIdentity = 160

	// maxTicketContent leaves 349 bytes for names, network prefix and identity: those of
	// Amazon Cognito take 260 to 300.
	maxTicketContent = wire.MaxTicket - ticketOverhead

	// SnapshotLife is how long the sessions of a snapshot may be restored: a process starts in a
	// few seconds, and after 30 s of silence clients have given up.
	SnapshotLife = 30 * time.Second

	// maxChunk is the longest plaintext of a snapshot's chunk in bytes.
	maxChunk = 64 << 10

	// maxChunks bounds a snapshot to 256 MiB, half a million sessions.
	maxChunks = 4096

	// maxText is the longest text of a session in bytes: base64url leaves no more for a scope in a
	// token that HELLO carries. An entry always fits a chunk.
	maxText = wire.MaxToken / 4 * 3

	// newestSeen is how many of a window's newest numbers a snapshot records one by one, 2 s at 128
	// Hz; older ones count as seen.
	newestSeen = 256

	// maxShared is how many texts of a snapshot have a number.
	maxShared = 1<<16 - 1
)
