//go:build sallyport_pion3

package transport

import "github.com/sallyport/sallyport/handshake/pion3"

// engine negotiates keys: pion/dtls/v3.
var engine pion3.Engine
