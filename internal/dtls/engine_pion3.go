//go:build sallyport_pion3

package dtls

import "github.com/sallyport/sallyport/internal/handshake/pion3"

// Engine negotiates keys: pion/dtls/v3.
var Engine pion3.Engine

// Signers reports whether it can use a certificate whose key is behind a crypto.Signer.
const Signers = true
