package token

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A reader takes typed values out of an object and keeps the first fault that it finds. A missing
// value is zero and no fault; a present one is never empty.
type reader struct {
	o     object
	fault *Error
}

// refuse notes a fault of the claim called name.
func (r *reader) refuse(name, text string) {
	if r.fault == nil {
		r.fault = badClaim(name, text)
	}
}

// badClaim returns a failure of CheckClaim. Both arguments are fixed texts.
func badClaim(name, text string) *Error {
	return &Error{Check: CheckClaim, Claim: name, text: name + ": " + text}
}

// text reads a string of 1 to limit bytes without control characters.
func (r *reader) text(name string, limit int) string {
	v, present := r.o[name]
	if !present {
		return ""
	}
	return r.checkText(name, v, limit)
}

// checkText is text for a value that is present.
func (r *reader) checkText(name string, v any, limit int) string {
	s, ok := v.(string)
	if !ok || s == "" || len(s) > limit || strings.ContainsFunc(s, unicode.IsControl) {
		r.refuse(name, "not a text of 1 to "+strconv.Itoa(limit)+" bytes without control characters")
		return ""
	}
	return s
}

// texts reads one string or a non-empty array of them, as aud has them (RFC 7519 4.1.3).
func (r *reader) texts(name string, limit int) []string {
	v, present := r.o[name]
	if !present {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return []string{r.checkText(name, v, limit)}
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = r.checkText(name, v, limit)
	}
	if len(out) == 0 {
		r.refuse(name, "an empty list")
	}
	return out
}

// groups reads an array of at most maxGroups strings, which may be empty.
func (r *reader) groups(name string) []string {
	list, ok := r.o[name].([]any)
	if _, present := r.o[name]; !present || ok && len(list) == 0 {
		return nil
	}
	if !ok || len(list) > maxGroups {
		r.refuse(name, "not a list of at most "+strconv.Itoa(maxGroups)+" groups")
		return nil
	}
	return r.texts(name, maxNick)
}

// scope reads words separated by single spaces: scope-token *( SP scope-token ), RFC 6749 3.3, or
// an array of them, as some issuers write it, and returns the former. An empty list is no scope.
// Tabs and repeated spaces are refused.
func (r *reader) scope(name string) string {
	var words []string
	switch v := r.o[name].(type) {
	case string:
		if v == "" {
			return ""
		}
		words = strings.Split(v, " ")
	case []any:
		for _, word := range v {
			words = append(words, r.checkText(name, word, maxVerified))
		}
	default:
		if _, present := r.o[name]; present {
			r.refuse(name, "neither a text nor a list")
		}
		return ""
	}
	s := strings.Join(words, " ")
	if slices.ContainsFunc(words, badScope) {
		r.refuse(name, "not words of RFC 6749 with single spaces between")
	}
	return s
}

// badScope reports whether a word is not a scope-token.
func badScope(word string) bool {
	return word == "" || strings.ContainsFunc(word, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
}

// optional is text for a claim that other issuers use as they like: any other value counts as absent.
func (r *reader) optional(name string) string {
	other := reader{o: r.o}
	return other.text(name, maxText)
}

// uuid is text for a UUID in hexadecimal (RFC 9562 4), and returns it in lower case: Nakama reads
// both.
func (r *reader) uuid(name string) string {
	s := strings.ToLower(r.text(name, maxText))
	if s != "" && !uuid.MatchString(s) {
		r.refuse(name, "not a UUID")
	}
	return s
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// date reads a NumericDate (RFC 7519 2): a JSON number of seconds since 1970, with or without a
// fraction. The range is checked before the conversion to an integer, whose result for huge values
// is platform-dependent in Go.
func (r *reader) date(name string) time.Time {
	v, present := r.o[name]
	if !present {
		return time.Time{}
	}
	n, _ := v.(json.Number)
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f < 0 || f > maxDate {
		r.refuse(name, "not a number of seconds since 1970")
		return time.Time{}
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC()
}

// confirmation reads cnf: {"x5t#S256": …} (RFC 8705 3.1). A token with any other confirmation is
// refused, instead of being treated as unbound.
func (r *reader) confirmation(name string) (sum [32]byte, present bool) {
	v, present := r.o[name]
	if !present {
		return sum, false
	}
	cnf, _ := v.(object)
	text, _ := cnf["x5t#S256"].(string)
	b, ok := decodeSegment([]byte(text))
	if !ok || len(b) != len(sum) || cnf.exact("x5t#S256") != nil {
		r.refuse(name, "not the SHA-256 of a client certificate, x5t#S256")
		return sum, false
	}
	return [32]byte(b), true
}
