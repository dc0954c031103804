package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/keyset"
	"github.com/sallyport/sallyport/fleet/internal/show"
	"github.com/sallyport/sallyport/token"
)

// outcome is what "token inspect" prints.
type outcome struct {
	Good   bool         `json:"good"`
	Failed []string     `json:"failed,omitempty"` // labels
	Checks []checkState `json:"checks,omitempty"`
	Notes  []string     `json:"notes,omitempty"`
	contents

	verified *token.Claims // of a token that is good but for its times
}

// checkState is a check and how the token has fared.
type checkState struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, fail, or unknown: not reached
	Text  string `json:"text,omitempty"`
}

// checkNames are the checks of a token in their order, by what they look at.
var checkNames = [...]struct {
	check token.Check
	name  string
}{
	{token.CheckSize, "size"},
	{token.CheckSpace, "white space"},
	{token.CheckForm, "form"},
	{token.CheckIssuer, "issuer"},
	{token.CheckAlgorithm, "algorithm"},
	{token.CheckType, "type"},
	{token.CheckClaim, "claims"},
	{token.CheckAudience, "audience"},
	{token.CheckGroup, "groups"},
	{token.CheckExpired, "expiry"},
	{token.CheckNotYetValid, "begin"},
	{token.CheckLife, "life"},
	{token.CheckKey, "key"},
	{token.CheckKeySet, "key set"},
	{token.CheckSignature, "signature"},
}

// judge has the token verified as a server does. Where it fails for a time, it is verified again as
// of a time, or with a longest life, that lets it pass.
func (o *outcome) judge(ctx context.Context, rules *openRules, now time.Time, raw []byte) error {
	failures := make(map[token.Check]error)
	profiles := slices.Clone(rules.profiles)
	reached := token.CheckSignature + 1
	for range 4 {
		v, err := token.NewVerifier(profiles...)
		if err != nil {
			return err
		}
		claims, err := v.Verify(ctx, now, raw)
		if err == nil {
			o.verified = claims
			break
		}
		check := token.CheckOf(err)
		if failures[check] != nil {
			reached = check
			break
		}
		failures[check] = err
		if !o.forgive(check, &now, profiles) {
			reached = check
			break
		}
	}
	o.Good = len(failures) == 0
	for _, c := range checkNames {
		state := checkState{Check: c.name, State: "ok"}
		err := failures[c.check]
		switch {
		case err != nil:
			state.State, state.Text = "fail", strings.TrimPrefix(err.Error(), "token: ")
			o.Failed = append(o.Failed, token.Label(err))
		case c.check > reached, c.check == token.CheckKey && failures[token.CheckKeySet] != nil:
			state.State = "unknown"
		}
		o.Checks = append(o.Checks, state)
	}
	if f := rules.fetched.Load(); f != nil && f.Err != nil {
		o.Notes = append(o.Notes, show.Safe("the key set: "+causeOf(f.Err)))
	}
	if failures[token.CheckKey] != nil {
		o.noteKeys(rules.list(ctx))
	}
	return nil
}

// forgive changes what lets a token fail a check of its times, and reports whether it could.
func (o *outcome) forgive(check token.Check, now *time.Time, profiles []token.Profile) bool {
	switch {
	case check == token.CheckExpired && !o.expires.IsZero():
		*now = o.expires.Add(-time.Second)
	case check == token.CheckNotYetValid && !o.begins.IsZero():
		*now = o.begins
	case check == token.CheckLife:
		for i := range profiles {
			profiles[i].MaxLife = token.LongestLife
		}
	default:
		return false
	}
	return true
}

// noteKeys says which keys there are, for a token that names another.
func (o *outcome) noteKeys(keys []keyset.Key) {
	if keys == nil {
		return
	}
	var names []string
	for _, k := range keys[:min(len(keys), 16)] {
		names = append(names, k.String())
	}
	o.Notes = append(o.Notes, "the issuer's keys are "+strings.Join(names, ", "))
}

// causeOf is the text of an error and of what it wraps.
func causeOf(err error) string {
	text := err.Error()
	if wrapped, ok := err.(interface{ Unwrap() []error }); ok {
		for _, cause := range wrapped.Unwrap() {
			if !strings.Contains(text, cause.Error()) {
				text += ": " + cause.Error()
			}
		}
	}
	return strings.TrimPrefix(text, "token: ")
}

// judgeScope checks that a token is for a match.
func (o *outcome) judgeScope(scope string) {
	if scope == "" {
		return
	}
	state := checkState{Check: "scope", State: "unknown"}
	switch {
	case o.verified == nil:
	case o.verified.HasScope(scope):
		state.State = "ok"
	default:
		state.State, state.Text = "fail", "the token is not for the match of -scope"
		o.Good, o.Failed = false, append(o.Failed, "scope")
	}
	o.Checks = append(o.Checks, state)
}

// hints adds what is often wrong around a token.
func (o *outcome) hints(raw []byte) {
	if len(raw) > token.MaxLen {
		o.Notes = append(o.Notes, fmt.Sprintf("the token has %d bytes, and a client cannot send more than %d: the issuer must put less into it", len(raw), token.MaxLen))
	}
	if rest, ok := bytes.CutPrefix(bytes.ToLower(raw[:min(len(raw), 7)]), []byte("bearer ")); ok && len(rest) == 0 {
		o.Notes = append(o.Notes, `it begins with "Bearer", which belongs to an HTTP header and not to the token`)
	}
	if o.Checks == nil {
		o.Notes = append(o.Notes, "nothing was verified: give the server's rules, as in -issuer, -audience and -jwks")
	}
	switch {
	case o.Header == nil:
		o.Notes = append(o.Notes, "its header cannot be read: that is no JWT, or not all of one")
	case o.Claims == nil:
		o.Notes = append(o.Notes, "its claims cannot be read: that is no JWT, or not all of one")
	}
}

// print prints the outcome for a person.
func (o *outcome) print(w io.Writer) {
	who := "claims, unverified"
	if o.verified != nil {
		who = "claims"
	}
	for _, part := range []struct {
		name   string
		values map[string]string
	}{{"header", o.Header}, {who, o.Claims}} {
		if len(part.values) > 0 {
			fmt.Fprintln(w, part.name)
		}
		for _, name := range sorted(part.values) {
			fmt.Fprintf(w, "  %-12s  %s\n", name, part.values[name])
		}
	}
	if o.Checks != nil {
		fmt.Fprintln(w, "checks")
	}
	for _, c := range o.Checks {
		word := map[string]string{"ok": "ok", "fail": "FAIL", "unknown": "-"}[c.State]
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-4s  %-11s  %s", word, c.Check, c.Text), " "))
	}
	for _, n := range o.Notes {
		fmt.Fprintln(w, "note: "+n)
	}
	switch {
	case o.Good:
		fmt.Fprintln(w, "good")
	case o.Checks != nil:
		fmt.Fprintln(w, "REFUSED: "+strings.Join(o.Failed, ", "))
	}
}
