package revocation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
)

// "Errors match ErrConfig", and name the field.
func TestConfigErrors(t *testing.T) {
	t.Parallel()
	key := revocation.GenerateSigningKey()
	carrier := revocationtest.NewBroker(1).Carrier()
	publisher := revocation.PublisherConfig{Key: key, Dir: "x", Carrier: carrier}
	subscriber := revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: carrier, Sink: newSink()}
	for field, change := range map[string]func(*revocation.PublisherConfig){
		"Key": func(c *revocation.PublisherConfig) { c.Key = revocation.SigningKey{} }, "Dir": func(c *revocation.PublisherConfig) { c.Dir = "" },
		"Carrier": func(c *revocation.PublisherConfig) { c.Carrier = nil }, "Name": func(c *revocation.PublisherConfig) { c.Name = strings.Repeat("x", 65) },
		"TokenLife": func(c *revocation.PublisherConfig) { c.TokenLife = -1 }, "Heartbeat": func(c *revocation.PublisherConfig) { c.Heartbeat = -1 },
		"Announce": func(c *revocation.PublisherConfig) { c.Announce = -1 },
	} {
		c := publisher
		change(&c)
		if _, err := revocation.OpenPublisher(c); !errors.Is(err, revocation.ErrConfig) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for field, change := range map[string]func(*revocation.SubscriberConfig){
		"Trusted ": func(c *revocation.SubscriberConfig) { c.Trusted = nil }, "Carrier": func(c *revocation.SubscriberConfig) { c.Carrier = nil },
		"Sink": func(c *revocation.SubscriberConfig) { c.Sink = nil }, "Stale": func(c *revocation.SubscriberConfig) { c.Stale = time.Second },
		"Mode": func(c *revocation.SubscriberConfig) { c.Mode = 9 }, "End": func(c *revocation.SubscriberConfig) { c.Mode = revocation.EndSessions },
		"End ":          func(c *revocation.SubscriberConfig) { c.End = func() {} },
		"Trusted.Name":  func(c *revocation.SubscriberConfig) { c.Trusted[0].Name = "" },
		"Trusted.Key":   func(c *revocation.SubscriberConfig) { c.Trusted[0].Key = nil },
		"Trusted.Kinds": func(c *revocation.SubscriberConfig) { c.Trusted[0].Kinds = 0 },
	} {
		c := subscriber
		c.Trusted = []revocation.Trusted{central(key)}
		change(&c)
		if _, err := revocation.NewSubscriber(c); !errors.Is(err, revocation.ErrConfig) || !strings.Contains(err.Error(), strings.TrimSpace(field)) {
			t.Errorf("%s: %v", field, err)
		}
	}
	s, err := revocation.NewSubscriber(subscriber)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Trust(revocation.Trusted{}); !errors.Is(err, revocation.ErrConfig) {
		t.Errorf("Trust: %v", err)
	}
}

// A signing key is written and read, and nothing else reaches its bytes.
func TestSigningKey(t *testing.T) {
	t.Parallel()
	k := revocation.GenerateSigningKey()
	text, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := revocation.ParseSigningKey(text)
	if err != nil || !again.Public().Equal(k.Public()) || revocation.IDOf(k.Public()).String() == "" {
		t.Error(err)
	}
	if s := fmt.Sprintf("%v %+v %#v", k, k, k); strings.Count(s, "0x") != 3 && len(s) > 100 {
		t.Errorf("printed: %s", s)
	}
	for what, b := range map[string][]byte{"empty": nil, "no PEM": []byte("x"), "cut": text[:len(text)/2]} {
		if _, err := revocation.ParseSigningKey(b); !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := revocation.NewSigningKey(other); !errors.Is(err, revocation.ErrConfig) {
		t.Errorf("an ECDSA key: %v", err)
	}
	if _, err := (revocation.SigningKey{}).PEM(); !errors.Is(err, revocation.ErrConfig) || (revocation.SigningKey{}).Public() != nil {
		t.Errorf("no key: %v", err)
	}
}

// Enums have words.
func TestWords(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]fmt.Stringer{
		"subject": revocation.KindSubject, "used": revocation.KindUsed, "kind 0": revocation.Kind(0), "kind 10": revocation.KindUsed + 1,
		"admit nobody new": revocation.AdmitNobodyNew, "end": revocation.EndSessions, "mode 3": revocation.EndSessions + 1,
		"live": revocation.TopicLive, "ask": revocation.TopicAsk, "topic 0": revocation.Topic(0),
	} {
		if got.String() != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	set := revocation.KindsOf(revocation.KindBan, revocation.KindLift, 77)
	if !set.Has(revocation.KindBan) || set.Has(revocation.KindUsed) || set.Has(99) || revocation.AllKinds.Has(0) || !revocation.AllKinds.Has(revocation.KindUsed) {
		t.Errorf("%b", set)
	}
}
