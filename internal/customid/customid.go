// Package customid names the players of other issuers as Nakama accounts: package nakamabridge shows
// the form of the custom ids.
package customid

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"
)

// Max is the longest custom id in bytes that Nakama takes.
const Max = 128

// cognitoIssuer matches both issuer names of a user pool; the pool's id repeats the region.
var cognitoIssuer = regexp.MustCompile(
	`^https://(?:issuer-)?cognito-idp\.([a-z0-9-]+)\.amazonaws\.(?:com|com\.cn|eu)/(([a-z0-9-]+)_[0-9A-Za-z]+)$`)

// New is Nakama's custom id for an issuer's subject. It is false if they make none: one of them is
// empty, the subject is not printable ASCII, or the id too long.
func New(issuer, subject string) (id string, ok bool) {
	id = Provider(issuer) + ":" + subject
	return id, issuer != "" && subject != "" && len(id) <= Max && !strings.ContainsFunc(subject, Unprintable)
}

// Provider names an issuer in two words.
func Provider(issuer string) string {
	if m := cognitoIssuer.FindStringSubmatch(issuer); m != nil && m[1] == m[3] {
		return "cognito:" + m[2]
	}
	sum := sha256.Sum256([]byte(issuer))
	return "jwt:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Cut undoes New.
func Cut(id string) (provider, subject string, ok bool) {
	kind, rest, _ := strings.Cut(id, ":")
	name, subject, ok := strings.Cut(rest, ":")
	return kind + ":" + name, subject, ok && subject != "" && (kind == "cognito" || kind == "jwt")
}

// Username returns a random name for a new account. It does not show the sub, because every player
// can see it, and it cannot be guessed, because a player who takes a name first keeps others from
// an account with that name.
func Username() string { return "player-" + strings.ToLower(rand.Text()) }

// Unprintable reports whether r is anything but printable ASCII without the space.
func Unprintable(r rune) bool { return r <= ' ' || r > '~' }
