//go:build !sallyport_pion3

package transport

import "github.com/sallyport/sallyport/internal/handshake/pion2"

// engine negotiates keys: pion/dtls/v2, unless built with -tags sallyport_pion3.
var engine pion2.Engine

// signers says whether it can use a certificate whose key is behind a crypto.Signer.
const signers = false
