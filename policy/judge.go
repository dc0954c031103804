package policy

import (
	"cmp"
	"crypto/subtle"
	"net/netip"
	"strconv"
	"time"
)

// Action says how a session proceeds when a part of its fingerprint changes.
type Action uint8

const (
	ActionDefault Action = iota // as FingerprintConfig says for the part
	ActionRequire               // refused, or revoked
	ActionStepUp                // a fresh identity token within StepUpTime, or out
	ActionNote                  // recorded
)

// String returns "default", "require", "step up" or "note"; "action N" for a value that does not
// exist.
func (a Action) String() string {
	return name("action", int(a), "default", "require", "step up", "note")
}

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
	return name("part", int(p), "none", "platform", "build", "certificate", "channel", "network")
}

func name(kind string, n int, names ...string) string {
	if n >= len(names) {
		return kind + " " + strconv.Itoa(n)
	}
	return names[n]
}

// FingerprintConfig sets the action for each part of a fingerprint. The zero value works.
type FingerprintConfig struct {
	// Platform and Build are stated by the client: a program does not change them while it runs, so
	// another value comes from another program. Certificate and Channel are proven by DTLS: another
	// value means another key or another connection. ActionDefault means ActionRequire for all
	// four.
	Platform, Build, Certificate, Channel Action

	// Network is the source network of the datagrams. Honest players move from Wi-Fi to a mobile
	// network and back, so a change does not prove theft; a thief who has only the session has no
	// fresh identity token. ActionDefault means ActionStepUp.
	Network Action

	// IPv4Bits and IPv6Bits are how many bits of an address name a network: 1 to 32 and 1 to 128.
	// Zero means 24 and 56, as for NetworkPrefix; negative is an error.
	IPv4Bits, IPv6Bits int

	// StepUpTime is how long a player has to show a fresh identity token. Zero means
	// DefaultStepUpTime; negative is an error. It runs only while the player could show one and does not (PROTOCOL.md
	// 4.9).
	StepUpTime time.Duration
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the field.
func (c FingerprintConfig) WithDefaults() (FingerprintConfig, error) {
	for _, a := range []*Action{&c.Platform, &c.Build, &c.Certificate, &c.Channel} {
		*a = cmp.Or(*a, ActionRequire)
	}
	c.Network = cmp.Or(c.Network, ActionStepUp)
	c.IPv4Bits = cmp.Or(c.IPv4Bits, networkBits4)
	c.IPv6Bits = cmp.Or(c.IPv6Bits, networkBits6)
	c.StepUpTime = cmp.Or(c.StepUpTime, DefaultStepUpTime)
	switch {
	case max(c.Platform, c.Build, c.Certificate, c.Channel, c.Network) > ActionNote:
		return c, configError("Platform, Build, Certificate, Channel and Network must be an Action")
	case c.IPv4Bits < 1 || c.IPv4Bits > 32 || c.IPv6Bits < 1 || c.IPv6Bits > 128:
		return c, configError("IPv4Bits must be 1 to 32 and IPv6Bits 1 to 128")
	case c.StepUpTime < 0:
		return c, configError("StepUpTime must not be negative")
	}
	return c, nil
}

// Prefix returns the network that a fingerprint is about: the first IPv4Bits or IPv6Bits of a,
// under the rules of NetworkPrefix.
func (c *FingerprintConfig) Prefix(a netip.Addr) netip.Prefix {
	return prefix(a, c.IPv4Bits, c.IPv6Bits)
}

// Judge compares the fingerprint seen with the one the session is bound to. It returns the
// strongest action among the parts that differ (require, step up, note) and the first part that
// demands it, in the order of Part; ActionDefault and PartNone if all agree. An action that
// WithDefaults has not filled in counts as ActionRequire. Certificate and channel are compared in
// constant time. It does not allocate.
func (c *FingerprintConfig) Judge(bound, seen *Fingerprint) (Action, Part) {
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
	action Action
	part   Part
}

func (v *verdict) add(differs bool, a Action, p Part) {
	if !differs {
		return
	}
	a = cmp.Or(a, ActionRequire)
	if v.part == PartNone || a < v.action {
		v.action, v.part = a, p
	}
}
