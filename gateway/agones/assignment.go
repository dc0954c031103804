package agones

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport/sallyport/transport"
)

// The keys of annotations, or labels, that an allocator writes and a Rule and an Agent read.
const (
	KeyScope   = "sallyport.dev/scope"        // the match: identity tokens of this scope alone
	KeyPlayers = "sallyport.dev/players"      // who may join, by subject
	KeyKeyID   = "sallyport.dev/key-id"       // the fleet key that seals the players' tickets, as a decimal number
	KeyDrain   = "sallyport.dev/drain"        // host:port to which players go, or "yes": nowhere in particular
	KeyWithin  = "sallyport.dev/drain-within" // how long a drain may take, such as 10m
)

// Assignment is what an allocator has written on a GameServer.
type Assignment struct {
	Scope   string   // empty if it says none
	Players []string // subjects, sorted; nil if everybody of the scope may join, empty if nobody may
	KeyID   uint32   // 0 if it says none
	Drain   bool     // players are to go
	To      string   // where to: host:port, empty if it says none
	Within  time.Duration
}

// AssignmentOf reads the annotations of a GameServer. Malformed parts are left out where that admits
// fewer players and not more: entries that are no subjects are dropped from the players, and a list that
// cannot be read admits nobody. The error says what was malformed, for a log; it names keys and never a
// player.
func AssignmentOf(g *GameServer) (a Assignment, err error) {
	var wrong []error
	note := func(key, what string) { wrong = append(wrong, fmt.Errorf("%s: %s", key, what)) }
	if text, ok := g.value(KeyScope); ok {
		if a.Scope = strings.TrimSpace(text); a.Scope == "" || !isText(a.Scope, maxScope) {
			a.Scope = noScope
			note(KeyScope, "want 1 to "+strconv.Itoa(maxScope)+" printable bytes; nobody may join")
		}
	}
	if text, ok := g.value(KeyPlayers); ok {
		players, left := parsePlayers(text)
		if a.Players = players; left > 0 {
			note(KeyPlayers, fmt.Sprintf("%d of the players are no subjects, or more than %d", left, maxPlayers))
		}
	}
	if text, ok := g.value(KeyKeyID); ok {
		id, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32)
		if err != nil || id == 0 {
			id = 0
			note(KeyKeyID, "want the number of a fleet key, from 1")
		}
		a.KeyID = uint32(id)
	}
	if text, ok := g.value(KeyDrain); ok {
		a.Drain, a.To = parseDrain(strings.TrimSpace(text))
		if a.Drain && a.To == "" && !isYes(text) {
			note(KeyDrain, "want host:port of another server, or yes; players are told no destination")
		}
	}
	if text, ok := g.value(KeyWithin); ok {
		d, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || d <= 0 || d > maxWithin {
			d = 0
			note(KeyWithin, "want a duration up to 24h, such as 10m")
		}
		a.Within = d
	}
	return a, errors.Join(wrong...)
}

// noScope is the scope of an assignment whose scope is malformed: no identity token has it.
const noScope = "\x00"

// parsePlayers reads a list of subjects, and says how many it has left out.
func parsePlayers(text string) (players []string, left int) {
	players = []string{}
	text = strings.TrimSpace(text)
	var listed []string
	if strings.HasPrefix(text, "[") {
		if json.Unmarshal([]byte(text), &listed) != nil {
			return players, 1
		}
	} else {
		listed = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	}
	for _, s := range listed {
		if !isText(s, maxSubject) || s == "" || len(players) == maxPlayers {
			left++
			continue
		}
		players = append(players, s)
	}
	slices.Sort(players)
	return slices.Compact(players), left
}

// parseDrain reads whether to drain, and where to.
func parseDrain(text string) (drain bool, to string) {
	switch {
	case text == "" || strings.EqualFold(text, "no") || strings.EqualFold(text, "false"):
		return false, ""
	case isYes(text):
		return true, ""
	}
	if transport.CheckDestination(text) == nil {
		return true, text
	}
	return true, "" // somebody wants it to drain
}

func isYes(text string) bool {
	text = strings.TrimSpace(text)
	return strings.EqualFold(text, "yes") || strings.EqualFold(text, "true")
}

// isText reports whether text is valid, without control characters, and of at most so many bytes.
func isText(text string, most int) bool {
	return len(text) <= most && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// lists reports whether a player may join as far as Players is concerned.
func (a *Assignment) lists(subject string) bool {
	if a.Players == nil {
		return true
	}
	_, found := slices.BinarySearch(a.Players, subject)
	return found
}
