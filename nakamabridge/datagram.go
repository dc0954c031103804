package nakamabridge

import (
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/internal/matchdata"
)

// senderID returns a presence's user id in binary, as a datagram has it; zero for none, and for one
// that is no UUID.
func senderID(p runtime.Presence) (id [16]byte) {
	if p == nil {
		return id
	}
	return matchdata.Sender(p.GetUserId())
}
