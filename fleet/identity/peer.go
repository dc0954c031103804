package identity

import (
	"time"
)

// Peer is a service that has proved who it is.
type Peer struct {
	ID          string      // SPIFFE id; not personal data, so logs and the audit have it in clear
	Role        Role        // never NoRole
	Permissions Permissions // of the role
	Expires     time.Time   // when its certificate, or that of an authority above it, does
}
