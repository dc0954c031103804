package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/show"
)

// contents is what a token holds, as text that is safe to print. Nobody has verified it.
type contents struct {
	Header map[string]string `json:"header,omitempty"`
	Claims map[string]string `json:"claims,omitempty"`

	expires, begins time.Time // exp; the later of nbf and iat
}

// plain are names of header fields and claims that say nothing about a player, and may be shown.
var plain = strings.Fields("alg typ kid crit iss aud client_id azp token_use scope platform build cnf cognito:groups ver version")

// times are claims that hold seconds since 1970.
var times = strings.Fields("exp nbf iat auth_time")

// read reads what can be read of a token, however bad it is.
func read(raw []byte, now time.Time, personal bool) contents {
	var c contents
	segments := bytes.Split(raw, []byte("."))
	if len(segments) != 3 {
		return c
	}
	header, claims := object(segments[0]), object(segments[1])
	c.Header, c.Claims = display(header, now, personal), display(claims, now, personal)
	c.expires = seconds(claims["exp"])
	c.begins = seconds(claims["nbf"])
	if issued := seconds(claims["iat"]); issued.After(c.begins) {
		c.begins = issued
	}
	return c
}

// object decodes a segment; nil if it is none.
func object(segment []byte) (o map[string]any) {
	text := make([]byte, base64.RawURLEncoding.DecodedLen(len(segment)))
	n, err := base64.RawURLEncoding.Decode(text, segment)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text[:n]))
	d.UseNumber()
	if d.Decode(&o) != nil {
		return nil
	}
	return o
}

// seconds reads a time claim; zero if it is none that a clock shows.
func seconds(v any) time.Time {
	n, ok := v.(json.Number)
	f, err := strconv.ParseFloat(string(n), 64)
	if !ok || err != nil || f < 0 || f > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(f), 0).UTC()
}

// display makes text of values; nil of nil.
func display(o map[string]any, now time.Time, personal bool) map[string]string {
	if o == nil {
		return nil
	}
	shown := make(map[string]string, len(o))
	for name, v := range o {
		at := seconds(v)
		switch {
		case slices.Contains(times, name) && !at.IsZero():
			shown[show.Safe(name)] = at.Format(time.RFC3339) + ", " + distance(at, now)
		case personal || slices.Contains(plain, name):
			shown[show.Safe(name)] = value(v)
		default:
			shown[show.Safe(name)] = kind(v) + " (-personal shows it)"
		}
	}
	return shown
}

// distance says how far a time is from now.
func distance(at, now time.Time) string {
	d := at.Sub(now).Truncate(time.Second)
	if d < 0 {
		return (-d).String() + " ago"
	}
	return "in " + d.String()
}

// value is a claim in full, but for its length.
func value(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return show.Safe(string(b))
}

// kind says what a claim is without saying it.
func kind(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("text of %d bytes", len(v))
	case json.Number:
		return "number"
	case bool:
		return "true or false"
	case []any:
		return fmt.Sprintf("list of %d", len(v))
	case map[string]any:
		return fmt.Sprintf("object of %d", len(v))
	}
	return "null"
}

// sorted are the names of a map, in order.
func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
