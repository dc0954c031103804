package identity

// Refusal is why a peer was refused, an error and a cause of the audit at once. The zero value
// is none. The numbers are not stable between releases; the labels are.
type Refusal uint8

const (
	NoCertificate Refusal = iota + 1
	NoID
	SeveralIDs
	WrongDomain
	NotAService
	UnknownIssuer
	Expired
	NotYetValid
	TooLong
	Denied
	UnknownRole
	WrongRole
	NotPermitted
	numRefusals
)

// refusals has of each the label, the sentence of the error, and what an operator can do.
var refusals = [numRefusals]struct{ label, text, todo string }{
	{label: "none"},
	NoCertificate: {"no certificate", "the peer showed no certificate", "let it call with the certificate of a service"},
	NoID:          {"no id", "the certificate has no SPIFFE id as its URI", "issue one with URI spiffe://<trust domain>/role/<role>; a DNS name is no identity here"},
	SeveralIDs:    {"several ids", "the certificate has more than one URI", "issue one with a single URI"},
	WrongDomain:   {"wrong domain", "the SPIFFE id is of another trust domain", "call a server of the peer's own fleet; federation is not offered"},
	NotAService:   {"not a service", "the certificate is an authority's, or not one for signatures", "issue one without CA and with the usage digitalSignature"},
	UnknownIssuer: {"unknown issuer", "no authority of the trust bundle has signed the certificate", "compare the trust bundles of both ends; the authority may have changed, or expired"},
	Expired:       {"expired", "the certificate has expired", "see why the peer could not renew it, and compare the clocks of both ends"},
	NotYetValid:   {"not yet valid", "the certificate is not valid yet", "set the clocks: they are more than two minutes apart"},
	TooLong:       {"too long", "the certificate is good for too long", "issue one for 24 hours at most, or set Config.MaxLife"},
	Denied:        {"denied", "the policy denies this SPIFFE id", "remove it from Policy.Denied once the service is trusted again"},
	UnknownRole:   {"unknown role", "the SPIFFE id has no role", "let its path begin with /role/<role>, or name it in Policy.Table"},
	WrongRole:     {"wrong role", "the peer's role is none of those expected here", "compare the address that was called with the certificate that answers there"},
	NotPermitted:  {"not permitted", "the peer's role does not have this permission", "let another service do it, or set Policy.Widen"},
}

// String returns the label; "none" for a value that does not exist.
func (r Refusal) String() string {
	if r >= numRefusals {
		return refusals[0].label
	}
	return refusals[r].label
}

// Error returns a sentence about the refusal, which names nobody.
func (r Refusal) Error() string {
	if r == 0 || r >= numRefusals {
		return "identity: refused"
	}
	return "identity: " + refusals[r].text
}
