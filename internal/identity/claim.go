package identity

// Claim is what is known of one claim. Its methods return the value if the claim is present and has
// that type, absent if the token has no such claim or one of another type, and unknown if nobody
// here knows. The zero value is unknown.
type Claim struct {
	state State
	value any // string, float64, bool or []string
}

// State returns what is known of the claim.
func (c Claim) State() State { return c.state }

// Text returns the value of a text.
func (c Claim) Text(absent, unknown string) string { return choose(c, absent, unknown) }

// Number returns the value of a number.
func (c Claim) Number(absent, unknown float64) float64 { return choose(c, absent, unknown) }

// Bool returns the value of true or false.
func (c Claim) Bool(absent, unknown bool) bool { return choose(c, absent, unknown) }

// Texts returns the value of a list of texts. The slice is the caller's.
func (c Claim) Texts(absent, unknown []string) []string { return choose(c, absent, unknown) }

func choose[T any](c Claim, absent, unknown T) T {
	if c.state == Unknown {
		return unknown
	}
	if v, ok := c.value.(T); ok {
		return v
	}
	return absent
}
