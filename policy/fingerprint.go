package policy

import (
	"cmp"
	"time"
)

const (
	// defaultIPv4Bits is the smallest block that is routed on the Internet; defaultIPv6Bits is what
	// a household is often given and moves about in (RFC 6177).
	defaultIPv4Bits, defaultIPv6Bits = 24, 56

	// defaultStepUpTime is a round trip to the identity provider, a few retransmissions, and a
	// mobile network that is still waking up.
	defaultStepUpTime = 10 * time.Second
)

// FingerprintConfig sets the action for each part of a fingerprint. The zero value works. Each field
// says what zero means; negative values are errors.
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
	// Zero means 24 and 56.
	IPv4Bits, IPv6Bits int

	// StepUpTime is how long a player has to show a fresh identity token. It runs only while the
	// player could show one and does not (PROTOCOL.md 4.9). Zero means 10 s.
	StepUpTime time.Duration
}

// WithDefaults returns c with zero values filled in. The error matches ErrConfig and names the
// field.
func (c FingerprintConfig) WithDefaults() (FingerprintConfig, error) {
	for _, a := range []*Action{&c.Platform, &c.Build, &c.Certificate, &c.Channel} {
		*a = cmp.Or(*a, ActionRequire)
	}
	c.Network = cmp.Or(c.Network, ActionStepUp)
	c.IPv4Bits = cmp.Or(c.IPv4Bits, defaultIPv4Bits)
	c.IPv6Bits = cmp.Or(c.IPv6Bits, defaultIPv6Bits)
	c.StepUpTime = cmp.Or(c.StepUpTime, defaultStepUpTime)
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
