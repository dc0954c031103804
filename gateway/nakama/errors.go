package nakama

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/session"
)

// ErrConfig is matched by every error about a Config. The text names the field.
var ErrConfig = errors.New("nakama: bad configuration")

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrConfig, fmt.Sprintf(format, args...))
}

var (
	errAway         = errors.New("nakama: the server does not answer")
	errUnauthorized = errors.New("nakama: the server does not accept the session")
	errRequest      = errors.New("nakama: the metadata of HELLO is no request; see the package comment")
	errLeft         = errors.New("nakama: the player has left")
	errCrowded      = errors.New("nakama: the match does not answer those who want to join fast enough")
	errBroken       = errors.New("nakama: the WebSocket has broken")
)

// ending is an error after which no other attempt is made: what the player is told.
type ending struct {
	reason session.Reason
	detail string
	cause  string // for the audit and the log, a fixed text
}

func (e *ending) Error() string { return "nakama: " + e.cause }

// The ends of a player's stay that the other side gives no text for.
var (
	endKicked  = &ending{session.ReasonKicked, "the match has removed the player", "kicked by the match"}
	endOver    = &ending{session.ReasonLeft, "the match is over", "the match is over"}
	endAbsent  = &ending{session.ReasonLeft, "the match is over", "there is no such match"}
	endBehind  = &ending{session.ReasonBusy, "too many reliable messages wait: connect again", "the player takes reliable messages too slowly"}
	endSlow    = &ending{session.ReasonBusy, "too many reliable inputs wait: connect again", "Nakama takes reliable inputs too slowly"}
	endCrowded = &ending{session.ReasonBusy, "too many want to join: connect again", "the match does not answer those who want to join fast enough"}
	endAway    = &ending{session.ReasonUnavailable, "", "the WebSocket could not be made again in time"}
	endSession = &ending{session.ReasonKicked, "Nakama does not accept the session", "Nakama does not accept the session"}
	endBanned  = &ending{session.ReasonKicked, "Nakama does not let the account in", "Nakama does not let the account in"}
	endUnknown = &ending{session.ReasonUnavailable, "the match is not known here: connect again", "the session came without its match"}
)

// What Nakama itself says in place of the game, all as MATCH_JOIN_REJECTED.
const (
	joinRejected = "Match join rejected"                            // the game gives no reason, or no answer within joinAnswer
	joinCrowded  = "Match is not currently accepting join requests" // more wait than match.join_attempt_queue_size
)
