package sallyport_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/nakamabridge"
	"github.com/sallyport/sallyport/netsim"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/statuspage"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// meaning is what a negative value of a field means. Zero always means the default.
type meaning int

const (
	refused meaning = iota // an error that matches ErrConfig and names the field
	taken                  // none, never, any number, or the nearest good one: the field's comment says so
)

// One rule for zero and negative values in every configuration: each field of a number has a line here.
func TestZeroAndNegative(t *testing.T) {
	certificate, issuer := *testkit.NewAuthority(t).Server(t), testkit.NewIssuer(t)
	verifier := issuer.Verifier(t)
	set, err := token.NewSecretKey("k", make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewStaticKeys(set)
	if err != nil {
		t.Fatal(err)
	}

	config(t, session.ErrConfig, session.Config{}, map[string]meaning{
		"MaxSessions": taken, "MaxPerSubject": taken, "Window": refused, "Leeway": refused, "Overlap": refused,
		"Idle": refused, "MaxRevocations": refused, "MaxBans": refused, "Ping": refused, "BadTags": refused,
	}, func(c session.Config) error { _, err := c.WithDefaults(); return err })
	config(t, session.ErrConfig, session.ClientConfig{}, map[string]meaning{
		"Window": refused, "Overlap": refused, "KeepAlive": refused, "Probe": taken,
	}, func(c session.ClientConfig) error { _, err := c.WithDefaults(); return err })
	config(t, transport.ErrConfig, transport.Config{Certificate: certificate, Verifier: verifier}, map[string]meaning{
		"ClientAuth": refused, "Shards": refused, "MaxHandshakes": refused, "MaxUnproven": refused, "HandshakeTimeout": refused, "Verifications": refused,
	}, func(c transport.Config) error {
		s, err := transport.Listen("127.0.0.1:0", c)
		if err == nil {
			s.Close()
		}
		return err
	})
	config(t, netsim.ErrConfig, netsim.Impairment{}, map[string]meaning{
		"Latency": refused, "Jitter": refused, "Late": refused, "Bandwidth": refused, "Queue": refused,
	}, func(im netsim.Impairment) error { _, err := im.WithDefaults(); return err })
	config(t, policy.ErrConfig, policy.BehaviourConfig{}, map[string]meaning{
		"Datagrams": refused, "DatagramBurst": refused, "Bytes": refused, "ByteBurst": refused,
		"Flag": refused, "Limit": refused, "Revoke": refused, "Window": refused,
	}, func(c policy.BehaviourConfig) error { _, err := c.WithDefaults(); return err })
	config(t, policy.ErrConfig, policy.FingerprintConfig{}, map[string]meaning{
		"IPv4Bits": refused, "IPv6Bits": refused, "StepUpTime": refused,
	}, func(c policy.FingerprintConfig) error { _, err := c.WithDefaults(); return err })
	config(t, policy.ErrConfig, policy.SourceConfig{}, map[string]meaning{
		"PerSecond": refused, "Burst": refused, "Unproven": refused, "MaxSources": refused,
	}, func(c policy.SourceConfig) error { _, err := c.WithDefaults(); return err })
	config(t, audit.ErrConfig, audit.JSONConfig{}, map[string]meaning{
		"Queue": refused, "PerSecond": taken,
	}, func(c audit.JSONConfig) error {
		j, err := audit.NewJSON(io.Discard, c)
		if err == nil {
			j.Close()
		}
		return err
	})
	config(t, token.ErrConfig, token.RemoteConfig{URL: "https://example.com/keys", Algorithm: token.ES256}, map[string]meaning{
		"MinRefresh": refused, "MaxRefresh": refused, "MaxAge": refused, "Timeout": refused, "UnknownEvery": refused, "UnknownBurst": refused,
	}, func(c token.RemoteConfig) error { _, err := token.NewRemoteKeys(c); return err })
	config(t, token.ErrConfig, token.Profile{Issuer: "i", Audience: []string{"a"}, Algorithm: token.HS256, Keys: keys}, map[string]meaning{
		"MaxLife": refused, "Leeway": taken,
	}, func(p token.Profile) error { _, err := token.NewVerifier(p); return err })
	config(t, token.ErrConfig, token.CognitoConfig{Pool: "eu-central-1_AbCdEf123", Clients: []string{"c"}}, map[string]meaning{
		"MaxLife": refused, "Leeway": taken,
	}, func(c token.CognitoConfig) error { _, err := token.NewCognito(c); return err })
	config(t, token.ErrConfig, token.IssuerConfig{Issuer: "i", Audience: "a"}, map[string]meaning{
		"Life": refused,
	}, func(c token.IssuerConfig) error { _, err := token.NewIssuer(c); return err })
	config(t, statuspage.ErrConfig, statuspage.Config{Server: &transport.Server{}}, map[string]meaning{}, // no numbers yet
		func(c statuspage.Config) error { _, err := statuspage.Handler(c); return err })
	config(t, nakamabridge.ErrConfig, nakamabridge.Config{Verifier: verifier, Accounts: struct{ nakamabridge.Accounts }{}, Address: "127.0.0.1:0"}, map[string]meaning{
		"VirtualPlayers": refused, "Queue": refused, "TokenLife": refused, "BanInterval": refused,
	}, func(c nakamabridge.Config) error {
		b, err := nakamabridge.New(t.Context(), c)
		if err == nil {
			b.Close()
		}
		return err
	})
}

// config sets each field of a number to -1 in turn.
func config[T any](t *testing.T, errConfig error, good T, want map[string]meaning, use func(T) error) {
	t.Helper()
	name := reflect.TypeFor[T]().String()
	if err := use(good); err != nil {
		t.Errorf("%s, zero: %v", name, err)
	}
	numbers := 0
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if k := field.Type.Kind(); !field.IsExported() || k != reflect.Int && k != reflect.Int64 {
			continue
		}
		numbers++
		c := good
		reflect.ValueOf(&c).Elem().FieldByIndex(field.Index).SetInt(-1)
		means, listed := want[field.Name]
		err := use(c)
		switch {
		case !listed:
			t.Errorf("%s.%s is not in the table", name, field.Name)
		case means == refused && (!errors.Is(err, errConfig) || !strings.Contains(err.Error(), field.Name)):
			t.Errorf("%s.%s: %v, want an ErrConfig that names it", name, field.Name, err)
		case means == taken && err != nil:
			t.Errorf("%s.%s: %v", name, field.Name, err)
		}
	}
	if numbers != len(want) {
		t.Errorf("%s has %d numbers, %d in the table", name, numbers, len(want))
	}
}
