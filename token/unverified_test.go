package token

import (
	"errors"
	"reflect"
	"testing"
)

// "All but its signature would do": Unverified refuses what Verify does, for the same reason, and takes what is wrong in
// nothing but its signature or its key.
func TestUnverified(t *testing.T) {
	v := newVerifier()
	for _, r := range rules() {
		for _, ok := range r.accept {
			claims, err := v.Unverified(now, []byte(ok.String()))
			want, _ := verify(t, v, ok.String()) // its strings have been moved together
			if err != nil || want == nil {
				t.Errorf("%s: %v, %v", r.rule, claims, err)
				continue
			}
			claims.KeyID = want.KeyID // which key it is is known once the signature has been checked
			if !reflect.DeepEqual(claims, want) {
				t.Errorf("%s: %+v, want %+v", r.rule, claims, want)
			}
		}
		for _, bad := range r.refuse {
			_, err := v.Unverified(now, []byte(bad.token.String()))
			unseen := errors.Is(bad.want, ErrSignature) || errors.Is(bad.want, ErrUnknownKey) || errors.Is(bad.want, ErrUnavailable)
			if !errors.Is(err, bad.want) && !(unseen && err == nil) {
				t.Errorf("%s: %v, want %v", r.rule, err, bad.want)
			}
		}
	}
	if _, err := v.Unverified(now, make([]byte, maxVerified+1)); CheckOf(err) != CheckSize {
		t.Errorf("too long: %v", err)
	}
}
