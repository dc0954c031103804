package session

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
)

// "The error matches ErrConfig and names the field."
func TestConfigRefused(t *testing.T) {
	for field, c := range map[string]Config{
		"Window":      {Window: 100},
		"Leeway":      {Leeway: token.MaxLeeway + time.Nanosecond},
		"Behaviour":   {Behaviour: policy.BehaviourConfig{Datagrams: -1}},
		"Fingerprint": {Fingerprint: policy.FingerprintConfig{IPv4Bits: 33}},
	} {
		_, err := c.WithDefaults()
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
		if inner := errors.Is(err, policy.ErrConfig); inner != (field == "Behaviour" || field == "Fingerprint") {
			t.Errorf("%s: %v matches policy.ErrConfig: %v", field, err, inner)
		}
	}
}

// Enums have names, and numbers that mean nothing have their number.
func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		RevokeSignIn.String():       "sign-in",
		RevocationKind(9).String():  "revocation 9",
		ReasonKicked.String():       "kicked",
		Refusal(ReasonFull).Error(): "session: refused: server full",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
