package fingerprint

import (
	"cmp"
	"crypto/subtle"
	"net/netip"
	"strconv"

	"github.com/sallyport/sallyport/internal/sources"
	"github.com/sallyport/sallyport/policy"
)

// Part is a part of a fingerprint.
type Part uint8

const (
	PartNone Part = iota
	PartPlatform
	PartBuild
	PartCertificate
	PartChannel
	PartNetwork
)

// String returns the part as one lower-case word; "part N" for a value that does not exist.
func (p Part) String() string {
	if int(p) < len(partNames) {
		return partNames[p]
	}
	return "part " + strconv.Itoa(int(p))
}

var partNames = [...]string{"none", "platform", "build", "certificate", "channel", "network"}

// Prefix returns the network that a fingerprint is about: the first IPv4Bits or IPv6Bits of a,
// under the rules of sources.Prefix.
func Prefix(c *policy.FingerprintConfig, a netip.Addr) netip.Prefix {
	return sources.Prefix(a, c.IPv4Bits, c.IPv6Bits)
}

// Judge compares the fingerprint seen with the one the session is bound to. It returns the
// strongest action among the parts that differ (require, step up, note) and the first part that
// demands it, in the order of Part; ActionDefault and PartNone if all agree. An action that
// WithDefaults has not filled in counts as ActionRequire. Certificate and channel are compared in
// constant time. It does not allocate.
func Judge(c *policy.FingerprintConfig, bound, seen *Fingerprint) (policy.Action, Part) {
	v := verdict{}
	v.add(bound.Platform != seen.Platform, c.Platform, PartPlatform)
	v.add(bound.Build != seen.Build, c.Build, PartBuild)
	v.add(!sameCertificate(bound, seen), c.Certificate, PartCertificate)
	v.add(subtle.ConstantTimeCompare(bound.Channel[:], seen.Channel[:]) != 1, c.Channel, PartChannel)
	v.add(bound.Network != seen.Network, c.Network, PartNetwork)
	return v.action, v.part
}

func sameCertificate(a, b *Fingerprint) bool {
	if !a.HasCertificate || !b.HasCertificate {
		return a.HasCertificate == b.HasCertificate
	}
	return subtle.ConstantTimeCompare(a.Certificate[:], b.Certificate[:]) == 1
}

// verdict is the strongest action so far: the lowest number above zero.
type verdict struct {
	action policy.Action
	part   Part
}

func (v *verdict) add(differs bool, a policy.Action, p Part) {
	if !differs {
		return
	}
	a = cmp.Or(a, policy.ActionRequire)
	if v.part == PartNone || a < v.action {
		v.action, v.part = a, p
	}
}
