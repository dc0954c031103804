package token

import "testing"

// Cold is a token never seen, cached one that was: a session's first datagram, and a bearer token in each.
func BenchmarkVerify(b *testing.B) {
	for _, name := range []string{"RS256", "ES256", "EdDSA", "HS256", "Nakama"} {
		raw := []byte(everyForm[name]().String())
		v := newVerifier()
		b.Run(name+"/cold", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				t, err := v.parse(raw)
				if err != nil {
					b.Fatal(err)
				}
				if t.key, err = t.usable(b.Context(), now); err != nil {
					b.Fatal(err)
				}
				if err := t.key.verify(t.signed, t.signature); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/cached", func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(ctx, now, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRefuse(b *testing.B) {
	for name, raw := range map[string][]byte{
		"too-long": make([]byte, 1<<16),
		"ones":     []byte(game().with("a", make([]int, 1300)).with("exp", now.Unix()).String()),
		"junk":     make([]byte, 1000),
		"expired":  []byte(game().with("exp", now.Unix()).String()),
		"longest":  []byte(ofLength(MaxLen).with("exp", now.Unix()).String()),
		"forged":   []byte(signedByOther().String()),
	} {
		v := newVerifier()
		b.Run(name, func(b *testing.B) {
			ctx := b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(ctx, now, raw); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

func BenchmarkMint(b *testing.B) {
	i := newIssuer()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Mint(now, Grant{Subject: "player-1", Scope: "match:42"}); err != nil {
			b.Fatal(err)
		}
	}
}
