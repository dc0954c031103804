//go:build !sallyport_pion3

package attack

import "github.com/sallyport/sallyport/internal/handshake/pion2"

// engine is the one that package transport links too.
var engine pion2.Engine
