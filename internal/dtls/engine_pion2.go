//go:build !sallyport_pion3

package dtls

import "github.com/sallyport/sallyport/internal/handshake/pion2"

// Engine negotiates keys: pion/dtls/v2, unless built with -tags sallyport_pion3.
var Engine pion2.Engine

// Signers reports whether it can use a certificate whose key is behind a crypto.Signer.
const Signers = false
