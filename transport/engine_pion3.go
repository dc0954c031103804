//go:build sallyport_pion3

package transport

import "github.com/sallyport/sallyport/internal/handshake/pion3"

// engine negotiates keys: pion/dtls/v3.
var engine pion3.Engine

// signers says whether it can use a certificate whose key is behind a crypto.Signer.
const signers = true
