package revocation_test

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/revocationtest"
	"github.com/sallyport/sallyport/session"
)

// What an operator revokes by the publisher is in force as if each server had been asked.
func TestPublisherRevokes(t *testing.T) {
	virtual(t, func(t *testing.T, b *revocationtest.Broker) {
		key, server := revocation.GenerateSigningKey(), newSink()
		p, _ := publisher(t, revocation.PublisherConfig{Key: key, Dir: t.TempDir(), Carrier: b.Carrier()})
		s, _ := subscriber(t, revocation.SubscriberConfig{Trusted: []revocation.Trusted{central(key)}, Carrier: b.Carrier(), Sink: server})
		within(t, 3*time.Second, "whole", func() bool { return !s.Status().Stale })
		id := [16]byte{1, 2, 0xab, 15: 9}
		before := time.Now().Add(-time.Hour).UTC()
		all := map[string]session.Revocation{
			"subject issuer alice":                  {Kind: session.RevokeSubject, Issuer: "issuer", Value: "alice", Time: before},
			"subject issuer bob":                    {Kind: session.RevokeSubject, Issuer: "issuer", Value: "bob"},
			"token issuer t":                        {Kind: session.RevokeToken, Issuer: "issuer", Value: "t"},
			"sign-in issuer s":                      {Kind: session.RevokeSignIn, Issuer: "issuer", Value: "s"},
			"key issuer k":                          {Kind: session.RevokeKey, Issuer: "issuer", Value: "k"},
			"build  1.0":                            {Kind: session.RevokeBuild, Value: "1.0"},
			"session  " + hex.EncodeToString(id[:]): {Kind: session.RevokeSession, Value: hex.EncodeToString(id[:])},
		}
		for what, r := range all {
			if _, err := p.Revoke(r); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		time.Sleep(time.Second)
		server.mu.Lock()
		for what := range all {
			if _, ok := server.revoked[what]; !ok {
				t.Errorf("%s: not in force; %v are", what, server.revoked)
			}
		}
		if at := server.revoked["subject issuer alice"]; !at.Equal(before.Truncate(time.Microsecond)) {
			t.Errorf("tokens issued until %v are refused, want %v", at, before)
		}
		server.mu.Unlock()
		for _, bad := range []session.Revocation{
			{},
			{Kind: 7, Value: "x"},
			{Kind: session.RevokeSubject, Value: "no issuer"},
			{Kind: session.RevokeBuild, Issuer: "x", Value: "1"},
			{Kind: session.RevokeSession, Value: "00"},
			{Kind: session.RevokeSession, Value: hex.EncodeToString(id[:]) + "00"},
			{Kind: session.RevokeSession, Value: hex.EncodeToString(id[:])[:31] + "A"},
			{Kind: session.RevokeSession, Issuer: "x", Value: hex.EncodeToString(id[:])},
		} {
			if _, err := p.Revoke(bad); !errors.Is(err, session.ErrRevocation) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if _, err := p.Ban(session.Ban{Subject: "x"}); !errors.Is(err, session.ErrBan) {
			t.Error(err)
		}
	})
}
