package session

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/token"
)

// What a negative value of a field means. Zero is always good.
const (
	refused = iota
	kept    // it means none, any number or never
)

// "Zero means DefaultIdle; negative is an error." Each field of a number has its line here.
func TestNegative(t *testing.T) {
	t.Run("Config", func(t *testing.T) {
		negatives(t, func(c Config) (Config, error) { return c.WithDefaults() }, map[string]int{
			"MaxSessions": kept, "MaxPerSubject": kept,
			"Window": refused, "Leeway": refused, "Overlap": refused, "Idle": refused, "MaxRevocations": refused,
			"MaxBans": refused, "Ping": refused, "BadTags": refused,
		})
	})
	t.Run("ClientConfig", func(t *testing.T) {
		negatives(t, func(c ClientConfig) (ClientConfig, error) { return c.WithDefaults() }, map[string]int{
			"Probe":  kept,
			"Window": refused, "Overlap": refused, "KeepAlive": refused,
		})
	})
}

// negatives sets each field of a number to -1 in turn.
func negatives[T any](t *testing.T, withDefaults func(T) (T, error), want map[string]int) {
	t.Helper()
	var zero T
	if _, err := withDefaults(zero); err != nil {
		t.Errorf("zero: %v", err)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if k := field.Type.Kind(); k != reflect.Int && k != reflect.Int64 {
			continue
		}
		var c T
		reflect.ValueOf(&c).Elem().FieldByIndex(field.Index).SetInt(-1)
		got, err := withDefaults(c)
		mode, listed := want[field.Name]
		switch {
		case !listed:
			t.Errorf("%s is not in the table", field.Name)
		case mode == refused && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), field.Name)):
			t.Errorf("%s: %v, want an ErrConfig that names it", field.Name, err)
		case mode == kept && (err != nil || reflect.ValueOf(got).FieldByIndex(field.Index).Int() != -1):
			t.Errorf("%s: %v", field.Name, err)
		}
	}
}

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
