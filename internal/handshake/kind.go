package handshake

import "strconv"

// Kind is the kind of cause that a failed handshake counts under. The numbers are not stable between
// releases; the labels are.
type Kind uint8

// The kinds of causes.
const (
	KindOther         Kind = iota // none of these, or unknown
	KindMalformed                 // a message is malformed or out of place
	KindVersion                   // the peer does not speak DTLS 1.2
	KindSuite                     // no cipher suite in common
	KindGroup                     // no group in common
	KindSignature                 // no signature algorithm in common
	KindMasterSecret              // no extended master secret
	KindNoCertificate             // a client certificate is required, and there is none
	KindCertificate               // the peer's certificate is refused
	KindProof                     // a signature or a Finished does not verify
	KindAlert                     // the peer has ended it by an alert
	KindTimeout                   // a flight did not come in time
	KindUnconfirmed               // no record came under the new keys
	KindAnew                      // the client has begun another one in its place
	KindEvicted                   // it has made room for another one
	NumKinds                      // how many there are
)

var kindLabels = [NumKinds]string{
	KindOther: "other", KindMalformed: "malformed", KindVersion: "version", KindSuite: "suite", KindGroup: "group",
	KindSignature: "signature", KindMasterSecret: "master_secret", KindNoCertificate: "no_certificate",
	KindCertificate: "certificate", KindProof: "proof", KindAlert: "alert", KindTimeout: "timeout",
	KindUnconfirmed: "unconfirmed", KindAnew: "anew", KindEvicted: "evicted",
}

// String returns the label, or "kind N".
func (k Kind) String() string {
	if k < NumKinds {
		return kindLabels[k]
	}
	return "kind " + strconv.Itoa(int(k))
}
