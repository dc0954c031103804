package nakamabridge

import (
	"errors"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/customid"
)

// "cognito:<pool>:<sub>   a Cognito user pool, under both of the issuer names that AWS gives it"
func TestCustomID(t *testing.T) {
	t.Parallel()
	const sub = "ebc40646-3d13-47b1-95b4-b8be6f9de255"
	long := strings.Repeat("s", customid.Max-len("jwt:")-22-1)
	for _, c := range []struct{ issuer, subject, want string }{
		{"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbC9", sub, "cognito:us-east-1_AbC9:" + sub},
		{"https://issuer-cognito-idp.us-east-1.amazonaws.com/us-east-1_AbC9", sub, "cognito:us-east-1_AbC9:" + sub},
		{"https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_x", sub, "cognito:cn-north-1_x:" + sub},
		{"https://cognito-idp.eusc-de-east-1.amazonaws.eu/eusc-de-east-1_x", sub, "cognito:eusc-de-east-1_x:" + sub},
		{"https://cognito-idp.us-east-1.amazonaws.com/us-west-2_AbC9", sub, "jwt:"},
		{"https://cognito-idp.us-east-1.amazonaws.com.evil.test/us-east-1_AbC9", sub, "jwt:"},
		{"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_AbC9/x", sub, "jwt:"},
		{"https://issuer.test", "a:b", "jwt:"},
		{"https://issuer.test", long, "jwt:"},
		{"https://issuer.test", long + "s", ""},
		{"https://issuer.test", "a b", ""},
		{"https://issuer.test", "a\x7f", ""},
		{"https://issuer.test", "ä", ""},
		{"https://issuer.test", "", ""},
		{"", sub, ""},
	} {
		id, err := CustomID(c.issuer, c.subject)
		switch {
		case c.want == "":
			if !errors.Is(err, ErrIdentity) {
				t.Errorf("CustomID(%q, %q) = %q, %v", c.issuer, c.subject, id, err)
			}
			continue
		case err != nil || !strings.HasPrefix(id, c.want) || len(id) < 6 || len(id) > customid.Max:
			t.Errorf("CustomID(%q, %q) = %q, %v, want %q", c.issuer, c.subject, id, err, c.want)
		}
		if p, subject, err := subjectOf(id); err != nil || subject != c.subject || p != customid.Provider(c.issuer) {
			t.Errorf("subjectOf(%q) = %q, %q, %v", id, p, subject, err)
		}
	}
}

// Issuers do not share identities.
func TestCustomIDsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, issuer := range []string{"https://a.test", "https://b.test", "https://a.test/", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_b"} {
		id, err := CustomID(issuer, "sub")
		if err != nil || seen[id] != "" {
			t.Errorf("%s and %s have the same custom id %q (%v)", issuer, seen[id], id, err)
		}
		seen[id] = issuer
	}
}
