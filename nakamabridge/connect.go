package nakamabridge

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/heroiclabs/nakama-common/api"
	"github.com/heroiclabs/nakama-common/runtime"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/customid"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
)

// The words of a token's scope: the match, the Nakama session of the socket that the player has, if
// there is one, and whether the client wants the senders of broadcasts.
const (
	matchWord   = "match:"
	sessionWord = "sid:"
	senderWord  = "sender"
)

// profile is the information about a UDP-only player that a match handler may ask for, as of the
// player's last call of the RPC.
type profile struct {
	username string
	vars     map[string]string
	expires  int64 // of the Nakama session, Unix seconds

	matchID  string // the match that metadata is for
	metadata map[string]string
}

// metadataFor returns the metadata for MatchJoinAttempt.
func (p *profile) metadataFor(matchID string) map[string]string {
	metadata := make(map[string]string, len(p.metadata)+1)
	if p.matchID == matchID {
		maps.Copy(metadata, p.metadata)
	}
	metadata["transport"] = "udp"
	return metadata
}

// request and reply are the RPC's JSON; the package comment explains the fields.
type request struct {
	MatchID  string            `json:"match_id"`
	Metadata map[string]string `json:"metadata"`
	Sender   bool              `json:"sender"`
}

type reply struct {
	Address     string `json:"address"`
	Pin         string `json:"pin"`
	Certificate string `json:"certificate"`
	Token       string `json:"token"`
	Expires     int64  `json:"expires"`
	MatchID     string `json:"match_id"`
}

// Connect is the RPC that gives a signed-in player what it needs to connect by UDP or to renew; see
// the package comment. It refuses with 3, 5, 7, 14 and 16.
func (b *Bridge) Connect(
	ctx context.Context, _ runtime.Logger, _ *sql.DB, nk runtime.NakamaModule, payload string,
) (_ string, err error) {
	defer b.guard("Connect", &err)
	userID := text(ctx, runtime.RUNTIME_CTX_USER_ID)
	if userID == "" {
		b.reject(ctx, audit.DropToken, nil, "a call without a player was denied")
		return "", errSession
	}
	r, err := parseRequest(payload)
	if err != nil {
		return "", err
	}
	if b.match(r.MatchID) == nil {
		return "", absent(ctx, nk, r.MatchID)
	}
	now := time.Now()
	grant, err := b.grant(ctx, now, userID, r)
	if err != nil {
		return "", err
	}
	raw, err := b.issuer.Mint(now, grant)
	if err != nil {
		b.config.Logger.Error("nakamabridge: %v", err)
		return "", errInternal
	}
	b.record(ctx, audit.Accept, audit.DropNone, nil, "a token for UDP was given")
	answer, err := json.Marshal(reply{
		Address: b.contact.address, Pin: b.contact.pin, Certificate: b.contact.certificate,
		Token: raw, Expires: now.Truncate(time.Second).Add(grant.Life).Unix(), MatchID: r.MatchID,
	})
	return string(answer), err
}

// parseRequest reads the RPC's payload.
func parseRequest(payload string) (r request, err error) {
	if len(payload) > maxPayload || json.Unmarshal([]byte(payload), &r) != nil {
		return r, errRequest
	}
	if r.MatchID == "" || len(r.MatchID) > maxMatchID || strings.ContainsFunc(r.MatchID, customid.Unprintable) {
		return r, errRequest
	}
	size := 0
	for key, value := range r.Metadata {
		size += len(key) + len(value)
	}
	if size > maxMetadata {
		return r, errMetadata
	}
	return r, nil
}

// absent returns why a match has no UDP: there is none of this id, or its handler is in Lua or
// TypeScript, or was registered without Match.
func absent(ctx context.Context, nk runtime.NakamaModule, matchID string) error {
	if nk == nil {
		return errNoMatch
	}
	if m, err := nk.MatchGet(ctx, matchID); err != nil || m == nil {
		return errNoMatch
	}
	return errNoBridge
}

// grant returns the grant for the caller's token, bound to the socket for a call over one,
// otherwise for a UDP-only player.
func (b *Bridge) grant(ctx context.Context, now time.Time, userID string, r request) (token.Grant, error) {
	g := token.Grant{Subject: userID, Scope: matchWord + r.MatchID, Life: b.config.TokenLife}
	account, err := b.account(ctx, userID)
	if err != nil {
		return g, err
	}
	if r.Sender {
		g.Scope += " " + senderWord
	}
	if sid := text(ctx, runtime.RUNTIME_CTX_SESSION_ID); sid != "" {
		g.Scope += " " + sessionWord + sid
		return g, nil
	}
	if b.config.VirtualPlayers == 0 {
		b.reject(ctx, audit.DropState, nil, "a player without a socket was denied")
		return g, errDenied
	}
	p := profile{username: account.GetUser().GetUsername(), matchID: r.MatchID, metadata: r.Metadata}
	p.vars, _ = ctx.Value(runtime.RUNTIME_CTX_VARS).(map[string]string)
	p.expires, _ = ctx.Value(runtime.RUNTIME_CTX_USER_SESSION_EXP).(int64)
	g.Life = min(g.Life, time.Unix(p.expires, 0).Sub(now).Truncate(time.Second))
	if g.Life < minTokenLife {
		return g, errSession // about to end: refresh it first
	}
	b.profiles.Put(userID, p)
	return g, nil
}

// account is the caller's, unless it is banned.
func (b *Bridge) account(ctx context.Context, userID string) (*api.Account, error) {
	query, cancel := context.WithTimeout(ctx, accountTimeout)
	defer cancel()
	account, err := b.config.Accounts.AccountGetId(query, userID)
	switch {
	case err != nil:
		return nil, b.unread()
	case banned(account):
		b.reject(ctx, audit.DropRevoked, nil, "a banned account was denied")
		return nil, errDenied
	}
	return account, nil
}

// admission is session.Config.Authorize: it calls authorize and translates the error for the
// player. If the game's own Authorize fails, the player is asked to try again, and a live session
// continues.
func (b *Bridge) admission(a *session.Admission) error {
	switch err := b.authorize(a); {
	case errors.Is(err, errDenied):
		return session.Refusal(session.ReasonRevoked)
	case errors.Is(err, errNoMatch):
		return session.Refusal(session.ReasonLeft)
	case errors.Is(err, errInternal):
		return session.Refusal(session.ReasonBusy)
	default:
		return err
	}
}

// authorize returns an error unless the token may open or continue a session here: its match must
// run here, and the player must not have been revoked since it was minted. The match assigns a seat
// to a session once; a session that is renewed, or resumed where it lives, keeps its seat.
// authorize runs on the connection's goroutine.
func (b *Bridge) authorize(a *session.Admission) (err error) {
	defer b.guard("Authorize", &err)
	if b.revokedSince(a.Claims.Subject, a.Claims.IssuedAt) {
		return errDenied
	}
	id, _, _ := scopeWords(a.Claims.Scope)
	switch {
	case a.Scope != "" && a.Scope != matchWord+id:
		return errScope
	case b.match(id) == nil:
		return errNoMatch
	}
	if also := b.config.Session.Authorize; also != nil {
		return also(a)
	}
	return nil
}

// scopeWords reads the scope of a token made here.
func scopeWords(scope string) (matchID, sessionID string, sender bool) {
	match, rest, _ := strings.Cut(scope, " ")
	for word := range strings.FieldsSeq(rest) {
		if sid, ok := strings.CutPrefix(word, sessionWord); ok {
			sessionID = sid
		}
		sender = sender || word == senderWord
	}
	return strings.TrimPrefix(match, matchWord), sessionID, sender
}
